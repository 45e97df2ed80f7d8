"""The mirror: a table that answers URLs from the local disk."""

from __future__ import annotations

import os
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
    return {url: os.path.join(folder, target) for url, target in table.items()}
