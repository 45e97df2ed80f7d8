"""Carrying objects from one store to another: a stream in which nothing tells where it comes from.

`bramble-objects 1`, then for each object a line with its name and its
references and its archive, in which the store's directory is the prefix of
record; what is referred to comes first; a line `end` with the number of
objects closes it. Nothing in it is believed: an object that is imported gets
its name from its bytes like one that was built, and if that is not the name
that the stream claims, it never appears.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Sequence
from typing import Optional, Union

from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import make_directory
from bramble.store.files.spool import Spool
from bramble.store.files.walk import DIRECTORY_FLAGS
from bramble.store.gc.mark import Node, referrers_first
from bramble.store.layout.workspace import workspace
from bramble.store.model import RawOutput
from bramble.store.objects.identity import Identity, Meaning, Stream, Text
from bramble.store.path import record_prefix
from bramble.store.publish.publication import publish
from bramble.store.records.objects import Objects
from bramble.store.records.reread import scratch_of
from bramble.store.tree.hashing import ParallelHash
from bramble.store.tree.reader import Reading, TreeReader
from bramble.store.tree.unpack import Malformed, Source, Unpacker

MAGIC = b"bramble-objects 1\n"
# Bytes: half a million references. A line is kept in memory, and who made the stream chose its length.
_LONGEST_LINE = 16 << 20
_COMPRESSED = {
    b"\x1f\x8b": "gunzip -c",
    b"\x28\xb5": "zstd -dc",
    b"\xfd7": "xz -dc",
    b"BZ": "bunzip2 -c",
}


@dataclass(frozen=True)
class ImportReport:
    """The names of the objects of a stream: those that were new, and those that were there already."""

    imported: tuple[str, ...]
    present: tuple[str, ...]
    size: int


class _Writer:
    """Takes the place of a hash: what would be hashed is written."""

    def __init__(self, write: Callable[[Union[bytes, bytearray]], object]) -> None:
        self._write = write

    def update(self, data: Union[bytes, bytearray]) -> None:
        """Write the next bytes."""
        self._write(data)

    def digest(self) -> bytes:
        """Return nothing of use; a stream asks for it at its end."""
        return bytes(32)


class _Both:
    """One tree for two streams: one that is written, and one that tells the name of its bytes."""

    def __init__(self, written: Stream, checked: Stream) -> None:
        self._written, self._checked = written, checked
        self.names, self.targets = checked.names, checked.targets

    def member(
        self, directory: bytes, base: bytes, kind: bytes, mode: int, size: int = 0, target: bytes = b""
    ) -> None:
        self._written.member(directory, base, kind, mode, size, target)
        self._checked.member(directory, base, kind, mode, size, target)

    def small_file(self, directory: bytes, base: bytes, mode: int, data: bytes) -> None:
        self._written.small_file(directory, base, mode, data)
        self._checked.small_file(directory, base, mode, data)

    def content(self, data: bytes) -> None:
        self._written.content(data)
        self._checked.content(data)

    def end_of_content(self, size: int) -> None:
        self._written.end_of_content(size)
        self._checked.end_of_content(size)

    def finish(self) -> Identity:
        self._written.finish()
        return self._checked.finish()


def export_objects(
    objects: Objects,
    names: Sequence[str],
    write: Callable[[Union[bytes, bytearray]], object],
    *,
    closure: bool = True,
) -> tuple[str, ...]:
    """Hand objects to `write` (like `file.write`), with `closure` all that they refer to, too.

    Returns their names in the order of the stream.

    Raises BrambleError store.unknown-object, store.export-damaged, and those of
    failed system calls. What was written by then ends without the line that ends an export.
    """
    # spec: objects.export
    objects.protect(names)
    wanted = objects.closure(names) if closure else tuple(sorted(set(names)))
    nodes = {name: Node(objects.references(name), 0, 0.0) for name in wanted}
    order = tuple(reversed(referrers_first(nodes, wanted)))
    with DiskFailures("export objects"):
        write(MAGIC)
        for name in order:
            words = ["object", name, *objects.references(name)]
            write(" ".join(words).encode() + b"\n")
            write_archive(objects, name, write)
        write(b"end %d\n" % len(order))
    return order


def write_archive(objects: Objects, name: str, write: Callable[[Union[bytes, bytearray]], object]) -> None:
    """Pass the archive of an object of the store to `write`, with the prefix of record in it.

    Raises BrambleError store.export-damaged at its end, if it is not the archive of that object, and OSError.
    """
    # spec: objects.export.checked
    directory = os.fsencode(objects.directory)
    references = objects.references(name)
    known = frozenset(reference.encode() for reference in references)
    own = Meaning(directory, record_prefix(), own=name.encode(), known=known)
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(contextlib.closing(ParallelHash()))
        places = stack.enter_context(contextlib.closing(Spool(scratch_of(objects))))
        written = Stream(Meaning(directory, record_prefix()), _Writer(write), [])
        top = os.open(objects.object_path(name), DIRECTORY_FLAGS)
        stack.callback(os.close, top)
        identity = TreeReader(_Both(written, Stream(own, sink, places)), Reading()).read(top)
    if identity.name != name or identity.references != known:
        what = f"its bytes have the name {identity.name}"
        if identity.name == name:
            what = "it does not hold all references that are recorded for it"
        raise BrambleError(
            "store.export-damaged",
            f"the object {name} is damaged: {what}; the stream that was written cannot be imported",
            remedy="run `bramble store verify --repair`, and export again",
        )


def import_objects(
    objects: Objects,
    read: Callable[[int], bytes],
    *,
    max_size: Optional[int] = None,
    on_object: Optional[Callable[[str, bool], None]] = None,
) -> ImportReport:
    """Put the objects of a stream into the store; `read` gives its bytes (like `file.read`).

    `max_size` is the most bytes that files may have in all. `on_object(name,
    new)` is called for each object. What came before an error stays.

    Raises BrambleError store.import-malformed, store.import-mismatch,
    store.import-references, store.import-too-big, store.import-compressed,
    store.import-newer, and those of publication.
    """
    # spec: objects.import
    source = Source(read)
    _check_beginning(source)
    importer = _Importer(objects, source, max_size)
    with DiskFailures("import objects"):
        while True:
            words = _words(source.line(_LONGEST_LINE))
            if words[0] == "end":
                break
            if words[0] != "object" or not all(map(is_digest, words[1:])) or len(words) < 2:
                raise Malformed("an object was expected here")
            if words[2:] != sorted(set(words[2:])):
                raise Malformed("the references of an object are not sorted, each once")
            new = importer.take(words[1], words[2:])
            if on_object is not None:
                on_object(words[1], new)
        objects.sync()
    if words[1:] != [str(importer.count)]:
        raise Malformed("the number of its objects is not the stated one")
    if not source.at_end():
        raise Malformed("there are bytes after its end")
    return ImportReport(tuple(importer.imported), tuple(importer.present), importer.size)


def _words(line: bytes) -> list[str]:
    """Return the words of a line, no more than there can be digests in it: the rest would be millions."""
    return line.decode("ascii", "replace").split(" ", len(line) // (DIGEST_LENGTH + 1) + 1)


def import_archive(
    objects: Objects, name: str, read: Callable[[int], bytes], *, max_size: Optional[int] = None
) -> bool:
    """Put the object `name`, which refers to no other, into the store; `read` gives its archive.

    Returns whether it is new. Raises BrambleError as `import_objects` does; then nothing was put there.
    """
    # spec: objects.export.archive
    importer = _Importer(objects, Source(read), max_size, alone=True)
    with DiskFailures("import objects"):
        is_new = importer.take(name, ())
        objects.sync()
    return is_new


def _check_beginning(source: Source) -> None:
    first = source.exactly(2)
    if first in _COMPRESSED:
        raise BrambleError(
            "store.import-compressed",
            "the stream to be imported is compressed",
            remedy=f"decompress it: {_COMPRESSED[first]} FILE | bramble store import",
        )
    line = first + source.line(100) + b"\n"
    if line != MAGIC:
        if line.startswith(MAGIC.split(b" ")[0] + b" "):
            raise BrambleError(
                "store.import-newer",
                "the stream to be imported was made by a newer Bramble",
                remedy="use a newer Bramble",
            )
        raise Malformed("it is not what `bramble store export` writes")


class _Importer:
    """Takes objects from a stream; `alone` says that one archive is all that there is in it."""

    def __init__(
        self, objects: Objects, source: Source, max_size: Optional[int], *, alone: bool = False
    ) -> None:
        self._alone = alone
        self._objects = objects
        self._source = source
        self._max_size = max_size
        self.imported: list[str] = []
        self.present: list[str] = []
        self.size = 0

    @property
    def count(self) -> int:
        """How many objects have been taken."""
        return len(self.imported) + len(self.present)

    def take(self, name: str, references: Sequence[str]) -> bool:
        """Take the archive that follows as the object `name`; say whether it is new."""
        objects = self._objects
        objects.protect([name, *references])
        if objects.is_complete([name]):
            self._unpack(name, None)
            self.present.append(name)
            return False
        missing = [reference for reference in references if not objects.contains(reference)]
        if missing:
            raise BrambleError(
                "store.import-references",
                f"the object {name} refers to {missing[0]}, which is neither in the store nor before it",
                remedy="export it with its closure",
            )
        with workspace(objects.var) as work:
            directory = f"{work.path}/out"
            make_directory(directory)
            top = os.open(directory, DIRECTORY_FLAGS)
            try:
                self._unpack(name, top)
            finally:
                os.close(top)
            self._publish(name, directory, references)
        self.imported.append(name)
        return True

    def _publish(self, name: str, directory: str, references: Collection[str]) -> None:
        known = {*references, *self.imported, *self.present}
        raw = RawOutput("out", directory, name)
        made = publish(self._objects, [raw], closure=known, build_name=None, expected=name)["out"]
        lost = set(references).difference(made.references)
        if lost:
            # The object has the digest of its name; only the description is wrong, and is discarded.
            raise BrambleError(
                "store.import-references",
                f"the object {name} does not hold {min(lost)}, which is listed as its reference",
                remedy="export it again, from a store that `bramble store verify` finds nothing wrong with",
            )

    def _unpack(self, name: str, top: Optional[int]) -> None:
        objects = self._objects
        directory, prefix = os.fsencode(objects.directory), record_prefix()
        order = Text(Meaning(directory, prefix, own=name.encode()), paths=False)
        unpacker = Unpacker(
            self._source, top, old=prefix, new=directory, key=order.hashed, room=self._make_room
        )
        unpacker.unpack()
        if self._alone and not self._source.at_end():
            raise Malformed("there are bytes after its end")

    def _make_room(self, size: int) -> None:
        self.size += size
        if self._max_size is not None and self.size > self._max_size:
            raise BrambleError(
                "store.import-too-big",
                f"the stream to be imported has more than the {self._max_size} bytes that are allowed",
                remedy="allow more if you trust its source",
            )
