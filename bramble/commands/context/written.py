"""Files that a person asks a command for: written whole or not at all."""

from __future__ import annotations

import os
from typing import Optional

from bramble.errors import BrambleError
from bramble.project.access import replace_file


def write_file(path: str, data: bytes) -> None:
    """Give the file `path` this content; a link in its place is not followed out of its directory.

    Raises BrambleError `cli.unwritable`.
    """
    try:
        replace_file(os.path.dirname(path) or ".", os.path.basename(path), data)
    except OSError as error:
        raise unwritable(path, error.strerror) from error


def check_writable(path: str) -> None:
    """Raise `cli.unwritable` for what certainly cannot be written, before there is something to write."""
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise unwritable(path, "there is no such directory")
    if os.path.isdir(path) or not os.path.basename(path):
        raise unwritable(path, "it is a directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise unwritable(path, "its directory cannot be written to")


def unwritable(path: str, why: Optional[str]) -> BrambleError:
    """Return the error for a file that cannot be written."""
    return BrambleError(
        "cli.unwritable", f"{path} cannot be written: {why}", remedy="name a place that you may write to"
    )
