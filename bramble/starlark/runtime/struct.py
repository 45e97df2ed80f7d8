"""The `struct` function, for hosts that offer it."""

from __future__ import annotations

from .functions import Builtin, Struct
from .values import fail_with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..thread import Thread
    from .values import Value


def _struct(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Struct:
    # spec: starlark.struct
    if args:
        fail_with("eval.argument", "struct: unexpected positional arguments")
    return Struct(kwargs)


def _made(_thread: Thread, /, *args: Value, **kwargs: Value) -> Struct:
    if args:
        fail_with("eval.argument", "struct: unexpected positional arguments")
    made = _new(Struct)
    # Nobody else has this dict.
    made.fields = kwargs
    return made


_new = Struct.__new__
STRUCT = Builtin("struct", _struct, entry=_made)
