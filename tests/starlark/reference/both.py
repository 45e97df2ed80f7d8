"""One program, run by the compiler and by the reference evaluator: what each of them made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from bramble.starlark import Dialect, EvalError, StarlarkError, compile_program, execute, to_repr
from bramble.starlark import Thread as CompiledThread
from bramble.starlark.errors import Position
from bramble.starlark.reference import evaluate, universe, values
from bramble.starlark.runtime.struct import STRUCT

STEPS = 20_000


class Outcome:
    """What a program did: its lines, its globals at the end as text, and its error."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.globals: dict[str, str] = {}
        self.error: Optional[tuple[Any, ...]] = None
        self.steps = False

    @property
    def seen(self) -> tuple[Any, ...]:
        return self.printed, self.globals, self.error

    def fail(self, error: StarlarkError) -> None:
        """Note an error: code, words, place and stack of an evaluation, codes and places of others."""
        if isinstance(error, EvalError):
            self.steps = error.limit == "steps"
            stack = tuple([str(frame) for frame in error.stack])
            self.error = (error.code, words(error.message), str(error.position), stack)
        else:
            self.error = tuple([(one.code, one.message, str(one.position)) for one in error.errors])


def words(message: str) -> str:
    """Return a message without what depends on how a list is sorted: which two items were compared."""
    return re.sub(r"\S+ < \S+ not implemented", "T < U not implemented", message)


def compiled(files: Mapping[str, str], dialect: Dialect, **options: Any) -> Outcome:
    """Run `main.star` with the compiler."""
    found = Outcome()
    modules: dict[str, Any] = {}

    def module_of(name: str) -> Any:
        if name not in files:
            raise EvalError("eval.load", "no such file")
        if name not in modules:
            program = compile_program(files[name], name, dialect=dialect, predeclared=("struct",))
            modules[name] = execute(program, predeclared={"struct": STRUCT}, thread=thread)
        return modules[name]

    def load(_thread: CompiledThread, name: str, _position: Optional[Position]) -> Any:
        return module_of(name)

    def write(line: str, _position: Optional[Position]) -> None:
        found.printed.append(line)

    thread = CompiledThread(print=write, load=load, **options)
    try:
        module = module_of("main.star")
        found.globals = {name: to_repr(value) for name, value in module.globals.items()}
    except StarlarkError as error:
        assert error.code != "eval.host", error.__cause__
        found.fail(error)
    return found


def referred(files: Mapping[str, str], dialect: Dialect) -> Outcome:
    """Run `main.star` with the reference evaluator."""
    found = Outcome()
    modules: dict[str, Any] = {}

    def module_of(name: str, _from: str = "") -> Any:
        if name not in files:
            raise EvalError("eval.load", "no such file")
        if name not in modules:
            given = {"struct": universe.STRUCT}
            modules[name] = evaluate.run(files[name], name, thread, dialect=dialect, predeclared=given)
        return modules[name]

    thread = evaluate.Thread(found.printed.append, module_of, STEPS)
    try:
        globals = module_of("main.star")
        found.globals = {name: values.to_repr(value) for name, value in globals.items()}
    except StarlarkError as error:
        found.fail(error)
    return found


def difference(files: Mapping[str, str], dialect: Dialect) -> str:
    """Return where the two disagree about a program, or "" where they agree or it runs too long."""
    expected = referred(files, dialect)
    if expected.steps:
        return ""
    actual = compiled(files, dialect)
    if actual.seen == expected.seen:
        return ""
    texts = "\n".join(f"-- {name} --\n{text}" for name, text in files.items())
    parts = zip(("printed", "globals", "error"), expected.seen, actual.seen)
    wrong = [f"{what}\n  reference {one}\n  compiled  {other}" for what, one, other in parts if one != other]
    return texts + "\n" + "\n".join(wrong)
