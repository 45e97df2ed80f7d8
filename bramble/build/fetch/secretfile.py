"""Files in which a user keeps secrets: read whole, and believed where nobody else can read or own them."""

from __future__ import annotations

import os
import shlex
import stat
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple

_LARGEST = 1 << 20  # bytes


class SecretFile(NamedTuple):
    """What is in a file of secrets; `code` is that of its errors."""

    path: str
    code: str
    text: str
    is_private: bool

    def check_private(self) -> None:
        """Raise the error for a file that others than this user and root own, or that others can read."""
        if not self.is_private:
            remedy = f"chmod 600 {shlex.quote(self.path)}"
            raise unusable(self.path, self.code, "other users can read or own it", remedy)


def read_secret_file(path: Optional[str], code: str, instead: str) -> Optional[SecretFile]:
    """Return the content of the file `path`; None if it does not exist. `instead` is an alternative remedy.

    Raises the error `code` for a file that cannot be read.
    """
    if path is None:
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise unusable(path, code, why, f"make it readable only for you, or {instead}") from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise unusable(path, code, "it is not a file", instead)
    with open(fd, "rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise unusable(path, code, "it is larger than 1 MiB", "leave only entries in it")
    is_private = found.st_uid in (os.geteuid(), 0) and not stat.S_IMODE(found.st_mode) & 0o077
    return SecretFile(path, code, text.decode("utf-8", "surrogateescape"), is_private)


def unusable(path: str, code: str, why: str, remedy: str) -> BrambleError:
    """Return the error for a file of secrets that cannot be used; `why` shows none of it."""
    return BrambleError(code, f"{path} cannot be used: {why}", remedy=remedy)
