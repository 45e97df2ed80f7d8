"""Views of strings and bytes: what `elems()`, `codepoints()` and their kin return."""

from __future__ import annotations

from .values import fail_with, out_of_range, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Union

    from .values import Value


class Elements:
    """What `elems()`, `codepoints()` and their kin return: an iterable view of a string or of bytes."""

    __slots__ = ("source", "items", "method")
    type_name = "string.elems"

    def __init__(self, source: Union[str, bytes], items: Union[tuple[Value, ...], str, bytes], method: str):
        self.source = source
        self.items = items
        self.method = method

    def __iter__(self) -> Iterator[Value]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]
    # `in` is for what can be asked: Python would go through the items.
    __contains__ = None


class StringElems(Elements):
    """`s.elems()` or `s.elem_ords()`: has a length and can be indexed."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Value) -> Value:
        if index.__class__ is not int:
            fail_with("eval.type", f"{type_name(self)} index: got {type_name(index)}, want int")
        if not -len(self.items) <= index < len(self.items):
            out_of_range(self, index)
        return self.items[index]


class StringCodepoints(Elements):
    """`s.codepoints()` or `s.codepoint_ords()`: can only be iterated."""

    __slots__ = ()
    type_name = "string.codepoints"

    def __bool__(self) -> bool:
        return True


class BytesElems(StringElems):
    """`b.elems()`."""

    __slots__ = ()
    type_name = "bytes.elems"
