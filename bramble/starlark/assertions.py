"""The `assert` module: what programs that test something are given."""

from __future__ import annotations

from .errors import EvalError
from .patterns import compile_pattern, is_found
from .runtime.arguments import count_between, named_arguments, no_keywords, want_string
from .runtime.functions import Builtin, ModuleValue, Stopped
from .runtime.limits import search
from .runtime.operators import is_in, less
from .runtime.text import to_repr, to_str
from .runtime.values import equal
from .thread import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from .runtime.values import Value
    from .thread import Thread


def _failed(message: str) -> NoReturn:
    raise EvalError("eval.assert", message)


def _eq(x: Value, y: Value) -> None:
    if not equal(x, y):
        _failed(f"{to_repr(x)} != {to_repr(y)}")


def _ne(x: Value, y: Value) -> None:
    if equal(x, y):
        _failed(f"{to_repr(x)} == {to_repr(y)}")


def _lt(x: Value, y: Value) -> None:
    if not less(x, y):
        _failed(f"{to_repr(x)} is not less than {to_repr(y)}")


def _contains(x: Value, y: Value) -> None:
    if not is_in(y, x):
        # In the words of the manual.
        _failed(f"{to_str(x)} does not contain {to_str(y)}")


def _true(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
    bound = named_arguments("true", ("x", "msg"), args, kwargs, ("x",))
    if not bound["x"]:
        _failed(to_str(bound.get("msg", "assertion failed")))


def _fail(message: Value) -> NoReturn:
    _failed(to_str(message))


def _fails(thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
    no_keywords("fails", kwargs)
    count_between("fails", len(args), 2, 2)
    wanted = want_string("fails", 2, args[1])
    try:
        call(thread, args[0])
    except EvalError as error:
        # What ends a program for the host's sake is not a program's to observe.
        if error.code == "eval.host" or isinstance(error, Stopped):
            raise
        message = error.message
    else:
        _failed(f"{to_repr(args[0])} did not fail; it should with {to_repr(wanted)}")
    search("fails", message, wanted)
    if wanted in message:
        return
    # spec: starlark.assert.pattern
    pattern = compile_pattern(wanted)
    if pattern is None:
        _failed(f"failed with {to_repr(message)}, which does not contain {to_repr(wanted)}")
    if not is_found(pattern, message, thread.tick):
        _failed(f"failed with {to_repr(message)}, which does not match {to_repr(wanted)}")


def _two(name: str, function: Callable[[Value, Value], None]) -> Builtin:
    def implementation(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
        no_keywords(name, kwargs)
        count_between(name, len(args), 2, 2)
        function(*args)

    return Builtin(name, implementation)


def _fail_builtin(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> NoReturn:
    no_keywords("fail", kwargs)
    count_between("fail", len(args), 1, 1)
    _fail(args[0])


# spec: starlark.assert
ASSERT = ModuleValue(
    "assert",
    {
        "contains": _two("contains", _contains),
        "eq": _two("eq", _eq),
        "fail": Builtin("fail", _fail_builtin),
        "fails": Builtin("fails", _fails),
        "lt": _two("lt", _lt),
        "ne": _two("ne", _ne),
        "true": Builtin("true", _true),
    },
)
