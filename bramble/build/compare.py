"""In which files two objects differ that should be one."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bramble.store.disk import Store

_PIECE = 1 << 20


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
            elif not _same(roots, here, own, stat.S_ISLNK(kinds[0])):
                found.append(here[1:])
    return tuple(sorted(found))


def _same(roots: tuple[str, str], path: str, own: tuple[bytes, bytes], link: bool) -> bool:
    if link:
        targets = [os.fsencode(os.readlink(root + path)) for root in roots]
        return targets[0].replace(own[0], own[1]) == targets[1]
    with open(roots[0] + path, "rb") as first, open(roots[1] + path, "rb") as second:
        if os.fstat(first.fileno()).st_size != os.fstat(second.fileno()).st_size:
            return False
        tails = [b"", b""]
        while True:
            pieces = [first.read(_PIECE), second.read(_PIECE)]
            # A name may lie across the pieces; what is kept back is compared with the next ones.
            texts = [tails[0].replace(own[0], own[1]) + pieces[0], tails[1] + pieces[1]]
            texts[0] = texts[0].replace(own[0], own[1])
            keep = len(own[0]) if pieces[0] else 0
            if texts[0][: len(texts[0]) - keep] != texts[1][: len(texts[1]) - keep]:
                return False
            if not pieces[0]:
                return True
            tails = [text[len(text) - keep :] for text in texts]
