"""A file that only grows."""

from __future__ import annotations

import os

from bramble.store.files.small import sync_directory


def append(path: str, data: bytes, size: int) -> None:
    """Make the file `path` what its first `size` bytes are, and then `data`; on the disk afterwards.

    It is made if need be. Raises OSError.
    """
    is_new = not os.path.lexists(path)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.ftruncate(fd, size)
        os.lseek(fd, size, os.SEEK_SET)
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
        os.fchmod(fd, 0o644)
        os.fsync(fd)
    finally:
        os.close(fd)
    if is_new:
        sync_directory(os.path.dirname(path))
