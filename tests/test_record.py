"""Classes of named fields: they do what those of the standard library do."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing
from types import ModuleType
from typing import Any

import pytest

from bramble import record

SOURCE = '''
from __future__ import annotations

@dataclass(frozen=True)
class Frozen:
    """Frozen."""

    first: int
    second: str = "b"
    third: list[int] = field(default_factory=list)
    fourth: int = field(default=4, compare=False)
    fifth: int = field(default=5, repr=False)

    @property
    def double(self) -> int:
        return 2 * self.first

@dataclass
class Open:
    first: int
    second: int = 2

@dataclass(frozen=True)
class One:
    only: int

@dataclass(frozen=True)
class Nothing:
    pass

@dataclass(frozen=True, eq=False)
class Itself:
    first: int

@dataclass(frozen=True, order=True)
class Ordered:
    first: int
    second: int

@dataclass(frozen=True)
class Own:
    first: int

    def __repr__(self) -> str:
        return "own"

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7

class Named(NamedTuple):
    """Named."""

    first: int
    second: str = "b"
    third: tuple[int, ...] = ()

    @property
    def double(self) -> int:
        return 2 * self.first

class Below(Named):
    __slots__ = ()

    def __new__(cls, first: int) -> Below:
        return super().__new__(cls, first + 1, "below")

class Empty(NamedTuple):
    pass
'''


def made_with(library: dict[str, Any]) -> dict[str, Any]:
    # The library of some versions looks for the module of a class.
    sys.modules["made_of_records"] = ModuleType("made_of_records")
    names = {"__name__": "made_of_records", **library}
    exec(compile(SOURCE, "made", "exec"), names)
    return names


OURS = made_with({name: getattr(record, name) for name in ("NamedTuple", "dataclass", "field", "replace")})
THEIRS = made_with(
    {
        "NamedTuple": typing.NamedTuple,
        "dataclass": dataclasses.dataclass,
        "field": dataclasses.field,
        "replace": dataclasses.replace,
    }
)


@pytest.mark.parametrize(
    "text",
    [
        "Frozen(1)",
        "Frozen(1, 'x', [1], 2, 3)",
        "Frozen(second='x', first=1)",
        "Frozen(1, fifth=9)",
        "Frozen(1).third is Frozen(1).third",
        "Frozen(1).fifth, Frozen(1, fifth=9).fifth, Frozen(1).double, Frozen.second, Frozen.__doc__",
        "list(vars(Frozen(third=[], first=1)))",
        "Frozen(1) == Frozen(1), Frozen(1) != Frozen(2), Frozen(1) == One(1), Frozen(1) == 1",
        "Frozen(1, fourth=1) == Frozen(1, fourth=2), Frozen(1, fifth=1) == Frozen(1, fifth=2)",
        "hash(Frozen(1, third=()))  == hash(Frozen(1, third=(), fourth=1))",
        "hash(Frozen(1))",
        "replace(Frozen(1), second='c', fifth=3), replace(Frozen(1), fifth=3).fifth",
        "replace(Frozen(1), sixth=3)",
        "setattr(Frozen(1), 'first', 2)",
        "setattr(Frozen(1), 'other', 2)",
        "delattr(Frozen(1), 'first')",
        "Frozen()",
        "Frozen(1, 2, 3, 4, 5, 6)",
        "Frozen(1, first=1)",
        "Frozen(1, 'b', first=1)",
        "Frozen(1, other=1)",
        "Frozen(1, 'b', [], 4, 5, other=1)",
        "Open(1), setattr(one := Open(1), 'first', 5), one, Open(1) == Open(1)",
        "hash(Open(1))",
        "One(1), One(1) == One(1), One(1) == One(2), {One(1), One(1), One(2)}",
        "Nothing(), Nothing() == Nothing(), len({Nothing(), Nothing()})",
        "Nothing(1)",
        "Itself(1) == Itself(1), len({Itself(1), Itself(1)})",
        "sorted([Ordered(2, 1), Ordered(1, 2), Ordered(1, 1)]), max(Ordered(1, 2), Ordered(2, 1))",
        "Ordered(1, 2) < 3",
        "Frozen(1) < Frozen(2)",
        "Own(1), Own(1) == 5, hash(Own(1))",
        "Named(1), Named(1, 'x'), Named(third=(1,), first=0), Named(1, 'b', (2,))",
        "Named(1) == (1, 'b', ()), hash(Named(1)) == hash((1, 'b', ())), Named(1) < Named(2)",
        "Named(1).second, Named(1)[0], Named(1).double, len(Named(1)), isinstance(Named(1), tuple)",
        "Named._fields, Named(1)._asdict(), Named(1)._replace(second='c'), Named._make([1, 2, 3])",
        "Named.__doc__, Named.__slots__, hasattr(Named(1), '__dict__')",
        "type(Named(1)._replace(first=2)) is Named, type(Below(1)._replace(first=2)) is Below",
        "Below(1), type(Below(1)) is Below, Below(1).double",
        "Empty(), Empty._fields",
        "Named()",
        "Named(1, 2, 3, 4)",
        "Named(1, first=1)",
        "Named(1, 'b', second='c')",
        "Named(1, other=1)",
        "Named(1, 'b', (), other=1)",
        "Named(1)._make([1])",
        "Named(1)._replace(other=1)",
        "setattr(Named(1), 'first', 2)",
        "setattr(Named(1), 'other', 2)",
        "[Named(number, third=(number,)) for number in range(300)]",
        "[Named(number) for number in range(300)] + [Named(1, 'c', ()), Below(1)]",
        "[Below(number) for number in range(300)]",
    ],
)  # fmt: skip
def test_they_are_as_those_of_the_library(text: str) -> None:
    # The third time a class may have methods that are made after many uses.
    for _ in range(3):
        assert outcome(text, OURS) == outcome(text, THEIRS)


def outcome(text: str, names: dict[str, Any]) -> object:
    try:
        value = eval(text, dict(names))
    except (TypeError, AttributeError) as problem:
        return "AttributeError" if isinstance(problem, AttributeError) else "TypeError"
    except ValueError as problem:
        # `_replace` of an unknown name, of some versions.
        return type(problem).__name__.replace("ValueError", "TypeError")
    return repr(value)


def test_after_many_uses_errors_are_the_same() -> None:
    for names in (OURS, THEIRS):
        [names["Named"](1) for _ in range(300)]
    for text in ("Named()", "Named(1, other=1)", "Named(1, 2, 3, 4)", "Named(second=1)"):
        assert outcome(text, OURS) == outcome(text, THEIRS) == "TypeError"


def test_it_loads_nothing_that_is_slow() -> None:
    program = "import sys; import bramble.record; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"dataclasses", "inspect", "re", "typing"} & set(found)


def test_no_class_of_bramble_is_made_by_the_library() -> None:
    # Where one is, the library is loaded with all that it loads.
    program = (
        "import sys, bramble.cli.verbs.build, bramble.build.maker, bramble.lang.evaluate\nprint(*sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "bramble.build.maker" in found
    assert not {"dataclasses", "inspect"} & set(found)
