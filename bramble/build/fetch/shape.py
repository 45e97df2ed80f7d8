"""What a download becomes in the output: a file or a tree, under which name, and from which level on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Optional
from urllib.parse import unquote, urlsplit

from bramble.build.fetch.archives.unpack import archive_kind
from bramble.errors import BrambleError
from bramble.record import dataclass

_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")
_NAME_LIMIT = 255  # bytes (NAME_MAX)


@dataclass(frozen=True)
class Shape:
    """How a downloaded file is put into the output."""

    name: str  # of the file, where it stays one
    kind: Optional[str]  # how it is unpacked (archive_kind); None: not at all
    executable: bool
    strip: int  # how many directories around the content of an archive are left out


def shape_of(derivation: str, env: Mapping[str, str]) -> Shape:
    """Return what the variables of a `fetch_url` ask for. Raises derivation.env, fetch.url."""
    # spec: build.fetch-url.shape
    urls = env["url"].split()
    name = env.get("name", "")
    if name:
        if not is_file_name(name):
            raise _wrong(derivation, "name", name, "the name of a file, without a slash")
    else:
        name = file_name(urls[0])
    unpack = env.get("unpack", "")
    kind = archive_kind(name) if not unpack else None if unpack in _NO else archive_kind("x." + unpack)
    if unpack and (kind is None or unpack.startswith(".")) and unpack not in _NO:
        raise _wrong(derivation, "unpack", unpack, '"no", or an ending such as "tar.gz"')
    strip = env.get("strip", "") or "0"
    if not (strip.isascii() and strip.isdecimal() and len(strip) < 4):
        raise _wrong(derivation, "strip", strip, "a number of directories")
    executable = env.get("executable", "")
    if executable not in _YES + _NO:
        raise _wrong(derivation, "executable", executable, '"true" or "false"')
    for variable, asked in (("strip", int(strip) > 0), ("executable", executable in _YES)):
        if asked and (kind is None) == (variable == "strip"):
            what = "is not an archive" if kind is None else "is an archive"
            raise BrambleError(
                "derivation.env",
                f'"{derivation}" sets {variable}, and {name} {what}',
                remedy=f"remove {variable}, or set unpack to the format of the file",
            )
    return Shape(name, kind, executable in _YES, int(strip))


def stripped(tree: str, levels: int, *, name: str) -> list[str]:
    """Return the paths in the unpacked `tree` that remain when `levels` directories around them are left out.

    `name` is the archive's, for messages. Raises fetch.archive-strip for a file that
    is in one of those directories, and for two of one name in different ones;
    fetch.archive-empty if nothing remains.
    """
    # spec: build.fetch-url.strip
    level = [tree]
    for _ in range(levels + 1):
        inner: dict[str, str] = {}
        for directory in level:
            if os.path.islink(directory) or not os.path.isdir(directory):
                raise _lost(name, os.path.relpath(directory, tree), "is not that deep")
            for entry in sorted(os.listdir(directory)):
                path = os.path.join(directory, entry)
                if entry in inner:
                    raise _lost(name, os.path.relpath(path, tree), "has the name of another")
                inner[entry] = path
        level = list(inner.values())
    if not level:
        # spec: build.unpack.empty
        raise BrambleError(
            "fetch.archive-empty",
            f"the archive {name} has nothing below the {levels} directories that are removed",
            remedy="remove strip, or choose a smaller number",
        )
    return level


def file_name(url: str) -> str:
    """Return the name under which what `url` gives is kept: the last part of its path.

    Raises fetch.url if that cannot be the name of a file.
    """
    # spec: build.fetch-url.name
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    name = unquote(path.rpartition("/")[2], errors="surrogateescape")
    if not is_file_name(name):
        raise BrambleError(
            "fetch.url",
            f'"{url}" does not end in the name of a file',
            remedy="write a URL such as https://example.com/name.tar.gz, or set name",
        )
    return name


def is_file_name(name: str) -> bool:
    """Return whether a file can be called so."""
    odd = name in ("", ".", "..") or "/" in name or "\0" in name
    return not odd and len(os.fsencode(name)) <= _NAME_LIMIT


def _wrong(derivation: str, variable: str, text: str, wanted: str) -> BrambleError:
    return BrambleError(
        "derivation.env", f'"{derivation}": {variable} is "{text}"', remedy=f"{variable} is {wanted}"
    )


def _lost(name: str, member: str, why: str) -> BrambleError:
    return BrambleError(
        "fetch.archive-strip",
        f"the archive {name} cannot be stripped: {member} {why}",
        remedy="remove strip, or choose a smaller number",
    )
