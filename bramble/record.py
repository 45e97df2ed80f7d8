"""Classes with named fields, made without compiling code for each: `dataclass` and `NamedTuple`.

What these two of the standard library do for a class takes them longer than to load the module that it is in,
and a command of Bramble makes some hundred such classes: with them a third of its time went into that, before
it did anything. Here the methods are the same functions for all classes, and read the names of the fields
when they are called. They do what those of the library do, as far as Bramble needs it:

- `dataclass`, `dataclass(frozen=True)`, also with `eq=False` and `order=True`; `field(default=…)`,
  `field(default_factory=…)`, with `compare=False` and `repr=False`; `replace`.
  A class has no fields but its own.
- `NamedTuple` as a base, with defaults, methods, `_replace`, `_asdict`, `_make` and `_fields`.

Checkers of types see those of the library.
"""

from __future__ import annotations

from collections import namedtuple
from operator import attrgetter

try:
    from _collections import _tuplegetter  # type: ignore[import-not-found]
except ImportError:

    def _tuplegetter(index: int, _doc: str) -> property:
        return property(lambda self: tuple.__getitem__(self, index))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from dataclasses import dataclass, field, replace
    from typing import Any, NamedTuple, NoReturn, Optional

    __all__ = ["NamedTuple", "dataclass", "field", "replace"]


# Tuples of a class that are made before it pays to compile code for making them.
_MANY = 100


class FrozenError(AttributeError):
    """A field of a frozen value was to be changed: a mistake in Bramble."""


class _Missing:
    """What stands for the value of a field that has no default, where defaults stand."""

    def __repr__(self) -> str:
        return "<missing>"


_MISSING: Any = _Missing()


class _Field:
    """What `field` says of a field."""

    def __init__(
        self, default: Any, factory: Optional[Callable[[], Any]], *, compare: bool = True, shown: bool = True
    ) -> None:
        self.default = default
        self.factory = factory
        self.compare = compare
        self.shown = shown


def _field(
    *,
    default: Any = _MISSING,
    default_factory: Optional[Callable[[], Any]] = None,
    compare: bool = True,
    repr: bool = True,
) -> Any:
    return _Field(default, default_factory, compare=compare, shown=repr)


