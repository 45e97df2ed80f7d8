"""What an implementation is given in place of a chunk: a program that must pass and one that must fail.

A chunk as its author wrote it shows its answer to every reader: `### CODE` says which error comes
where, and a chunk without it must pass. So it is never handed over as it stands. Its expectations are cut
out, it is moved down by a number of lines that nobody can guess, and it is given twice, in files with
names of one run:

- A chunk that must pass is given as it is, and with one assertion turned into its opposite, which must
  then fail in its line. Only who evaluates it knows which of the two is which.
- A chunk that must fail is given as it is, and as text that is not run: in a comment, in a string, or in
  the body of a function that nobody calls. That must pass.

Every program prints the value of an expression in its first line and another one in its last. One that
passes has printed both, one that fails while it runs only the first; one that cannot be read, or whose
names mean nothing, has printed nothing. Assignments of no consequence stand around the chunk, so that its
error is not in the last line. (A chunk that ends where it cannot be read stays the end of its
program; the other program then ends in a line that is in order.) All of it is chosen by a `Random`, so
that a run can be repeated.

Pure: from a chunk and random numbers to programs (spec: conformance.star.twins).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple, Optional

from conformance.casefile import EXPECTED, Chunk, ExpectedError

ASSERTION_CODE = "eval.assert"
_STATIC = ("syntax", "resolve")
_TURNED = re.compile(r"^assert\.(eq|ne)\(", re.MULTILINE)
_OPPOSITE = {"eq": "ne", "ne": "eq"}
_MOST_LINES = 60  # empty ones, before everything
_MOST_SOUND = 10
# Right sides of assignments that are in order, and use no name that a chunk may give another meaning.
_SOUND = ("[1, (2, 3)]", '{"a": 1}', '"a" + "b"', "-1 if 0 else 2", "[x for x in (1, 2)]", "lambda x: x")


class Program(NamedTuple):
    """One file to be run, and what must come of it."""

    name: str  # of the file, without a directory
    text: str
    errors: tuple[ExpectedError, ...]  # none: it runs to its end
    printed: tuple[str, ...]  # lines that it prints
    unprinted: tuple[str, ...]  # lines that it must not print


class _Line(NamedTuple):
    """A line that prints the value of an expression, and the value."""

    text: str
    value: str


def programs_of(chunk: Chunk, chance: Random) -> tuple[Program, Program]:
    """Return the two programs of a chunk, in a random order."""
    twin = inert(chunk, chance) if chunk.errors else turned(chunk, chance)
    both = [as_written(chunk, chance), twin]
    chance.shuffle(both)
    return both[0], both[1]


def as_written(chunk: Chunk, chance: Random) -> Program:
    """Return the program of a chunk that behaves as its author stated."""
    return _program(chunk, _body(chunk), chunk.errors, chance)


def turned(chunk: Chunk, chance: Random, choice: Optional[int] = None) -> Program:
    """Return a chunk that passes with one assertion turned around: number `choice`, or any.

    If no statement is suitable, a failing one is added at its end.
    """
    body = _body(chunk)
    found = turnable(chunk)
    if found:
        match = found[chance.randrange(len(found)) if choice is None else choice]
        line = body.count("\n", 0, match.start()) + _first_line(chunk)
        text = body[: match.start(1)] + _OPPOSITE[match.group(1)] + body[match.end(1) :]
    else:
        line = body.count("\n") + _first_line(chunk)
        right = _sum(chance)
        text = f"{body}assert.eq({right.text}, {int(right.value) + chance.randrange(1, 9)})\n"
    return _program(chunk, text, (ExpectedError(line, ASSERTION_CODE, None),), chance)


def turnable(chunk: Chunk) -> tuple[re.Match[str], ...]:
    """Return where a chunk has assertions that can be turned around: those at the beginning of a line."""
    return tuple(_TURNED.finditer(_body(chunk)))


def inert(chunk: Chunk, chance: Random, choice: Optional[int] = None) -> Program:
    """Return a chunk that fails as text that is not run: in form number `choice`, or in any."""
    forms = tuple(inert_forms(chunk, f"_unused_{chance.randrange(10**6)}"))
    text = forms[chance.randrange(len(forms)) if choice is None else choice]
    return _program(chunk, text, (), chance)


def inert_forms(chunk: Chunk, name: str) -> Iterator[str]:
    """Yield the text of a chunk in forms that run nothing of it; `name` is one that it does not use."""
    # A carriage return ends a line, too.
    body = _body(chunk).replace("\r", "")
    lines = body.split("\n")[:-1]
    yield "".join(f"# {line}\n" for line in lines)
    if body.isprintable() or body.replace("\n", "").isprintable():
        for quotes in ('"""', "'''"):
            if quotes not in body and "\\" not in body and not body.rstrip("\n").endswith(quotes[0]):
                yield f"{name} = {quotes}\n{body}{quotes}\n"
    if not _is_static(chunk) and "\t" not in body and not re.search(r"^load\(", body, re.MULTILINE):
        yield f"def {name}():\n" + "".join(f"    {line}\n" if line else "\n" for line in lines)


