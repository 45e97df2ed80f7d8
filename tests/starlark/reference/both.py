"""One program, run by the compiler and by the reference evaluator: what each of them made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Optional

from bramble.starlark import (
    Builtin,
    Dialect,
    EvalError,
    StarlarkError,
    call,
    compile_program,
    execute,
    to_repr,
)
from bramble.starlark import Thread as CompiledThread
from bramble.starlark.errors import Position
from bramble.starlark.reference import evaluate, universe, values
from bramble.starlark.runtime.struct import STRUCT

STEPS = 20_000
# Programs that meet these are not compared: where they are met is not the language's.
LIMITS = ("text of the value is too long", "Starlark stack overflow")


class Outcome:
    """What a program did: its lines, its globals at the end as text, and its error."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.globals: dict[str, str] = {}
        self.error: Optional[tuple[Any, ...]] = None
        self.limited = False

    def end(self) -> Outcome:
        """Note whether the program met a limit, and may have met it elsewhere."""
        self.limited = self.limited or any(limit in str(self.seen) for limit in LIMITS)
        return self

    @property
    def seen(self) -> tuple[Any, ...]:
        return self.printed, self.globals, self.error

    def fail(self, error: StarlarkError) -> None:
        """Note an error: code, words and calls with their places; of others codes and places."""
        if isinstance(error, EvalError):
            self.limited = error.limit == "steps"
            assert str(error.stack[-1]).startswith(f"{error.position}:")
            self.error = told(error)
        else:
            self.error = tuple([(one.code, one.message, str(one.position)) for one in error.errors])


def attempted(work: Callable[[], Any]) -> Any:
    """Return the value of a call, or what went wrong, and where, as text."""
    try:
        return work()
    except EvalError as error:
        if error.limit or error.code == "eval.host":
            raise
        return "; ".join(told(error))


def told(error: EvalError) -> tuple[str, ...]:
    """Return what is compared of an error.

    Which two items were compared depends on how a list is sorted.
    """
    stack = [str(frame) for frame in error.stack]
    words = re.sub(r"\S+ < \S+ not implemented", "T < U not implemented", error.message)
    return (error.code, words, *stack)


def compiled(files: Mapping[str, str], dialect: Dialect, **options: Any) -> Outcome:
    """Run `main.star` with the compiler."""
    found = Outcome()
    modules: dict[str, Any] = {}

    def module_of(name: str) -> Any:
        if name not in files:
            raise EvalError("eval.load", "no such file")
        if name not in modules:
            program = compile_program(files[name], name, dialect=dialect, predeclared=given)
            modules[name] = execute(program, predeclared=given, thread=thread)
        return modules[name]

    def load(_thread: CompiledThread, name: str, _position: Optional[Position]) -> Any:
        return module_of(name)

    def write(line: str, _position: Optional[Position]) -> None:
        found.printed.append(line)

    def attempt(own: CompiledThread, args: Any, _kwargs: Any) -> Any:
        return attempted(lambda: call(own, args[0]))

    given = {"struct": STRUCT, "attempt": Builtin("attempt", attempt)}
    thread = CompiledThread(print=write, load=load, **options)
    try:
        module = module_of("main.star")
        found.globals = {name: to_repr(value) for name, value in module.globals.items()}
    except StarlarkError as error:
        assert error.code != "eval.host", error.__cause__
        found.fail(error)
    return found.end()


def referred(files: Mapping[str, str], dialect: Dialect) -> Outcome:
    """Run `main.star` with the reference evaluator."""
    found = Outcome()
    modules: dict[str, Any] = {}

    def module_of(name: str, _from: str = "") -> Any:
        if name not in files:
            raise EvalError("eval.load", "no such file")
        if name not in modules:
            modules[name] = evaluate.run(files[name], name, thread, dialect=dialect, predeclared=given)
        return modules[name]

    def attempt(own: evaluate.Thread, args: Any, _kwargs: Any) -> Any:
        return attempted(lambda: own.call(args[0], ()))

    given = {"struct": universe.STRUCT, "attempt": values.Builtin("attempt", attempt)}
    thread = evaluate.Thread(found.printed.append, module_of, STEPS)
    try:
        globals = module_of("main.star")
        found.globals = {name: values.to_repr(value) for name, value in globals.items()}
    except StarlarkError as error:
        found.fail(error)
    return found.end()


def difference(files: Mapping[str, str], dialect: Dialect) -> str:
    """Return where the two disagree about a program, or "" where they agree or it runs too long."""
    expected = referred(files, dialect)
    if expected.limited:
        return ""
    actual = compiled(files, dialect)
    if actual.seen == expected.seen:
        return ""
    texts = "\n".join(f"-- {name} --\n{text}" for name, text in files.items())
    parts = zip(("printed", "globals", "error"), expected.seen, actual.seen)
    wrong = [f"{what}\n  reference {one}\n  compiled  {other}" for what, one, other in parts if one != other]
    return texts + "\n" + "\n".join(wrong)
