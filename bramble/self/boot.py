"""What the one file runs first: find the copy of itself that is already unpacked, or make one.

`pack.py` puts this text between the shell preamble and the archive, with a call of `run` at its end. It is
compiled at each start, so that it is short, and also by a Python that is too old for Bramble, so that it is
written for 3.4: no `from __future__`, no f-strings.
"""

import importlib
import os
import stat
import sys
from importlib.machinery import FileFinder, SourceFileLoader

_OLDEST = (3, 9)


def run(digest: str, start: int, size: int) -> int:
    """Run Bramble's command line from an unpacked copy, or from the archive, and return the exit status.

    The archive begins in the file at byte `start`, is `size` bytes long and has the digest. `sys.argv` is
    `-c`, the file, the name of the interpreter, and the words of the command line.
    """
    file, python = sys.argv[1:3]
    if sys.version_info < _OLDEST:
        # spec: self.file.python
        os.environ["BRAMBLE_TOO_OLD"] = os.environ.get("BRAMBLE_TOO_OLD", "") + " " + python
        os.execv("/bin/sh", ["sh", os.path.abspath(file)] + sys.argv[3:])
    os.environ.pop("BRAMBLE_TOO_OLD", None)
    # Until the command is found, as `bramble.__main__` does it.
    signal = importlib.import_module("_signal")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    file = os.path.abspath(file)
    sys.argv[:] = [file] + sys.argv[3:]
    held = os.stat(file).st_size
    if held != start + size:
        return _damaged(file, "it has {} bytes, and {} belong to it".format(held, start + size))
    cache = cache_directory(os.environ)
    copy = "" if cache is None else os.path.join(cache, digest)
    if not copy or not is_whole(copy):
        with open(file, "rb") as whole:
            data = whole.read()
        if _digest(data[start:]) != digest:
            return _damaged(file, "its archive has another digest than " + digest)
        descriptor, archive = _in_memory(data)
        sys.path.insert(0, archive or file)
        if copy and importlib.import_module("bramble.self.unpack").unpack(data[start:], copy):
            # What has been imported came from the archive, and so would whatever is imported next.
            for name in [name for name in sys.modules if name.partition(".")[0] == "bramble"]:
                del sys.modules[name]
            sys.path.pop(0)
            if archive:
                os.close(descriptor)
        else:
            return int(importlib.import_module("bramble.__main__").start(ends=True))
    _import_below(copy)
    return int(importlib.import_module("bramble.__main__").start(ends=True))


def _in_memory(data: bytes) -> "tuple[int, str]":
    """Return a descriptor and a path of the bytes that were checked, no path where that cannot be.

    So a long run goes on with what it has begun with when the file is replaced, removed or overwritten. The
    path is good for our child processes too.
    """
    # spec: self.file.cache
    path = ""
    try:
        descriptor = os.memfd_create("bramble")
    except (AttributeError, OSError):
        return -1, ""
    try:
        if descriptor > 2 and os.write(descriptor, data) == len(data):
            path = "/proc/{}/fd/{}".format(os.getpid(), descriptor)
            if os.path.isfile(path):
                return descriptor, path
    except OSError:
        pass
    os.close(descriptor)
    return -1, ""


class _Loader(SourceFileLoader):
    """Writes bytecode whole or not at all; Python's own leaves a part of it on a full disk (gh-126606)."""

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o600) -> None:  # type: ignore[override]
        # spec: self.file.bytecode
        made = "{}.{}".format(path, os.getpid())
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(made, "wb") as file:
                file.write(data)
            os.replace(made, path)
        except OSError:
            if os.path.lexists(made):
                os.unlink(made)


def _import_below(copy: str) -> None:
    def hook(path: str) -> FileFinder:
        if path != copy and not path.startswith(copy + "/"):
            raise ImportError
        return FileFinder(path, (_Loader, [".py"]))

    sys.path_hooks.insert(0, hook)
    sys.path.insert(0, copy)


def cache_directory(environ: "os._Environ[str]") -> "str | None":
    """Return where copies are kept, without links, or None if nobody says (XDG Base Directory)."""
    named = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME", "")
    if not os.path.isabs(named):
        if not os.path.isabs(home):
            return None
        named = os.path.join(home, ".cache")
    return os.path.join(os.path.realpath(named), "bramble")


def is_whole(copy: str) -> bool:
    """Return whether a directory is a copy that nobody else could have made, and nobody has changed.

    The copy is compared with what `unpack` has noted of it: name, mode, size and times of every file. One of
    the times is set by the kernel alone, so that a change within a file is seen.
    """
    # spec: self.file.cache.trust
    try:
        if not is_private(copy):
            return False
        with open(os.path.join(copy, "manifest"), encoding="utf-8", errors="surrogateescape") as file:
            return file.read() == manifest(copy)
    except (OSError, ValueError):
        return False


def is_private(directory: str) -> bool:
    """Return whether only this user, and root, can change the directory, or put another in its place."""
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        return False
    return is_guarded(os.path.dirname(directory))


def is_guarded(directory: str) -> bool:
    """Return whether what this user has in the directory is safe from all others but root."""
    user = os.geteuid()
    while True:
        status = os.lstat(directory)
        if status.st_uid not in (0, user):
            return False
        # With a group of the user's own, which has the same number, many machines let the group write.
        others = 0o002 if status.st_uid == status.st_gid == user else 0o022
        if status.st_mode & others and not status.st_mode & stat.S_ISVTX:
            return False
        above = os.path.dirname(directory)
        if above == directory:
            return True
        directory = above


def manifest(copy: str) -> str:
    """Return a line for each file below a directory, but bytecode: its name, mode, size and times."""
    lines = []
    directories = [""]
    while directories:
        prefix = directories.pop()
        with os.scandir(os.path.join(copy, prefix)) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        directories.append(prefix + entry.name + "/")
                elif prefix or entry.name != "manifest":
                    found = entry.stat(follow_symlinks=False)
                    lines.append(
                        "%s%s %o %d %d %d"
                        % (
                            prefix,
                            entry.name,
                            found.st_mode,
                            found.st_size,
                            found.st_mtime_ns,
                            found.st_ctime_ns,
                        )
                    )
    return "\n".join(sorted(lines))


def _digest(data: bytes) -> str:
    # As `bramble.store.digest` has it; what is not yet known to be whole cannot be asked.
    sha256 = importlib.import_module("hashlib").sha256(data).digest()
    return str(importlib.import_module("base64").b32encode(sha256[:20]).decode("ascii").lower())


def _damaged(file: str, why: str) -> int:
    sys.stderr.write("error[self.damaged] " + file + ": the file is not as it was made: " + why + "\n")
    sys.stderr.write("  fetch the file again\n")
    return 1
