"""What a host gives to programs and takes from them: values converted at the door, arguments checked.

A tutorial. A text is compiled once, with the names that the host will give, and run with their values. What
is Python's own goes through `to_starlark` first, which copies it, and says so when something in it is no
value of a program:

    >>> from bramble.starlark import *
    >>> config = to_starlark({"name": "demo", "sizes": [1, 2, 3]})
    >>> text = '''
    ... def total(extra = 0):
    ...     t = extra
    ...     for size in config["sizes"]:
    ...         t += size
    ...     return t
    ...
    ... result = {"title": shout(config["name"], times = 2), "total": total()}
    ... '''
    >>> to_starlark({"sizes": [1, 2j]})
    Traceback (most recent call last):
    bramble.starlark.errors.EvalError: ["sizes"][1]: not a Starlark value: complex

A function of the host takes the thread, a tuple of positional arguments, and a dict of those by name.
`unpack` checks them, in the words that other built-ins use:

    >>> def shout(thread, args, kwargs):
    ...     text, times = unpack("shout", args, kwargs, text=str, times=Default(int, 1))
    ...     return text.upper() + "!" * times
    >>> given = {"config": config, "shout": Builtin("shout", shout)}
    >>> program = compile_program(text, "demo.star", predeclared=given)
    >>> module = execute(program, predeclared=given, thread=Thread(max_steps=10_000))

What a program gives is its own: `from_starlark` makes Python's lists, dicts and sets of it. Functions are
called with `call`, in a thread that says how much they may do:

    >>> from_starlark(module.globals["result"])
    {'title': 'DEMO!!', 'total': 6}
    >>> call(Thread(max_steps=100), module.globals["total"], [4])
    10

Whatever goes wrong is a StarlarkError with a code, a message, and a place in the program:

    >>> try:
    ...     execute(compile_program("shout(1)", "wrong.star", predeclared=given), predeclared=given)
    ... except EvalError as error:
    ...     print(error.code, error.message, error.stack[0].position)
    eval.argument shout: for parameter text: got int, want string wrong.star:1:6

A type of the host's derives from `HostValue`. Programs reach of it what `attr` gives, and nothing else:

    >>> class Point(HostValue):
    ...     type_name = "point"
    ...     def __init__(self, x):
    ...         self.x = x
    ...     def attr(self, name):
    ...         return self.x if name == "x" else NotImplemented
    >>> moved = compile_program("moved = p.x + 1", "point.star", predeclared=["p"])
    >>> execute(moved, predeclared={"p": Point(2)}).globals["moved"]
    3

Programs can be kept on disk, where only this user can write. `ProgramCache.compile` takes what
`compile_program` takes; the second time nothing is read or compiled, in any process:

    >>> from bramble.starlark.cache import ProgramCache
    >>> from bramble.starlark.kept import Kept
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     cache = ProgramCache(Kept(place, ("programs",)))
    ...     cache.compile("x = 1", "x.star").globals
    ('x',)

Programs of strangers run in `bounds.bounded_memory()`, with a deadline or a number of steps.
"""

from __future__ import annotations

