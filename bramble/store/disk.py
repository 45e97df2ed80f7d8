"""The store on disk. (First form of the door: correct names and shapes, not yet the full strength.)"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from bramble.errors import BrambleError
from bramble.store import archive
from bramble.store.digest import DIGEST_LENGTH, encode
from bramble.store.path import padded_store_dir, record_prefix, shown

_WINDOW = re.compile(rb"(?=([a-z2-7]{32}))")


@dataclass(frozen=True)
class RawOutput:
    """A directory that a build has filled, before it is an object."""

    name: str
    directory: str
    temporary_name: str


@dataclass(frozen=True)
class StoreObject:
    """An object of the store: its name, what it refers to (sorted, itself not included), its bytes."""

    name: str
    references: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Realisation:
    """What the building of one store derivation came to."""

    resolved: str
    derivation: str
    outputs: tuple[tuple[str, str], ...]
    sandbox: str = "namespaces"
    stamps: tuple[tuple[str, ...], ...] = ()


class Workspace:
    """A private directory on the store's own file system."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.kept: Optional[str] = None

    def keep(self, to: Optional[str] = None) -> str:
        """Move the directory to `to` instead of removing it at the end; return where it is."""
        target = to or self.path + ".kept"
        os.rename(self.path, target)
        self.kept = target
        return target