def _body(chunk: Chunk) -> str:
    """Return the lines of a chunk without what they say of errors."""
    lines = chunk.source.lstrip("\n").split("\n")
    marked = {error.line - _first_line(chunk) for error in chunk.errors}
    return "\n".join(_plain(line) if number in marked else line for number, line in enumerate(lines))


def _plain(line: str) -> str:
    text = EXPECTED.sub("", line).rstrip(" \t")
    # Behind a backslash the comment itself is what is wrong.
    return f"{text} # more" if text.endswith("\\") else text


def _first_line(chunk: Chunk) -> int:
    """Return the number that the first line of the body has in the file of the case."""
    return len(chunk.source) - len(chunk.source.lstrip("\n")) + 1


def _program(chunk: Chunk, body: str, errors: Sequence[ExpectedError], chance: Random) -> Program:
    name = f"{_word(chance)}.star"
    first, last = _printing(chance), _printing(chance)
    before = "\n" * chance.randrange(_MOST_LINES) + f"{first.text}\n" + _sound_lines(chance)
    after = _sound_lines(chance) + f"{last.text}\n"
    values: tuple[str, ...] = (last.value,)
    if _may_be_unfinished(chunk):
        after, values = "" if errors else _sound_lines(chance, 1), ()
    moved = tuple(replace(one, line=one.line - _first_line(chunk) + before.count("\n") + 1) for one in errors)
    text = f"{before}{body}{after}"
    if not errors:
        return Program(name, text, (), (first.value, *values), ())
    if _is_static(chunk):
        # spec: starlark.error.phases
        return Program(name, text, moved, (), (first.value, *values))
    return Program(name, text, moved, (first.value,), values)


def _sound_lines(chance: Random, least: int = 0) -> str:
    """Return some lines that are in order and do nothing: so the last line is not that of the error."""
    count = chance.randrange(least, _MOST_SOUND)
    return "".join(f"{_word(chance)} = {chance.choice(_SOUND)}\n" for _ in range(count))


def _word(chance: Random) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8))


def _is_static(chunk: Chunk) -> bool:
    return any(error.code.partition(".")[0] in _STATIC for error in chunk.errors)


def _may_be_unfinished(chunk: Chunk) -> bool:
    """Return whether more text could move the error of a chunk: it ends where it cannot be read."""
    last = chunk.source.rstrip("\n").count("\n") + 1
    return any(error.code.startswith("syntax.") and error.line >= last for error in chunk.errors)


def _printing(chance: Random) -> _Line:
    shown = _sum(chance)
    return _Line(f"print({shown.text})", shown.value)


def _sum(chance: Random) -> _Line:
    one, two, three = (chance.randrange(100, 10_000) for _ in range(3))
    return _Line(f"{one} * {two} + {three}", str(one * two + three))
