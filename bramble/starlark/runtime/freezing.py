"""Freezing: what a module has made never changes again.

Sets change their class, and stay the objects that they are. Lists and dicts that may be changed are
Python's own, whose class nobody can change. So a frozen list or dict is another object, a copy, and freezing
puts it where the other one was: in every variable, default, captured variable, list, dict, tuple, struct and
bound method that can be reached from the globals of the module.

**Why nobody notices.** Starlark has no identity of lists and dicts, so a program cannot tell one from its
copy but by changing one of them. Every place that a program can reach later is one of those that are walked
here, all of them get the same copy of the same list, and the copy is never changed. A list that contains
itself becomes one that contains its copy. A tuple with a list inside is copied, once. Functions keep their
identity, and so does what can be a key: nothing hashable has a list or dict inside.

**What is left.** A host that has kept a list or dict has that, which its own code may change, and not the
copy: it calls `freeze` and keeps what that returns. The method `HostValue.freeze` of a host's value replaces
the containers that it holds by the frozen ones.

**What breaks it.** A place that holds values and is not walked; a program that runs during the walk, or
afterwards with what its frames have kept: a file is done when it is frozen, and so are its frames.
`tests/starlark/runtime/test_freezing.py` goes every way to a list.
"""

from __future__ import annotations

from .values import (
    FROZEN,
    FROZEN_OF,
    SET_CLASSES,
    Dict,
    FrozenDict,
    FrozenList,
    FrozenOddDict,
    Key,
    NoneType,
    has_odd_keys,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .values import Value

# Values of these classes hold nothing that could change, or are frozen with what they hold.
_SETTLED = frozenset({str, int, bool, NoneType, float, bytes, range, *FROZEN})


def freeze(value: Value) -> Value:
    """Freeze a value and all that can be reached from it, in any depth; return it, or what stands for it.

    Of a list or dict, and of a tuple with one inside, that is a frozen copy.
    """
    # spec: starlark.freeze
    walk = Freezing()
    frozen = walk.frozen(value)
    walk.finish()
    return frozen


class Freezing:
    """One walk. Between `frozen` and the end of `finish` what has been made is not complete.

    `made` has by identity what stands for each value, and `kept` the lists, dicts and tuples whose place
    others take: no new value may get the identity of one of them.
    """

    __slots__ = ("made", "kept", "work")

    def __init__(self) -> None:
        self.made: dict[int, Value] = {}
        self.kept: list[Value] = []
        # What has been frozen, and its contents have not.
        self.work: list[Any] = []

    def frozen(self, value: Value) -> Value:
        """Return what stands for a value from now on; what it holds follows until the end of `finish`."""
        kind = value.__class__
        if kind in _SETTLED:
            return value
        found = self.made.get(id(value))
        if found is not None:
            return found
        if kind is tuple:
            return self._tuple(value)
        if kind is list:
            made = FrozenList(value)
            self.made[id(value)] = made
            self.kept.append(value)
            for item in value:
                if item.__class__ not in _SETTLED:
                    self.work.append(made)
                    break
            return made
        if kind is dict or kind is Dict:
            table = FrozenOddDict(value) if has_odd_keys(value) else FrozenDict(value)
            self.made[id(value)] = table
            self.kept.append(value)
            self.work.append(table)
            return table
        if kind in FROZEN_OF:
            value.__class__ = FROZEN_OF[kind]
            self.work.append(value)
        elif hasattr(kind, "starlark_freeze"):
            self.made[id(value)] = value
            self.work.append(value)
        else:
            # What a host has hidden in one of its values, and the program only passed on, is seen here.
            type_name(value)
        return value

    def _tuple(self, value: tuple[Value, ...]) -> Value:
        """Freeze a tuple, and the tuples in it first: they may be nested in any depth, and in no cycle."""
        waiting = [value]
        while waiting:
            one = waiting[-1]
            inner = [item for item in one if item.__class__ is tuple and id(item) not in self.made]
            if inner and id(one) not in self.made:
                waiting += inner
                continue
            waiting.pop()
            if id(one) not in self.made:
                items = tuple([self.frozen(item) for item in one])
                same = all(map(_same, one, items))
                self.made[id(one)] = one if same else items
                self.kept.append(one)
        return self.made[id(value)]

    def finish(self) -> None:
        """Freeze what the values hold that have been frozen."""
        frozen, work, made, kept = self.frozen, self.work, self.made, self.kept
        while work:
            value = work.pop()
            pairs: Iterable[tuple[Value, Value]]
            put: Any
            if value.__class__ is FrozenList:
                pairs = enumerate(value)
                put = list.__setitem__
            elif isinstance(value, dict):
                for key in value:
                    if key.__class__ is not str and key.__class__ not in _SETTLED:
                        # What is hashable has no list inside, but it may be a function that has.
                        frozen(key.value if key.__class__ is Key else key)
                pairs = () if value.__class__ in SET_CLASSES else dict.items(value)
                put = dict.__setitem__
            else:
                value.starlark_freeze(frozen)
                continue
            for place, item in pairs:
                kind = item.__class__
                if kind in _SETTLED:
                    continue
                new: Value = made.get(id(item))
                if new is None and kind is list:
                    # As `frozen` does, in place: of data there may be millions.
                    made[id(item)] = new = FrozenList(item)
                    kept.append(item)
                    for one in item:
                        if one.__class__ not in _SETTLED:
                            work.append(new)
                            break
                elif new is None:
                    new = frozen(item)
                if new is not item:
                    put(value, place, new)


def _same(a: object, b: object) -> bool:
    return a is b
