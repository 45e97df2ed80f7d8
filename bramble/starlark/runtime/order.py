"""Order: comparing two values, and sorting many.

Values that Python orders as Starlark does are sorted by Python's sort, others by `compare`.
Python's sort is one call, and takes seconds for a million items. A long list is therefore sorted in
runs. Then all runs are cut at the same items, into slices of which none is much longer than a run.
The slices between two cuts are put one behind the other and sorted again, which for Python is to
merge them. What is equal to a cut is a slice of its own, which needs no sorting. So equal items
stay in their order.
"""

from __future__ import annotations

from _functools import partial  # type: ignore[import-not-found]
from _operator import itemgetter

from ..errors import EvalError
from .interruptible import types_of
from .limits import Walk
from .values import equal, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional

    from .values import Value

# Items of one run, where comparing two takes no longer than usual.
RUN = 1 << 15
_SHORTEST_RUN = 16
# So many items are sorted at once, whatever they are.
FEW = 64
# Characters that are compared in about the time that a comparison takes anyway.
_QUICK = 1 << 10
# Items of each run among which the cuts are chosen.
_SAMPLES = 64


def compare(a: Value, b: Value, op: str, walk: Optional[Walk] = None) -> int:
    """Return a number below, equal to or above 0 as `a` is less than, equal to or greater than `b`.

    NaN equals itself and is greater than every other number. Raises EvalError for
    values that have no order; `op` is for its message.
    """
    # spec: starlark.order
    ca, cb = a.__class__, b.__class__
    if (ca is int or ca is float) and (cb is int or cb is float):
        if a < b:
            return -1
        if a == b:
            return 0
        return int(a != a) - int(b != b) if a != a or b != b else 1
    if ca is cb and (ca is str or ca is bytes or ca is bool):
        return -1 if a < b else int(a > b)
    if (ca is tuple and cb is tuple) or (isinstance(a, list) and isinstance(b, list)):
        for x, y in zip(a, b):
            if x.__class__ is y.__class__ and (x.__class__ is int or x.__class__ is str):
                if x == y:
                    continue
                return -1 if x < y else 1
            walk = walk or Walk()
            if not equal(x, y, walk):
                walk.down("comparison")
                return compare(x, y, op, walk)
        return len(a) - len(b)
    if getattr(ca, "starlark_ordered", False) and ca is cb:
        return -1 if a < b else int(a > b)
    raise EvalError("eval.operand", f"{type_name(a)} {op} {type_name(b)} not implemented")


class _Ordered:
    """An item as `sorted` compares it: by Starlark's rules, where Python's might differ."""

    __slots__ = ("key",)

    def __init__(self, key: Value) -> None:
        self.key = key

    def __lt__(self, other: _Ordered) -> bool:
        return compare(self.key, other.key, "<") < 0


def python_orders(keys: Value) -> bool:
    """Return whether Python orders values as Starlark does: ints, strings, tuples with columns of such.

    Where the first items of all tuples are different strings, as those of the entries of a dict, the others
    do not matter.
    """
    kind = keys[0].__class__ if keys else str
    if kind is str or kind is int:
        for key in keys:
            if key.__class__ is not kind:
                break
        else:
            return True
    if kind is tuple and len(keys) <= FEW and first_items_differ(keys):
        return True
    found = types_of(keys)
    if len(found) == 1:
        kind = found.pop()
        if kind is str or kind is int or kind is bytes:
            return True
        if kind is tuple:
            return _python_orders_tuples(keys)
        return kind is float and all(key == key for key in keys)
    return found == {int, float} and all(key == key for key in keys)


def first_items_differ(keys: Value) -> bool:
    """Return whether all keys are tuples whose first items are different strings: no other item matters then.

    The entries of a dict are such, most often.
    """
    first = {key[0] for key in keys if key.__class__ is tuple and key and key[0].__class__ is str}
    return len(first) == len(keys)


_COLUMNS = frozenset({str, int, bytes})
_first_item = itemgetter(0)


