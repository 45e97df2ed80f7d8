"""Paths of data in a program that a sandbox does not have: what to warn of. Pure except for `exists`.

A program in machine code has its paths as whole strings; it may have other ways to find its data, so
this is never more than a warning. A script has them in its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable

_BELOW = r"/(?:usr/(?:local/)?(?:share|lib|libexec)|opt)/"
# A whole string: a path, or a list of them with colons; none that is filled in later.
_STRING = re.compile(rb"(?<![\x20-\x7e])(/[\x21-\x24\x26-\x7e]+)\0")
_BEGINS = re.compile(_BELOW + r".")
_WORD = re.compile(r"(?<![A-Za-z0-9_.$}*/+-])(" + _BELOW + r"[A-Za-z0-9_+./-]+)")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_TEXT_ENDS = re.compile(r"^(?:__END__|__DATA__|=(?:pod|head1|encoding)\b.*)$", re.MULTILINE)
# What programs do without: translations, time zones, manuals, debugging information, character sets; and
# what is not data: directories of libraries.
_HARMLESS = re.compile(
    r"/usr/(?:local/)?(?:share/(?:locale|nls|zoneinfo|i18n|terminfo|doc|man|info|dict|mime|fonts|icons)"
    r"|lib/(?:locale|debug|bfd-plugins|os-release|terminfo))(?:/.*)?"
    r"|.*/gconv(?:/.*)?|/usr/(?:local/)?lib(?:32|64|x32|exec)?(?:/[a-z0-9_]+-linux-[a-z0-9]+)?"
)


def named_by(data: bytes, search: Iterable[str], exists: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the paths of data that a program in machine code names and the machine has, the outermost only.

    `search` are directories in which it looks for libraries.
    """
    # spec: build.host-tools.absent
    found = {path for match in _STRING.findall(data) for path in match.decode("ascii").split(":")}
    paths = {path.rstrip("/") for path in found if _BEGINS.match(path) is not None}
    return _outermost(path for path in paths if path not in search and _counts(path) and exists(path))


def named_in(text: str, moved: Iterable[str], exists: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the paths of data that a script names and the machine has, the outermost only.

    `moved` are paths that are replaced in it.
    """
    # spec: build.host-tools.absent
    end = _TEXT_ENDS.search(text)
    body = _COMMENT.sub("", text[: end.start()] if end is not None else text)
    tops = tuple(moved)
    found = (word.rstrip("/.") for word in _WORD.findall(body))
    return _outermost(
        path
        for path in found
        if _counts(path) and not any((path + "/").startswith(top + "/") for top in tops) and exists(path)
    )


def _counts(path: str) -> bool:
    return _HARMLESS.fullmatch(path) is None


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(top + "/") for top in kept):
            kept.append(path)
    return tuple(kept)
