"""Names and passwords of a user from `.netrc`, in the form that ftp(1) and curl(1) read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from bramble.build.fetch.secretfile import read_secret_file, unusable
from bramble.record import dataclass

_CODE = "fetch.netrc"


@dataclass(frozen=True)
class Login:
    """One entry; `machine` is None for `default`."""

    machine: Optional[str]
    login: str
    password: str


class _Unreadable(Exception):
    pass


def login_for(path: Optional[str], host: str, *, default: bool) -> Optional[Login]:
    """Return the entry for `host`, or with `default` the one for all hosts; None without an entry or file.

    Raises fetch.netrc for a file that cannot be read, or that others can read too.
    """
    # spec: build.fetch.netrc
    file = read_secret_file(path, _CODE, "move it away, or set NETRC to another one")
    if file is None:
        return None
    try:
        logins = tuple(parse_netrc(file.text))
    except _Unreadable as error:
        remedy = "write: machine HOST login NAME password PASSWORD"
        raise unusable(file.path, _CODE, str(error), remedy) from None
    wanted = [one for one in logins if one.machine is not None and one.machine.lower() == host.lower()]
    wanted += [one for one in logins if one.machine is None and default]
    if not wanted:
        return None
    file.check_private()
    return wanted[0]


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
                raise _Unreadable(f"line {line} has a {word} without a machine")
            known[word] = value
        else:
            raise _Unreadable(f"line {line} has an unknown word")
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