class _Fields:
    """The fields of a class: their names in order, and what is known of them."""

    def __init__(self, cls: type) -> None:
        given: list[tuple[str, Any]] = []
        for name in cls.__dict__.get("__annotations__", ()):
            value = cls.__dict__.get(name, _MISSING)
            given.append((name, value if isinstance(value, _Field) else _Field(value, None)))
        self.names = tuple([name for name, _ in given])
        # With what stands for a missing one; a factory makes a new one each time.
        self.defaults = {name: one.default for name, one in given}
        self.factories = [(name, one.factory) for name, one in given if one.factory is not None]
        self.required = [name for name, one in given if one.factory is None and one.default is _MISSING]
        self.shown = [name for name, one in given if one.shown]
        compared = [name for name, one in given if one.compare]
        # Of one name `attrgetter` returns the value itself, of more a tuple of them.
        self.compared: Callable[[Any], Any] = attrgetter(*compared) if compared else lambda _: ()

    def complete(self, cls: type, values: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all fields, in order. Raises TypeError where one is missing or too many."""
        made = {**self.defaults, **dict(zip(self.names, values)), **named}
        if len(values) > len(self.names) or len(made) > len(self.names):
            raise TypeError(f"{cls.__name__} has the fields {self.names}; given: {values}, {dict(named)}")
        if values and named and not named.keys().isdisjoint(self.names[: len(values)]):
            raise TypeError(f"{cls.__name__}: a field is given twice: {values}, {dict(named)}")
        for name in self.required:
            if made[name] is _MISSING:
                raise TypeError(f"{cls.__name__} needs a value of its field {name!r}")
        for name, factory in self.factories:
            if made[name] is _MISSING:
                made[name] = factory()
        return made


def _constructor(fields: _Fields) -> Callable[..., None]:
    names, count, complete = fields.names, len(fields.names), fields.complete

    def init(self: Any, *values: Any, **named: Any) -> None:
        if named or len(values) != count:
            self.__dict__.update(complete(type(self), values, named))
        else:
            self.__dict__.update(zip(names, values))

    return init


def _equal(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    compared = self.__fields__.compared
    return compared(self) == compared(other)


def _hash(self: Any) -> int:
    return hash(self.__fields__.compared(self))


def _shown(self: Any) -> str:
    fields = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__fields__.shown])
    return f"{type(self).__qualname__}({fields})"


def _less(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    compared = self.__fields__.compared
    return compared(self) < compared(other)


def _unchanged(self: object, name: str, _value: object = None) -> NoReturn:
    raise FrozenError(f"{type(self).__name__}.{name} cannot be changed: it is frozen")


def _dataclass(
    cls: Optional[type] = None, *, frozen: bool = False, eq: bool = True, order: bool = False
) -> Any:
    if cls is None:
        return lambda given: _made(given, frozen, eq, order)
    return _made(cls, frozen, eq, order)


def _made(cls: Any, frozen: bool, eq: bool, order: bool) -> type:
    own = cls.__dict__
    cls.__fields__ = fields = _Fields(cls)
    for name, default in fields.defaults.items():
        if default is not _MISSING:
            setattr(cls, name, default)
        elif name in own:
            delattr(cls, name)
    methods: dict[str, Any] = {"__init__": _constructor(fields), "__repr__": _shown}
    if frozen:
        methods.update(__setattr__=_unchanged, __delattr__=_unchanged)
    if order:
        methods["__lt__"] = _less
    if eq and "__eq__" not in own:
        cls.__eq__ = _equal
        # A class body with an `__eq__` and no `__hash__` gets None as that from Python.
        if own.get("__hash__") is None:
            cls.__hash__ = _hash if frozen else None
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    return cls  # type: ignore[no-any-return]


def _replace(value: Any, **changes: Any) -> Any:
    return type(value)(**{name: getattr(value, name) for name in value.__fields__.names} | changes)


def _tuple_of(cls: Any, values: Iterable[Any]) -> Any:
    made = tuple.__new__(cls, values)
    if len(made) != len(cls._fields):
        raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
    return made


def _tuple_with(self: Any, **changes: Any) -> Any:
    made = {**dict(zip(self._fields, self)), **changes}
    if len(made) != len(self):
        raise TypeError(f"{type(self).__name__} has the fields {self._fields}; given: {changes}")
    return tuple.__new__(type(self), made.values())


def _tuple_as_dict(self: Any) -> dict[str, Any]:
    return dict(zip(self._fields, self))


def _tuple_shown(self: Any) -> str:
    fields = ", ".join([f"{name}={value!r}" for name, value in zip(self._fields, self)])
    return f"{type(self).__name__}({fields})"


def _tuple_plain(self: Any) -> tuple[Any, ...]:
    return tuple(self)


# What all tuples with named fields have.
_OF_TUPLES: dict[str, Any] = {
    "__slots__": (),
    "_make": classmethod(_tuple_of),
    "_replace": _tuple_with,
    "_asdict": _tuple_as_dict,
    "__repr__": _tuple_shown,
    "__getnewargs__": _tuple_plain,
}


def _maker(owner: Any, names: tuple[str, ...], defaults: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a `__new__` for the tuples of a class.

    Once it has made many the class gets that of the library, which is faster, and takes long to make.
    """
    count, make = len(names), tuple.__new__
    required = [name for name in names if defaults[name] is _MISSING]
    left = _MANY

    def new(cls: Any, *values: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            owner.__new__ = namedtuple("_", names, defaults=[*defaults.values()][len(required) :]).__new__
        if not named and len(values) == count:
            return make(cls, values)
        made = {**defaults, **dict(zip(names, values)), **named}
        twice = values and named and not named.keys().isdisjoint(names[: len(values)])
        lacks = any(made[name] is _MISSING for name in required)
        if len(values) > count or len(made) > count or twice or lacks:
            raise TypeError(f"{cls.__name__} has the fields {names}; given: {values}, {named}")
        return make(cls, made.values())

    return new


class _NamedTupleType(type):
    """What makes `class Name(NamedTuple)` a class of tuples."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(mcls, name, bases, namespace)
        names = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field, _MISSING) for field in names}
        known = {field: value for field, value in defaults.items() if value is not _MISSING}
        getters = {field: _tuplegetter(index, "") for index, field in enumerate(names)}
        body = {**_OF_TUPLES, **namespace, **getters, "_fields": names, "_field_defaults": known}
        made: Any = type(name, (tuple,), body)
        # What is assigned to a class is not made a static method by itself, as `__new__` in its body is.
        made.__new__ = staticmethod(_maker(made, names, defaults))
        return made


if not TYPE_CHECKING:
    dataclass, field, replace = _dataclass, _field, _replace

    class NamedTuple(metaclass=_NamedTupleType):
        """The base that a class of tuples with named fields names."""
