"""A command from its start to its end: what it prints, how long it takes, and the signals that it gets."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Optional

AFTER_SIGNALS = 15.0  # seconds in which a command ends that has got all signals that were for it
LAST_WORDS = 10.0  # seconds in which all that is left of a killed command ends
# Python itself ignores these, and does not let new programs ignore them.
_BROKEN_OUTPUT = (signal.SIGPIPE, signal.SIGXFSZ)
_TICK = 0.01  # seconds between two looks at what a signal waits for


@dataclass(frozen=True)
class Signal:
    """A signal for a command, and whether it is time for it, by what the command has printed so far."""

    number: int
    due: Callable[[bytes, bytes], bool]


def follow(
    process: int, texts: Mapping[int, bytearray], deadline: float, signals: Optional[list[Signal]] = None
) -> bool:
    """Read what a process prints until all descriptors are at their end, or until the deadline; tell which.

    `texts` has what is read from standard output and from standard error, in this order. Each of the
    `signals` is sent when it is due and those before it have been sent; it is then removed from the list.
    When the last one has been sent, the deadline comes earlier.
    """
    # spec: conformance.verbs.signal
    waiting = [] if signals is None else signals
    with selectors.DefaultSelector() as reading:
        for end in texts:
            reading.register(end, selectors.EVENT_READ)
        while reading.get_map():
            left = deadline - time.monotonic()
            ready = reading.select(max(0.0, min(left, _TICK) if waiting else left))
            if not ready and left <= 0:
                return False
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                texts[key.fd] += data
                if not data:
                    reading.unregister(key.fd)
            # What has come to its end gets no signal.
            while waiting and reading.get_map() and waiting[0].due(*map(bytes, texts.values())):
                send(process, waiting.pop(0).number)
                if not waiting:
                    deadline = min(deadline, time.monotonic() + AFTER_SIGNALS)
    return True


def ignore_nothing() -> None:
    """Let programs that this one starts get every signal, whichever it was started to ignore itself.

    A shell that starts something in the background, and nohup(1), have it ignore some. One that is handled
    has its default action in a new program.
    """
    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals():
            if signal.getsignal(number) is signal.SIG_IGN and number not in _BROKEN_OUTPUT:
                signal.signal(number, lambda number, frame: None)


def send(process: int, number: int) -> None:
    """Send a signal to a process; one that has just ended needs none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def kill_group(leader: int) -> None:
    """Kill what there is of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
