"""Record classes: the part of the library's `dataclasses` that Bramble uses, paid for when it is used.

A module writes `from bramble.records import dataclass`, and means by it what
`dataclasses` says of the same names. Why not that module itself: it imports
`inspect` and with it Python's own compiler, and it compiles six methods for
every class, half a millisecond each. A command imports a hundred classes and
makes values of a quarter of them. Here a method is compiled when it is first
called; until then a class costs what it costs to list its fields.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn, Optional, TypeVar

    Value = TypeVar("Value")

_FIELDS = "__record_fields__"
_ORDERS = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}


class _Missing:
    """What stands for a default, or an argument, that was not given."""

    def __repr__(self) -> str:
        return "MISSING"


_MISSING = _Missing()


class _Field:
    """One field of a class: its name, where its first value comes from, and which methods look at it."""

    __slots__ = ("compare", "default", "default_factory", "init", "name", "repr")

    def __init__(self, default: Any, default_factory: Any, init: bool, repr: bool, compare: bool) -> None:
        self.name = ""
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare


def _field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    init: bool = True,
    repr: bool = True,
    compare: bool = True,
) -> _Field:
    return _Field(default, default_factory, init, repr, compare)


def _dataclass(
    cls: Optional[type] = None, *, eq: bool = True, order: bool = False, frozen: bool = False
) -> Any:
    if cls is None:
        return lambda cls: _made(cls, eq, order, frozen)
    return _made(cls, eq, order, frozen)


def _fields(record: Any) -> tuple[_Field, ...]:
    """Return the fields of a class or of a value, in their order, those of base classes first."""
    return tuple(getattr(record, _FIELDS).values())


def _replace(record: Value, **changes: Any) -> Value:
    """Return a new value that differs in the fields named."""
    for one in _fields(record):
        if one.init:
            changes.setdefault(one.name, getattr(record, one.name))
    return type(record)(**changes)


def _astuple(record: Any) -> tuple[Any, ...]:
    """Return the values of the fields. Unlike that of `dataclasses` it leaves records within as they are."""
    return tuple(getattr(record, one.name) for one in _fields(record))


def _made(cls: type, eq: bool, order: bool, frozen: bool) -> type:
    """Give a class its fields, and the methods that it does not define itself."""
    own = vars(cls)
    found: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        found.update(getattr(base, _FIELDS, {}))
    for name in own.get("__annotations__", ()):
        given = own.get(name, _MISSING)
        one = given if isinstance(given, _Field) else _Field(given, _MISSING, True, True, True)
        one.name = name
        found[name] = one
        if one is given and one.default is not _MISSING:
            setattr(cls, name, one.default)
        elif one is given:
            delattr(cls, name)
    methods: dict[str, Callable[..., Any]] = {}
    methods["__init__"] = _later(cls, "__init__", lambda: _constructor(cls, found, frozen))
    methods["__repr__"] = _shown
    if eq:
        compared = [one.name for one in found.values() if one.compare]
        methods["__eq__"] = _later(cls, "__eq__", lambda: _comparison("==", compared))
        if order:
            for name, sign in _ORDERS.items():
                methods[name] = _comparing(cls, name, sign, compared)
        if frozen:
            methods["__hash__"] = _later(cls, "__hash__", lambda: _hashing(compared))
        else:
            methods["__hash__"] = None  # type: ignore[assignment]
    if frozen:
        methods["__setattr__"] = _refuse_to_set
        methods["__delattr__"] = _refuse_to_delete
    for name, method in methods.items():
        # Python itself writes `__hash__ = None` into a class that defines `__eq__`.
        if name not in own or (name == "__hash__" and own[name] is None):
            setattr(cls, name, method)
    setattr(cls, _FIELDS, found)
    return cls


def _later(cls: type, name: str, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """Return a method that puts in its place, when it is first called, the one that `make` returns."""

    def first(*arguments: Any, **named: Any) -> Any:
        method = make()
        method.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, method)
        return method(*arguments, **named)

    return first


def _comparing(cls: type, name: str, sign: str, compared: list[str]) -> Callable[..., Any]:
    return _later(cls, name, lambda: _comparison(sign, compared))


def _constructor(cls: type, found: dict[str, _Field], frozen: bool) -> Any:
    known: dict[str, Any] = {"_set": object.__setattr__, "_missing": _MISSING}
    parameters, lines = [], []
    for name, one in found.items():
        value = name
        if one.default_factory is not _MISSING:
            known[f"_make_{name}"] = one.default_factory
            value = f"_make_{name}()" + (f" if {name} is _missing else {name}" if one.init else "")
            parameters += [f"{name}=_missing"] if one.init else []
        elif one.default is not _MISSING:
            known[f"_default_{name}"] = one.default
            parameters += [f"{name}=_default_{name}"] if one.init else []
        elif one.init:
            parameters.append(name)
        if one.init or one.default_factory is not _MISSING:
            lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    return _compiled(f"__init__({', '.join(['self', *parameters])})", lines or ["pass"], known)


def _comparison(sign: str, compared: list[str]) -> Any:
    here, there = _row("self", compared), _row("other", compared)
    lines = [f"if self.__class__ is other.__class__: return {here} {sign} {there}", "return NotImplemented"]
    return _compiled("compare(self, other)", lines, {})


def _hashing(compared: list[str]) -> Any:
    return _compiled("__hash__(self)", [f"return hash({_row('self', compared)})"], {})


def _row(of: str, names: list[str]) -> str:
    return "(" + "".join(f"{of}.{name}, " for name in names) + ")"


def _compiled(head: str, lines: list[str], known: dict[str, Any]) -> Any:
    exec("\n  ".join((f"def {head}:", *lines)), known)
    return known[head.partition("(")[0]]


def _shown(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in _fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"


def _refuse_to_set(self: object, name: str, _value: object) -> NoReturn:
    raise AttributeError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> NoReturn:
    raise AttributeError(f"cannot delete field {name!r}")


# A type checker is to know these names as what they stand for.
if TYPE_CHECKING:
    from dataclasses import astuple as astuple
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import fields as fields
    from dataclasses import replace as replace
else:
    astuple, dataclass, field, fields, replace = _astuple, _dataclass, _field, _fields, _replace
