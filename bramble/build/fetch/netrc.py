"""Names and passwords of a person from `.netrc`, in the form that ftp(1) and curl(1) read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from bramble.errors import BrambleError

_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Login:
    """One entry; `machine` is None for `default`."""

    machine: Optional[str]
    login: str
    password: str


class _Unreadable(Exception):
    pass


def login_for(path: Optional[str], host: str, *, default: bool) -> Optional[Login]:
    """Return the entry for `host`, or with `default` the one for all; None if there is none or no such file.

    Raises fetch.netrc for a file that cannot be read, or that others can read too.
    """
    # spec: build.fetch.netrc
    if path is None:
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise _error(path, why, "make it readable for you alone, or unset NETRC") from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise _error(path, "it is not a file", "name a file in NETRC, or unset it")
    with open(fd, "rb") as file:
        text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise _error(path, "it is larger than 1 MiB", "leave only entries in it")
        try:
            logins = tuple(parse_netrc(text.decode("utf-8", "surrogateescape")))
        except _Unreadable as error:
            raise _error(path, str(error), "write: machine HOST login NAME password PASSWORD") from None
    wanted = [one for one in logins if one.machine is not None and one.machine.lower() == host.lower()]
    wanted += [one for one in logins if one.machine is None and default]
    if not wanted:
        return None
    if found.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(found.st_mode) & 0o077:
        raise _error(path, "others than you can read or own it", f"chmod 600 {path}")
    return wanted[0]


def _error(path: str, why: str, remedy: str) -> BrambleError:
    return BrambleError("fetch.netrc", f"{path} cannot be used: {why}", remedy=remedy)


def parse_netrc(text: str) -> Iterator[Login]:
    """Yield the entries of a .netrc in order. The message of what is raised never shows a word of it."""
    words = _words(text)
    known: dict[str, str] = {}
    machine: Optional[str] = None
    begun = False
    for line, word in words:
        if word in ("machine", "default"):
            if begun:
                yield Login(machine, known.get("login", ""), known.get("password", ""))
            begun, known = True, {}
            machine = next(words, (line, None))[1] if word == "machine" else None
            if word == "machine" and machine is None:
                raise _Unreadable(f"line {line} names no machine")
        elif word in ("login", "password", "account"):
            value = next(words, (line, None))[1]
            if value is None or not begun:
                raise _Unreadable(f"line {line} has a {word} that belongs to nothing")
            known[word] = value
        else:
            raise _Unreadable(f"line {line} has a word that it should not have")
    if begun:
        yield Login(machine, known.get("login", ""), known.get("password", ""))


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and word; one in quotes may hold blanks. Macros are left out, to a blank line."""
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        words = line.split()
        if words[:1] == ["macdef"]:
            for _, inner in lines:
                if not inner.strip():
                    break
            continue
        at = 0
        while at < len(line):
            if line[at].isspace():
                at += 1
            elif line[at] == "#" and not line[:at].strip():
                break
            elif line[at] == '"':
                word = ""
                at += 1
                while at < len(line) and line[at] != '"':
                    at += line[at] == "\\"
                    word += line[at : at + 1]
                    at += 1
                if at >= len(line):
                    raise _Unreadable(f"line {number} has a quote that does not end")
                at += 1
                yield number, word
            else:
                end = at
                while end < len(line) and not line[end].isspace():
                    end += 1
                yield number, line[at:end]
                at = end
