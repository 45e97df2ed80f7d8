"""Copying files and trees into a directory of ours, with modes and times of our choice."""

from __future__ import annotations

import errno
import os
import stat

_PIECE = 1 << 20
_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)


def copy_file(source: str, target: str, *, mode: int) -> None:
    """Write the regular file `source` to the new file `target`, which gets exactly `mode`."""
    with open(source, "rb", buffering=0) as reader:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(fd, "wb", buffering=0):
            os.fchmod(fd, mode)
            _copy(reader.fileno(), fd)


def _copy(source: int, target: int) -> None:
    # Shares the blocks where the file system can; not every C library has it.
    copy_range = getattr(os, "copy_file_range", None)
    try:
        while copy_range is not None and copy_range(source, target, 1 << 30):
            pass
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    # Also after a success: files of /proc are longer than they say.
    while True:
        view = memoryview(os.read(source, _PIECE))
        if not view:
            return
        while view:
            view = view[os.write(target, view) :]


def copy_writable(source: str, target: str) -> None:
    """Copy the tree below `source` into the directory `target`, so that its owner may change it.

    Files become 0644 or 0755 and directories 0755 whatever the umask is; times
    are kept, links are copied as links. `source` is a store object: it holds
    files, directories and links only. Raises OSError, also for anything else.
    """
    # spec: build.directory
    stack = [(source, target)]
    while stack:
        here, there = stack.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                copy = there + "/" + entry.name
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), copy)
                    continue
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    os.mkdir(copy)
                    os.chmod(copy, 0o755)
                    stack.append((entry.path, copy))
                else:
                    if not stat.S_ISREG(found.st_mode):
                        # Somebody has damaged the object: to open a FIFO could take for ever.
                        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), entry.path)
                    copy_file(entry.path, copy, mode=0o755 if found.st_mode & 0o100 else 0o644)
                    os.utime(copy, ns=(found.st_mtime_ns, found.st_mtime_ns))
