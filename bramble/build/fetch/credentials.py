"""The values of `Authorization` that the user has for servers, from the file of credentials.

    # ~/.config/bramble/credentials
    git.example.com        Bearer 0123456789abcdef
    127.0.0.1:8080         Basic bWU6aHVudGVyMg==

One entry per line: a host, optionally with a port, then the value of the header (RFC 9110, 11.6.2).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator
from typing import Optional
from urllib.parse import SplitResult

from bramble.build.fetch.address import PORTS
from bramble.build.fetch.discretion import secrets_of_login
from bramble.build.fetch.secretfile import read_secret_file, unusable
from bramble.record import NamedTuple

_CODE = "fetch.credentials"
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_VALUE = re.compile(r"[!-~]+(?:[ \t]+[!-~]+)*")
_FORM = "write one entry per line: HOST[:PORT] SCHEME VALUE, as in: git.example.com Bearer TOKEN"
_WORTH_HIDING = 3  # characters; a shorter secret would take ordinary words with it


class Entry(NamedTuple):
    """One line of the file."""

    host: str  # lower case, an address of IPv6 without brackets
    port: Optional[int]  # None: that of the scheme
    value: str  # of the header


class _Unreadable(Exception):
    pass


def authorization_for(path: Optional[str], url: SplitResult) -> Optional[str]:
    """Return the value of `Authorization` that the file `path` has for a server; None for none.

    Raises fetch.credentials for a file that cannot be read or that others can read too, and for an entry
    that would go over a network where others can read it.
    """
    # spec: build.fetch.credentials
    file = read_secret_file(path, _CODE, "move it away")
    if file is None:
        return None
    file.check_private()
    try:
        known = tuple(parse_credentials(file.text))
    except _Unreadable as error:
        raise unusable(file.path, _CODE, str(error), _FORM) from None
    usual = PORTS[url.scheme]
    host, port = (url.hostname or "").lower(), url.port or usual
    found = next((one for one in known if (one.host, one.port or usual) == (host, port)), None)
    if found is None:
        return None
    if url.scheme != "https" and not _is_this_machine(host):
        raise unusable(
            file.path,
            _CODE,
            f"what it has for {host} would be sent without encryption",
            "fetch by https, or delete the line",
        )
    return found.value


def parse_credentials(text: str) -> Iterator[Entry]:
    """Yield the entries in order. The message of what is raised never shows a word of the file."""
    seen = set()
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        word, _, value = line.replace("\t", " ").partition(" ")
        place = _HOST.fullmatch(word)
        if place is None or not _VALUE.fullmatch(value.strip()):
            raise _Unreadable(f"line {number} is not a host followed by a value")
        host, port = place[1].strip("[]").lower(), int(place[2]) if place[2] else None
        if (host, port) in seen:
            raise _Unreadable(f"line {number} names a host for the second time")
        seen.add((host, port))
        yield Entry(host, port, value.strip())


def name_and_password_of(value: str) -> Optional[tuple[str, str]]:
    """Return the name and password in a value of the scheme Basic (RFC 7617); None for another one."""
    scheme, _, coded = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon and not {"\n", "\0"} & {*name, *password} else None


def secrets_of_authorization(value: str) -> tuple[str, ...]:
    """Return the shapes in which what is secret in a value of the header may be repeated."""
    login = name_and_password_of(value)
    rest = value.partition(" ")[2].strip()
    shapes = {value, rest, *(secrets_of_login(*login) if login else ())}
    return tuple(sorted((one for one in shapes if len(one) >= _WORTH_HIDING), key=len, reverse=True))


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
