"""`assert` and `json` for programs that the reference evaluator runs."""

from __future__ import annotations

from typing import Any

from bramble.starlark import EvalError
from bramble.starlark.patterns import compile_pattern, is_found
from bramble.starlark.reference import operators, values
from bramble.starlark.reference.values import Builtin, Dict, List, Module, Set, Struct, fail, to_repr, truth
from bramble.starlark.runtime import functions, json
from bramble.starlark.runtime import values as runtime
from bramble.starlark.runtime.arguments import count_between
from bramble.starlark.runtime.functions import Stopped

Value = Any


def check(name: str, wrong: Any) -> Builtin:
    """Return a function of `assert`; `wrong` returns what is wrong with its arguments, or None."""

    def run(_thread: Any, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
        least = 1 if name in ("true", "fail") else 2
        count_between(name, len(args), 0 if kwargs else least, 2 if name == "true" else least)
        message = wrong(*args, **kwargs)
        if message is not None:
            fail("eval.assert", message)

    return Builtin(name, run)


def wrong_pair(words: str, holds: Any) -> Any:
    """Return a check of two values: what stands between them where they are not as they should be."""
    return lambda x, y: None if holds(x, y) else f"{to_repr(x)} {words} {to_repr(y)}"


def wrong_truth(x: Value, msg: Value = "assertion failed") -> Any:
    return None if truth(x) else values.to_str(msg)


def fails(thread: Any, args: tuple[Value, ...], _kwargs: dict[str, Value]) -> None:
    count_between("fails", len(args), 2, 2)
    function, wanted = args
    try:
        thread.call(function, ())
    except Stopped:
        raise
    except RecursionError:
        message = "Starlark stack overflow"
    except EvalError as error:
        message = error.message
    else:
        fail("eval.assert", f"{to_repr(function)} did not fail")
    if wanted in message:
        return
    pattern = compile_pattern(wanted)
    if pattern is None or not is_found(pattern, message, lambda: True):
        does = "contain" if pattern is None else "match"
        fail("eval.assert", f"failed with {to_repr(message)}, which does not {does} {to_repr(wanted)}")


def outward(x: Value, made: dict[int, Value]) -> Value:
    """Return a value as one of the compiler's."""
    if id(x) in made:
        return made[id(x)]
    if isinstance(x, List):
        listed = made[id(x)] = runtime.List()
        listed.extend([outward(item, made) for item in x.items])
        return listed
    if isinstance(x, Dict):
        table = made[id(x)] = runtime.Dict()
        for key, value in x.table.values():
            runtime.put(table, outward(key, made), outward(value, made))
        return table
    if isinstance(x, Set):
        return runtime.set_of([outward(element, made) for element in x.elements])
    if isinstance(x, Struct):
        return functions.Struct({name: outward(value, made) for name, value in x.fields.items()})
    return tuple([outward(item, made) for item in x]) if isinstance(x, tuple) else x


def inward(x: Value) -> Value:
    """Return a value of the compiler's as one of the reference evaluator."""
    if isinstance(x, runtime.List):
        return List(map(inward, x))
    if runtime.type_name(x) == "dict":
        return Dict([(inward(key), inward(value)) for key, value in runtime.entries(x)])
    return x


def borrowed(name: str) -> Builtin:
    function = json.JSON.attributes[name].function

    def run(thread: Any, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
        made: dict[int, Value] = {}
        words = {word: outward(value, made) for word, value in kwargs.items()}
        return inward(function(thread, tuple([outward(value, made) for value in args]), words))

    return Builtin(name, run)


ASSERT = Module(
    "assert",
    {
        "contains": check("contains", wrong_pair("does not contain", lambda x, y: operators.is_in(y, x))),
        "eq": check("eq", wrong_pair("!=", values.equal)),
        "fail": check("fail", values.to_str),
        "fails": Builtin("fails", fails),
        "lt": check("lt", wrong_pair("is not less than", operators.BINARY["<"])),
        "ne": check("ne", wrong_pair("==", lambda x, y: not values.equal(x, y))),
        "true": check("true", wrong_truth),
    },
)
JSON = Module("json", {name: borrowed(name) for name in json.JSON.attributes})
