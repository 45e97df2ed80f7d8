"""The files of Bramble's source, of which the one file, the wheel and the digest are made.

    LICENSE  README.md  pyproject.toml  bramble/…  spec/…

This is their layout in a checkout, in the result of `bramble self extract`, and in the one file. An installed
package has all of them in the package's own directory: `bramble/spec/…`, `bramble/README.md` and so on.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from typing import Optional

import bramble
from bramble.errors import BrambleError
from bramble.self.payload import MAIN

BESIDE = ("LICENSE", "README.md", "pyproject.toml")
FOLDERS = ("bramble", "spec")
_LEFT_OUT = (".pyc", ".orig", ".rej", "~", ".egg-info")


def source_tree(package: Optional[str] = None) -> dict[str, bytes]:
    """Return the source, path to bytes, of the Bramble that runs, or of the package in a directory.

    Raises BrambleError: `self.no-source` where files that belong to it are missing, `self.odd-source` for a
    link or anything else that is not a file among them.
    """
    # spec: self.source
    found = dict(_files(package or _package(), ""))
    missing = [name for name in (*BESIDE, "bramble/__init__.py") if name not in found]
    if missing:
        raise BrambleError(
            "self.no-source",
            f"the source of this Bramble is not complete: {missing[0]} is missing",
            remedy="use a checkout, the one file, or a package that was installed from its wheel",
        )
    return found


def specification() -> dict[str, bytes]:
    """Return the files of `spec/`, path below it to bytes; none where they were not brought along."""
    return {name[len("spec/") :]: data for name, data in _files(_package(), "spec/")}


def is_left_out(name: str) -> bool:
    """Return whether a file of this name is not part of the source, but left by tools or editors."""
    return name.startswith(".") or name == "__pycache__" or name.endswith(_LEFT_OUT)


def _package() -> str:
    return os.path.dirname(os.path.abspath(bramble.__file__))


def _files(package: str, below: str) -> Iterator[tuple[str, bytes]]:
    """Yield paths that begin with `below`, and bytes."""
    top = os.path.dirname(package)
    if not os.path.isdir(package):
        yield from _in_archive(top, below)
    elif os.path.isfile(os.path.join(package, "pyproject.toml")):
        for name, data in _walk(package, ""):
            inside = name.split("/")[0] not in (*BESIDE, "spec")
            path = f"bramble/{name}" if inside else name
            if path.startswith(below):
                yield path, data
    else:
        for name in FOLDERS:
            if f"{name}/".startswith(below[: len(name) + 1]):
                yield from ((path, data) for path, data in _walk(top, name) if path.startswith(below))
        for name in BESIDE:
            path = os.path.join(top, name)
            if os.path.lexists(path) and name.startswith(below):
                yield name, _read(path)


def _in_archive(archive: str, below: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if name.startswith(below) and name != MAIN:
                yield name, file.read(name)


def _walk(top: str, below: str) -> Iterator[tuple[str, bytes]]:
    try:
        with os.scandir(os.path.join(top, below)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        name = f"{below}/{entry.name}" if below else entry.name
        if is_left_out(entry.name):
            continue
        if not entry.name.isascii():
            raise _odd(entry.path, "has a name that is not ASCII")
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(top, name)
        else:
            yield name, _read(entry.path)


def _read(path: str) -> bytes:
    if os.path.islink(path) or not os.path.isfile(path):
        raise _odd(path, "is not a file")
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _odd(path, f"cannot be read: {error.strerror}") from error


def _odd(path: str, why: str) -> BrambleError:
    return BrambleError(
        "self.odd-source", f"{path} is among the source, and {why}", remedy="move it elsewhere"
    )
