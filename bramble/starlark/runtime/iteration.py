"""Loops: what can be iterated, and the lock on what is being iterated."""

from __future__ import annotations

from itertools import chain

from .functions import Stopped
from .interruptible import fill, is_long
from .operators import MAX_ITEMS, own_type
from .values import (
    BUSY_OF,
    DICT_CLASSES,
    FREE_OF,
    LIST_CLASSES,
    MUTABLE,
    SET_CLASSES,
    Dict,
    fail_with,
    is_odd,
    keys_of,
    type_name,
)
from .views import Elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..thread import Thread
    from .values import Value


# What the thread knows to be locked by its identity.
BY_IDENTITY = frozenset({list, dict, Dict})
# The most rounds of one loop: as many as in a hundred runs of the longest benchmark.
MOST_ROUNDS = 300_000_000


def iterable_of(x: Value) -> Value:
    """Return something Python can iterate over, or None when `x` is not iterable. Nothing is marked."""
    kind = x.__class__
    if kind in LIST_CLASSES or kind is tuple or kind is range:
        return x
    if kind in DICT_CLASSES or kind in SET_CLASSES:
        return keys_of(x) if is_odd(x) else x
    if isinstance(x, Elements):
        return x.items
    if not own_type(x) and hasattr(kind, "__iter__"):
        return x
    return None


def items_of(x: Value) -> Value:
    """Return the items of an iterable as a Python list or tuple, or None when it is not iterable.

    Raises EvalError when there are absurdly many.
    """
    # spec: starlark.limit.size
    kind = x.__class__
    if kind is tuple or kind in LIST_CLASSES:
        return x
    if kind is range:
        count = range_length(x)
        if count > MAX_ITEMS:
            fail_with("eval.limit", f"excessive number of elements ({count})")
    found = iterable_of(x)
    if found is None:
        return None
    return fill([], found, len(found)) if is_long(found) else list(found)


def sized_of(x: Value) -> Value:
    """Return the items of an iterable as a range, list or tuple, or None when it is not iterable.

    A range is returned as it is: for one pass over the items no list is needed, which takes time to free.
    """
    return x if x.__class__ is range and range_length(x) <= MAX_ITEMS else items_of(x)


def range_length(x: range) -> int:
    """Return the number of items of a range, however many."""
    if x.step > 0:
        return max(0, (x.stop - x.start + x.step - 1) // x.step)
    return max(0, (x.start - x.stop - x.step - 1) // -x.step)


def rounds(x: Value) -> Value:
    """Return what a loop iterates: of a range that is longer than any loop should be only the beginning.

    The end raises Stopped. A loop over a range that is as long as that costs nothing more than another one.
    """
    # spec: starlark.limit.rounds
    if x.__class__ is range and range_length(x) > MOST_ROUNDS:
        return chain(x[:MOST_ROUNDS], _too_many())
    return x


def _too_many() -> Iterator[Value]:
    raise Stopped("eval.limit", f"a loop has more than {MOST_ROUNDS} rounds", "steps")
    yield  # only a generator waits until the loop is there


def enter(thread: Thread, x: Value) -> Value:
    """Return what a loop over `x` iterates, which is to `leave`; what may be changed is locked until then.

    A list or dict is noted in `thread.locked`, which knows it by its identity; a set is marked as busy by its
    class.
    """
    # spec: starlark.iteration.locked
    kind = x.__class__
    if kind in BY_IDENTITY:
        odd = kind is not list and is_odd(x)
        if id(x) in thread.locked:
            # A loop further out has locked it, and will still be there when this one ends.
            return iter(keys_of(x)) if odd else iter(x)
        items = OddLoop(x) if odd else x
        thread.locked[id(x)] = x
        return items
    if kind in BUSY_OF:
        items = OddLoop(x) if is_odd(x) else x
        x.__class__ = BUSY_OF[kind]
        return items
    if kind in FREE_OF:
        # As above.
        return iter(keys_of(x)) if is_odd(x) else iter(x)
    found = iterable_of(x)
    if found is None:
        fail_with("eval.iterate", f"{type_name(x)} value is not iterable")
    return found


class OddLoop(list):  # type: ignore[type-arg]
    """The keys of an odd dict or set in a loop, and which table they come from."""

    __slots__ = ("table",)

    def __init__(self, table: Value) -> None:
        super().__init__(keys_of(table))
        self.table = table


def leave(thread: Thread, x: Value) -> None:
    """End the loop that `enter` began; `x` is what that returned."""
    if x.__class__ is OddLoop:
        x = x.table
    if x.__class__ in BY_IDENTITY:
        thread.locked.pop(id(x), None)
    elif x.__class__ in FREE_OF:
        x.__class__ = FREE_OF[x.__class__]


def leave_again(error: BaseException) -> None:
    """End the loops whose `leave` an interruption has ended before it did anything."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is leave.__code__:
            leave(traceback.tb_frame.f_locals["thread"], traceback.tb_frame.f_locals["x"])
        traceback = traceback.tb_next


def marked(thread: Thread, x: Value) -> Value:
    """Return what a comprehension's clause over `x` iterates; `x` is locked meanwhile."""
    return _releasing(thread, x) if x.__class__ in MUTABLE else enter(thread, x)


def _releasing(thread: Thread, x: Value) -> Iterator[Value]:
    # Locked inside: an interruption before that must find nothing to undo.
    if x.__class__ in BUSY_OF:
        try:
            yield from enter(thread, x)
        finally:
            leave(thread, x)
    elif id(x) in thread.locked:
        yield from iterable_of(x)
    else:
        # What an interruption leaves there is cleared where it is caught (thread.py).
        thread.locked[id(x)] = x
        try:
            yield from iterable_of(x)
        finally:
            leave(thread, x)


def unpack(value: Value, count: int) -> Value:
    """Return the `count` items of an iterable. Raises EvalError when it has more or fewer."""
    # spec: starlark.assign.unpack
    if value.__class__ is range and range_length(value) != count:
        items, length = value, range_length(value)
    else:
        items = items_of(value)
        length = 0 if items is None else len(items)
    if items is None:
        fail_with("eval.unpack", f"got {type_name(value)} in sequence assignment")
    if length != count:
        few = "few" if length < count else "many"
        fail_with("eval.unpack", f"too {few} values to unpack (got {length}, want {count})")
    return items
