"""`bramble vendor`: all that a build needs of elsewhere, in one directory that can be kept with the project.

A file gets its name when it is complete, the manifest when all files are there, and what is not needed any
more is removed last: a crash at any moment leaves a directory that is as usable as before.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NoReturn, Optional, Union

from bramble import __version__
from bramble.build.builtin import Request
from bramble.build.fetch.checksum import verify
from bramble.build.fetch.from_url import fetch_body
from bramble.build.options import BuildOptions, BuildReport
from bramble.build.task import Listener
from bramble.commands.build import BuildChoices, options_of
from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.commands.context.written import unwritable
from bramble.commands.packages.gathering import Body, Needs, gather
from bramble.errors import BrambleError
from bramble.packages.vendor import (
    ATTRIBUTES,
    ATTRIBUTES_TEXT,
    FOLDERS,
    MANIFEST,
    PROGRAM,
    TEMPORARY,
    Manifest,
    Steps,
    encode,
    is_manifest,
    is_own,
    steps,
)
from bramble.project.access import read_file
from bramble.project.packages import NO_PACKAGES
from bramble.project.project import find_project
from bramble.record import NamedTuple, dataclass
from bramble.self.pack import pack
from bramble.self.tree import source_tree
from bramble.store.disk import Store
from bramble.store.files.small import make_directory, sync_directory, unique
from bramble.store.locks.advisory import lock_briefly
from bramble.store.transfer.stream import write_archive

__all__ = ["Needs", "Vendored", "gather", "target_directory", "vendor"]

_BLOCK = 1 << 20
_Write = Callable[[Union[bytes, bytearray]], object]


@dataclass(frozen=True)
class Vendored:
    """What became of a vendor directory."""

    directory: str
    manifest: Manifest
    steps: Steps
    size: int  # bytes of all its files; what is not written counts nothing
    is_written: bool


class _Content(NamedTuple):
    """A file that belongs into the directory."""

    write: Callable[[_Write], None]  # hands over its bytes
    is_right: Callable[[str], bool]  # whether the file at a path has them
    mode: int = 0o644


def target_directory(named: Optional[str], setting: Setting) -> str:
    """Return where to vendor: the directory that is named, or that of the project; "" for none.

    Raises config.*, vendor.occupied, and cli.unwritable where a link leads the project's own out of it.
    """
    directory = ""
    project = find_project(setting.cwd)
    if named is not None:
        directory = os.path.normpath(os.path.join(setting.cwd, named))
    elif project.config.vendor:
        directory = os.path.join(project.root, project.config.vendor)
        if not f"{os.path.realpath(directory)}/".startswith(project.root.rstrip("/") + "/"):
            raise unwritable(directory, f"a symbolic link leads out of {project.root}")
    if directory and os.path.lexists(directory):
        try:
            _present(directory)
        except OSError as error:
            raise unwritable(directory, error.strerror) from error
    return directory


def vendor(
    needs: Needs,
    report: BuildReport,
    directory: str,
    setting: Setting,
    choices: BuildChoices,
    on_line: Callable[[str], None],
    *,
    dry_run: bool = False,
) -> Vendored:
    """Write into `directory` what a project needs, from the store; `report` has the results of downloads.

    With `dry_run` nothing is written. Raises vendor.occupied, cli.unwritable, fetch.*, store.*.
    """
    # spec: vendor.write
    program = pack(source_tree())
    manifest = Manifest(__version__, hashlib.sha256(program).hexdigest(), needs.files(report))
    options = options_of(needs.evaluated.project, NO_PACKAGES, setting, choices)
    store = open_store(setting)
    contents = {
        PROGRAM: _constant(program, 0o755),
        ATTRIBUTES: _constant(ATTRIBUTES_TEXT),
        **{path: _object(store, path) for path in manifest.files if path not in needs.bodies},
        **{path: _body(body) for path, body in needs.bodies.items()},
    }
    new = not os.path.lexists(directory)
    try:
        with contextlib.ExitStack() as stack:
            if not dry_run:
                # Before anything is written: if one of them cannot be fetched, nothing has changed.
                scratch = stack.enter_context(store.workspace()).path
                bodies = [
                    path for path in needs.bodies if new or not _is(contents[path], f"{directory}/{path}")
                ]
                for number, path in enumerate(bodies):
                    file = _fetched(needs.bodies[path], f"{scratch}/{number}", options, on_line)
                    contents[path] = contents[path]._replace(write=functools.partial(_copy, file))
                if new:
                    os.makedirs(directory)
            if not (new and dry_run):
                stack.enter_context(_alone(directory))
            found = () if new and dry_run else _present(directory)
            right = {path: path in contents and _is(contents[path], f"{directory}/{path}") for path in found}
            todo = steps([*contents], right)
            if not dry_run:
                _write_all(directory, contents, encode(manifest), todo)
            size = sum(os.lstat(f"{directory}/{path}").st_size for path in contents if not dry_run)
    except OSError as error:
        raise unwritable(error.filename or directory, error.strerror) from error
    return Vendored(directory, manifest, todo, size, not dry_run)


def _constant(data: bytes, mode: int = 0o644) -> _Content:
    def is_right(path: str) -> bool:
        with open(path, "rb") as file:
            executable = os.fstat(file.fileno()).st_mode & 0o100
            return executable == mode & 0o100 and file.read() == data

    return _Content(lambda write: _nothing(write(data)), is_right, mode)


def _nothing(_: object) -> None: ...


class _Differs(Exception):
    """A file is another one."""


def _object(store: Store, path: str) -> _Content:
    name = os.path.basename(path)
    store.protect([name])

    def is_right(path: str) -> bool:
        with open(path, "rb") as file:

            def compare(data: Union[bytes, bytearray]) -> None:
                if file.read(len(data)) != data:
                    raise _Differs

            try:
                write_archive(store, name, compare)
            except _Differs:
                return False
            return not file.read(1)

    return _Content(lambda write: write_archive(store, name, write), is_right)


def _body(body: Body) -> _Content:
    def is_right(path: str) -> bool:
        try:
            verify(path, body.checksum, name=body.name, url=path)
        except BrambleError:
            return False
        return True

    return _Content(_not_there, is_right)


def _not_there(_: _Write) -> NoReturn:
    raise FileNotFoundError(errno.ENOENT, "it has been removed meanwhile")


def _fetched(body: Body, scratch: str, options: BuildOptions, on_line: Callable[[str], None]) -> str:
    """Return a file with the bytes of a download, made in the new directory `scratch`."""
    on_line(f"fetching {body.key}")
    make_directory(scratch, 0o700)
    silent = Listener(_nothing_of, _nothing_of, _nothing_of, threading.Event())
    return fetch_body(Request(body.name, body.env, {}, scratch, options, silent, _not_run))


def _copy(file: str, write: _Write) -> None:
    with open(file, "rb") as opened:
        for block in iter(lambda: opened.read(_BLOCK), b""):
            write(block)


def _nothing_of(*_: object) -> None: ...


def _not_run(command: Sequence[str], environment: Mapping[str, str], silence: Optional[float]) -> NoReturn:
    raise AssertionError("a download runs nothing")


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Hold the advisory lock of a directory; file systems without locks go without (flock(2))."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            lock_briefly(handle, directory)
        yield
    finally:
        os.close(handle)


def _present(directory: str) -> tuple[str, ...]:
    """Return the files of a vendor directory that are Bramble's. Raises vendor.occupied."""
    # spec: vendor.own
    names = sorted(os.listdir(directory))
    if MANIFEST in names:
        try:
            known = is_manifest(read_file(directory, MANIFEST))
        except OSError:
            known = False
        if not known:
            raise _occupied(directory, f"{MANIFEST} in it was not written by this version of Bramble")
    elif not all(map(is_own, names)):
        raise _occupied(directory, f"it holds {next(name for name in names if not is_own(name))}")
    found = [name for name in names if is_own(name) or name in (PROGRAM, ATTRIBUTES)]
    for folder in FOLDERS:
        path = f"{directory}/{folder}"
        if not os.path.lexists(path):
            continue
        if os.path.islink(path) or not os.path.isdir(path):
            raise _occupied(directory, f"{folder} in it is not a directory")
        found += [f"{folder}/{name}" for name in sorted(os.listdir(path)) if is_own(f"{folder}/{name}")]
    return tuple(found)


