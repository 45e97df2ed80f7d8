"""What a client asks for: the head of an HTTP/1.1 request, read strictly. Pure.

Two readers of one request must not differ in where it ends, else a proxy in front of this server and the
server itself can be made to see different requests. So whatever is odd is refused, and the connection is
closed (RFC 9112, 11.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Optional

from bramble.record import NamedTuple

LONGEST_HEAD = 16 << 10  # bytes, the line of the request and all fields
_LONGEST_TARGET = 4096
_MOST_FIELDS = 64
_MOST_PARAMETERS = 16
END_OF_HEAD = b"\r\n\r\n"

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\0\r\n]*)")
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_LENGTH = re.compile(r"[0-9]{1,15}")


class Refused(Exception):
    """A request that is not answered as it stands: the status, and what is wrong, for people."""

    def __init__(self, status: int, fact: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(fact)
        self.status, self.fact, self.fields = status, fact, tuple(fields)


class Request(NamedTuple):
    """One request. `path` are the parts between slashes, decoded: none is empty but the last one."""

    method: str
    path: tuple[str, ...]  # ("",) for the root
    parameters: Mapping[str, str]  # of the query, the first of each name
    fields: Mapping[str, str]  # by lower-case name; several of one name are joined with ", "
    minor: int  # of HTTP/1.x
    length: int = 0  # bytes of the body
    body: bytes = b""
    client: str = ""  # the address that it comes from

    @property
    def keeps_alive(self) -> bool:
        """Return whether the client will use the connection again (RFC 9112, 9.3)."""
        said = [word.strip().lower() for word in self.fields.get("connection", "").split(",")]
        return self.minor == 1 and "close" not in said

    def prefers(self, kind: str, over: str) -> bool:
        """Return whether the client would rather have a media type than another (RFC 9110, 12.5.1)."""
        return _quality(self.fields.get("accept", ""), kind) > _quality(self.fields.get("accept", ""), over)


def read_request(head: bytes, client: str = "") -> Request:
    """Return the request with this head, which ends before the empty line. Raises Refused."""
    # spec: registry.http.message
    lines = head.split(b"\r\n")
    found = _LINE.fullmatch(lines[0])
    if found is None:
        version = re.fullmatch(rb"[^ ]+ [^ ]+ HTTP/[0-9.]+", lines[0])
        raise Refused(505 if version else 400, "the request does not begin with a line of HTTP/1.1")
    if len(found[2]) > _LONGEST_TARGET:
        raise Refused(414, f"the address is longer than {_LONGEST_TARGET} bytes")
    minor = int(found[3])
    fields = _fields(lines[1:])
    if minor == 1 and "host" not in fields:
        raise Refused(400, "there is no field Host")
    path, parameters = _target(found[2].decode("ascii"))
    return Request(found[1].decode("ascii"), path, parameters, fields, minor, _length(fields), b"", client)


def _fields(lines: Sequence[bytes]) -> dict[str, str]:
    if len(lines) > _MOST_FIELDS:
        raise Refused(431, f"there are more than {_MOST_FIELDS} fields")
    fields: dict[str, str] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise Refused(400, "a field of the request cannot be read")
        name, value = found[1].decode("ascii").lower(), found[2].rstrip(b" \t").decode("latin-1")
        if name in fields and name in ("host", "content-length", "authorization", "range"):
            raise Refused(400, f"there is more than one field {name}")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _length(fields: Mapping[str, str]) -> int:
    if "transfer-encoding" in fields:
        raise Refused(411, "a body is sent with its Content-Length")
    text = fields.get("content-length", "0")
    if not _LENGTH.fullmatch(text):
        raise Refused(400, "the Content-Length is not a number")
    return int(text)


def _target(text: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the parts of the path, and the parameters, of the target of a request (RFC 9112, 3.2)."""
    absolute = _ABSOLUTE.match(text)
    if absolute:
        text = text[absolute.end() :] or "/"
    path, _, query = text.partition("?")
    if not path.startswith("/") or "#" in text:
        raise Refused(400, "the address does not begin with a slash")
    parts = tuple(_decoded(part, "path") for part in path[1:].split("/"))
    # spec: registry.http.paths
    if any(part in (".", "..") or "/" in part for part in parts) or "" in parts[:-1]:
        raise Refused(404, "there is nothing at this address")
    parameters: dict[str, str] = {}
    for one in query.split("&") if query else ():
        name, _, value = one.partition("=")
        parameters.setdefault(_decoded(name, "query"), _decoded(value.replace("+", " "), "query"))
        if len(parameters) > _MOST_PARAMETERS:
            raise Refused(400, f"there are more than {_MOST_PARAMETERS} parameters")
    return parts, parameters


def _decoded(text: str, where: str) -> str:
    """Return text with its percent escapes as what they mean, once (RFC 3986, 2.1)."""
    if "%" not in text:
        return text
    if _ESCAPE.sub(b"", text.encode("ascii")).count(b"%"):
        raise Refused(400, f"the {where} has a % that escapes nothing")
    data = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode("ascii"))
    try:
        decoded = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, f"the {where} is not UTF-8") from None
    if any(char < " " or char == "\x7f" for char in decoded):
        raise Refused(400, f"the {where} has a control character")
    return decoded


def _quality(accepted: str, kind: str) -> float:
    """Return the preference of a client for a media type, 0 to 1: by the range that names it best."""
    best, quality = -1, 0.0
    for one in (accepted or "*/*").lower().split(",")[:32]:
        words = [word.strip() for word in one.split(";")]
        fits = {kind: 2, kind.partition("/")[0] + "/*": 1, "*/*": 0}.get(words[0], -1)
        if fits > best:
            given = next((word[2:] for word in words[1:] if word.startswith("q=")), "1")
            best = fits
            quality = float(given) if re.fullmatch(r"[01](\.[0-9]{0,3})?", given) else 0.0
    return quality


def byte_range(text: Optional[str], size: int) -> Optional[tuple[int, int]]:
    """Return the part of `size` bytes that a field Range asks for: its first byte, and the one behind it.

    None if all is meant: no field, another unit, several parts (RFC 9110, 14.2 lets a server ignore it).
    Raises Refused 416 where no byte is there.
    """
    # spec: registry.http.ranges
    found = re.fullmatch(r"bytes=([0-9]{0,15})-([0-9]{0,15})", (text or "").strip())
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        first, last = int(found[1]), int(found[2]) if found[2] else size - 1
        if found[2] and last < first:
            return None
    else:
        first, last = max(size - int(found[2]), 0), size - 1
    if first >= size or (not found[1] and not int(found[2])):
        raise Refused(416, "there are no such bytes", [("Content-Range", f"bytes */{size}")])
    return first, min(last, size - 1) + 1
