"""Record classes: they behave as those of `dataclasses` do, and compile a method when it is first called."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
from types import FunctionType, ModuleType
from typing import Any, Optional

import pytest

from bramble import records

# A class of each module, alike in everything else.
KINDS = {module.__name__: module for module in (dataclasses, records)}


@records.dataclass(frozen=True)
class Point:
    x: int
    y: int = 2
    names: tuple[str, ...] = ()
    seen: dict[str, int] = records.field(default_factory=dict, compare=False, repr=False)


def classes(module: ModuleType) -> tuple[Any, Any, Any]:
    """Return three classes made by a module: frozen and ordered, one that can be changed, one of a base."""

    @module.dataclass(frozen=True, order=True)  # type: ignore[untyped-decorator, unused-ignore]
    class Fixed:
        a: int
        b: str = "b"
        c: Optional[list[int]] = module.field(default=None, compare=False)
        d: dict[str, int] = module.field(default_factory=dict, repr=False, compare=False)

        def __str__(self) -> str:
            return f"<{self.a}>"

    @module.dataclass  # type: ignore[untyped-decorator, unused-ignore]
    class Loose:
        a: int
        made: list[int] = module.field(init=False)
        kept: dict[str, int] = module.field(default_factory=dict)
        late: list[int] = module.field(init=False, default_factory=list)

        def __post_init__(self) -> None:
            self.made = [self.a]

    @module.dataclass(frozen=True, eq=False)  # type: ignore[untyped-decorator, unused-ignore]
    class Further(Fixed):
        e: int = 5

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Further) and self.e == other.e

        def __hash__(self) -> int:
            return hash(self.e)

    return Fixed, Loose, Further


def attempt(action: Any) -> object:
    try:
        return action()
    except (TypeError, AttributeError) as error:
        # FrozenInstanceError is an AttributeError.
        return TypeError if isinstance(error, TypeError) else AttributeError


def behaviour(module: ModuleType) -> list[object]:
    fixed, loose, further = classes(module)
    one, other = fixed(1), fixed(2, "x", [3], {"k": 1})
    changed = loose(1)
    changed.a = 5
    return [
        [str(it) for it in (one, other)],
        [repr(it).rpartition(".")[2] for it in (one, other, changed, further(1, e=6))],
        [one == fixed(1, "b", [9], {"z": 1}), one == other, one != other, one == 1, one == further(1)],
        [one < other, other <= one, one > other, other >= other, sorted([other, one])[0] is one],
        attempt(lambda: one < 1),
        attempt(lambda: changed < changed),
        [hash(one) == hash(fixed(1)), hash(one) == hash(other), len({one, fixed(1), other})],
        attempt(lambda: hash(changed)),
        [further(1, e=6) == further(2, e=6), hash(further(1, e=6)) == hash(6)],
        [changed.made, changed.kept, changed.late, loose(2, kept={"a": 1}).kept, loose(1) == loose(1)],
        loose(1).kept is loose(1).kept,
        [(it.name, it.init, it.repr, it.compare) for it in module.fields(further)],
        [it.name for it in module.fields(changed)],
        module.replace(other, a=7) == fixed(7, "x"),
        module.replace(other, a=7).d,
        module.replace(further(1), e=9).e,
        module.astuple(other),
        attempt(lambda: setattr(one, "a", 2)),
        attempt(lambda: setattr(one, "new", 2)),
        attempt(lambda: delattr(one, "a")),
        attempt(lambda: fixed()),
        attempt(lambda: fixed(1, 2, 3, 4, 5)),
        attempt(lambda: fixed(1, z=1)),
        attempt(lambda: module.replace(one, z=1)),
        [fixed.b, hasattr(fixed, "d"), fixed.c],
        isinstance(further(1), fixed),
    ]


def test_records_behave_as_dataclasses_do() -> None:
    ours, theirs = behaviour(records), behaviour(dataclasses)
    assert ours == theirs


def test_a_class_of_each_module_is_made_in_turn() -> None:
    for name, module in KINDS.items():
        assert classes(module)[0](1).a == 1, name


def test_a_method_is_compiled_when_it_is_first_called() -> None:
    @records.dataclass(frozen=True)
    class Fresh:
        a: int

    def compiled(name: str) -> bool:
        method = vars(Fresh)[name]
        assert isinstance(method, FunctionType)
        return method.__code__.co_filename == "<string>"

    assert not any(compiled(name) for name in ("__init__", "__eq__", "__hash__"))
    value = Fresh(1)
    assert compiled("__init__") and not compiled("__eq__")
    assert value == Fresh(1)
    assert compiled("__eq__") and not compiled("__hash__")
    with pytest.raises(TypeError, match=r"Fresh\.__init__|__init__\(\)"):
        Fresh()  # type: ignore[call-arg]


def test_values_can_be_copied_and_sent() -> None:
    point = Point(1, names=("a",), seen={"z": 1})
    assert pickle.loads(pickle.dumps(point)) == point
    assert copy.copy(point).seen is point.seen
    assert copy.deepcopy(point) == point
    assert repr(point) == "Point(x=1, y=2, names=('a',))"


def test_threads_may_make_the_first_value_at_once() -> None:
    @records.dataclass(frozen=True)
    class Shared:
        a: int
        b: int = 2

    found: list[Shared] = []
    gate = threading.Barrier(8)

    def make(number: int) -> None:
        gate.wait()
        found.append(Shared(number))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.a for one in found) == list(range(8))
    assert {one.b for one in found} == {2}
