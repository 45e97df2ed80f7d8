"""How long a download may go on: as long as it was given, and as long as it gets anywhere."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Callable, Optional

from bramble.build.fetch.connect import POLL, Passing
from bramble.build.options import FetchOptions
from bramble.build.task import Cancelled
from bramble.errors import BrambleError


class Patience:
    """Ends a transfer that was cancelled, that takes too long in all, or that only trickles.

    `url` is for messages, `received` says how many bytes have come. The time
    runs from now on, through all attempts.
    """

    def __init__(
        self, url: str, options: FetchOptions, cancelled: threading.Event, received: Callable[[], int]
    ) -> None:
        self._url = url
        self._options = options
        self._cancelled = cancelled
        self._received = received
        self._until = None if options.seconds is None else time.monotonic() + options.seconds
        self._slow = False

    @property
    def timeout(self) -> float:
        """For how many seconds to wait for the next byte."""
        if self._until is None:
            return self._options.timeout
        # A socket without any time left would not wait at all, and fail in another way.
        return min(self._options.timeout, max(self._until - time.monotonic(), POLL))

    def check(self) -> None:
        """Raise what ends the transfer, if it has to end: Cancelled, fetch.timeout, Passing if it is slow."""
        # spec: build.fetch.patience
        if self._cancelled.is_set():
            raise Cancelled
        if self._is_over():
            raise self._too_long(None)
        if self._slow:
            self._slow = False
            raise Passing(
                BrambleError(
                    "fetch.timeout",
                    f"{self._url} sends less than {self._options.slowest} bytes a second",
                    remedy="try again later, or give a local copy in the mirror table",
                )
            )

    def pause(self, seconds: float, failure: BrambleError) -> None:
        """Wait before the next attempt. Raises Cancelled, and fetch.timeout if no time is left for one."""
        if self._until is not None and time.monotonic() + seconds >= self._until:
            raise self._too_long(failure)
        if self._cancelled.wait(seconds):
            raise Cancelled

    @contextlib.contextmanager
    def watching(self, sock: socket.socket) -> Iterator[None]:
        """While a thread waits for the connection, shut it down when the transfer has to end: see `check`."""
        over = threading.Event()
        # TLS takes the descriptor over; this one stays ours.
        own = sock.dup()

        def watch() -> None:
            since, then = time.monotonic(), self._received()
            while not over.wait(POLL):
                now, received = time.monotonic(), self._received()
                if now - since >= self._options.patience:
                    self._slow = 0 <= received - then < self._options.slowest * (now - since)
                    since, then = now, received
                if self._cancelled.is_set() or self._is_over() or self._slow:
                    with contextlib.suppress(OSError):
                        own.shutdown(socket.SHUT_RDWR)
                    return

        watcher = threading.Thread(target=watch, name="transfer-watch", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            own.close()

    def _is_over(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _too_long(self, failure: Optional[BrambleError]) -> BrambleError:
        before = f"; before that, {failure.message}" if failure is not None else ""
        return BrambleError(
            "fetch.timeout",
            f"{self._url} took longer than the {self._options.seconds:g} seconds that it was given{before}",
            remedy="give it longer (--timeout), or a local copy in the mirror table",
        )
