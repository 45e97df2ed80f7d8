"""Give a tree of files to another user, and take it back, whatever a hostile program made of it in between.

Needed when root builds on a file system that cannot show another owner
(`helper.open_tree`). Runs as root, while nothing of the sandbox runs. Only
descriptors are walked: no path is put together, no link followed, no depth
too deep, and a hard link to somebody else's file is left alone, because only
what belongs to the one is given to the other.
"""

from __future__ import annotations

import contextlib
import os

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Owner = tuple[int, int]


def owner(path: str) -> Owner:
    """Return (user, group) of what `path` leads to."""
    status = os.stat(path)
    return status.st_uid, status.st_gid


def give(path: str, before: Owner, after: Owner) -> None:
    """Change the owner of the file or directory `path`, and of what is in it, from `before` to `after`.

    A file whose user is not that of `before` keeps its owner. Raises OSError.
    """
    path = os.path.realpath(path)
    parent = os.open(os.path.dirname(path), os.O_PATH | os.O_CLOEXEC)
    try:
        change(os.path.basename(path), parent, before, after)
        try:
            here = os.open(os.path.basename(path), DIRECTORY, dir_fd=parent)
        except NotADirectoryError:
            return
    finally:
        os.close(parent)
    walk(here, before, after)


def walk(here: int, before: Owner, after: Owner) -> None:
    """Change the owner of what is in the directory `here`, which is closed; one descriptor at any depth."""
    todo = [directories(here, before, after)]
    while todo:
        if not todo[-1]:
            todo.pop()
            if todo:
                here = exchange(here, "..")
            continue
        name = todo[-1].pop()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            here = exchange(here, name)
            todo.append(directories(here, before, after))
    os.close(here)


def exchange(here: int, name: str) -> int:
    """Return a descriptor of `name` in `here`, and close `here`; nobody moves directories meanwhile."""
    there = os.open(name, DIRECTORY, dir_fd=here)
    os.close(here)
    return there


def directories(here: int, before: Owner, after: Owner) -> list[str]:
    """Give everything in the directory `here`; return the names of the directories in it."""
    found = []
    with os.scandir(here) as entries:
        for entry in entries:
            change(entry.name, here, before, after)
            if entry.is_dir(follow_symlinks=False):
                found.append(entry.name)
    return found


def change(name: str, directory: int, before: Owner, after: Owner) -> None:
    """Give one file, without following a link."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if status.st_uid == before[0]:
        os.chown(name, *after, dir_fd=directory, follow_symlinks=False)
