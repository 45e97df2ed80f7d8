"""Frozen records: small values with named fields that are equal when their fields are.

A record class lists its fields as annotations and nothing else. Why not
`dataclasses`: importing that module and building forty classes with it costs
longer than running a small program, and its frozen constructor is slower.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, ClassVar, NoReturn, TypeVar

    from typing_extensions import dataclass_transform

    Setter = Callable[[object, Any], None]
    Class = TypeVar("Class")
else:

    def dataclass_transform(**_options: object) -> Callable[[Class], Class]:
        """Stand in for PEP 681's decorator, which only type checkers need."""
        return lambda cls: cls


def _constructor(setters: list[Setter]) -> Callable[..., None]:
    """Return an `__init__` with one positional parameter for each field.

    One text per number of fields: a loop over the setters would be half as fast,
    and generating text for `exec` would cost start-up time for every class.
    """
    s0, s1, s2, s3, s4, s5, s6, s7 = setters + [_unused] * (8 - len(setters))

    def init0(self: object) -> None:
        pass

    def init1(self: object, a: Any) -> None:
        s0(self, a)

    def init2(self: object, a: Any, b: Any) -> None:
        s0(self, a)
        s1(self, b)

    def init3(self: object, a: Any, b: Any, c: Any) -> None:
        s0(self, a)
        s1(self, b)
        s2(self, c)

    def init4(self: object, a: Any, b: Any, c: Any, d: Any) -> None:
        s0(self, a)
        s1(self, b)
        s2(self, c)
        s3(self, d)

    def init5(self: object, a: Any, b: Any, c: Any, d: Any, e: Any) -> None:
        s0(self, a)
        s1(self, b)
        s2(self, c)
        s3(self, d)
        s4(self, e)

    def init6(self: object, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> None:
        s0(self, a)
        s1(self, b)
        s2(self, c)
        s3(self, d)
        s4(self, e)
        s5(self, f)

    def init7(self: object, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any) -> None:
        s0(self, a)
        s1(self, b)
        s2(self, c)
        s3(self, d)
        s4(self, e)
        s5(self, f)
        s6(self, g)

    def init8(self: object, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> None:
        s0(self, a)
        s1(self, b)
        s2(self, c)
        s3(self, d)
        s4(self, e)
        s5(self, f)
        s6(self, g)
        s7(self, h)

    return (init0, init1, init2, init3, init4, init5, init6, init7, init8)[len(setters)]


def _unused(_self: object, _value: object) -> None:
    raise AssertionError("a record has at most eight fields")


class RecordType(type):
    """The type of record classes: turns annotations into slots and a constructor."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordType:
        own = tuple(f for f in namespace.get("__annotations__", ()) if not f.startswith("_"))
        namespace["__slots__"] = own
        cls = super().__new__(mcls, name, bases, namespace)
        cls._fields = (*cls._fields, *own) if bases else own
        if own and "__init__" not in namespace:
            cls.__init__ = _constructor(  # type: ignore[misc]
                [getattr(cls, field).__set__ for field in cls._fields]
            )
        return cls

    if TYPE_CHECKING:
        _fields: tuple[str, ...]


@dataclass_transform(frozen_default=True)
class Record(metaclass=RecordType):
    """A frozen value. Construct it with positional arguments, in the order of its fields."""

    if TYPE_CHECKING:
        _fields: ClassVar[tuple[str, ...]]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed: records are frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted: records are frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in self._fields)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field) for field in self._fields)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields)
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), tuple(getattr(self, field) for field in self._fields)
