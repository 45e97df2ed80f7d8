"""The universe, the methods of strings, lists, dicts and sets, `json` and `assert` (spec: starlark.universe).

A built-in is a Python function of the machine and its arguments. Its annotations say which types an argument
may have; a call that does not fit is `eval.argument` (spec: starlark.library.arguments).
"""

from __future__ import annotations

import functools
import inspect
import json
import re

from conformance.mini.evaluator import Builtin, Function
from conformance.mini.operators import contains as contained
from conformance.mini.reader import Failure
from conformance.mini.values import (
    Dict,
    Elements,
    List,
    Named,
    Set,
    equal,
    is_number,
    items_of,
    key_of,
    less,
    quoted,
    represent,
    text_of,
    truth,
    type_name,
)  # fmt: skip

NONE = type(None)
ITERABLE = (List, Dict, Set, tuple, range, Elements)
ABSENT = object()


@functools.lru_cache(None)
def signature_of(function):
    """Return the signature of a function, and the types of its parameters."""
    signature = inspect.signature(function)
    texts = {
        name: one.annotation for name, one in signature.parameters.items() if one.annotation is not one.empty
    }
    types = {name: eval(text, function.__globals__) for name, text in texts.items()}
    return signature, {name: one if isinstance(one, tuple) else (one,) for name, one in types.items()}


def builtin(function):
    """Return a function that checks its arguments before it is called."""

    @functools.wraps(function)
    def checked(*given, **named):
        signature, types = signature_of(function)
        try:
            bound = signature.bind(*given, **named)
        except TypeError as problem:
            raise Failure("eval.argument", f"{function.__name__.strip('_')}: {problem}") from None
        for name, value in bound.arguments.items():
            if name in types and type(value) not in types[name]:
                message = f"{function.__name__.strip('_')}: for parameter {name}: got {type_name(value)}"
                raise Failure("eval.argument", message)
        return function(*bound.args, **bound.kwargs)

    return checked


def named(functions):
    """Return built-ins by their names, without the `_` behind those that Python has too."""
    return {function.__name__.rstrip("_"): builtin(function) for function in functions}


