"""How much one operation may do: levels it goes into a value, items it hashes, texts it searches."""

from __future__ import annotations

import sys

from ..errors import EvalError

# Deeper values are neither compared, ordered, hashed nor printed. It bounds the use of the C stack.
MAX_DEPTH = 200
# The most items, those of inner tuples included, that a key may have: Python hashes shared ones again.
MAX_HASHED = 1 << 18
# The most comparisons of characters of a search that begins again at each position.
MAX_SEARCH = 1 << 32
# Texts of so many characters are searched for without looking how long the other one is.
SHORT_SEARCH = 64
# Characters to be stripped among which Python may look for each character of a string.
SHORT_STRIP = 64
# Before Python 3.10 a search in either direction begins again at each position, later only one from the end.
COMPARES_ANEW = sys.version_info < (3, 10)


def search(name: str, text: str, wanted: str) -> None:
    """Refuse a search that could take hours. Raises EvalError."""
    if COMPARES_ANEW:
        search_backwards(name, text, wanted)


def search_backwards(name: str, text: str, wanted: str) -> None:
    """Refuse a search from the end that could take hours. Raises EvalError."""
    # spec: starlark.limit.search
    if len(wanted) > SHORT_SEARCH and len(text) * len(wanted) > MAX_SEARCH:
        message = f"{name}: search is too long ({len(wanted)} in {len(text)} characters)"
        raise EvalError("eval.limit", message)


class Walk:
    """One comparison, or one hash, of values that contain others.

    depth  how many levels may still follow
    items  how many items may still be hashed
    equal  pairs of values (by identity) that have been found equal: what is shared is compared once
    """

    __slots__ = ("depth", "items", "equal")

    def __init__(self) -> None:
        self.depth = MAX_DEPTH - 1
        self.items = MAX_HASHED
        self.equal: set[tuple[int, int]] = set()

    def down(self, what: str) -> None:
        """Go one level down. Raises EvalError when there are too many."""
        # spec: starlark.limit.depth
        if self.depth <= 0:
            raise EvalError("eval.limit", f"{what} exceeded maximum recursion depth")
        self.depth -= 1

    def up(self) -> None:
        """Leave a level."""
        self.depth += 1

    def count(self, items: int) -> None:
        """Count items that are hashed. Raises EvalError when there are too many."""
        # spec: starlark.limit.hash
        self.items -= items
        if self.items < 0:
            raise EvalError("eval.limit", f"key has more than {MAX_HASHED} items")
