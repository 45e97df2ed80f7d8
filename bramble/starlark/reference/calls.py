"""Calls: what a running function knows, how arguments fill its parameters, and what is refused."""

from __future__ import annotations

from ..errors import EvalError, Frame
from ..syntax.scopes import KEYWORD_ONLY, KWARGS, POSITIONAL, VARARGS
from .values import Builtin, Dict, Function, fail, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn, Union

    from ..dialect import Dialect
    from ..source import Source
    from ..syntax.scopes import Resolution
    from .evaluate import Thread
    from .values import Value, Variable


class Home:
    """A file that runs: its text, what its names mean, and its globals so far."""

    def __init__(
        self, source: Source, resolution: Resolution, dialect: Dialect, predeclared: Mapping[str, Value]
    ) -> None:
        self.source = source
        self.resolution = resolution
        self.dialect = dialect
        self.predeclared = predeclared
        self.globals: dict[str, Value] = {}


class Activation:
    """One call: the variables of the function, those it has from around it, and where it is."""

    def __init__(
        self, thread: Thread, home: Home, name: str, locals: list[Variable], captured: list[Variable], at: int
    ) -> None:
        self.thread = thread
        self.home = home
        self.name = name
        self.locals = locals
        self.captured = captured
        self.at = at

    @property
    def frame(self) -> Frame:
        return Frame(self.name, self.home.source.position(self.at))


def left(here: Activation, caught: Union[EvalError, RecursionError]) -> EvalError:
    """Return an error that leaves a call, with the call's name and place before those that it has."""
    # spec: starlark.error.traceback, starlark.limit.stack
    deep = EvalError("eval.limit", "Starlark stack overflow")
    error = caught if isinstance(caught, EvalError) else deep
    error.stack = (here.frame, *error.stack)
    return error


def add_keywords(function: Value, kwargs: dict[str, Value], more: Value) -> None:
    """Add the entries of `**more` to the keywords of a call."""
    # spec: starlark.arguments, starlark.text.call
    if not isinstance(more, Dict):
        fail("eval.argument", f"argument after ** must be a mapping, not {type_name(more)}")
    for key, value in more.table.values():
        if not isinstance(key, str):
            fail("eval.argument", f"keywords must be strings, not {type_name(key)}")
        if key in kwargs and isinstance(function, Function):
            refuse(
                function,
                "eval.argument",
                f'function {function.name} got multiple values for parameter "{key}"',
            )
        if key in kwargs:
            name = function.name if isinstance(function, Builtin) else type_name(function)
            fail("eval.argument", f'{name}: got multiple values for keyword argument "{key}"')
        kwargs[key] = value


def refuse(function: Function, code: str, message: str) -> NoReturn:
    """Refuse a call: the function that was called is the innermost frame, at its `def` or `lambda`."""
    # spec: starlark.error.binding
    error = EvalError(code, message)
    error.stack = (Frame(function.name, function.home.source.position(function.node.start)),)
    raise error


def bind_arguments(function: Function, args: list[Value], kwargs: dict[str, Value]) -> dict[str, Value]:
    """Return the values of all parameters by name; a call that does not fit is refused."""
    # spec: starlark.binding, starlark.text.call
    label = f"function {function.name}"
    parameters = function.scope.parameters
    positional = [p.name for p in parameters if p.kind == POSITIONAL]
    keyword_only = [p.name for p in parameters if p.kind == KEYWORD_ONLY]
    rest = next((p.name for p in parameters if p.kind == VARARGS), None)
    words = next((p.name for p in parameters if p.kind == KWARGS), None)
    if not parameters and (args or kwargs):
        refuse(function, "eval.argument", f"{label} accepts no arguments ({len(args) + len(kwargs)} given)")
    if len(args) > len(positional) and rest is None:
        most = "at most " if any(name in function.defaults for name in positional) else ""
        noun = "argument" if len(positional) == 1 else "arguments"
        count = f"{most}{len(positional)} positional {noun} ({len(args)} given)"
        refuse(function, "eval.argument", f"{label} accepts {count}")
    bound = dict(zip(positional, args))
    others = Dict()
    for word, value in kwargs.items():
        if word in bound:
            refuse(function, "eval.argument", f'{label} got multiple values for parameter "{word}"')
        if word in positional or word in keyword_only:
            bound[word] = value
        elif words is not None:
            others.put(word, value)
        else:
            refuse(function, "eval.argument", f'{label} got an unexpected keyword argument "{word}"')
    bound = {**function.defaults, **bound}
    missing = [name for name in (*positional, *keyword_only) if name not in bound]
    if missing:
        noun = "argument" if len(missing) == 1 else "arguments"
        refuse(function, "eval.argument", f"{label} missing {len(missing)} {noun} ({', '.join(missing)})")
    if rest is not None:
        bound[rest] = tuple(args[len(positional) :])
    if words is not None:
        bound[words] = others
    return bound