def universe():
    def abs_(m, x: (int, float), /):
        return abs(x)

    def any_(m, x: ITERABLE, /):
        return any(map(truth, items_of(x)))

    def all_(m, x: ITERABLE, /):
        return all(map(truth, items_of(x)))

    def bool_(m, x=False, /):
        return truth(x)

    def chr_(m, i: int, /):
        if not 0 <= i <= 0x10FFFF:
            raise Failure("eval.value", f"chr: Unicode code point {i} out of range")
        return chr(i)

    def dict_(m, pairs: ITERABLE = (), /, **more):
        result = Dict({})
        update(m, result, pairs, **more)
        return result

    def dir_(m, x, /):
        return List(
            sorted([*getattr(x, "listed", getattr(x, "fields", ())), *m.methods.get(type_name(x), ())])
        )

    def enumerate_(m, x: ITERABLE, start: int = 0, /):
        return List(list(enumerate(items_of(x), start)))

    def fail(m, *args, sep: str = " "):
        raise Failure("eval.fail", "fail: " + sep.join(map(text_of, args)))

    def float_(m, x: (int, float, bool, str) = 0.0, /):
        if isinstance(x, str) and not re.fullmatch(
            r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf(inity)?|nan)", x, re.I
        ):
            raise Failure("eval.value", f"invalid float literal: {x}")
        return float(x)

    def getattr_(m, x, name: str, default=ABSENT, /):
        try:
            return m.attribute(x, name)
        except Failure:
            if default is ABSENT:
                raise
            return default

    def hasattr_(m, x, name: str, /):
        return getattr_(m, x, name, None) is not None or getattr_(m, x, name, 1) is None

    def int_(m, x: (int, float, bool, str), base: int = 10):
        try:
            if isinstance(x, str) and not re.fullmatch("[+-]?[0-9a-zA-Z]+", x):
                raise ValueError
            return int(x, base) if isinstance(x, str) else int(x)
        except (ValueError, OverflowError):
            raise Failure("eval.value", f"int: invalid literal with base {base}: {x}") from None

    def len_(m, x: (str, bytes, *ITERABLE), /):
        if type_name(x) == "string.codepoints":
            raise Failure("eval.argument", "len: value of type string.codepoints has no len")
        return len(getattr(x, "items", x))

    def list_(m, x: ITERABLE = (), /):
        return List(list(items_of(x)))

    def most(m, name, args, key, better):
        items = (
            items_of(args[0], "eval.argument", name + ": for parameter 1: got {}, want iterable")
            if args[1:] == ()
            else args
        )
        if not items:
            raise Failure("eval.value", f"{name}: argument is an empty sequence")
        keys = [m.call(key, [item]) if key else item for item in items]
        return items[functools.reduce(lambda i, j: j if better(keys[j], keys[i]) else i, range(len(items)))]

    def max_(m, x, /, *more, key: (Function, Builtin, NONE) = None):
        return most(m, "max", (x, *more), key, lambda a, b: less(b, a))

    def min_(m, x, /, *more, key: (Function, Builtin, NONE) = None):
        return most(m, "min", (x, *more), key, less)

    def bytes_(m, x: (str, bytes, *ITERABLE), /):
        try:
            return (
                x.encode()
                if isinstance(x, str)
                else x
                if isinstance(x, bytes)
                else bytes(map(byte, items_of(x)))
            )
        except ValueError:
            raise Failure("eval.value", "bytes: a byte is an int from 0 to 255") from None

    def byte(x):
        if type(x) is not int:
            raise Failure("eval.value", f"bytes: got {type_name(x)}, want int")
        return x

    def hash_(m, x: (str, bytes), /):
        if isinstance(x, str):
            value = functools.reduce(lambda sum_, char: (sum_ * 31 + ord(char)) & 0xFFFFFFFF, x, 0)
            return value - (value >> 31 << 32)
        return functools.reduce(lambda sum_, one: ((sum_ ^ one) * 0x01000193) & 0xFFFFFFFF, x, 0x811C9DC5)

    def ord_(m, x: (str, bytes), /):
        if len(x) != 1:
            raise Failure("eval.value", f"ord: string encodes {len(x)} Unicode code points, want 1")
        return ord(x)

    def print_(m, *args, sep: str = " "):
        m.out(sep.join(map(text_of, args)))

    def range_(m, start: int, stop: (int, NONE) = None, step: int = 1, /):
        if any(one is not None and not -(1 << 63) <= one < 1 << 63 for one in (start, stop, step)):
            raise Failure("eval.argument", "range: out of range (want value in signed 64-bit range)")
        if step == 0:
            raise Failure("eval.value", "range: step argument must not be zero")
        return range(start) if stop is None else range(start, stop, step)

    def repr_(m, x, /):
        return represent(x)

    def reversed_(m, x: ITERABLE, /):
        return List(list(items_of(x))[::-1])

    def set_(m, x: ITERABLE = (), /):
        return Set({key_of(item): item for item in items_of(x)})

    def sorted_(m, x: ITERABLE, key: (Function, Builtin) = None, reverse: bool = False):
        pairs = [(m.call(key, [item]) if key else item, item) for item in items_of(x)]
        order = functools.cmp_to_key(lambda a, b: -1 if less(a[0], b[0]) else int(less(b[0], a[0])))
        return List([item for _, item in sorted(pairs, key=order, reverse=reverse)])

    def str_(m, x, /):
        return text_of(x)

    def tuple_(m, x: ITERABLE = (), /):
        return tuple(items_of(x))

    def type_(m, x, /):
        return type_name(x)

    def zip_(m, *iterables):
        return List(list(zip(*[items_of(x, "eval.argument", "zip: {} is not iterable") for x in iterables])))

    functions = named(function for function in list(locals().values()) if function not in (most, byte))
    return {
        **{name: Builtin(name, call) for name, call in functions.items()},
        "None": None,
        "True": True,
        "False": False,
    }


# Methods

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
PART = (int, NONE)


@builtin
def update(m, d: Dict, pairs: ITERABLE = (), /, **more):
    if d.frozen or items_of(pairs) or more:
        d.change("insert into")
    pairs = (
        pairs.items.values()
        if isinstance(pairs, Dict)
        else [items_of(pair, "eval.value") for pair in items_of(pairs)]
    )
    for pair in [*pairs, *more.items()]:
        if len(pair) != 2:
            raise Failure("eval.value", f"dictionary update sequence element has length {len(pair)}, want 2")
        d.put(*pair)


def view(name, items):
    return builtin(lambda m, s, /: Elements(s, name, items(s)))


