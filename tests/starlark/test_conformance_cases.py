"""Every chunk of the conformance suite's `.star` files, run in this process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bramble.starlark import Dialect, StarlarkError, Thread, compile_program, execute
from bramble.starlark.assertions import ASSERT
from bramble.starlark.runtime.json import JSON
from bramble.starlark.runtime.struct import STRUCT

# As commands, `tests/conformance/test_reference.py` has them done by every Python.
pytestmark = pytest.mark.once

CASES = Path(__file__).parents[2] / "conformance" / "cases" / "starlark"
PREDECLARED = {"assert": ASSERT, "json": JSON, "struct": STRUCT}
OPTIONS = {
    "recursion": "recursion",
    "while": "while_loops",
    "global-reassign": "global_reassign",
    "toplevel-control": "toplevel_control",
}


def chunks() -> list[tuple[str, str]]:
    """Return (name, text) of every chunk, padded so that its lines have their numbers in the file."""
    found = []
    for path in sorted(CASES.glob("*.star")):
        lines = 0
        for text in re.split(r"^---\n", path.read_text("utf-8", errors="surrogateescape"), flags=re.M):
            found.append((f"{path.stem}:{lines + 1}", "\n" * lines + text))
            lines += text.count("\n") + 1
    return found


def dialect_of(text: str) -> Dialect:
    allowed = re.findall(r"^# allow: (.*)$", text, flags=re.M)
    return Dialect(**{OPTIONS[word]: True for line in allowed for word in line.replace(",", " ").split()})


def wanted_errors(text: str) -> list[tuple[int, str]]:
    return [
        (number, code.strip())
        for number, line in enumerate(text.split("\n"), 1)
        if (match := re.search(r"### (.*)$", line))
        for code in match[1].split(",")
    ]


def places_of(error: StarlarkError, with_column: list[str]) -> list[tuple[int, str]]:
    found = []
    for one in error.errors:
        assert one.position is not None
        code = f"{one.code}:{one.position.column}"
        found.append((one.position.line, code if code in with_column else one.code))
    return found


@pytest.mark.skipif(not CASES.is_dir(), reason="the conformance suite is not beside this package")
@pytest.mark.parametrize(("name", "text"), chunks(), ids=[name for name, _ in chunks()])
def test_a_conformance_chunk_does_what_it_says(name: str, text: str) -> None:
    wanted = wanted_errors(text)
    try:
        program = compile_program(text, name, dialect=dialect_of(text), predeclared=PREDECLARED)
        execute(program, predeclared=PREDECLARED, thread=Thread(print=lambda _text, _position: None))
        found = []
    except StarlarkError as error:
        assert wanted, error
        found = places_of(error, [code for _, code in wanted])
        assert found == wanted, f"{error} {error.__cause__!r}"
    assert found == wanted
