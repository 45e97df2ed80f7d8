"""Signals that end a process, while it has processes of its own that do not get them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Optional

_ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def tidied_up() -> Iterator[None]:
    """Let a signal that would end this process end what is inside the block first, as Ctrl-C does.

    After that it ends the process. Signals that somebody handles, or has this process ignore, are left alone.
    """
    # spec: cli.interrupt
    came: list[int] = []

    def end(number: int, _frame: Optional[FrameType]) -> None:
        came.append(number)
        raise KeyboardInterrupt

    handled = []
    if threading.current_thread() is threading.main_thread():
        handled = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
        if came:
            signal.raise_signal(came[0])
