"""Sources: files of a project, copied into the store with modes that no umask has touched."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
import tempfile
from collections.abc import Iterator, Sequence

from bramble.errors import BrambleError
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import make_directory, make_way
from bramble.store.files.walk import DIRECTORY_FLAGS, FILE_FLAGS, changed, special_kind
from bramble.store.layout.workspace import workspace
from bramble.store.model import RawOutput
from bramble.store.path import shown
from bramble.store.publish.publication import publish
from bramble.store.records.objects import Objects
from bramble.store.records.reread import name_of
from bramble.store.records.stamps import check_inside, missing
from bramble.store.tree.reader import copy_contents


def copy_sources(objects: Objects, root: str, files: Sequence[str], allowed: str) -> str:
    """Make one object of `files`, paths relative to `root`, and return its name.

    Links are kept as links; they may point at nothing outside the directory
    `allowed`, in which `root` lies.

    Raises BrambleError store.source-missing, store.source-special,
    store.source-link, store.source-outside, store.changed-while-read, and
    those of publication.
    """
    # spec: store.sources.object
    with _directory_to_copy_to(objects) as work, DiskFailures("copy sources into the store"):
        target = f"{work}/source"
        make_directory(target)
        for file in sorted(set(files)):
            _copy(root, file, target, allowed)
        if objects.read_only:
            return name_of(objects, target)
        return publish(objects, [RawOutput("out", target, "")], closure=(), build_name=None)["out"].name


@contextlib.contextmanager
def _directory_to_copy_to(objects: Objects) -> Iterator[str]:
    # spec: store.read-only
    # Whoever may only read a store can still learn what its sources came to.
    if objects.read_only:
        with tempfile.TemporaryDirectory(prefix="bramble-") as path:
            yield path
    else:
        with workspace(objects.var) as work:
            yield work.path


def _copy(root: str, file: str, target: str, allowed: str) -> None:
    check_inside(root, file)
    parts = file.split("/")
    above = posixpath.relpath(root, allowed)
    directory = _open_parent(allowed, [*above.split("/"), *parts[:-1]], root, file)
    try:
        copy = f"{target}/{file}"
        make_way(target, "/".join(parts[:-1]))
        status = os.lstat(parts[-1], dir_fd=directory)
        if stat.S_ISLNK(status.st_mode):
            link = os.readlink(parts[-1], dir_fd=directory)
            _check_link(root, file, link, allowed)
            os.symlink(link, copy)
        elif stat.S_ISREG(status.st_mode):
            _copy_file(parts[-1], directory, copy, file)
        else:
            what = "a directory" if stat.S_ISDIR(status.st_mode) else special_kind(status.st_mode)
            raise BrambleError(
                "store.source-special",
                f'the source "{shown(file)}" is {what}, not a file',
                remedy="name the files in it, for example with files()",
            )
    except FileNotFoundError as error:
        raise missing(root, file) from error
    finally:
        os.close(directory)


def _open_parent(allowed: str, directories: Sequence[str], root: str, file: str) -> int:
    """Open the directory of a source, through no link below the directory `allowed`."""
    at = os.open(allowed, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for directory in directories:
        try:
            below = os.open(directory, DIRECTORY_FLAGS, dir_fd=at)
        except FileNotFoundError as error:
            raise missing(root, file) from error
        except NotADirectoryError as error:
            raise BrambleError(
                "store.source-link",
                f'the source "{shown(file)}" is reached through a link',
                remedy="name the file by the path it really has",
            ) from error
        finally:
            os.close(at)
        at = below
    return at


def _copy_file(name: str, directory: int, copy: str, file: str) -> None:
    source = os.open(name, FILE_FLAGS, dir_fd=directory)
    try:
        before = os.fstat(source)
        mode = 0o755 if before.st_mode & stat.S_IXUSR else 0o644
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            copy_contents(source, target)
            os.fchmod(target, mode)
            size = os.fstat(target).st_size
        finally:
            os.close(target)
        after = os.fstat(source)
        stamps = [(status.st_size, status.st_mtime_ns, status.st_ctime_ns) for status in (before, after)]
        if stamps[0] != stamps[1] or size != before.st_size:
            raise changed(os.fsencode(file))
    finally:
        os.close(source)


def _check_link(root: str, file: str, link: str, allowed: str) -> None:
    """Refuse a link whose target, read as text, does not lie in the directory `allowed`."""
    # spec: store.sources.links
    place = posixpath.normpath(posixpath.join(root, posixpath.dirname(file), link))
    inside = posixpath.normpath(allowed)
    if link.startswith("/") or not (place == inside or place.startswith(inside.rstrip("/") + "/")):
        raise BrambleError(
            "store.source-link",
            f'the source "{shown(file)}" is a link to "{shown(link)}", outside of the project',
            remedy="copy the file into the project",
        )
