"""One HTTP/1.1 response as RFC 9112 has it: its head, and where its body ends. Whatever is odd is an error.

`http.client` takes a length that it cannot read for none at all, an early hint for
the answer, and both a length and an encoding for a body; so it is not used here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Callable, Optional

from bramble.record import dataclass

_LINE_LIMIT = 1 << 16  # bytes of one line of a head
_HEAD_LIMIT = 1 << 18  # bytes of a head, and of a trailer
_FIELD_LIMIT = 256  # fields of a head
_INFORMATIONAL_LIMIT = 64  # answers before the answer
_CHUNK_LINE_LIMIT = 4096
_PIECE = 1 << 18
_DIGITS = 18  # of a length: less than 2**63 whatever they are

_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([^\0\r]*))?")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\0\r\n]*)?")


class Malformed(Exception):
    """The server does not speak HTTP/1.1. The message says how."""


class Ended(Exception):
    """The connection ended where the message does not."""


@dataclass(frozen=True)
class Head:
    """The beginning of a response: `fields` have lower-case names, in order."""

    minor: int  # of HTTP/1.x
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Return the values of every field of that name."""
        return [value for key, value in self.fields if key == name]

    def one(self, name: str) -> Optional[str]:
        """Return the value of a field that may occur only once; None if absent. Raises Malformed."""
        values = set(self.all(name))
        if len(values) > 1:
            raise Malformed(f"it has more than one {name}")
        return values.pop() if values else None


class Wire:
    """Bytes that arrive, by lines and by pieces."""

    def __init__(self, receive: Callable[[int], bytes], ahead: int = _PIECE) -> None:
        """`receive` returns at most so many bytes, b"" at the end; `ahead` bytes are read in advance."""
        self._receive = receive
        self._ahead = ahead
        self._held = b""

    def line(self, limit: int) -> bytes:
        """Return the bytes up to the next LF, with it. Raises Ended, and Malformed beyond `limit`."""
        searched = 0
        while True:
            at = self._held.find(b"\n", searched)
            if at >= 0 and at < limit:
                line, self._held = self._held[: at + 1], self._held[at + 1 :]
                return line
            if at >= 0 or len(self._held) >= limit:
                raise Malformed(f"a line of it is longer than {limit} bytes")
            searched = len(self._held)
            more = self._receive(min(self._ahead, 1 << 13))
            if not more:
                raise Ended
            self._held += more

    def piece(self, size: int) -> bytes:
        """Return at least one and at most `size` bytes as they come; none at the end."""
        if not self._held:
            return self._receive(min(size, _PIECE))
        piece, self._held = self._held[:size], self._held[size:]
        return piece

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes. Raises Ended."""
        found = b""
        while len(found) < size:
            more = self.piece(size - len(found))
            if not more:
                raise Ended
            found += more
        return found


def read_head(wire: Wire) -> Head:
    """Return the head of the final answer; informational ones before it are passed over (RFC 9110, 15.2)."""
    # spec: build.fetch.message
    for _ in range(_INFORMATIONAL_LIMIT + 1):
        head = _one_head(wire)
        if head.status == 101:
            raise Malformed("it changes to another protocol, which was not requested")
        if head.status >= 200:
            return head
    raise Malformed(f"it gives more than {_INFORMATIONAL_LIMIT} informational answers")


def _one_head(wire: Wire) -> Head:
    first = _without_end(wire.line(_LINE_LIMIT))
    found = _STATUS_LINE.fullmatch(first)
    if found is None:
        raise Malformed("it does not begin with a status line of HTTP/1.1")
    reason = (found.group(3) or b"").decode("latin-1")
    return Head(int(found.group(1)), int(found.group(2)), reason, _fields(wire))


def _fields(wire: Wire) -> tuple[tuple[str, str], ...]:
    lines: list[bytes] = []
    size = 0
    while True:
        line = wire.line(_LINE_LIMIT)
        size += len(line)
        if size > _HEAD_LIMIT or len(lines) > _FIELD_LIMIT:
            raise Malformed("its head is too long")
        line = _without_end(line)
        if not line:
            break
        if line[:1] in (b" ", b"\t"):
            # obs-fold (RFC 9112, 5.2): a continued line counts as one with a blank in it.
            if not lines:
                raise Malformed("its first field begins with a blank")
            lines[-1] = lines[-1].rstrip(b" \t") + b" " + line.strip(b" \t")
        else:
            lines.append(line)
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or _TOKEN.fullmatch(name) is None:
            raise Malformed("a field of its head cannot be read")
        fields.append((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
    return tuple(fields)


def _without_end(line: bytes) -> bytes:
    line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
    if b"\r" in line or b"\0" in line:
        raise Malformed("there is a control character in its head")
    return line


@dataclass(frozen=True)
class Framing:
    """Where a body ends: after `length` bytes, with its last chunk, or with the connection."""

    length: Optional[int] = None
    chunked: bool = False


def framing(head: Head) -> Framing:
    """Return where the body of this response to GET ends (RFC 9112, 6.3). Raises Malformed."""
    # spec: build.fetch.message
    codings = [word.strip().lower() for value in head.all("transfer-encoding") for word in value.split(",")]
    lengths = {word.strip() for value in head.all("content-length") for word in value.split(",")}
    if codings:
        if lengths:
            raise Malformed("it has both a Content-Length and a Transfer-Encoding")
        if head.minor == 0:
            raise Malformed("it has a Transfer-Encoding, which HTTP/1.0 does not allow")
        if codings != ["chunked"]:
            raise Malformed("it has a Transfer-Encoding that was not requested")
        return Framing(chunked=True)
    if not lengths:
        return Framing(0) if head.status in (204, 304) else Framing()
    if len(lengths) > 1:
        raise Malformed("it has more than one Content-Length")
    return Framing(number(lengths.pop(), "its Content-Length"))


def number(text: str, what: str) -> int:
    """Return a length as a number. Raises Malformed for what is not a number, or larger than any file."""
    if not re.fullmatch(f"[0-9]{{1,{_DIGITS}}}", text):
        raise Malformed(f"{what} is not a valid number")
    return int(text)


def body(wire: Wire, ends: Framing) -> Iterator[bytes]:
    """Yield the body as it comes, to its proven end. Raises Ended if it is cut, and Malformed."""
    if ends.chunked:
        yield from _chunks(wire)
    elif ends.length is None:
        yield from iter(lambda: wire.piece(_PIECE), b"")
    else:
        # Not more than was announced: reading more would wait for the end of the connection.
        yield from _measured(wire, ends.length)


def _measured(wire: Wire, left: int) -> Iterator[bytes]:
    while left:
        piece = wire.piece(min(left, _PIECE))
        if not piece:
            raise Ended
        left -= len(piece)
        yield piece


def _chunks(wire: Wire) -> Iterator[bytes]:
    while True:
        line = wire.line(_CHUNK_LINE_LIMIT)
        found = _CHUNK.fullmatch(line[:-2]) if line.endswith(b"\r\n") else None
        if found is None:
            raise Malformed("the size of a chunk cannot be read")
        size = int(found.group(1), 16)
        if not size:
            break
        yield from _measured(wire, size)
        if wire.exactly(2) != b"\r\n":
            raise Malformed("a chunk is longer than it states")
    _fields(wire)
