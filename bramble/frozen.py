"""Classes of values: `dataclass`, `field` and `replace` as `dataclasses` has them, as far as Bramble needs.

Why not `dataclasses`: to import that module, and to compile five methods for every class, took a sixth of the
time of a small command. Here a constructor is compiled, when a class gets its first value, and nothing else.
"""

from __future__ import annotations

import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import dataclass, field, replace
    from typing import Any

    Method = Callable[..., Any]

__all__ = ["dataclass", "field", "replace"]

_FIELDS = "__frozen_fields__"
_NONE: Any = object()  # no default


class _Field:
    """The description of a field besides its type."""

    __slots__ = ("compare", "default", "default_factory", "init", "repr")

    def __init__(
        self,
        default: Any = _NONE,
        *,
        default_factory: Any = _NONE,
        init: bool = True,
        compare: bool = True,
        repr: bool = True,
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.init, self.compare, self.repr = init, compare, repr


if not TYPE_CHECKING:
    field = _Field

    def dataclass(cls=None, /, *, frozen=False, eq=True, order=False):
        """Give a class its methods, after the fields that it annotates (dataclasses.dataclass)."""
        if cls is None:
            return lambda one: dataclass(one, frozen=frozen, eq=eq, order=order)
        fields = _fields(cls)
        setattr(cls, _FIELDS, fields)
        compared = [name for name, one in fields.items() if one.compare]
        methods = {"__init__": _first_constructor(cls, fields, frozen), "__repr__": _repr(fields)}
        if eq:
            methods.update(_comparisons(compared, order))
            # A class that defines a comparison and no hash has None for it.
            if cls.__dict__.get("__hash__") is None:
                cls.__hash__ = _hash(compared) if frozen else None
        if frozen:
            methods.update(__setattr__=_kept, __delattr__=_kept)
        for name, method in methods.items():
            if name not in cls.__dict__:
                setattr(cls, name, method)
        return cls

    def replace(value, /, **changes):
        """Return a value with other fields (dataclasses.replace)."""
        fields = getattr(type(value), _FIELDS)
        return type(value)(
            **{name: getattr(value, name) for name in fields if name not in changes}, **changes
        )


def _fields(cls: type) -> dict[str, _Field]:
    """Return the fields of a class, inherited ones first. Defaults become its attributes."""
    found: dict[str, _Field] = {}
    for base in cls.__mro__[:0:-1]:
        found.update(base.__dict__.get(_FIELDS, {}))
    for name in cls.__dict__.get("__annotations__", ()):
        given = cls.__dict__.get(name, _NONE)
        one = given if isinstance(given, _Field) else _Field(given)
        if isinstance(given, _Field):
            delattr(cls, name)
            if one.default is not _NONE:
                setattr(cls, name, one.default)
        found[name] = one
    return found


def _first_constructor(cls: type, fields: Mapping[str, _Field], frozen: bool) -> Method:
    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807
        constructor = _constructor(cls, fields, frozen)
        cls.__init__ = constructor  # type: ignore[misc]
        constructor(self, *values, **named)

    return __init__


def _constructor(cls: type, fields: Mapping[str, _Field], frozen: bool) -> Method:
    names: dict[str, Any] = {"_put": object.__setattr__, "_none": _NONE}
    parameters, lines = ["_self"], []
    for name, one in fields.items():
        if not one.init:
            continue
        value = name
        if one.default_factory is not _NONE:
            names[f"_make_{name}"] = one.default_factory
            parameters.append(f"{name}=_none")
            value = f"_make_{name}() if {name} is _none else {name}"
        elif one.default is not _NONE:
            names[f"_default_{name}"] = one.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f" _put(_self, {name!r}, {value})" if frozen else f" _self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append(" _self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines or [" pass"]), names)
    made: Method = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _values(names: list[str]) -> Callable[[object], tuple[object, ...]]:
    """Return a function that gives these attributes of a value, always as a tuple."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _comparisons(names: list[str], order: bool) -> Mapping[str, Method]:
    values = _values(names)

    def method(compare: Callable[[Any, Any], bool]) -> Method:
        def compared(self: object, other: object) -> Any:
            if other.__class__ is not self.__class__:
                return NotImplemented
            return compare(values(self), values(other))

        return compared

    wanted = ("eq", "lt", "le", "gt", "ge") if order else ("eq",)
    return {f"__{name}__": method(getattr(operator, name)) for name in wanted}


def _hash(names: list[str]) -> Method:
    values = _values(names)
    return lambda self: hash(values(self))


def _repr(fields: Mapping[str, _Field]) -> Method:
    names = [name for name, one in fields.items() if one.repr]

    def __repr__(self: object) -> str:  # noqa: N807
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({shown})"

    return __repr__


def _kept(self: object, name: str, *_value: object) -> None:
    raise AttributeError(f"{name} of a {type(self).__name__} cannot be changed")
