"""The mirror: a table that answers URLs from the local disk."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from bramble.errors import BrambleError
from bramble.project.access import read_anywhere
from bramble.project.toml import parse


def read_mirror(path: str) -> Mapping[str, str]:
    """Read the TOML file `path`; return URL → absolute path of a file or directory.

    The file has one table, `[mirror]`; paths in it are relative to the file.
    Raises BrambleError `fetch.mirror` (spec: cli.mirror).
    """
    try:
        document = parse(read_anywhere(path).decode("utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise BrambleError(
            "fetch.mirror",
            f"the mirror table {path} cannot be read: {getattr(error, 'strerror', None) or error}",
            remedy="correct BRAMBLE_MIRROR, or unset it",
        ) from error
    table = document.get("mirror")
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise BrambleError(
            "fetch.mirror",
            f"{path} has no table [mirror] from URLs to paths",
            remedy='write:\n[mirror]\n"https://example.com/a.tar.gz" = "a.tar.gz"',
        )
    folder = os.path.dirname(os.path.abspath(path))
    return {url: mirrored_path(folder, target) for url, target in table.items()}


def mirrored_path(folder: str, target: str) -> str:
    """Return the path that an entry of a mirror table means: one relative to `folder`, or a `file:` URL.

    Raises fetch.mirror for another URL.
    """
    # spec: cli.mirror
    scheme, is_url, rest = target.partition("://")
    if not is_url or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return os.path.join(folder, target)
    host, slash, path = rest.partition("/")
    # Not by urllib, which a build with nothing to do would load for this.
    plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode()), os.fsencode(path))
    if scheme.lower() == "file" and host in ("", "localhost") and slash and b"\0" not in plain:
        return "/" + os.fsdecode(plain)
    raise BrambleError(
        "fetch.mirror",
        "an entry of the mirror table gives another URL, and not a file or directory of this machine",
        remedy="write a path, or a file URL with an absolute path, such as file:///srv/mirror/a.tar.gz",
    )