def _occupied(directory: str, why: str) -> BrambleError:
    return BrambleError(
        "vendor.occupied",
        f"{directory} is not a vendor directory: {why}",
        remedy="name a new or empty directory",
    )


def _is(content: _Content, path: str) -> bool:
    return os.path.lexists(path) and stat.S_ISREG(os.lstat(path).st_mode) and content.is_right(path)


def _write_all(directory: str, contents: Mapping[str, _Content], manifest: bytes, todo: Steps) -> None:
    # spec: vendor.write.order
    if not os.path.lexists(f"{directory}/{MANIFEST}"):
        # First of all, so that what is there is known to be Bramble's if this ends early.
        _put(directory, MANIFEST, _constant(encode(Manifest("", "", {}))))
    for path in todo.removed:
        if path.rpartition("/")[2].startswith(TEMPORARY):
            os.unlink(f"{directory}/{path}")
    for folder in {path.rpartition("/")[0] for path in todo.written} - {""}:
        if not os.path.isdir(f"{directory}/{folder}"):
            make_directory(f"{directory}/{folder}")
    for path in todo.written:
        _put(directory, path, contents[path])
    last = _constant(manifest)
    if not _is(last, f"{directory}/{MANIFEST}"):
        _put(directory, MANIFEST, last)
    for path in todo.removed:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{path}")
    for folder in FOLDERS:
        with contextlib.suppress(OSError):
            os.rmdir(f"{directory}/{folder}")


def _put(directory: str, path: str, content: _Content) -> None:
    """Write one file, which has its name when it is complete and on the disk."""
    folder = os.path.dirname(f"{directory}/{path}")
    temporary = f"{folder}/{TEMPORARY}{unique()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:
            content.write(file.write)
            file.flush()
            os.fchmod(file.fileno(), content.mode)
            os.fsync(file.fileno())
        os.rename(temporary, f"{directory}/{path}")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_directory(folder)
