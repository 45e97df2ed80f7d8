"""`bramble.frozen` against `dataclasses`: classes that both have made do the same."""

from __future__ import annotations

import copy
import dataclasses
import operator
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from bramble import frozen

pytestmark = pytest.mark.once


def made(module: Any) -> dict[str, type]:
    """Return classes of every form that Bramble uses, made by a module with `dataclass` and `field`."""

    @module.dataclass(frozen=True)
    class Plain:
        first: int
        second: str = "two"
        third: dict[str, int] = module.field(default_factory=dict)

        @property
        def both(self) -> str:
            return f"{self.first} {self.second}"

    @module.dataclass(frozen=True)
    class Longer(Plain):
        second: str = "three"
        fourth: int = module.field(default=4, compare=False)
        fifth: int = module.field(default=5, repr=False)

    @module.dataclass
    class Mutable:
        first: int
        second: int = module.field(init=False)
        third: list[int] = module.field(default_factory=list)

        def __post_init__(self) -> None:
            self.second = self.first + 1

    @module.dataclass(frozen=True)
    class Empty:
        pass

    @module.dataclass(frozen=True)
    class One:
        first: Any

    @module.dataclass(frozen=True, order=True)
    class Ordered:
        first: int
        second: int = 0

    @module.dataclass(frozen=True, eq=False)
    class Itself:
        first: int

    @module.dataclass(frozen=True)
    class Own:
        first: int

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "Own"

    classes = (Plain, Longer, Mutable, Empty, One, Ordered, Itself, Own)
    return {one.__name__: one for one in classes}


OURS, THEIRS = made(frozen), made(dataclasses)
# The arguments of values of each class.
GIVEN: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "Plain": [((1,), {}), ((1, "two", {}), {}), ((), {"third": {"a": 1}, "first": 2}), ((1, "x"), {})],
    "Longer": [((1,), {}), ((1,), {"fourth": 9}), ((1,), {"fifth": 9}), ((1, "three", {}, 4, 5), {})],
    "Mutable": [((1,), {}), ((1, [2]), {}), ((2,), {"third": []})],
    "Empty": [((), {}), ((), {})],
    "One": [((1,), {}), (((1,),), {}), ((float("nan"),), {}), ((None,), {})],
    "Ordered": [((1, 2), {}), ((1,), {}), ((2, 1), {}), ((1, 2), {})],
    "Itself": [((1,), {}), ((1,), {})],
    "Own": [((1,), {}), ((2,), {})],
}
WRONG: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "Plain": [((), {}), ((1, 2, 3, 4), {}), ((1,), {"first": 1}), ((1,), {"fourth": 1})],
    "Mutable": [((1,), {"second": 1})],
    "Empty": [((1,), {})],
}


def outcome(method: str, *values: object) -> Any:
    """Return what a method of the first of these values says to the others, or the type of what it raises."""
    try:
        return getattr(operator, method)(*values) if len(values) > 1 else hash(*values)
    except TypeError as fault:
        return type(fault)


def shown(value: object) -> str:
    return repr(value).replace("Itself object at", "Itself").rpartition("<locals>.")[2]


@pytest.mark.parametrize("name", GIVEN)
def test_values_are_the_same(name: str) -> None:
    ours = [OURS[name](*values, **named) for values, named in GIVEN[name]]
    theirs = [THEIRS[name](*values, **named) for values, named in GIVEN[name]]
    assert [vars(one) for one in ours] == [vars(one) for one in theirs] or name == "One"
    assert [list(vars(one)) for one in ours] == [list(vars(one)) for one in theirs]
    assert [shown(one) for one in ours] == [shown(one) for one in theirs]
    for one, other in zip(ours, theirs):
        if name != "Itself":
            assert outcome("hash", one) == outcome("hash", other)
            assert copy.copy(one) == one
        for method in ("eq", "ne", "lt", "le", "gt", "ge"):
            said = [
                [outcome(method, it, two) for two in group] for it, group in ((one, ours), (other, theirs))
            ]
            assert said[0] == said[1], method


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_value_is_refused(name: str) -> None:
    for values, named in WRONG[name]:
        for classes in (OURS, THEIRS):
            with pytest.raises(TypeError):
                classes[name](*values, **named)


def test_what_is_frozen_is_kept() -> None:
    for classes in (OURS, THEIRS):
        value = classes["Longer"](1)
        for name in ("first", "fifth", "other"):
            with pytest.raises(AttributeError):
                setattr(value, name, 2)
            with pytest.raises(AttributeError):
                delattr(value, name)
        changed = classes["Mutable"](1)
        changed.first = 7
        assert vars(changed) == {"first": 7, "second": 2, "third": []}


def test_a_value_is_replaced() -> None:
    for module, classes in ((frozen, OURS), (dataclasses, THEIRS)):
        value = classes["Longer"](1, fourth=9)
        changed = module.replace(value, first=2, third={"a": 1})
        assert list(vars(changed).values()) == [2, "three", {"a": 1}, 9, 5]
        with pytest.raises(TypeError):
            module.replace(value, sixth=1)


def test_each_value_has_a_default_of_its_own() -> None:
    first, second = OURS["Mutable"](1), OURS["Mutable"](1)
    first.third.append(1)
    assert second.third == []


def test_no_module_of_bramble_loads_dataclasses() -> None:
    top = Path(frozen.__file__).parent
    wrong = [
        str(path.relative_to(top))
        for path in top.rglob("*.py")
        if path != Path(frozen.__file__)
        and re.search(r"^ *(from|import) dataclasses", path.read_text(), re.M)
    ]
    assert not wrong, "import them from bramble.frozen"


def test_a_value_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(_Sent(3))) == _Sent(3)


@frozen.dataclass(frozen=True)
class _Sent:
    first: int
