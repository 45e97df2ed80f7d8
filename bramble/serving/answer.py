"""What a server answers: a status, fields, and a body that is there, in a file, or to come. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.utils import formatdate, parsedate_to_datetime
from typing import Callable, Optional, Union

from bramble.record import NamedTuple
from bramble.serving.request import Request, byte_range

REASONS = {
    100: "Continue",
    200: "OK",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    303: "See Other",
    304: "Not Modified",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
_NO_BODY = (204, 304)


class Stored(NamedTuple):
    """A part of an open file. The sender closes the descriptor."""

    fd: int
    start: int
    end: int


class Coming(NamedTuple):
    """A body whose length is not known: pieces until there are none; an empty one asks who still listens."""

    pieces: Iterator[bytes]
    close: Callable[[], None]  # called when no more will be asked for


Body = Union[bytes, Stored, Coming]
Fields = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    """One answer. Content-Length, Date and Connection are added when it is sent."""

    status: int
    fields: Fields
    body: Body = b""


class Version(NamedTuple):
    """What tells two contents of one file apart: see `stat`."""

    size: int
    changed: int  # nanoseconds since 1970
    number: int  # of the inode

    @property
    def tag(self) -> str:
        """The strong entity tag (RFC 9110, 8.8.3): files are replaced by others, or grow."""
        return f'"{self.size:x}-{self.changed:x}-{self.number:x}"'


def of_file(request: Request, fd: int, version: Version, fields: Fields) -> Answer:
    """Return the answer to GET or HEAD of a file that is open as `fd`: all of it, a part, or not modified.

    Raises Refused for a part that is not there; then the caller closes `fd`.
    """
    # spec: registry.http.conditional
    seconds = version.changed // 10**9
    known = [
        *fields,
        ("ETag", version.tag),
        ("Last-Modified", formatdate(seconds, usegmt=True)),
        ("Accept-Ranges", "bytes"),
    ]
    if _not_modified(request.fields, version.tag, seconds):
        return Answer(304, known, Stored(fd, 0, 0))
    condition = request.fields.get("if-range")
    whole = condition is not None and condition != version.tag
    part = None if whole else byte_range(request.fields.get("range"), version.size)
    if part is None:
        return Answer(200, known, Stored(fd, 0, version.size))
    known.append(("Content-Range", f"bytes {part[0]}-{part[1] - 1}/{version.size}"))
    return Answer(206, known, Stored(fd, *part))


def _not_modified(fields: Mapping[str, str], tag: str, changed: int) -> bool:
    """Return whether the client has what is there (RFC 9110, 13.2.2)."""
    named = fields.get("if-none-match")
    if named is not None:
        tags = [one.strip() for one in named.split(",")]
        return "*" in tags or tag in [one[2:] if one.startswith("W/") else one for one in tags]
    since = _date(fields.get("if-modified-since"))
    return since is not None and changed <= since


def _date(text: Optional[str]) -> Optional[float]:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def head_bytes(answer: Answer, length: Optional[int], now: float, stays: bool) -> bytes:
    """Return the head of an answer as it is sent; `length` None: the body comes in chunks, or to the end."""
    lines = [f"HTTP/1.1 {answer.status} {REASONS[answer.status]}", f"Date: {formatdate(now, usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in answer.fields]
    if length is not None and answer.status not in _NO_BODY:
        lines.append(f"Content-Length: {length}")
    elif length is None and stays:
        lines.append("Transfer-Encoding: chunked")
    if not stays:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def has_body(answer: Answer, method: str) -> bool:
    """Return whether a body follows the head (RFC 9110, 6.4.1)."""
    return method != "HEAD" and answer.status not in _NO_BODY
