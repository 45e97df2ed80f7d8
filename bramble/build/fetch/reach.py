"""Which files of this machine a project may have fetched: its own, and what everybody may read anyway.

A `file:` URL, an entry of the project's own mirror and a repository on this
machine are read with the rights of the user, and what comes of them can be
read by all users of the store. So the user's own rights are not used for them.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Callable, Optional

from bramble.build.fetch.discretion import redact
from bramble.build.options import Reach
from bramble.errors import BrambleError

_MOST = 1 << 20  # bytes
_NO_FILES = ("/proc", "/sys", "/dev")


def within_reach(path: str, roots: Sequence[str], open_to_all: Callable[[str], bool]) -> bool:
    """Return whether a project in the directories `roots` may read `path`; all are absolute, without links.

    What is beside a project, below the directory that holds it, is judged by
    the permissions from there on: who may enter that directory has a project in it.
    """
    # spec: build.fetch.reach
    if any(_below(path, root) for root in roots):
        return True
    if any(_below(path, directory) for directory in _NO_FILES):
        return False
    above = [os.path.dirname(root) for root in roots]
    start = max((parent for parent in above if _below(path, parent)), key=len, default="/")
    here = path
    while len(here) > len(start):
        name = os.path.basename(here)
        if (name.startswith(".") and name != ".git") or not open_to_all(here):
            return False
        here = os.path.dirname(here)
    return True


def check_reach(path: str, url: str, reach: Optional[Reach]) -> None:
    """Refuse a file or directory that is out of reach; `reach` None: nothing is. Raises fetch.out-of-reach.

    A path of an open descriptor in /proc is judged by what it has open.
    """
    if reach is None:
        return
    real = os.path.realpath(path)
    roots = [os.path.realpath(root) for root in reach.roots]
    if not within_reach(real, roots, _open_to_all if reach.public else _closed):
        raise BrambleError(
            "fetch.out-of-reach",
            f"{redact(url)} is outside of the project, at {real}, and "
            + ("missing, or not readable for all" if reach.public else "this project is not yours"),
            remedy="copy it into the project, or name it in your mirror table (BRAMBLE_MIRROR)",
        )


def check_repository(path: str, url: str, reach: Optional[Reach]) -> None:
    """Do as `check_reach` for a repository that git would find at `path`, and for the parts it is made of."""
    if reach is None:
        return
    waiting = [
        path,
        *(f"{path}{end}" for end in ("/.git", ".git", ".git/.git") if os.path.exists(path + end)),
    ]
    seen: set[str] = set()
    while waiting:
        found = os.path.realpath(waiting.pop())
        if found in seen:
            continue
        seen.add(found)
        check_reach(found, url, reach)
        # gitrepository-layout(5): what a repository has elsewhere.
        if os.path.isfile(found):
            waiting += _path_in(found, os.path.dirname(found), url, "gitdir: ")
        parts = [os.path.join(found, part) for part in ("HEAD", "refs", "packed-refs")]
        waiting += [part for part in parts if os.path.islink(part)]
        waiting += _path_in(f"{found}/commondir", found, url)
        _check_objects(f"{found}/objects", url, reach)


def _check_objects(directory: str, url: str, reach: Reach) -> None:
    """Do as `check_reach` for a directory of objects, all links in it, and the others that it names."""
    waiting, seen = [directory] if os.path.lexists(directory) else [], set()
    while waiting:
        found = os.path.realpath(waiting.pop())
        if found in seen:
            continue
        seen.add(found)
        check_reach(found, url, reach)
        if os.path.isdir(found):
            waiting += _links_below(found)
            waiting += _alternates(found, url)


def _links_below(directory: str) -> Iterator[str]:
    directories = [directory]
    while directories:
        with contextlib.suppress(OSError), os.scandir(directories.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield entry.path
                elif entry.is_dir(follow_symlinks=False):
                    directories.append(entry.path)


def _alternates(objects: str, url: str) -> Iterator[str]:
    """Yield the directories of objects that one names, as git reads them: by lines, relative to it."""
    file = f"{objects}/info/alternates"
    text = _text_of(file, url)
    lines = [line for line in text.split(b"\n") if line and not line.startswith(b"#")]
    if any(line.startswith(b'"') for line in lines):
        raise _unclear(file, url)
    for line in lines:
        yield os.path.join(objects, os.fsdecode(line))


def _path_in(file: str, base: str, url: str, key: str = "") -> list[str]:
    """Return the path that a file names behind `key`, as git reads it: to the end, whatever is in it."""
    text = os.fsdecode(_text_of(file, url)).rstrip("\r\n")
    return [os.path.join(base, text[len(key) :])] if text.startswith(key) and text else []


def _text_of(file: str, url: str) -> bytes:
    """Return what a file of a repository holds; nothing if it is none. Raises fetch.out-of-reach."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    text = b""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        with open(fd, "rb", closefd=False) as opened:
            text = opened.read(_MOST + 1)
    os.close(fd)
    # For git a path ends at a NUL.
    if b"\0" in text or len(text) > _MOST:
        raise _unclear(file, url)
    return text


def _unclear(file: str, url: str) -> BrambleError:
    """Return the error for a file that git may read in another way than this module."""
    return BrambleError(
        "fetch.out-of-reach",
        f"{redact(url)} has parts elsewhere, and where cannot be read in {file}",
        remedy="write a path without quotes into it, or run `git repack -ad` in the repository",
    )


def _closed(_path: str) -> bool:
    return False


def _open_to_all(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return bool(mode & (stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH))


def _below(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith(ancestor.rstrip("/") + "/")
