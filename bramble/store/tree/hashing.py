"""SHA-256 in a separate thread, beside the thread that reads and searches.

hashlib gives up the interpreter lock while it works on more than 2047 bytes, so
two threads use two cores: one reads a block and looks for names in it while
the other hashes the block before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from queue import Queue
from threading import Thread
from typing import Optional, Union

Data = Union[bytes, bytearray]

# Blocks that wait for the thread; with blocks of 1 MiB this is what bounds the memory.
_WAITING = 4
# A thread costs more than it gains below this many bytes.
_WORTH_A_THREAD = 2 << 20


class ParallelHash:
    """A SHA-256 that is computed elsewhere. `digest` waits for it; `close` ends the thread at any time."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._queue: Queue[Optional[Data]] = Queue(_WAITING)
        self._thread: Optional[Thread] = None

    def update(self, data: Data) -> None:
        """Hash `data`, which must not change afterwards."""
        self._size += len(data)
        if self._thread is None:
            if self._size < _WORTH_A_THREAD:
                self._sha256.update(data)
                return
            self._thread = Thread(target=_work, args=(self._queue, self._sha256.update), daemon=True)
            self._thread.start()
        self._queue.put(data)

    def digest(self) -> bytes:
        """Return the SHA-256 of all that was handed over."""
        self.close()
        return self._sha256.digest()

    def close(self) -> None:
        """End the thread, after what it has been given."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None


def _work(queue: Queue[Optional[Data]], update: Callable[[Data], None]) -> None:
    while True:
        data = queue.get()
        if data is None:
            return
        update(data)
