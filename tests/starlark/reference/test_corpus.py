"""The reference evaluator does what the conformance suite's `.star` files say, chunk by chunk."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from bramble.starlark import StarlarkError
from bramble.starlark.reference import evaluate, universe

from ..test_conformance_cases import CASES, chunks, dialect_of, places_of, wanted_errors
from .modules import ASSERT, JSON

pytestmark = pytest.mark.once

PREDECLARED = {"assert": ASSERT, "json": JSON, "struct": universe.STRUCT}
# A call of a program is about eight of Python's; 500 nested ones must work.
DEEP = 12_000
STACK = 256 << 20
CHUNKS = chunks()
FILES = sorted({name.split(":")[0] for name, _text in CHUNKS})


def deeply(work: Callable[[], None]) -> None:
    """Do something with a deep stack, and raise what it raises."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    before = sys.getrecursionlimit()
    size = threading.stack_size(STACK)
    sys.setrecursionlimit(DEEP)
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(before)
    if raised:
        raise raised[0]


def errors_of(name: str, text: str, wanted: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the places and codes of a chunk's errors."""
    thread = evaluate.Thread(lambda _line: None)
    try:
        evaluate.run(text, name, thread, dialect=dialect_of(text), predeclared=PREDECLARED)
    except StarlarkError as error:
        return places_of(error, [code for _, code in wanted])
    return []


@pytest.mark.skipif(not CASES.is_dir(), reason="the conformance suite is not beside this package")
@pytest.mark.parametrize("file", FILES)
def test_the_chunks_of_a_file_do_what_they_say(file: str) -> None:
    def work() -> None:
        for name, text in CHUNKS:
            if name.split(":")[0] == file:
                wanted = wanted_errors(text)
                assert errors_of(name, text, wanted) == wanted, name

    deeply(work)
