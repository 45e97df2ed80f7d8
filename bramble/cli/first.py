"""The first module of every command: what can be answered before the others are loaded.

These are the version, which programs may ask for often, and the error that this Python lacks a required
module.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module

from bramble import __version__
from bramble.interpreter import lacking_module, missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from sys import UnraisableHookArgs
else:
    # What `signal` is made of, without the enumerations, which take long to load.
    import _signal as signal

SUCCESS, FAILURE, INTERRUPTED = 0, 1, 130
_SOON = 0.001  # seconds


def main(words: list[str], *, ends: bool = False) -> int:
    """Run this process's command line and return the exit status (spec: cli.exit-status).

    With `ends` this process is going to do nothing else and ends here, since to take the interpreter apart
    takes longer than many an answer.

    Ctrl-C waits until the verb's modules are there, and where Python drops an interruption it comes again.
    """
    if words in (["--version"], ["-V"]) and _version_written():
        return SUCCESS
    hook = sys.unraisablehook
    sys.unraisablehook = _interrupt_again
    try:
        status = _run(words)
        return _ended(status) if ends else status
    finally:
        sys.unraisablehook = hook


def _run(words: list[str]) -> int:
    """Run a command line, the short way if it can be answered again, and return the exit status."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        status = import_module("bramble.cli.invocation").answered(words, os.environ)
        if status is not None:
            return int(status)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        module = import_module("bramble.cli.main")
    except KeyboardInterrupt:
        # Nothing but a look at some files was under way.
        return say_interrupted()
    except ImportError as fault:
        lacking = lacking_module(fault)
        if lacking is None:
            raise
        # spec: cli.python
        code, fact, remedy = missing(lacking)
        print(f"error[{code}]: {fact}\n  {remedy}", file=sys.stderr)
        return FAILURE
    return int(module.main(words))


def _interrupt_again(dropped: UnraisableHookArgs) -> None:
    """Let an interruption that Python dropped come again.

    What is raised while Python tidies up (a callback of a weak reference, as each import has one, or a
    `__del__`) is dropped there, and the command would go on as if nobody had pressed Ctrl-C.
    """
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
    elif dropped.exc_type is KeyboardInterrupt:
        # A bound on time, which is derived from it, comes again by itself. Not now: this hook is called by
        # what drops the interruption, and would drop it once more.
        signal.signal(signal.SIGALRM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, _SOON)


def say_interrupted() -> int:
    """Say that the command was interrupted, and return the exit status."""
    # spec: cli.interrupt
    # Not through the stream of Python: this may be said in the middle of a write.
    with import_module("contextlib").suppress(OSError):
        os.write(2, b"interrupted\n")
    return INTERRUPTED


def _ended(status: int) -> int:
    """End the process, without giving back what the system takes anyhow.

    What Python does at an end that can be noticed is done before: waiting for threads, what is registered to
    be done, and writing what is left to be written; where that cannot be, Python says so.
    """
    for module, name in (("threading", "_shutdown"), ("atexit", "_run_exitfuncs")):
        if module in sys.modules:
            getattr(sys.modules[module], name)()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            return status
    os._exit(status)


def _version_written() -> bool:
    """Write the version; return False if that cannot be done, which the longer way has words for."""
    if sys.stdout is None:
        return False
    line = f"bramble {__version__}\n".encode()
    try:
        return io.FileIO(1, "w", closefd=False).write(line) == len(line)
    except OSError:
        return False
