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


STRUCT = Builtin("struct", _struct)
