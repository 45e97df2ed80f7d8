"""Long operands in parts, so that Ctrl-C and the bound on time are noticed between two of them.

Python looks for signals between two of its own instructions. A call of something written in C, such as
`list(x)` or `sorted(x)`, is one instruction, and takes a second where `x` has ten million items. So
the built-ins hand what is long to such calls in parts, each of which takes some milliseconds.
"""

from __future__ import annotations

from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    Filled = TypeVar("Filled", bound=list[Any])

# Items, or characters, of one part.
# spec: starlark.limit.interrupt
PART = 1 << 16
CHARACTERS = 1 << 18
# Keys of one part. Many ints can be made that share a hash, so that each takes longer than the one before.
_KEYS = 64


def parts(items: Any, size: int = PART) -> Iterator[Any]:
    """Yield the items of a list, tuple, range, string or dict in sequences of at most `size`."""
    if len(items) <= size:
        yield items
    elif isinstance(items, dict):
        left = iter(items)
        for _ in range(0, len(items), size):
            yield list(islice(left, size))
    else:
        for at in range(0, len(items), size):
            yield items[at : at + size]


def is_long(items: Any) -> bool:
    """Return whether a value is of a type that `parts` takes, and has more than one part."""
    return isinstance(items, (list, tuple, range, dict, str, bytes)) and len(items) > PART


def fill(made: Filled, items: Iterable[Any], count: int) -> Filled:
    """Append `count` items to a list, and return it."""
    if count <= PART:
        list.extend(made, items)
        return made
    left = iter(items)
    for at in range(0, count, PART):
        # Not more than there are: a list may be appended to itself.
        list.extend(made, islice(left, min(PART, count - at)))
    return made


def put_all(table: dict[Any, Any], other: dict[Any, Any]) -> None:
    """Put the entries of a dict into another one."""
    if len(other) <= PART:
        dict.update(table, other)
        return
    left = iter(dict.items(other))
    for _ in range(0, len(other), PART):
        dict.update(table, islice(left, PART))


def put_keys(table: dict[Any, Any], keys: Any) -> None:
    """Put keys into a dict, each with the value None."""
    for at in range(0, len(keys), _KEYS):
        dict.update(table, dict.fromkeys(keys[at : at + _KEYS]))


def have_all(table: dict[Any, Any], keys: dict[Any, Any]) -> bool:
    """Return whether a dict has all keys of another one."""
    return all(all(map(table.__contains__, part)) for part in parts(keys))


def types_of(items: Any) -> set[type]:
    """Return the types of the items of a list, tuple or range."""
    if len(items) <= PART:
        return set(map(type, items))
    found: set[type] = set()
    for part in parts(items):
        found.update(map(type, part))
    return found


def pieces(text: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    """Yield a string as `text.split(separator)` cuts it, some of it at a time.

    Each time it is the text that was cut, and the pieces. The last piece of each but the last time is
    empty: it is where the text goes on.
    """
    at = 0
    while len(text) - at > CHARACTERS:
        found = text[at : at + CHARACTERS].split(separator)
        if len(found) > 1:
            # The last one may go on, and may end in half of a separator.
            end = min(at + CHARACTERS, len(text)) - len(found.pop())
            found.append("")
        else:
            end = text.find(separator, at)
            if end < 0:
                break
            found = [text[at:end], ""]
            end += len(separator)
        yield text[at:end], found
        at = end
    yield text[at:], text[at:].split(separator)


def cut(made: Filled, text: str, separator: str) -> Filled:
    """Append what `text.split(separator)` returns to an empty list, and return it."""
    for _part, found in pieces(text, separator):
        if made:
            # What follows the last separator so far: nothing yet.
            list.pop(made)
        list.extend(made, found)
    return made


def mapped(change: Callable[[str], str], text: str, separator: str) -> str:
    """Return a string each part of which, cut behind a separator, was changed."""
    if len(text) <= CHARACTERS:
        return change(text)
    return "".join([change(part) for part, _found in pieces(text, separator)])
