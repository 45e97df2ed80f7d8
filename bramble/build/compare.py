"""In which files two objects differ that should be one."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from bramble.store.disk import Store

_PIECE = 1 << 20
_BEFORE, _AFTER = 16, 24  # bytes around the first difference that are shown


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


def _difference(
    roots: tuple[str, str], path: str, own: tuple[bytes, bytes], link: bool
) -> Optional[tuple[int, bytes, bytes]]:
    """Return where two members differ first, and what stands there in each; None if they are the same."""
    if link:
        targets = [os.fsencode(os.readlink(root + path)) for root in roots]
        return _first(targets[0].replace(own[0], own[1]), targets[1], 0)
    with open(roots[0] + path, "rb") as first, open(roots[1] + path, "rb") as second:
        tails = [b"", b""]
        base = 0
        while True:
            pieces = [first.read(_PIECE), second.read(_PIECE)]
            # A name may lie across the pieces; what is kept back is compared with the next ones.
            texts = [(tails[0] + pieces[0]).replace(own[0], own[1]), tails[1] + pieces[1]]
            ended = not any(pieces)
            keep = 0 if ended else len(own[0])
            end = max(0, min(map(len, texts)) - keep)
            one, other = texts if ended else (text[:end] for text in texts)
            found = _first(one, other, base)
            if found is not None or ended:
                return found
            base += end
            tails = [text[end:] for text in texts]


def _first(one: bytes, other: bytes, base: int) -> Optional[tuple[int, bytes, bytes]]:
    if one == other:
        return None
    at = len(os.path.commonprefix([one, other]))
    low = max(0, at - _BEFORE)
    return base + at, one[low : at + _AFTER], other[low : at + _AFTER]


def _suspect(path: str, data: bytes, offset: int, one: bytes, other: bytes) -> str:
    """Return what usually makes such a difference, "" if unknown. `data` is how the file begins."""
    if path.endswith(".pyc") and 8 <= offset < 16 and data[4] & 1:  # PEP 552
        return "the hash of the source of Python byte code, which names the store: leave this file out"
    if path.endswith(".pyc") and 4 <= offset < 16:
        return "the time of change of the source of Python byte code"
    if data.startswith(b"\x1f\x8b") and 4 <= offset < 8:
        return "the time in the header of gzip: use gzip -n"
    if data.startswith((b"!<arch>\n", b"!<thin>\n")):
        return "times or owners in an archive of ar: use ar D"
    if data.startswith(b"PK\x03\x04"):
        return "times in a zip file"
    if data.startswith(b"\x7fELF") and b"GNU\0" in one:
        return (
            "the GNU build id, a hash of all that is linked, paths of the store too: use -Wl,--build-id=none"
        )
    for text in (one, other):
        if re.search(rb"[0-2][0-9]:[0-5][0-9]:[0-5][0-9]", text):
            return "a time of day: use SOURCE_DATE_EPOCH"
        if b"/check/" in text or b"bramble_store" in text:
            return "a path of the store that is cut, encoded or hashed"
    if sorted(one) == sorted(other):
        return "the order of something: files of a directory, keys of a hash"
    return ""


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
    offset, one, other = found
    data = b""
    if stat.S_ISREG(modes[0]):
        with open(roots[0] + path, "rb") as file:
            data = file.read(8)
    suspect = _suspect(path, data, offset, one, other)
    lines = [f"  from byte {offset} on", f"    first   {one!r}", f"    second  {other!r}"]
    return (*lines, f"  this looks like {suspect}") if suspect else tuple(lines)
