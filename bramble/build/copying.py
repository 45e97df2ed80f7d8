"""Copying files and trees into a directory of ours, with modes and times of our choice.

A build may change its copy of the sources, and must not be able to tell how the copy was made. That
leaves proper copies: of a file up to _SMALL bytes by one read and one write, which is the fastest way for
files as small as most sources are; of a larger one by copy_file_range(2), which shares blocks on the file
systems that can (btrfs, xfs, zfs: the sharing of FICLONE), or else by reading and writing.

An overlay (overlayfs with the store object below a private upper directory) would copy nothing. It is ruled
out because a build can see it:

- without privileges `redirect_dir` is refused (`userxattr`), so that rename(2) of a directory of the
  sources fails with EXDEV;
- who has opened a file for reading goes on reading the old content after another process changed it;
- modes are the store's (0444), and files that the store has linked to each other (`store.optimise`) share
  an inode, and part when one of them is written.

A build would succeed or fail depending on the kernel, and on what else is in the store. Hard links into the
store would let a build change the store.
"""

from __future__ import annotations

import errno
import os

_PIECE = 1 << 20
_SMALL = 1 << 16  # bytes of a file that is copied with one read and one write
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
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
    waiting = ["."]
    from_top = os.open(source, _DIRECTORY)
    try:
        to_top = os.open(target, _DIRECTORY)
        try:
            while waiting:
                path = waiting.pop()
                waiting.extend([f"{path}/{name}" for name in _copy_directory(path, from_top, to_top)])
        finally:
            os.close(to_top)
    finally:
        os.close(from_top)


def _copy_directory(path: str, from_top: int, to_top: int) -> list[str]:
    """Copy what is in one directory; return the names of the directories in it, which are still empty."""
    directories = []
    here = os.open(path, _DIRECTORY, dir_fd=from_top)
    try:
        there = os.open(path, _DIRECTORY, dir_fd=to_top)
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    name = entry.name
                    if entry.is_file(follow_symlinks=False):
                        _copy_writable_file(name, here, there)
                    elif entry.is_dir(follow_symlinks=False):
                        os.mkdir(name, 0o755, dir_fd=there)
                        os.chmod(name, 0o755, dir_fd=there)
                        directories.append(name)
                    elif entry.is_symlink():
                        os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
                    else:
                        # Somebody has damaged the object: to open a FIFO could take for ever.
                        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), name)
        finally:
            os.close(there)
    finally:
        os.close(here)
    return directories


def _copy_writable_file(name: str, here: int, there: int) -> None:
    reader = os.open(name, _READ, dir_fd=here)
    try:
        found = os.fstat(reader)
        mode = 0o755 if found.st_mode & 0o100 else 0o644
        writer = os.open(name, _NEW, mode, dir_fd=there)
        try:
            if found.st_size > _SMALL or not _copy_at_once(reader, writer, found.st_size):
                _copy(reader, writer)
            os.fchmod(writer, mode)
            os.utime(writer, ns=(found.st_mtime_ns, found.st_mtime_ns))
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_at_once(reader: int, writer: int, size: int) -> bool:
    """Copy a file of `size` bytes by one read and one write; False if that failed."""
    data = os.read(reader, size + 1)
    if len(data) == size and os.write(writer, data) == size:
        return True
    os.lseek(reader, 0, os.SEEK_SET)
    os.lseek(writer, 0, os.SEEK_SET)
    return False
