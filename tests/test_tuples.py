"""`bramble.record.NamedTuple` makes what `typing.NamedTuple` makes of the same class."""

from __future__ import annotations

import pickle
import typing
from typing import Any

import pytest

from bramble import record


class Mine(record.NamedTuple):
    """Mine."""

    path: str
    size: int = 0
    names: tuple[str, ...] = ()

    @property
    def twice(self) -> int:
        """Twice."""
        return 2 * self.size

    @staticmethod
    def empty() -> Mine:
        return Mine("")

    def __str__(self) -> str:
        return f"<{self.path}>"


class Theirs(typing.NamedTuple):
    """Theirs."""

    path: str
    size: int = 0
    names: tuple[str, ...] = ()


@pytest.mark.parametrize("made", [Mine, Theirs])
def test_it_is_a_tuple_with_names_and_defaults(made: Any) -> None:
    one = made("/a", names=("b",))
    assert one == ("/a", 0, ("b",)) and (one.path, one.size, one.names) == one
    assert one._replace(size=3) == made("/a", 3, ("b",)) and one._fields == ("path", "size", "names")
    assert made._field_defaults == {"size": 0, "names": ()}
    assert repr(one) == f"{made.__name__}(path='/a', size=0, names=('b',))"
    assert (made.__module__, made.__qualname__, made.__doc__) == (
        __name__,
        made.__name__,
        made.__name__ + ".",
    )
    assert made.__mro__ == (made, tuple, object)
    assert pickle.loads(pickle.dumps(one)) == one and type(pickle.loads(pickle.dumps(one))) is made
    assert not hasattr(one, "__dict__")
    for wrong in ((), ("a", 1, (), 2)):
        with pytest.raises(TypeError):
            made(*wrong)
    with pytest.raises(AttributeError):
        one.size = 4


def test_it_has_what_the_class_defines() -> None:
    assert (Mine("a", 4).twice, Mine.empty(), str(Mine("a"))) == (8, ("", 0, ()), "<a>")


def test_its_types_are_those_of_the_class() -> None:
    # Python 3.9 and older spell the types of a named tuple as it was written, newer ones as they mean.
    assert tuple(Mine.__annotations__) == tuple(Theirs.__annotations__)
    assert typing.get_type_hints(Mine) == typing.get_type_hints(Theirs)