from .errors import EvalError
from .record import Record
from .runtime.arguments import named_arguments, wrong_type
from .runtime.functions import Struct, check_value
from .runtime.limits import MAX_DEPTH
from .runtime.text import to_repr
from .runtime.values import (
    DICT_CLASSES,
    LIST_CLASSES,
    NATIVE_TYPE_NAMES,
    PLAIN_KEYS,
    SET_CLASSES,
    Dict,
    List,
    entries,
    keys_of,
    put,
    set_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn

    from .runtime.values import Value

# Python's classes as `unpack` takes them, and the values that they mean.
_CONTAINERS: dict[type, tuple[str, frozenset[type]]] = {
    list: ("list", LIST_CLASSES),
    dict: ("dict", DICT_CLASSES),
    set: ("set", SET_CLASSES),
}


def _refuse(path: str, message: str) -> NoReturn:
    # spec: starlark.host.values
    raise EvalError("eval.host", f"{path}: {message}" if path else message)


# ---- values in


def to_starlark(value: object) -> Value:
    """Return a value of Python's as a new value for programs, which may change it until it is frozen.

    Lists, tuples, dicts, sets and what they contain are copied; a bytearray becomes bytes, and what derives
    from one of Python's types a plain value of it. Other values of programs and of the host (HostValue) stay
    what they are. What is the same object twice is so afterwards, also within itself.
    Raises EvalError: `eval.host` for anything else, with the way to it, and for a string with a lone
    surrogate; `eval.hash` for an unhashable key or element; `eval.limit` for what is nested too deeply.
    """
    return _Inward().convert(value, "", MAX_DEPTH)


class _Inward:
    """One conversion. `made` has what was made of each object, by identity, and the object, to keep it."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[object, Value]] = {}

    def convert(self, value: Any, path: str, depth: int) -> Value:
        if id(value) in self.made:
            return self.made[id(value)][1]
        if isinstance(getattr(value.__class__, "type_name", None), str):
            return value
        if isinstance(value, str):
            return self.string(value, path)
        if isinstance(value, (tuple, list, dict, set, frozenset)):
            if depth <= 0:
                raise EvalError("eval.limit", "value is nested too deeply")
            return self.container(value, path, depth - 1)
        if value.__class__ in NATIVE_TYPE_NAMES:
            return value
        # What derives from these may say anything of itself: asked is the plain type.
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, (bytes, bytearray)):
            return b"".join([value])
        check_value(path, value)
        return value

    def string(self, value: str, path: str) -> str:
        plain = str.__str__(value)
        try:
            plain.encode()
        except UnicodeEncodeError:
            _refuse(path, "string with a lone surrogate")
        return plain

    def container(self, value: Any, path: str, depth: int) -> Value:
        made: Value
        if isinstance(value, dict):
            # A value that is not hashable cannot be a key of a Python dict either.
            keys = [self.convert(key, path, depth) for key in value]
            odd = any(key.__class__ not in PLAIN_KEYS for key in keys)
            made = self.keep(value, Dict() if odd else {})
            for plain, item in zip(keys, value.values()):
                put(made, plain, self.convert(item, f"{path}[{to_repr(plain)}]", depth))
        elif isinstance(value, list):
            made = self.keep(value, List())
            for number, item in enumerate(value):
                made.append(self.convert(item, f"{path}[{number}]", depth))
        else:
            items = [self.convert(item, f"{path}[{number}]", depth) for number, item in enumerate(value)]
            made = self.keep(value, tuple(items) if isinstance(value, tuple) else set_of(items))
        return made

    def keep(self, value: object, made: Value) -> Value:
        self.made[id(value)] = (value, made)
        return made


# ---- values out


def from_starlark(value: Value) -> Any:
    """Return a value of a program as Python's own, a copy: lists, dicts and sets, and tuples of such.

    A struct becomes a dict of its fields. Keys and elements of sets, functions, modules, ranges and values
    of the host stay what they are. What is the same object twice is so afterwards, also within itself.
    Raises EvalError: `eval.host` for keys that are one for Python, such as 1 and True; `eval.limit` for what
    is nested too deeply.
    """
    return _outward(value, {}, MAX_DEPTH)


def _outward(value: Value, made: dict[int, tuple[object, Any]], depth: int) -> Any:
    kind = value.__class__
    if id(value) in made:
        return made[id(value)][1]
    if kind in SET_CLASSES:
        return set(_distinct(keys_of(value)))
    if kind not in LIST_CLASSES and kind not in DICT_CLASSES and kind is not tuple and kind is not Struct:
        return value
    if depth <= 0:
        raise EvalError("eval.limit", "value is nested too deeply")
    if kind is tuple:
        found: Any = tuple([_outward(item, made, depth - 1) for item in value])
        made[id(value)] = (value, found)
        return found
    if kind in LIST_CLASSES:
        found = []
        made[id(value)] = (value, found)
        found.extend([_outward(item, made, depth - 1) for item in value])
        return found
    found = {}
    made[id(value)] = (value, found)
    pairs = value.sorted_fields() if kind is Struct else entries(value)
    _distinct([key for key, _item in pairs])
    found.update([(key, _outward(item, made, depth - 1)) for key, item in pairs])
    return found


def _distinct(keys: Sequence[Value]) -> Sequence[Value]:
    if len(set(keys)) != len(keys):
        seen: dict[Value, Value] = {}
        for key in keys:
            if key in seen:
                _refuse("", f"{to_repr(seen[key])} and {to_repr(key)} are one key in Python")
            seen[key] = key
    return keys


# ---- arguments


class Default(Record):
    """A parameter that may be missing: the type of its value, as for `unpack`, and its default."""

    kind: Any
    value: Any


def unpack(
    name: str, args: Sequence[Value], kwargs: Mapping[str, Value], /, **parameters: Any
) -> tuple[Value, ...]:
    """Return the arguments of a built-in, in the order of its parameters.

    Each parameter has a type: str, int, float, bool, bytes, tuple, range, list, dict or set for the values
    that programs know by these names, object for any value, or another class, such as one derived from
    HostValue. Neither is a bool an int, nor an int a float. `Default(type, value)` is a parameter that may
    be missing. Raises EvalError `eval.argument`, and TypeError for a type that is not a class: a fault of the
    host.
    """
    # spec: starlark.host.arguments
    required = [word for word, kind in parameters.items() if not isinstance(kind, Default)]
    bound = named_arguments(name, tuple(parameters), args, kwargs, required)
    return tuple([_checked(name, word, kind, bound) for word, kind in parameters.items()])


def _checked(name: str, word: str, kind: Any, bound: Mapping[str, Value]) -> Value:
    if isinstance(kind, Default):
        if word not in bound:
            return kind.value
        kind = kind.kind
    if not isinstance(kind, type):
        raise TypeError(f"{name}: the type of the parameter {word} is not a class: {kind!r}")
    value = bound[word]
    if kind in _CONTAINERS:
        want, classes = _CONTAINERS[kind]
        fits = value.__class__ in classes
    elif kind in NATIVE_TYPE_NAMES:
        want, fits = NATIVE_TYPE_NAMES[kind], value.__class__ is kind
    else:
        want, fits = getattr(kind, "type_name", kind.__name__), isinstance(value, kind)
    return value if fits else wrong_type(name, word, value, want)
