"""A report in a file that a person has named: there completely, or not at all."""

from __future__ import annotations

import contextlib
import os

from bramble.errors import BrambleError


def check_report(path: str) -> str:
    """Return the absolute `path` if a file can be written there, before hours are spent on what goes in.

    Raises BrambleError test.report.
    """
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise _unwritable(path, "its directory is not there")
    if os.path.isdir(path):
        raise _unwritable(path, "it is a directory")
    if not os.access(directory, os.W_OK):
        raise _unwritable(path, "its directory cannot be written to")
    return path


def write_report(path: str, text: str) -> None:
    """Write `text` to `path`, in the place of what is there. Raises BrambleError test.report."""
    # spec: cli.test.junit
    temporary = f"{path}.{os.urandom(8).hex()}"
    try:
        handle = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666
        )
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def _unwritable(path: str, why: str) -> BrambleError:
    return BrambleError(
        "test.report", f"the report {path} cannot be written: {why}", remedy="name another file with --junit"
    )
