"""Sources: files of a project become an object, of which only what has changed is read from the project.

The object is laid out and hashed in one walk, in the order of its archive. A file comes from one of two
places:

- from the project, which somebody may be changing: it is opened through no link, read once, and
  refused if it changed meanwhile;
- from the object that the same files became the last time, or else the last files of the same root, if its
  stamp is the one of then. It becomes a second name (a hard link) of that file, as `store.optimise` would
  make it. All of it is read all the same, since the name of the new object is a digest of it; so damage to
  the old object is seen, and then everything is read from the project.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Optional

from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import make_directory
from bramble.store.files.walk import DIRECTORY_FLAGS
from bramble.store.layout.workspace import workspace
from bramble.store.model import StoreObject
from bramble.store.publish.laying import Damaged, Laying, Nowhere
from bramble.store.publish.originals import Originals
from bramble.store.publish.publication import publish_laid_out
from bramble.store.records.objects import Objects
from bramble.store.records.stamps import Known, Stamps, check_inside, different, mode_of, related
from bramble.store.trust.schema import CONTENT_SIZE


def add_sources(
    objects: Objects, root: str, files: Sequence[str], allowed: str, now: Stamps, known: Optional[Known]
) -> Known:
    """Make one object of `files`, paths relative to `root`, and return what they have become.

    `now` are their stamps. `known` is what they were the last time, if that object is in the store. Links are
    kept as links; they may point at nothing outside the directory `allowed`, which contains `root`.

    Raises BrambleError store.source-missing, store.source-unreadable, store.source-special,
    store.source-link, store.source-outside, store.changed-while-read, and
    those of publication.
    """
    # spec: store.sources.object
    for file in files:
        check_inside(root, file)
    with (
        DiskFailures("copy sources into the store"),
        contextlib.closing(Originals(root, allowed)) as originals,
    ):
        were = known or related(objects.var, root, files, allowed)
        if were is not None and objects.is_complete([were.object]):
            changed = different(now, were)
            read: dict[int, bytes] = {}
            if known is not None and all(_is_same(originals, files, at, known, read) for at in changed):
                # spec: store.sources.stamps
                return Known(known.object, now.kept_of(read), known.contents)
            # spec: store.sources.former
            with contextlib.suppress(Damaged):
                return _make(objects, originals, files, now, were, frozenset(changed))
        return _make(objects, originals, files, now, None, frozenset())


def _is_same(
    originals: Originals, files: Sequence[str], number: int, known: Known, read: dict[int, bytes]
) -> bool:
    """Return whether a file whose stamp is another one has the kind and the content that it had.

    The stamp that it had when it was read goes into `read`.
    """
    before = mode_of(known.stamps, number)
    mode = originals.mode(files[number])
    if stat.S_IFMT(mode) != stat.S_IFMT(before) or (mode ^ before) & stat.S_IXUSR and stat.S_ISREG(mode):
        return False
    copied = originals.copy(files[number], b"", Nowhere())
    read[number] = copied.stamp
    return copied.content == _content(known, number)


def _make(
    objects: Objects,
    originals: Originals,
    files: Sequence[str],
    now: Stamps,
    known: Optional[Known],
    changed: frozenset[int],
) -> Known:
    """Lay out the object and publish it. Raises Damaged if the object of the last time cannot be used."""
    split = [os.fsencode(file).split(b"/") for file in files]
    contents = [b""] * len(files)
    read: dict[int, bytes] = {}
    with contextlib.ExitStack() as stack:
        former = -1
        if known is not None:
            former = os.open(objects.object_path(known.object), DIRECTORY_FLAGS)
            stack.callback(os.close, former)
        target = stack.enter_context(_directory_to_fill(objects))
        laying = stack.enter_context(contextlib.closing(Laying(objects.directory, target, former)))
        # In the order of the archive, as the names of directories are compared one by one.
        last: list[bytes] = []
        content = b""
        for number in sorted(range(len(files)), key=split.__getitem__):
            path = split[number]
            if path != last:
                base = path[-1]
                laying.enter(path[:-1])
                if known is not None and number not in changed:
                    content = _content(known, number)
                    laying.take_former(base, mode_of(known.stamps, number), content)
                else:
                    content, read[number] = originals.copy(files[number], base, laying)
                last = path
            contents[number] = content
        identity = laying.finish()
        name = identity.name
        if target is not None:
            publish_laid_out(objects, target, StoreObject(name, (), identity.size))
    return Known(name, now.kept_of(read), b"".join(contents))


def _content(known: Known, number: int) -> bytes:
    return known.contents[number * CONTENT_SIZE : (number + 1) * CONTENT_SIZE]


@contextlib.contextmanager
def _directory_to_fill(objects: Objects) -> Iterator[Optional[str]]:
    # spec: store.read-only
    # In a store that may only be read, the object of the sources can still be looked up.
    if objects.read_only:
        yield None
    else:
        with workspace(objects.var) as work:
            target = f"{work.path}/source"
            make_directory(target)
            yield target
