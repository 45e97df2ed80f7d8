"""Starts the helper with few imports, so that it starts while its caller loads the rest."""

from __future__ import annotations

import _socket
import fcntl
import os
import stat
import sys
from importlib import import_module

import bramble

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    # See `helper`.
    import _signal as signal

CONTROL = 3
FIRST_OF_OURS = 10  # descriptors below are in the way of those that the helper finds
BOOTSTRAP = "import sys;sys.path.append(sys.argv.pop(1));from bramble.sandbox import helper;helper.main()"
NULL_DEVICE = os.makedev(1, 3)


class Started:
    """A helper process: the socket to it, a pipe with what it says when it dies, and its number."""

    def __init__(self, control: _socket.socket, complaints: int, pid: int) -> None:
        self.control = control
        self.complaints = complaints
        self.pid = pid

    def close(self) -> None:
        """End it, with every sandbox of it, and wait until it is gone."""
        if self.pid:
            self.control.close()
            try:  # noqa: SIM105 (contextlib is not loaded yet)
                os.waitpid(self.pid, 0)
            except ChildProcessError:
                pass
            self.pid = 0
            os.close(self.complaints)


def helper(python: str) -> Started:
    """Start a helper. Raises OSError, ValueError if it is not known how, and sandbox.unavailable."""
    null = null_device()
    try:
        control, end = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        complaints, complain = os.pipe()
        try:
            os.set_blocking(complaints, False)
            pid = spawn(python, ((null, 0), (null, 1), (complain, 2), (end.fileno(), CONTROL)))
        except BaseException:
            control.close()
            os.close(complaints)
            raise
        finally:
            end.close()
            os.close(complain)
    finally:
        os.close(null)
    return Started(control, complaints, pid)


def spawn(python: str, streams: tuple[tuple[int, int], ...]) -> int:
    """Start the helper with the descriptors (ours, its) and no environment of ours; return its pid."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(bramble.__file__)))
    flags = ["-B"] if sys.dont_write_bytecode else []
    if sys.pycache_prefix:
        flags += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    actions = [(os.POSIX_SPAWN_DUP2, above(fd), number) for fd, number in streams]
    try:
        return os.posix_spawn(
            python,
            [python, "-I", "-S", *flags, "-c", BOOTSTRAP, root],
            loader_environment(read("/proc/self/maps")),
            file_actions=actions,
            # It is in our process group until it has a separate session: keys of the terminal are not for it.
            setsigmask=signal.valid_signals(),
        )
    finally:
        for _, fd, _ in actions:
            os.close(fd)


def loader_environment(maps: str) -> dict[str, str]:
    """Return the variables with which the loader finds the library of a Python; empty if it has none.

    Some distributions tell the loader by LD_LIBRARY_PATH, which the helper
    would lack. `maps` is our own proc_pid_maps(5).
    """
    for line in maps.splitlines():
        path = line.partition("/")[2]
        if path.rpartition("/")[2].startswith("libpython3"):
            return {"LD_LIBRARY_PATH": "/" + path.rpartition("/")[0]}
    return {}


def above(fd: int) -> int:
    """Return a copy of a descriptor with a number that the helper does not use."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_OF_OURS)


def null_device() -> int:
    """Open the null device. Raises sandbox.unavailable if another file has its path."""
    # spec: sandbox.devices.checked
    fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    status = os.fstat(fd)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != NULL_DEVICE:
        os.close(fd)
        refusals = import_module("bramble.sandbox.refusals")
        raise refusals.wrong_device(os.devnull, (os.major(NULL_DEVICE), os.minor(NULL_DEVICE)))
    return fd


def read(path: str) -> str:
    """Return a file of /proc as text, empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
