"""Standard streams of a user: copied between the caller and the sandbox, never handed in.

A sandbox that held the caller's terminal could type into it, read what is
typed next, or change its settings. So it gets a separate terminal, or pipes,
and the caller copies bytes. The caller's terminal is raw meanwhile: keys and
signals mean what the sandbox's terminal makes of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import termios
import tty

from bramble.errors import BrambleError
from bramble.sandbox.start import NULL_DEVICE, null_device

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any, Optional

    Handler = Callable[[int, Optional[FrameType]], None]
else:
    # See `helper`.
    import _signal as signal

CHUNK = 1 << 16
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


class Flow:
    """Bytes on their way from one descriptor to another.

    `own_sink`: the sink is ours to close at the end and never to wait for.
    """

    def __init__(self, source: int, sink: int, *, own_sink: bool) -> None:
        self.source = source
        self.sink = sink
        self.own_sink = own_sink
        self.waiting = b""
        self.open = True
        self.failed: Optional[OSError] = None  # why a file could not be written
        self.handed = -1  # for a file that is read: a copy of the program's end of the pipe
        if own_sink:
            os.set_blocking(sink, False)

    def wants(self) -> tuple[int, int]:
        """Return the descriptor to wait for, and the event: writable while bytes wait, else readable."""
        return (self.sink, select.POLLOUT) if self.waiting else (self.source, select.POLLIN)

    def move(self) -> None:
        """Move some bytes after the descriptor that was waited for is ready."""
        try:
            if not self.waiting:
                self.waiting = os.read(self.source, CHUNK)
                if not self.waiting:
                    self.close()
                    return
            written = os.write(self.sink, self.waiting)
            self.waiting = self.waiting[written:]
        except BlockingIOError:
            return
        except OSError as error:
            # EIO: the other side of a terminal is closed. EPIPE: nobody reads any more.
            if not self.own_sink and is_file(self.sink):
                self.failed = error
                # The program hears of it as of a reader that has gone.
                null = null_device()
                os.dup2(null, self.source, inheritable=False)
                os.close(null)
            self.close()

    def drain(self) -> None:
        """Move what is there without waiting for more."""
        while self.open:
            fd, event = self.wants()
            poll = select.poll()
            poll.register(fd, event)
            if not self.waiting and not poll.poll(0):
                return
            self.move()

    def give_back(self) -> None:
        """Leave what the program has not read of a file to the next reader of it."""
        if self.handed >= 0:
            left = int.from_bytes(fcntl.ioctl(self.handed, termios.FIONREAD, bytes(4)), "little")
            os.lseek(self.source, -left - len(self.waiting), os.SEEK_CUR)

    def close(self) -> None:
        """Stop; the program sees the end of its input."""
        if self.open and self.own_sink:
            os.close(self.sink)
        self.open = False


def is_file(fd: int) -> bool:
    """Return whether a descriptor is a regular file."""
    return stat.S_ISREG(os.fstat(fd).st_mode)


def plain(fd: int, pipes: int) -> bool:
    """Return whether a caller's descriptor may be handed in: a pipe without a name, or the null device.

    `pipes` is the device of the kernel's file system for such pipes. Through the descriptor of
    what has a name its mode, owner, times and length could be changed, and other parts be read.
    """
    status = os.fstat(fd)
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == NULL_DEVICE
    return stat.S_ISFIFO(status.st_mode) and status.st_dev == pipes


def unwritten(number: int, error: OSError) -> BrambleError:
    """Return the error for a standard stream that could not be written."""
    return BrambleError(
        "sandbox.stream",
        f"standard stream {number} cannot be written: {error.strerror}",
        remedy="free disk space there, or redirect it to another file",
    )


def check(fd: int) -> None:
    """Raise sandbox.stream for a descriptor that would be a way out: a directory or a block device."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode) or stat.S_ISBLK(mode):
        raise BrambleError(
            "sandbox.stream",
            f"standard stream {fd} is a directory or a block device",
            remedy="redirect it from or to a file, a pipe or /dev/null",
        )


def require(fd: int) -> None:
    """Raise sandbox.no-terminal unless `fd` is a terminal."""
    if not os.isatty(fd):
        raise BrambleError(
            "sandbox.no-terminal",
            "standard input is not a terminal, but a terminal is needed",
            remedy="run it from a terminal, without redirecting its input",
        )


@contextlib.contextmanager
def raw(fd: int) -> Iterator[None]:
    """Make a terminal raw; restore it however the block is left. (If we are killed, the helper does.)"""
    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def window(fd: int) -> bytes:
    """Return the size of a terminal's window, as `struct winsize`."""
    return fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8))


def copy_size(outer: int, inner: int) -> None:
    """Give the terminal `inner` the window size of `outer`."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(inner, termios.TIOCSWINSZ, window(outer))


@contextlib.contextmanager
def handling(handlers: dict[int, Handler]) -> Iterator[None]:
    """Handle signals inside the block; only the main thread may, and elsewhere nothing is changed."""
    before: dict[int, Any] = {}
    try:
        for number, handler in handlers.items():
            try:
                before[number] = signal.signal(number, handler)
            except ValueError:
                break  # in another thread
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
