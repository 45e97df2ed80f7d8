"""`bramble.frozen` makes what `dataclasses` would make."""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from bramble import frozen
from bramble.derivation.model import Derivation

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def classes(made_by: Any) -> SimpleNamespace:
    """Return one class of every kind, made by `dataclasses` or by what stands in its place."""

    @made_by.dataclass(frozen=True)
    class Empty:
        pass

    @made_by.dataclass(frozen=True)
    class One:
        only: int

    @made_by.dataclass(frozen=True)
    class Some:
        self_: str
        _private: int = 3
        later: list[int] = made_by.field(default_factory=list)
        aside: int = made_by.field(default=1, compare=False)
        secret: str = made_by.field(default="s", repr=False)

        @property
        def both(self) -> str:
            return self.self_ + self.secret

    @made_by.dataclass(frozen=True)
    class More(Some):
        more: int = 5
        _private: int = 4

    @made_by.dataclass(frozen=True)
    class Same(More):
        pass

    @made_by.dataclass(frozen=True, order=True)
    class Ordered:
        first: int
        second: str = ""

    @made_by.dataclass(frozen=True, eq=False)
    class Itself:
        value: int

    @made_by.dataclass(frozen=True)
    class Own:
        value: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __repr__(self) -> str:
            return "own"

    @made_by.dataclass
    class Open:
        given: int
        made: int = made_by.field(init=False)
        found: dict[str, int] = made_by.field(default_factory=dict)
        count: list[int] = made_by.field(default_factory=list, init=False)

        def __post_init__(self) -> None:
            self.made = self.given + 1

    return SimpleNamespace(**{name: value for name, value in locals().items() if isinstance(value, type)})


def behaviour(made_by: Any) -> list[object]:
    """Return what all of these classes do, as values that can be compared."""
    c = classes(made_by)
    said: list[object] = []

    def tell(work: Any) -> None:
        try:
            found = work()
        except Exception as error:
            # How Python words it differs with the name of the function.
            found = type(error).__name__
        said.append(found)

    values = [
        *(c.Empty(), c.One(1), c.One(only=2), c.Some("a"), c.Some("a", 4, [1], 2, "t"), c.More("a", more=1)),
        *(c.More("a"), c.Same("a"), c.Ordered(1), c.Ordered(1, "x"), c.Ordered(0, "z"), c.Own(1), c.Own(2)),
        *(c.Open(1), c.Open(1, {"a": 1}), c.Itself(1)),
    ]
    for one in values:
        tell(lambda one=one: repr(one).replace("classes.<locals>.", ""))
        tell(lambda one=one: [one == other for other in values])
        tell(lambda one=one: [hash(one) == hash(other) for other in values if other is not one])
        tell(lambda one=one: sorted(vars(one).items(), key=lambda item: item[0]))
        tell(lambda one=one: dataclasses.asdict(one))
        tell(lambda one=one: dataclasses.astuple(one))
        tell(lambda one=one: [field.name for field in dataclasses.fields(one)])
        tell(lambda one=one: dataclasses.is_dataclass(one))
        tell(lambda one=one: copy.copy(one) == one)
        tell(lambda one=one: one < c.Ordered(1))
        for name in ("only", "new", "self_", "given"):
            tell(lambda one=one, name=name: setattr(one, name, 7))
            tell(lambda one=one, name=name: delattr(one, name))
        for replace in (dataclasses.replace, made_by.replace):
            tell(lambda one=one, replace=replace: repr(replace(one)))
            tell(lambda one=one, replace=replace: repr(replace(one, secret="x")))
    tell(
        lambda: [
            c.Ordered(1, "b") < c.Ordered(2, "a"),
            c.Ordered(1) >= c.Ordered(1),
            c.Ordered(2) > c.Ordered(1),
        ]
    )
    tell(lambda: c.One())
    tell(lambda: c.One(1, 2))
    tell(lambda: c.Some("a", nothing=1))
    tell(lambda: c.Some.aside)
    tell(lambda: hasattr(c.Some, "later"))
    tell(lambda: c.Some("a").later is not c.Some("a").later)
    tell(lambda: c.Some("a").both)
    return [str(one).replace("classes.<locals>.", "") for one in said]


def test_classes_do_what_those_of_dataclasses_do() -> None:
    assert behaviour(frozen) == behaviour(dataclasses)


def test_replace_takes_values_of_dataclasses_too() -> None:
    assert frozen.replace(classes(dataclasses).Ordered(1), first=2).first == 2


def test_values_go_through_pickle() -> None:
    value = Derivation.__new__(Derivation)
    assert type(pickle.loads(pickle.dumps(value))) is Derivation


@pytest.mark.parametrize("module", ("bramble.frozen", "bramble.cli.verb_build"))
def test_dataclasses_is_not_loaded(module: str) -> None:
    text = f"import sys; sys.path.insert(0, {ROOT!r}); import {module}; print('dataclasses' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
