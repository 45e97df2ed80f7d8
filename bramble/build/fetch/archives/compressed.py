"""The bytes inside a file that is compressed with gzip, bzip2 or xz, with every Python the same.

Python's own file classes differ from the formats: they pass over what follows a bzip2 or xz stream, take
the padding that xz allows for damage, and let a header say how much memory is used.
"""

from __future__ import annotations

from typing import IO, Any, Callable

from bramble.build.fetch.archives.decoders import LZMA_DAMAGE, ZLIB_DAMAGE, decoder
from bramble.build.fetch.archives.tar import TarBroken, TarUnsupported

_DAMAGE: tuple[type[Exception], ...] = (*ZLIB_DAMAGE, ValueError, OSError, EOFError)
_DECODERS = {"gz": "zlib", "bz2": "bz2", "xz": "lzma"}
_PIECE = 1 << 16
_MEMORY_LIMIT = 1 << 30  # bytes that an xz stream may ask for; `xz -9` asks for 65 MiB


class Decompressed:
    """What a compressed file holds, to be read from its beginning to its end."""

    def __init__(self, file: IO[bytes], kind: str) -> None:
        """`kind` is "gz", "bz2" or "xz". Raises cli.missing-module if this Python cannot do it."""
        # spec: build.unpack.compressed
        self._file = file
        self._kind = kind
        self._begin = _beginner(kind)
        self._stream = self._begin()
        self._held = b""  # compressed, not yet used
        self._ended = False  # all streams

    def read(self, size: int) -> bytes:
        """Return at least one and at most `size` bytes; none at the end. Raises TarBroken, TarUnsupported."""
        while not self._ended:
            if self._stream.eof:
                self._next_stream()
                continue
            wants = self._kind == "gz" or self._stream.needs_input
            if wants and not self._held:
                self._held = self._file.read(_PIECE)
                if not self._held:
                    raise TarBroken("its compressed stream ends too early")
            piece = self._piece(size)
            if piece:
                return piece
        return b""

    def _piece(self, size: int) -> bytes:
        held, self._held = self._held, b""
        try:
            piece: bytes = self._stream.decompress(held, size)
        except _DAMAGE as error:
            raise TarBroken(str(error)) from error
        except LZMA_DAMAGE as error:
            if "limit" in str(error):
                raise TarUnsupported("it asks for more than a gibibyte of memory") from error
            raise TarBroken(str(error)) from error
        if self._kind == "xz" and not _can_check(self._stream.check):
            raise TarUnsupported("the checksum of its compressed stream is of an unknown kind")
        if self._stream.eof:
            self._held = self._stream.unused_data
        elif self._kind == "gz":
            self._held = self._stream.unconsumed_tail
        return piece

    def _next_stream(self) -> None:
        """Go on behind a stream that has ended: with another, with padding, or with nothing."""
        padding = 0
        while True:
            if not self._held:
                self._held = self._file.read(_PIECE)
            stripped = self._held.lstrip(b"\0") if self._kind != "bz2" else self._held
            padding += len(self._held) - len(stripped)
            at_end = not self._held
            self._held = stripped
            if at_end or stripped:
                break
        # XZ file format, 2.2: zeros in fours. gzip(1) passes over zeros at the end, as tapes have them.
        if self._kind == "xz" and padding % 4:
            raise TarBroken("the padding of its compressed stream is not in fours")
        if not self._held:
            self._ended = True
            return
        if self._kind == "gz" and padding:
            raise TarBroken("something follows its compressed stream")
        self._stream = self._begin()


def _can_check(check: int) -> bool:
    """Return whether a checksum of xz is compared here: liblzma passes over those that it does not know."""
    lzma = decoder("lzma")
    return bool(check == lzma.CHECK_UNKNOWN or lzma.is_check_supported(check))


def _beginner(kind: str) -> Callable[[], Any]:
    module = decoder(_DECODERS[kind])
    if kind == "gz":
        return lambda: module.decompressobj(16 + module.MAX_WBITS)
    if kind == "bz2":
        return lambda: module.BZ2Decompressor()
    return lambda: module.LZMADecompressor(module.FORMAT_XZ, memlimit=_MEMORY_LIMIT)
