"""A long list of numbers that goes to a temporary file when it no longer fits in little memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from typing import Optional

from bramble.store.files.small import unique

_ITEM = array("Q").itemsize
# 4 MiB of numbers; an output would have to hold half a million references to itself.
IN_MEMORY = 1 << 19


class Spool:
    """Numbers from 0 to 2^64 - 1, appended one by one and read back in order, any number of times.

    `directory` is where the temporary file is made if there are more than
    `limit` numbers; the file has no name there once it is open.
    """

    def __init__(self, directory: str, limit: int = IN_MEMORY) -> None:
        self._directory = directory
        self._limit = limit
        self._numbers = array("Q")
        self._file: Optional[int] = None
        self._spilled = 0

    def append(self, number: int) -> None:
        """Add a number at the end."""
        self._numbers.append(number)
        if len(self._numbers) >= self._limit:
            self._spill()

    def __len__(self) -> int:
        return self._spilled + len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        if self._file is not None:
            at = 0
            while at < self._spilled:
                data = os.pread(self._file, min(self._spilled - at, 8192) * _ITEM, at * _ITEM)
                block = array("Q")
                block.frombytes(data)
                at += len(block)
                yield from block
        yield from self._numbers

    def close(self) -> None:
        """Give up the temporary file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _spill(self) -> None:
        if self._file is None:
            path = os.path.join(self._directory, f"spool-{unique()}")
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.unlink(path)
        data = memoryview(self._numbers).cast("B")
        offset = self._spilled * _ITEM
        while data:
            count = os.pwrite(self._file, data, offset)
            data = data[count:]
            offset += count
        self._spilled += len(self._numbers)
        self._numbers = array("Q")
