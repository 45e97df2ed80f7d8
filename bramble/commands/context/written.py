"""Files that a user asks a command for: written whole or not at all."""

from __future__ import annotations

import os
from typing import Optional

from bramble.errors import BrambleError
from bramble.project.access import replace_file


def write_file(path: str, data: bytes, *, within: str = "", mode: Optional[int] = None) -> None:
    """Give the file `path` this content; a link in its place is not followed out of its directory.

    If it is written as a path below `within`, no link of a directory leads out of that either: a project
    may be a stranger's, and so may its links. `mode` are its permissions (None: those that it has, or 0644).
    Raises BrambleError `cli.unwritable`.
    """
    # spec: project.access.write
    root, name = _standing(path, within)
    try:
        replace_file(root, name, data, mode=mode)
    except OSError as error:
        raise unwritable(path, error.strerror) from error


def check_writable(path: str, *, within: str = "") -> None:
    """Raise `cli.unwritable` for what certainly cannot be written, before there is something to write."""
    directory = os.path.dirname(path) or "."
    root, _ = _standing(path, within)
    real = os.path.realpath(directory)
    if root == within and os.path.commonpath([real, os.path.realpath(root)]) != os.path.realpath(root):
        raise unwritable(path, f"a symbolic link leads out of {within}, to {real}")
    if not os.path.isdir(directory):
        raise unwritable(path, "there is no such directory")
    if os.path.islink(path):
        raise unwritable(path, "it is a symbolic link")
    if os.path.isdir(path) or not os.path.basename(path):
        raise unwritable(path, "it is a directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise unwritable(path, "its directory cannot be written to")


def _standing(path: str, within: str) -> tuple[str, str]:
    """Return the directory that no link may lead out of, and the path below it."""
    below = os.path.relpath(path, within) if within else ".."
    if below.split("/")[0] == "..":
        return os.path.dirname(path) or ".", os.path.basename(path)
    return within, below


def unwritable(path: str, why: Optional[str]) -> BrambleError:
    """Return the error for a file that cannot be written."""
    return BrambleError(
        "cli.unwritable", f"{path} cannot be written: {why}", remedy="name a path that you may write to"
    )
