"""What an implementation claims, and so what is asked of it: levels, capabilities, how errors are compared.

Claims can be in a file beside the implementation: `KEY: VALUE` lines, which mean what
the options of the same names mean (spec: conformance.claims).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from conformance.casefile import LEVELS
from conformance.changes import fixture_path
from conformance.script import CAPABILITIES, IMPLEMENTATION_CAPABILITIES

CODES = ("on", "off")
_KEYS = ("impl", "env", "level", "without", "codes", "expect-fail", "timeout")
_PATHS = ("expect-fail",)


class BadSuite(Exception):
    """The suite cannot be run: cases that cannot be read, or a choice that chooses nothing."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Rules:
    """What holds for every case of a run."""

    capabilities: frozenset[str]
    accept: bool = False
    seed: str = ""  # of what is chosen by chance
    codes: bool = True  # whether codes and columns of errors are compared, or only phases and lines
    keep: bool = False  # whether the directory of a case that fails stays


def options_of(path: str) -> list[str]:
    """Return the options in a file of claims. Raises BadSuite."""
    # spec: conformance.claims
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadSuite([f"--claims: {path}: {getattr(problem, 'strerror', None) or problem}"]) from None
    options: list[str] = []
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or key not in _KEYS or not value:
            raise BadSuite(
                [f"{path}:{number}: expected KEY: VALUE with one of {', '.join(_KEYS)}, not {line!r}"]
            )
        values = [part.strip() for part in value.split(",")] if key == "without" else [value]
        if key in _PATHS:
            values = [os.path.join(os.path.dirname(path), value)]
        options += [f"--{key}={one}" for one in values]
    return options


def claimed_levels(text: str) -> tuple[str, ...]:
    """Return the levels in a list with commas. Raises BadSuite for an unknown one."""
    levels = tuple(level.strip() for level in text.split(",") if level.strip())
    unknown = [level for level in levels if level not in LEVELS]
    if unknown or not levels:
        raise BadSuite([f"--level takes some of {', '.join(LEVELS)}; not {text!r}"])
    return levels


def capabilities_of_machine() -> frozenset[str]:
    """Return which of the machine's capabilities are here."""
    found = set()
    if os.path.exists(fixture_path("builder")):
        found.add("fixture")
    if shutil.which("git") is not None:
        found.add("git")
    found.add("root" if os.getuid() == 0 else "ordinary-user")
    return frozenset(found)


def claimed_capabilities(without: Collection[str]) -> frozenset[str]:
    """Return the capabilities of a run. Raises BadSuite for an unknown name."""
    # spec: conformance.capabilities
    unknown = sorted(set(without) - set(CAPABILITIES))
    if unknown:
        raise BadSuite([f"unknown capability {name!r}; known: {', '.join(CAPABILITIES)}" for name in unknown])
    return (frozenset(IMPLEMENTATION_CAPABILITIES) | capabilities_of_machine()) - set(without)
