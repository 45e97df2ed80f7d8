"""Publication: directories that a build has filled become objects, whole and for good, or not at all.

In order, for all outputs of one derivation:

1. each is read once: identity, references, what must be changed in it; what
   needs no change gets the form of the store on the way;
2. outputs that name others wait for those: they are read again when the final
   names are known (a cycle is an error);
3. the few places that hold a temporary name are changed, in the files themselves;
4. the record of the object is written, and everything is synced;
5. the directory is renamed into the store's directory, under a name that is no
   digest, loses its write bits, and is renamed to its digest.

A crash between any two of these leaves a store without the object, or
with all of it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Callable, Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.digest import is_digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import unique
from bramble.store.files.spool import Spool
from bramble.store.files.walk import DIRECTORY_FLAGS, FILE_FLAGS
from bramble.store.gc.removal import finish_removal
from bramble.store.model import HiddenName, RawOutput, StoreObject
from bramble.store.objects.hidden import MOST_FINDINGS, MOST_IN_OUTPUT, Finding, hidden_names
from bramble.store.objects.identity import BLOCK_SIZE, ERASED, Identity, Meaning, Stream
from bramble.store.objects.pieces import Piece, Pieces, windows_of
from bramble.store.path import record_prefix, shown
from bramble.store.records.objects import STAGED, Objects
from bramble.store.tree.form import DIRECTORY_MODE, Patch, finish, seal
from bramble.store.tree.hashing import ParallelHash
from bramble.store.tree.reader import Reading, TreeReader

_SEARCHED_AT_ONCE = 1 << 16  # bytes of a file that may hide names


class _Read(NamedTuple):
    """One output after it was read."""

    raw: RawOutput
    identity: Identity
    stream: Stream
    patches: _Patches
    unfinished: bool


class _Patches:
    """The edits of one output, in little memory however many there are."""

    def __init__(self, directory: str, finals: Collection[bytes]) -> None:
        self._values: list[Optional[bytes]] = [None, ERASED, *finals]
        self._codes = {value: code for code, value in enumerate(self._values)}
        self._spool = Spool(directory)

    def add(self, file: int, offset: int, stored: Optional[bytes]) -> None:
        for number in (file, offset, self._codes[stored]):
            self._spool.append(number)

    def __len__(self) -> int:
        return len(self._spool)

    def __iter__(self) -> Iterator[Patch]:
        numbers = iter(self._spool)
        for file, offset, code in zip(numbers, numbers, numbers):
            yield file, offset, self._values[code]

    def close(self) -> None:
        self._spool.close()


def publish(
    objects: Objects,
    outputs: Sequence[RawOutput],
    *,
    closure: Collection[str],
    build_name: Optional[str],
    expected: Optional[str] = None,
    allowed_pieces: Optional[Collection[str]] = None,
    on_hidden: Optional[Callable[[HiddenName], None]] = None,
) -> dict[str, StoreObject]:
    """Make objects of the outputs of one build; return them by the names of the outputs.

    `closure` are the objects that the build could see: what may be referred to.
    `build_name` is the last part of the path of the build's directory as the
    build saw it. The directories of `outputs` belong to the store from now on.
    The names of the objects are there for good after the next `Objects.sync`.
    `expected` is the name that the only output must turn out to have.
    `allowed_pieces` are the files that may hold names in pieces, as paths in an
    output (one that ends in a slash: all below it); None if that is not looked for.
    `on_hidden`, if pieces are searched for, is called for the names that other files hide.

    Raises BrambleError: store.special-file, store.output-cycle,
    store.output-missing, store.output-not-directory, store.name-too-long,
    store.changed-while-read, store.name-in-pieces, store.import-mismatch where
    something else was expected, and those of failed system calls (store.disk-full …).
    """
    # spec: store.publication
    work = _Publication(objects, outputs, closure, build_name, expected, allowed_pieces, on_hidden)
    with DiskFailures("put an output into the store"):
        return work.run()


class _Publication:
    def __init__(
        self,
        objects: Objects,
        outputs: Sequence[RawOutput],
        closure: Collection[str],
        build_name: Optional[str],
        expected: Optional[str],
        allowed_pieces: Optional[Collection[str]],
        on_hidden: Optional[Callable[[HiddenName], None]],
    ) -> None:
        self._on_hidden = on_hidden
        self._expected = expected
        self._allowed_pieces = allowed_pieces
        self._objects = objects
        self._outputs = outputs
        self._known = frozenset(name.encode() for name in closure)
        self._build_name = build_name.encode() if build_name else b""
        self._by_temporary = {raw.temporary_name.encode(): raw for raw in outputs if raw.temporary_name}
        assert all(is_digest(name.decode()) for name in self._by_temporary)
        self._finals: dict[bytes, bytes] = {}
        self._done: dict[str, StoreObject] = {}
        self._staged: list[tuple[str, str]] = []
        self._patches: list[_Patches] = []

    def run(self) -> dict[str, StoreObject]:
        try:
            reads = [self._read(raw, pieces=self._allowed_pieces is not None) for raw in self._outputs]
            for read in reads:
                if read.stream.suspects:
                    self._search_pieces(read)
            hidden = [found for read in reads if read.stream.hiding for found in self._search_hidden(read)]
            # spec: objects.identity.siblings
            while reads:
                ready = [read for read in reads if not self._waits_for(read)]
                if not ready:
                    raise _cycle(reads, self._by_temporary)
                for read in ready:
                    reads.remove(read)
                    self._stage(read)
            if self._staged:
                self._appear()
            for raw, file, finding in hidden:
                self._report_hidden(raw, file, finding)
        finally:
            # The outputs' own directories are the caller's to remove. Records stay: another process may
            # be about to publish the same object, and a record without an object harms nobody.
            for staged, _ in self._staged:
                with contextlib.suppress(OSError):
                    remove_tree(staged)
            for patches in self._patches:
                patches.close()
        return {raw.name: self._done[raw.name] for raw in self._outputs}

    def _waits_for(self, read: _Read) -> list[bytes]:
        return [name for name in read.identity.siblings if name not in self._finals]

    def _search_pieces(self, read: _Read) -> None:
        # spec: objects.references.pieces
        names = self._known | self._by_temporary.keys() | ({self._build_name} - {b""})
        windows = windows_of(names)
        top = os.open(read.raw.directory, DIRECTORY_FLAGS)
        try:
            for path in read.stream.suspects.values():
                file = os.fsdecode(path[1:])
                if self._is_allowed(file):
                    continue
                piece = _pieces_in(top, path[1:], Pieces(names, windows))
                if piece is not None:
                    raise self._in_pieces(read.raw, file, piece)
        finally:
            os.close(top)

    def _is_allowed(self, file: str) -> bool:
        allowed = [path.lstrip("/") for path in self._allowed_pieces or ()]
        return any(file == word or not word or word[-1] == "/" and file.startswith(word) for word in allowed)

    def _search_hidden(self, read: _Read) -> Iterator[tuple[RawOutput, str, Finding]]:
        """Yield what the files of an output hide."""
        if self._on_hidden is None:
            return
        directory, names = os.fsencode(self._objects.directory), self._known | self._by_temporary.keys()
        left, count = MOST_IN_OUTPUT, 0
        top = os.open(read.raw.directory, DIRECTORY_FLAGS)
        try:
            for path in read.stream.hiding.values():
                file = os.fsdecode(path[1:])
                if self._is_allowed(file):
                    continue
                with _blocks_of(top, path[1:]) as blocks:
                    search = hidden_names(blocks, directory, names, left)
                left -= search.used
                for finding in search.findings[: MOST_FINDINGS - count]:
                    yield read.raw, file, finding
                count = min(MOST_FINDINGS, count + len(search.findings))
        finally:
            os.close(top)

    def _report_hidden(self, raw: RawOutput, file: str, finding: Finding) -> None:
        assert self._on_hidden is not None
        other = self._by_temporary.get(finding.name)
        name = self._finals.get(finding.name, finding.name)
        sibling = other.name if other is not None else ""
        self._on_hidden(HiddenName(raw.name, file, finding.how, name.decode(), sibling))

    def _in_pieces(self, raw: RawOutput, file: str, piece: Piece) -> BrambleError:
        other = self._by_temporary.get(piece.name)
        if other is not None:
            whose = f'its output "{other.name}"'
        elif piece.name == self._build_name:
            whose = "its build directory"
        else:
            whose = self._objects.object_path(piece.name.decode())
        return BrambleError(
            "store.name-in-pieces",
            f'"{shown(file)}" in the output "{raw.name}" holds the path of {whose} in pieces, from byte '
            f"{piece.offset} on: it would not be a reference, and would be wrong in the store",
            remedy="keep the path whole: gcc does with -Os, and without an -mtune of your own; clang "
            "with -fno-builtin-strcpy -fno-builtin-strcat -fno-builtin-memcpy; or read it from a file or a "
            "variable\n"
            f'if nothing needs that path: env={{"allowed_name_pieces": "{shown(file)}"}}',
        )

    def _read(self, raw: RawOutput, *, pieces: bool = False) -> _Read:
        own = raw.temporary_name.encode()
        meaning = Meaning(
            directory=os.fsencode(self._objects.directory),
            prefix=record_prefix(),
            own=own,
            build_name=self._build_name,
            finals=dict(self._finals),
            known=self._known,
            siblings=frozenset(self._by_temporary) - {own} - self._finals.keys(),
        )
        scratch = os.path.dirname(raw.directory)
        patches = _Patches(scratch, self._finals.values())
        self._patches.append(patches)
        places, sink = Spool(scratch), ParallelHash()
        stream = Stream(meaning, sink, places, patches.add, pieces=pieces)
        with contextlib.ExitStack() as stack:
            stack.callback(sink.close)
            stack.callback(places.close)
            top = _open_output(raw)
            stack.callback(os.close, top)
            reader = TreeReader(stream, Reading(prepare=True))
            return _Read(raw, reader.read(top), stream, patches, reader.unfinished)

    def _stage(self, read: _Read) -> None:
        """Bring one output to the point where only a rename is missing."""
        raw = read.raw
        if read.identity.siblings:
            read = self._read(raw)
        name = read.identity.name
        if self._expected is not None and name != self._expected:
            raise BrambleError(
                "store.import-mismatch",
                f"the content of the object {self._expected} has the name {name}",
                remedy="get it from elsewhere: it was damaged or forged",
            )
        if raw.temporary_name:
            self._finals[raw.temporary_name.encode()] = name.encode()
        references = tuple(sorted(reference.decode() for reference in read.identity.references))
        made = StoreObject(name, references, read.identity.size)
        # From here on nobody removes the object, neither the one that is there nor ours.
        self._objects.protect([name])
        finish_removal(self._objects, name)
        if self._objects.contains(name):
            made = self._objects.record(made, sync=True)
        elif all(final != name for _, final in self._staged):
            self._finish(read, name)
            made = self._objects.record(made)
            staged = f"{self._objects.directory}/{STAGED}{name}-{unique()}"
            os.rename(raw.directory, staged)
            self._staged.append((staged, name))
            _seal_top(staged)
        self._done[raw.name] = made

    def _finish(self, read: _Read, name: str) -> None:
        if read.raw.temporary_name == name or not (read.unfinished or len(read.patches)):
            return
        top = os.open(read.raw.directory, DIRECTORY_FLAGS)
        try:
            finish(top, read.stream, name.encode(), read.patches)
        finally:
            os.close(top)

    def _appear(self) -> None:
        """Sync everything, and give the staged directories their names: what is referred to comes first."""
        self._objects.sync([staged for staged, _ in self._staged])
        while self._staged:
            staged, name = self._staged[0]
            _name(self._objects, staged, name)
            self._staged.pop(0)


def publish_laid_out(objects: Objects, directory: str, made: StoreObject) -> StoreObject:
    """Make the object `made` of a directory in which the store itself has laid it out.

    The content of the directory has the form of the store, and `made` is its identity. The directory
    belongs to the store from now on; the name is there for good after the next `Objects.sync`. Returns
    what is recorded of the object. Raises BrambleError for failed system calls (store.disk-full …).
    """
    # spec: store.publication
    with DiskFailures("put an output into the store"):
        # From here on nobody removes the object, neither the one that is there nor ours.
        objects.protect([made.name])
        finish_removal(objects, made.name)
        if objects.contains(made.name):
            return objects.record(made, sync=True)
        made = objects.record(made)
        staged = f"{objects.directory}/{STAGED}{made.name}-{unique()}"
        os.rename(directory, staged)
        try:
            _seal_top(staged)
            objects.sync([staged])
            _name(objects, staged, made.name)
        except BaseException:
            with contextlib.suppress(OSError):
                remove_tree(staged)
            raise
        return made


def _name(objects: Objects, staged: str, name: str) -> None:
    """Give a staged directory the name of its object."""
    try:
        os.rename(staged, objects.object_path(name))
    except OSError:
        # Somebody else was faster with the same object: then ours is not needed.
        if not objects.contains(name):
            raise
        remove_tree(staged)


def _pieces_in(top: int, path: bytes, pieces: Pieces) -> Optional[Piece]:
    """Return the first name in pieces in the file `path` below the directory `top`."""
    fd = os.open(path, FILE_FLAGS, dir_fd=top)
    try:
        while True:
            data = os.read(fd, BLOCK_SIZE)
            if not data:
                return pieces.finish()
            pieces.block(data)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _blocks_of(top: int, path: bytes) -> Iterator[Callable[[], bytes]]:
    """Give what reads the file `path` below the directory `top`, block by block."""
    fd = os.open(path, FILE_FLAGS, dir_fd=top)
    try:
        yield lambda: os.read(fd, _SEARCHED_AT_ONCE)
    finally:
        os.close(fd)


def _open_output(raw: RawOutput) -> int:
    # spec: store.publication.refused
    path = os.fsencode(raw.directory)
    directory, _, base = path.rpartition(b"/")
    try:
        parent = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fd = os.open(base, DIRECTORY_FLAGS, dir_fd=parent)
        except PermissionError:
            os.chmod(base, 0o700, dir_fd=parent)
            fd = os.open(base, DIRECTORY_FLAGS, dir_fd=parent)
        finally:
            os.close(parent)
        os.fchmod(fd, 0o755)
        return fd
    except FileNotFoundError as error:
        raise BrambleError(
            "store.output-missing",
            f'the build has removed its output "{raw.name}"',
            remedy="let it leave the directory where it is, and fill it",
        ) from error
    except OSError as error:
        if not os.path.lexists(path) or os.path.isdir(path) and not os.path.islink(path):
            raise
        raise BrambleError(
            "store.output-not-directory",
            f'the build has put something else in the place of its output "{raw.name}", a directory',
            remedy="let it put files into the directory",
        ) from error


def _seal_top(path: str) -> None:
    fd = os.open(path, DIRECTORY_FLAGS)
    try:
        seal(fd, DIRECTORY_MODE)
    finally:
        os.close(fd)


def _cycle(reads: Sequence[_Read], by_temporary: dict[bytes, RawOutput]) -> BrambleError:
    """Return the error that shows one cycle among outputs that wait for each other."""
    # spec: objects.identity.cycle
    waiting = {read.raw.temporary_name.encode(): read for read in reads}
    at = next(iter(waiting))
    path: list[bytes] = []
    while at not in path:
        path.append(at)
        at = next(name for name in waiting[at].identity.siblings if name in waiting)
    circle = path[path.index(at) :]
    lines = []
    for position, name in enumerate(circle):
        read, other = waiting[name], circle[(position + 1) % len(circle)]
        file = shown(read.identity.siblings[other][1:])
        lines.append(f'  "{file}" in "{read.raw.name}" holds the path of "{by_temporary[other].name}"')
    names = [by_temporary[name].name for name in circle]
    return BrambleError(
        "store.output-cycle",
        "outputs refer to each other in a cycle: " + " → ".join([*names, names[0]]),
        remedy="put what belongs together into one output, or remove one of these references",
        detail="\n".join(lines),
    )
