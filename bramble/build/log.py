"""What a build writes, kept in a file: byte for byte, however much it is."""

from __future__ import annotations

import contextlib
import os
from typing import Callable, Optional

LOG_SHOWN = 8 << 20  # bytes of a log that travel with an event; the file has all of them


class BuildLog:
    """The log of one build. The file is made with the first byte; one of an earlier build goes away."""

    def __init__(self, path: str, on_data: Callable[[bytes], None]) -> None:
        # spec: build.log
        self._path = path
        self._on_data = on_data
        self._fd = -1
        self._size = 0
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def __enter__(self) -> BuildLog:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def path(self) -> Optional[str]:
        """The file, None when nothing was written."""
        return self._path if self._size else None

    def write(self, data: bytes) -> None:
        """Keep the next bytes, and pass them on."""
        if self._fd < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o644)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(data)
        self._on_data(data)

    def shown(self) -> bytes:
        """Return the log; of a very long one the end, after a line that says so."""
        if self._fd < 0:
            return b""
        start = max(0, self._size - LOG_SHOWN)
        data = os.pread(self._fd, LOG_SHOWN, start)
        if not start:
            return data
        return f"… the first {start} bytes are in {self._path}\n".encode("utf-8", "surrogateescape") + data
