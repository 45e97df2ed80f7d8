"""URLs: what can be fetched, how one leads to another, and which belong to one server. Pure."""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import Optional
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from bramble.build.fetch.discretion import redact
from bramble.errors import BrambleError

PORTS = {"http": 80, "https": 443}
SCHEMES = ("http", "https", "file")
_KEEP = "%/:=&?~#+!$,;'@()*[]"  # characters that quoting leaves as they are (RFC 3986)
_HOST_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|[^:\[\]]*)(?::[0-9]{0,5})?")
# RFC 3986, appendix B.
_REFERENCE = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)


class NoUrl(Exception):
    """Something is not a URL that can be fetched. The message says why."""


def parse_url(url: str) -> SplitResult:
    """Return the parts of `url`, quoted as they travel. Raises fetch.url."""
    try:
        return parts_of(url)
    except NoUrl as error:
        raise BrambleError(
            "fetch.url",
            f'"{redact(url)}" cannot be fetched: {error}',
            remedy="write an http, https or file URL, such as https://example.com/name.tar.gz; for a file of "
            "the project let [mirror] in bramble.toml answer such a URL (bramble help environment)",
        ) from None


def parts_of(url: str) -> SplitResult:
    """Return the parts of `url`, quoted as they travel. Raises NoUrl."""
    # spec: build.fetch.transfer
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in url):
        raise NoUrl("there is a control character in it")
    try:
        parts = urlsplit(url)
        if parts.scheme != "file":
            is_bracketed(parts.netloc)
        port = parts.port
    except ValueError:
        raise NoUrl("its host or its port cannot be read") from None
    if parts.scheme not in SCHEMES:
        raise NoUrl(
            f'the scheme is "{parts.scheme}"' if parts.scheme else "it has no scheme, such as https://"
        )
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise NoUrl("a file URL has an absolute path of this machine")
        if "\0" in unquote(parts.path):
            raise NoUrl("there is a NUL in its path")
        return parts
    host = parts.hostname or ""
    if not host:
        raise NoUrl("it has no host")
    if not host.isascii():
        raise NoUrl("its host has to be written in ASCII (xn--…)")
    if port == 0:
        raise NoUrl("it has the port 0")
    bracketed = is_bracketed(parts.netloc)
    labels = (host[:-1] if host.endswith(".") else host).split(".")
    if not bracketed and not all(re.fullmatch(r"[A-Za-z0-9_~!$&'()*+,;=-]{1,63}", label) for label in labels):
        raise NoUrl("its host is not a valid name")
    return parts._replace(path=quote(parts.path, safe=_KEEP), query=quote(parts.query, safe=_KEEP))


def without_user(parts: SplitResult) -> tuple[SplitResult, Optional[str]]:
    """Return the URL without a name and password, and these as a header's value."""
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return parts, None
    return parts._replace(netloc=host), basic(name_and_password(user))


def is_bracketed(netloc: str) -> bool:
    """Return whether the host of an authority is an IPv6 address. Raises ValueError if it cannot be read.

    Versions of Python differ in what they take for a port and for an address (RFC 3986, 3.2).
    """
    found = _HOST_AND_PORT.fullmatch(netloc.rpartition("@")[2])
    if found is None:
        raise ValueError("neither a host nor a host and a port")
    if found.group(1) is not None:
        ipaddress.IPv6Address(found.group(1))
    return found.group(1) is not None


def name_and_password(user: str) -> str:
    """Return the decoded user information of a URL, with a colon; bytes that are not UTF-8 are kept."""
    return unquote(user if ":" in user else user + ":", errors="surrogateescape")


def basic(credentials: str) -> str:
    """Return `NAME:PASSWORD` as the value of a header (RFC 7617)."""
    return "Basic " + base64.b64encode(credentials.encode("utf-8", "surrogateescape")).decode()


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Return scheme, host and port: what credentials are given to (RFC 6454)."""
    return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS[parts.scheme]


def resolve(base: SplitResult, location: str) -> SplitResult:
    """Return where a Location leads from `base`, without a name, a password or a fragment. Raises NoUrl.

    `location` is as the field came, bytes as Latin-1 (RFC 3986, 5.2.2; RFC 9110, 10.2.2).
    """
    # spec: build.fetch.redirect
    letters = location.strip(" ")
    text = "".join(letter if " " < letter < "\x7f" else f"%{ord(letter):02X}" for letter in letters)
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise NoUrl("it is not a valid reference")
    scheme, authority, path, query = found.group(1), found.group(2), found.group(3), found.group(4)
    if scheme is not None:
        path = _without_dots(path)
    else:
        scheme = base.scheme
        if authority is not None:
            path = _without_dots(path)
        else:
            authority = base.netloc
            if not path:
                path = base.path
                query = base.query if query is None else query
            elif path.startswith("/"):
                path = _without_dots(path)
            else:
                path = _without_dots((base.path.rpartition("/")[0] or "") + "/" + path)
    whole = urlunsplit((scheme.lower(), authority or "", path, query or "", ""))
    return without_user(parts_of(whole))[0]


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4."""
    kept: list[str] = []
    parts = path.split("/")
    for at, part in enumerate(parts):
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
            continue
        if at == len(parts) - 1:
            kept.append("")
    return "/".join(kept)