class Store:
    """The objects, derivations and realisations of one machine or one user."""

    def __init__(self, root: str, directory: str, read_only: bool) -> None:
        self.root = root
        self.directory = directory
        self.var = os.path.join(root, "var")
        self.read_only = read_only

    @staticmethod
    def open(root: str, *, create: bool = True, read_only: bool = False) -> Store:
        """Return the store below `root`, made if it is not there."""
        if not os.path.isabs(root):
            raise BrambleError(
                "store.root-relative",
                f'the store root "{shown(root)}" is not an absolute path',
                remedy="set BRAMBLE_PATH to a path that begins with a slash",
            )
        root = os.path.normpath(root)
        directory = os.fsdecode(padded_store_dir(os.fsencode(root)))
        store = Store(root, directory, read_only)
        if create and not read_only:
            os.makedirs(directory, exist_ok=True)
            for part in ("objects", "realisations", "locks", "logs", "work", "projects", "sources"):
                os.makedirs(os.path.join(store.var, part), exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.symlink(os.path.relpath(directory, root), os.path.join(root, "store"))
        return store

    def object_path(self, name: str) -> str:
        """Return the path of the object `name` on this machine."""
        return self.directory + "/" + name

    def contains(self, name: str) -> bool:
        """Say whether the object `name` is in the store."""
        return os.path.lexists(self.directory + "/" + name)

    def references(self, name: str) -> tuple[str, ...]:
        """Return the objects to which `name` refers, sorted, itself not included."""
        with open(os.path.join(self.var, "objects", name), encoding="utf-8") as file:
            return tuple(json.load(file)["references"])

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return `names` and all that they refer to, directly or not; sorted."""
        seen: set[str] = set()
        left = list(names)
        while left:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                left.extend(self.references(name))
        return tuple(sorted(seen))

    def add_sources(self, root: str, files: Sequence[str], *, project: Optional[str] = None) -> str:
        """Make the named files below `root` an object and return its name."""
        with self.workspace() as work:
            target = os.path.join(work.path, "source")
            os.mkdir(target)
            for file in files:
                copy = os.path.join(target, file)
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                shutil.copy2(os.path.join(root, file), copy, follow_symlinks=False)
            raw = RawOutput("source", target, "-" * DIGEST_LENGTH)
            return self.publish([raw], closure=(), build_name=None)["source"].name

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Give a private directory, and remove it at the end."""
        path = os.path.join(self.var, "work", secrets.token_hex(8))
        os.mkdir(path)
        work = Workspace(path)
        try:
            yield work
        finally:
            if work.kept is None:
                shutil.rmtree(path, ignore_errors=True)

    def publish(
        self, outputs: Sequence[RawOutput], *, closure: Collection[str], build_name: Optional[str]
    ) -> dict[str, StoreObject]:
        """Make objects of the directories of a build."""
        names = {raw.temporary_name: raw for raw in outputs}
        done: dict[str, StoreObject] = {}
        waiting = list(outputs)
        finals: dict[bytes, bytes] = {}
        while waiting:
            for raw in waiting:
                found = _references(raw.directory, {name.encode() for name in names})
                if found <= {raw.temporary_name, *(n for n in names if n.encode() in finals)}:
                    break
            else:
                raise BrambleError("store.output-cycle", "the outputs refer to each other in a circle")
            waiting.remove(raw)
            done[raw.name] = self._publish_one(raw, closure, build_name, finals)
            finals[raw.temporary_name.encode()] = done[raw.name].name.encode()
        return done

    def _publish_one(
        self, raw: RawOutput, closure: Collection[str], build_name: Optional[str], finals: dict[bytes, bytes]
    ) -> StoreObject:
        own, directory = raw.temporary_name.encode(), os.fsencode(self.directory)
        both = dict(finals)
        if build_name:
            both[directory + b"/" + build_name.encode()] = directory + b"/" + b"x" * DIGEST_LENGTH
        _rewrite(raw.directory, both)
        known = {name.encode() for name in closure} | set(finals.values())
        references = tuple(sorted(_references(raw.directory, known)))
        stream = _Stream(own, directory)
        stream.walk(os.fsencode(raw.directory), b"")
        name = stream.finish()
        _rewrite(raw.directory, {own: name.encode()})
        published = StoreObject(name, references, stream.size)
        if not self.contains(name):
            with open(os.path.join(self.var, "objects", name), "w", encoding="utf-8") as file:
                json.dump({"version": 1, "references": references, "size": stream.size}, file)
            os.rename(raw.directory, self.object_path(name))
        return published

    def write_derivation(self, filename: str, data: bytes) -> None:
        """Write a store derivation, `DIGEST-NAME.drv`."""
        self._write(self.directory + "/" + filename, data)

    def read_derivation(self, filename: str) -> bytes:
        """Return the bytes of a store derivation."""
        with open(self.directory + "/" + filename, "rb") as file:
            return file.read()

    def realisation(self, resolved: str) -> Optional[Realisation]:
        """Return what `resolved` came to, or None when it was not built or an output is gone."""
        try:
            with open(os.path.join(self.var, "realisations", resolved), encoding="utf-8") as file:
                record = json.load(file)
        except FileNotFoundError:
            return None
        outputs = tuple((str(out), str(name)) for out, name in record["outputs"])
        if not all(self.contains(name) for _, name in outputs):
            return None
        stamps = tuple(tuple(stamp) for stamp in record["stamps"])
        return Realisation(resolved, record["derivation"], outputs, record["sandbox"], stamps)

    def record_realisation(self, realisation: Realisation) -> None:
        """Record what a store derivation came to."""
        record = {
            "version": 1,
            "derivation": realisation.derivation,
            "outputs": realisation.outputs,
            "sandbox": realisation.sandbox,
            "stamps": realisation.stamps,
        }
        path = os.path.join(self.var, "realisations", realisation.resolved)
        self._write(path, json.dumps(record).encode())

    @contextlib.contextmanager
    def building(self, resolved: str, on_wait: Optional[Callable[[], None]] = None) -> Iterator[None]:
        """Hold the right to build `resolved`, alone among all processes."""
        fd = os.open(os.path.join(self.var, "locks", resolved), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if on_wait is not None:
                    on_wait()
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def protect(self, names: Iterable[str]) -> None:
        """Keep `names` from being collected while this process lives."""

    def record_roots(self, project: str, results: Mapping[str, Sequence[str]]) -> None:
        """Record what the targets of a project came to: roots for gc."""

    def log_path(self, resolved: str) -> str:
        """Return where the log of building `resolved` is kept."""
        return os.path.join(self.var, "logs", resolved)

    def _write(self, path: str, data: bytes) -> None:
        temporary = path + "." + secrets.token_hex(4)
        with open(temporary, "wb") as file:
            file.write(data)
        os.rename(temporary, path)


def _references(directory: str, known: set[bytes]) -> set[str]:
    found: set[str] = set()
    for top, directories, files in os.walk(os.fsencode(directory)):
        for name in directories + files:
            path = os.path.join(top, name)
            texts = [name]
            if os.path.islink(path):
                texts.append(os.readlink(path))
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    texts.append(file.read())
            for text in texts:
                found |= {m[1].decode() for m in _WINDOW.finditer(text) if m[1] in known}
    return found


def _rewrite(directory: str, changes: Mapping[bytes, bytes]) -> None:
    def changed(text: bytes) -> bytes:
        for old, new in changes.items():
            text = text.replace(old, new)
        return text

    for top, directories, files in os.walk(os.fsencode(directory), topdown=False):
        for name in directories + files:
            path = os.path.join(top, name)
            if os.path.islink(path):
                target = os.readlink(path)
                if changed(target) != target:
                    os.unlink(path)
                    os.symlink(changed(target), path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
                if changed(data) != data:
                    with open(path, "wb") as file:
                        file.write(changed(data))
            if changed(name) != name:
                os.rename(path, os.path.join(top, changed(name)))


class _Stream:
    def __init__(self, own: bytes, directory: bytes) -> None:
        self.own, self.directory = own, directory
        self.hash = hashlib.sha256()
        self.at = 0
        self.size = 0
        self.places: list[int] = []

    def put(self, data: bytes) -> None:
        self.hash.update(data)
        self.at += len(data)

    def hashed(self, text: bytes) -> bytes:
        return text.replace(self.directory, record_prefix()).replace(self.own, bytes(DIGEST_LENGTH))

    def found(self, text: bytes) -> list[int]:
        places, at = [], text.find(self.own)
        while at >= 0:
            places.append(at)
            at = text.find(self.own, at + DIGEST_LENGTH)
        return places

    def walk(self, directory: bytes, prefix: bytes) -> None:
        for name in sorted(os.listdir(directory), key=self.hashed):
            path = directory + b"/" + name
            raw = prefix + b"/" + name
            member = raw.replace(self.own, bytes(DIGEST_LENGTH))
            target, content = b"", b""
            if os.path.islink(path):
                kind, mode, target = archive.SYMLINK, 0o777, os.readlink(path)
            elif os.path.isdir(path):
                kind, mode, member = archive.DIRECTORY, 0o755, member + b"/"
            else:
                kind, mode = archive.FILE, 0o755 if os.stat(path).st_mode & 0o100 else 0o644
                with open(path, "rb") as file:
                    content = file.read()
            head = archive.header(member, kind, mode, len(content), self.hashed(target))
            self.places += sorted(
                [self.at + head.name_at(place) for place in self.found(raw)]
                + [self.at + head.target_at + place for place in self.found(target)]
            )
            self.put(head.data)
            if kind is archive.FILE:
                self.places += [self.at + place for place in self.found(content)]
                self.put(self.hashed(content) + bytes(archive.padding(len(content))))
                self.size += len(content)
            if kind is archive.DIRECTORY:
                self.walk(path, raw)

    def finish(self) -> str:
        self.put(archive.END)
        self.put(b"".join(b"|%d" % place for place in self.places))
        return encode(self.hash.digest())
