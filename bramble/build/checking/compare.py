"""In which files two objects differ that should be one."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Optional

from bramble.build.checking.suspects import AROUND, HEAD, Difference, suspect

if TYPE_CHECKING:
    from bramble.store.disk import Store

_PIECE = 1 << 20
_BEFORE, _AFTER = 16, 24  # bytes around the first difference that are shown
_Found = tuple[int, bytes, bytes, int]  # offset, what is around it in each, and where in that it is


def differences(store: Store, first: str, second: str) -> tuple[str, ...]:
    """Return the paths, relative to the objects, at which they differ: sorted.

    The objects' own names count as equal, since they are a consequence.
    """
    roots = (store.object_path(first), store.object_path(second))
    own = (os.fsencode(first), os.fsencode(second))
    found: list[str] = []
    stack = [""]
    while stack:
        path = stack.pop()
        names = [sorted(os.listdir(root + path)) for root in roots]
        # A name that holds the object's own name is another one in each.
        common = set(names[0]) & set(names[1])
        found += [f"{path}/{name}"[1:] for name in set(names[0]) ^ set(names[1])]
        for name in common:
            here = f"{path}/{name}"
            kinds = [os.lstat(root + here).st_mode for root in roots]
            if kinds[0] != kinds[1]:
                found.append(here[1:])
            elif stat.S_ISDIR(kinds[0]):
                stack.append(here)
            elif _difference(roots, here, own, stat.S_ISLNK(kinds[0])) is not None:
                found.append(here[1:])
    return tuple(sorted(found))


def _difference(roots: tuple[str, str], path: str, own: tuple[bytes, bytes], link: bool) -> Optional[_Found]:
    """Return where two members differ first, and the bytes there in each; None if they are equal."""
    if link:
        targets = [os.fsencode(os.readlink(root + path)) for root in roots]
        return _first(targets[0].replace(own[0], own[1]), targets[1], len(targets[1]) + len(targets[0]), 0)
    with open(roots[0] + path, "rb") as first, open(roots[1] + path, "rb") as second:
        tails = [b"", b""]
        base = 0
        while True:
            pieces = [first.read(_PIECE), second.read(_PIECE)]
            # A name may cross the border of two pieces; the kept part is compared with the next piece.
            texts = [(tails[0] + pieces[0]).replace(own[0], own[1]), tails[1] + pieces[1]]
            ended = not any(pieces)
            keep = 0 if ended else len(own[0])
            end = max(0, min(map(len, texts)) - keep)
            found = _first(texts[0], texts[1], max(map(len, texts)) if ended else end, base)
            if found is not None or ended:
                return found
            base += end
            tails = [text[end:] for text in texts]


def _first(one: bytes, other: bytes, end: int, base: int) -> Optional[_Found]:
    """Return the first difference before the index `end`; what stands around it may reach beyond."""
    if one[:end] == other[:end]:
        return None
    at = len(os.path.commonprefix([one, other]))
    low = max(0, at - AROUND)
    return base + at, one[low : at + AROUND], other[low : at + AROUND], at - low


def explain(store: Store, first: str, second: str, path: str) -> tuple[str, ...]:
    """Return lines that say how the file or link `path` differs in two objects."""
    roots = (store.object_path(first) + "/", store.object_path(second) + "/")
    modes = []
    for root in roots:
        try:
            modes.append(os.lstat(root + path).st_mode)
        except FileNotFoundError:
            return (f"  is only in the {'second' if root == roots[0] else 'first'}",)
    if modes[0] != modes[1]:
        return ("  is of another kind, or executable in one only",)
    found = _difference(roots, path, (os.fsencode(first), os.fsencode(second)), stat.S_ISLNK(modes[0]))
    if found is None:
        return ()
    offset, one, other, at = found
    head = b""
    if stat.S_ISREG(modes[0]):
        with open(roots[0] + path, "rb") as file:
            head = file.read(HEAD)
    shown = [window[max(0, at - _BEFORE) : at + _AFTER] for window in (one, other)]
    lines = [f"  from byte {offset} on", f"    first   {shown[0]!r}", f"    second  {shown[1]!r}"]
    likely = suspect(Difference(path, head, offset, one, other, at))
    return (*lines, f"  this looks like {likely}") if likely else tuple(lines)