def string_methods():
    """Methods that do in Python what the specification says, once the types of their arguments are right."""

    def plain(name, *types, lists=False):
        def method(m, s, *args, **keywords):
            if (
                keywords
                or len(args) < bool(types and "split" not in name)
                or len(args) > len(types)
                or any(type(arg) not in kinds for arg, kinds in zip(args, types))
            ):
                raise Failure("eval.argument", f"{name}: wrong arguments")
            if name.strip("r") in ("split", "partition") and args[:1] == ("",):
                raise Failure("eval.value", f"{name}: empty separator")
            try:
                result = getattr(s, name)(*args)
            except ValueError:
                raise Failure("eval.value", f"{name}: substring not found") from None
            return List(result) if isinstance(result, list) else result

        return method

    text, search = (str,), ((str,), PART, PART)
    table = {name: search for name in ("find", "rfind", "index", "rindex", "count")}
    table.update({name: ((str, tuple), PART, PART) for name in ("startswith", "endswith")})
    table.update({name: ((str, NONE), (int,)) for name in ("split", "rsplit")})
    table.update({name: (text,) for name in ("partition", "rpartition")})
    table.update(
        {
            name: ()
            for name in ["lower", "upper", "title", "capitalize", "isalpha", "isdigit", "isalnum", "isspace"]
        }
    )
    table.update({name: () for name in ("islower", "isupper", "istitle")})
    methods = {name: plain(name, *types) for name, types in table.items()}

    def strip(m, s, chars: (str, NONE) = None, /):
        return s.strip(SPACE if chars is None else chars)

    def lstrip(m, s, chars: (str, NONE) = None, /):
        return s.lstrip(SPACE if chars is None else chars)

    def rstrip(m, s, chars: (str, NONE) = None, /):
        return s.rstrip(SPACE if chars is None else chars)

    def splitlines(m, s, keepends: bool = False, /):
        lines = s.split("\n")
        lines = [line + "\n" * keepends for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        return List(lines)

    def replace(m, s, old: str, new: str, count: int = -1, /):
        return s.replace(old, new, count)

    def removeprefix(m, s, x: str, /):
        return s[len(x) :] if s.startswith(x) else s

    def removesuffix(m, s, x: str, /):
        return s[: -len(x)] if x and s.endswith(x) else s

    def join(m, s, x: ITERABLE, /):
        if any(type(item) is not str for item in items_of(x)):
            raise Failure("eval.value", "join: in list, want string")
        return s.join(items_of(x))

    def format_(m, s, /, *args, **keywords):
        """spec: starlark.format"""
        numbers, kinds = iter(range(len(args) + 1)), set()

        def field(found):
            name, conversion, rest = found[1], found[2], found[3]
            if found[0] in ("{{", "}}"):
                return found[0][0]
            if name is None or rest or any(sign in name for sign in ".[{"):
                raise Failure("eval.format", "format: a field is a name or nothing")
            if name == "" or (name.isascii() and name.isdigit()):
                kinds.add(name == "")
                index = int(name) if name else next(numbers)
                if len(kinds) > 1 or index >= len(args):
                    raise Failure("eval.format", "format: tuple index out of range")
                value = args[index]
            elif name not in keywords:
                raise Failure("eval.format", f"format: keyword {name} not found")
            else:
                value = keywords[name]
            if conversion not in (None, "s", "r"):
                raise Failure("eval.format", f'format: unknown conversion "{conversion}"')
            return value if conversion != "r" and isinstance(value, str) else represent(value)

        return re.sub(r"\{\{|\}\}|\{([^{}!:]*)(?:!([^:{}]*))?(?::([^{}]*))?\}|[{}]", field, s)

    for name in ("elems", "elem_ords", "codepoints", "codepoint_ords"):
        methods[name] = view(name, (lambda s: list(map(ord, s))) if "ords" in name else list)
    local = [strip, lstrip, rstrip, splitlines, replace, removeprefix, removesuffix, join, format_]
    return {**methods, **named(local)}


def list_methods():
    def append(m, x, v, /):
        x.change("append to")
        x.items.append(v)

    def clear(m, x, /):
        x.change("clear")
        x.items.clear()

    def extend(m, x, v: ITERABLE, /):
        x.change("extend")
        x.items += items_of(v)

    def index(m, x, v, start: PART = None, end: PART = None, /):
        for place in range(len(x.items))[start:end]:
            if equal(x.items[place], v):
                return place
        raise Failure("eval.value", "index: value not in list")

    def insert(m, x, i: int, v, /):
        x.change("insert into")
        x.items.insert(i, v)

    def pop(m, x, i: int = -1, /):
        if not -len(x.items) <= i < len(x.items):
            raise Failure("eval.index", f"pop: list index {i} out of range")
        x.change("pop from")
        return x.items.pop(i)

    def remove(m, x, v, /):
        x.change("remove from")
        for place, item in enumerate(x.items):
            if equal(item, v):
                del x.items[place]
                return
        raise Failure("eval.value", "remove: element not found")

    return named(locals().values())


def dict_methods():
    def clear(m, d, /):
        d.change("clear")
        d.items.clear()

    def get(m, d, k, default=None, /):
        return d.get(k, default)

    def items(m, d, /):
        return List(list(d.items.values()))

    def keys(m, d, /):
        return List(items_of(d))

    def values(m, d, /):
        return List([value for _, value in d.items.values()])

    def pop(m, d, k, default=ABSENT, /):
        d.change("delete from")
        value = d.items.pop(key_of(k), (k, default))[1]
        if value is ABSENT:
            raise Failure("eval.key", "pop: missing key")
        return value

    def popitem(m, d, /):
        d.change("delete from")
        if not d.items:
            raise Failure("eval.key", "popitem: empty dict")
        return d.items.pop(next(iter(d.items)))

    def setdefault(m, d, k, default=None, /):
        if key_of(k) not in d.items:
            d.change("insert into")
            d.put(k, default)
        return d.get(k)

    return {**named(locals().values()), "update": update}


def set_methods():
    def add(m, s, v, /):
        s.change("insert into")
        s.items.setdefault(key_of(v), v)

    def union(m, s, x: ITERABLE, /):
        return Set({**s.items, **{key_of(item): item for item in items_of(x) if key_of(item) not in s.items}})

    return named(locals().values())


METHODS = {"string": string_methods(), "list": list_methods(), "dict": dict_methods(), "set": set_methods()}
METHODS["bytes"] = {"elems": view("elems", list)}

# Modules


def module(name, functions):
    return Named("module", {one: Builtin(one, call) for one, call in functions.items()}, name)


def json_module():
    """spec: starlark.json"""

    def written(value, around=()):
        if value is None or isinstance(value, (bool, str)):
            return json.dumps(value, ensure_ascii=False)
        if is_number(value) and value == value and value not in (float("inf"), -float("inf")):
            return represent(value)
        if any(value is one for one in around):
            raise Failure("eval.value", "json.encode: cycle in JSON structure")
        around = (*around, value)
        if isinstance(value, Dict) or type_name(value) == "struct":
            pairs = list(value.items.values()) if isinstance(value, Dict) else list(value.fields.items())
            if not all(isinstance(key, str) for key, _ in pairs):
                raise Failure("eval.value", "json.encode: dict has a key that is no string")
            pairs = sorted((key, written(one, around)) for key, one in pairs)
            return "{" + ",".join(f"{written(key)}:{one}" for key, one in pairs) + "}"
        if not isinstance(value, ITERABLE):
            raise Failure("eval.value", f"json.encode: cannot encode {type_name(value)} as JSON")
        return "[" + ",".join(written(item, around) for item in items_of(value)) + "]"

    def read(value):
        if isinstance(value, dict):
            return Dict.of((key, read(one)) for key, one in value.items())
        return List([read(one) for one in value]) if isinstance(value, list) else value

    def decode(m, x: str, /, default=ABSENT):
        def refuse(text):
            raise ValueError(text)

        try:
            return read(json.loads(x, parse_constant=refuse))
        except ValueError as problem:
            if default is ABSENT:
                raise Failure("eval.value", f"json.decode: {problem}") from None
            return default

    def encode(m, x, /):
        return written(x)

    return module("json", named([decode, encode]))


def assert_module():
    """spec: starlark.assert"""

    def hold(fact, *words):
        if not fact:
            raise Failure("eval.assert", " ".join(words))

    def eq(m, x, y, /):
        hold(equal(x, y), represent(x), "!=", represent(y))

    def ne(m, x, y, /):
        hold(not equal(x, y), represent(x), "==", represent(y))

    def lt(m, x, y, /):
        hold(less(x, y), represent(x), "is not less than", represent(y))

    def true(m, x, msg="assertion failed", /):
        hold(truth(x), text_of(msg))

    def contains(m, x, y, /):
        hold(contained(y, x), represent(x), "lacks", represent(y))

    def fails(m, f, pattern: str, /):
        try:
            m.call(f)
        except Failure as failure:
            found = pattern in failure.message or re.search(pattern, failure.message)
            return hold(found, quoted(failure.message), "does not match", quoted(pattern))
        return hold(False, "it does not fail")

    def fail(m, msg, /):
        hold(False, text_of(msg))

    return module("assert", named([eq, ne, lt, true, contains, fails, fail]))


@builtin
def struct(m, **fields):
    """spec: starlark.struct"""
    return Named("struct", fields)
