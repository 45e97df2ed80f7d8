"""What the process that checks a package leaves for the one that publishes: three small files.

The one that reads takes them for a stranger's: every part is looked at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from bramble.commands.registry.checking import Checked
from bramble.commands.registry.jobs import Problem
from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_DOCUMENT
from bramble.packages.registry.documents import Documentation, documentation_document, parse_documentation
from bramble.packages.registry.index import Entry
from bramble.record import NamedTuple
from bramble.store.files.small import read_file

_OUTCOME, _PROBLEM, _DOCS = "outcome.json", "problem.json", "docs.json"
_LARGEST = 1 << 20  # bytes of the outcome, and of a problem
_FORM = 1


class Outcome(NamedTuple):
    """What was found: a version that may be published, or `already` is."""

    entry: Entry
    already: bool
    impure: tuple[str, ...]


def write_outcome(directory: str, checked: Checked) -> None:
    """Leave what was found in a directory."""
    if not checked.already:
        with open(os.path.join(directory, _DOCS), "wb") as file:
            file.write(documentation_document(checked.documentation))
    values = {"entry": list(checked.entry), "already": checked.already, "impure": list(checked.impure)}
    _write(directory, _OUTCOME, values)


def write_problem(directory: str, error: BrambleError) -> None:
    """Leave in a directory why nothing is to be published."""
    _write(directory, _PROBLEM, Problem.of(error).to_json())


def read_outcome(directory: str) -> Outcome:
    """Return what was found. Raises ValueError if that was not left whole."""
    values = _read(directory, _OUTCOME)
    entry, already, impure = (values.get(key) for key in ("entry", "already", "impure"))
    if not (
        isinstance(entry, list)
        and len(entry) == len(Entry._fields)
        and isinstance(already, bool)
        and isinstance(impure, list)
        and all(isinstance(one, str) for one in (*entry, *impure))
    ):
        raise ValueError("no outcome")
    return Outcome(Entry(*entry), already, tuple(impure))


def read_problem(directory: str) -> Problem:
    """Return why nothing is to be published. Raises ValueError if that was not left whole."""
    return Problem.read(_read(directory, _PROBLEM))


def read_documentation(directory: str) -> Documentation:
    """Return what the version says of itself. Raises registry.document."""
    return parse_documentation((read_file(os.path.join(directory, _DOCS)) or b"")[: LARGEST_DOCUMENT + 1])


def _write(directory: str, name: str, values: Mapping[str, object]) -> None:
    with open(os.path.join(directory, name), "w", encoding="ascii") as file:
        json.dump({"version": _FORM, **values}, file)


def _read(directory: str, name: str) -> dict[str, object]:
    data = read_file(os.path.join(directory, name)) or b""
    try:
        values = json.loads(data) if len(data) <= _LARGEST else None
    except RecursionError:
        values = None
    if not isinstance(values, dict):
        raise ValueError("nothing was written")
    return values