def _python_orders_tuples(keys: Value) -> bool:
    """Return whether Python orders tuples as Starlark does.

    It looks at the first items in which two differ.
    """
    if not all(keys):
        return not any(keys)
    first = list(map(_first_item, keys))
    if first[0].__class__ is str and types_of(first) == {str} and len(set(first)) == len(first):
        return True
    shapes = set()
    for at in range(0, len(keys), RUN):
        part = keys[at : at + RUN]
        if len(set(map(len, part))) > 1:
            return False
        shapes.add(tuple([frozenset(map(type, column)) for column in zip(*part)]))
    shape = shapes.pop()
    return not shapes and all(len(kinds) == 1 and kinds <= _COLUMNS for kinds in shape)


def sort_items(items: list[Value], keys: list[Value], reverse: bool) -> list[Value]:
    """Return `items` in the order of their `keys` (which may be `items` itself)."""
    plain = python_orders(keys)
    short = len(items) <= FEW or len(items) <= run_length(keys, plain)
    if keys is items and short:
        if plain:
            return sorted(items, reverse=reverse)
        return sorted(items, key=_Ordered, reverse=reverse)
    if keys is items and plain:
        return _sorted_in_runs(items, None, reverse, run_length(keys, plain))
    ranks = keys if plain else [_Ordered(key) for key in keys]
    if short:
        # Python asks for the keys in the order of the items, whether it is to reverse it or not.
        return sorted(items, key=partial(next, iter(ranks)), reverse=reverse)
    numbers = range(len(items))
    order = _sorted_in_runs(numbers, ranks.__getitem__, reverse, run_length(keys, plain))
    return [items[number] for number in order]


def run_length(keys: list[Value], plain: bool) -> int:
    """Return how many items are ordered in one call: fewer where they are long texts."""
    if not plain or not isinstance(keys[0], (str, bytes)):
        return RUN
    longest = max(len(keys[0]), len(keys[len(keys) // 2]), len(keys[-1]))
    return max(_SHORTEST_RUN, RUN // (1 + longest // _QUICK))


def _sorted_in_runs(
    items: Value, key: Optional[Callable[[Value], Value]], reverse: bool, length: int
) -> list[Value]:
    starts = range(0, len(items), length)
    runs = [sorted(items[at : at + length], key=key, reverse=reverse) for at in starts]
    step = max(2, length // _SAMPLES)
    samples = [item for run in runs for item in run[::step]]
    if len(samples) <= length:
        samples.sort(key=key, reverse=reverse)
    else:
        samples = _sorted_in_runs(samples, key, reverse, length)
    made: list[Value] = []
    begun = [0] * len(runs)
    for sample in samples[length // step :: length // step]:
        cut = sample if key is None else key(sample)
        ends = [_first(run, start, key, reverse, cut, behind=False) for run, start in zip(runs, begun)]
        made += sorted(_between(runs, begun, ends), key=key, reverse=reverse)
        begun = [_first(run, start, key, reverse, cut, behind=True) for run, start in zip(runs, ends)]
        for run, start, end in zip(runs, ends, begun):
            made += run[start:end]
    made += sorted(_between(runs, begun, [len(run) for run in runs]), key=key, reverse=reverse)
    return made


def _between(runs: list[list[Value]], starts: list[int], ends: list[int]) -> list[Value]:
    found: list[Value] = []
    for run, start, end in zip(runs, starts, ends):
        found += run[start:end]
    return found


def _first(
    run: list[Value],
    low: int,
    key: Optional[Callable[[Value], Value]],
    reverse: bool,
    cut: Value,
    *,
    behind: bool,
) -> int:
    """Return where in a run, from `low` on, those begin that are `behind` the cut, or else not before it."""
    high = len(run)
    while low < high:
        middle = (low + high) // 2
        item = run[middle] if key is None else key(run[middle])
        less, greater = (cut, item) if behind != reverse else (item, cut)
        if (less < greater) != behind:
            low = middle + 1
        else:
            high = middle
    return low
