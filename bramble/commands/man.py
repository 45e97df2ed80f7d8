"""`bramble man`: manual pages become files."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bramble.errors import BrambleError
from bramble.project.access import replace_file


def write_pages(directory: str, pages: Mapping[str, str]) -> list[str]:
    """Write each page into a directory, which is made if need be, and return the paths of the files.

    A file that is there already is replaced whole; one that is a symbolic link is not followed.
    Raises BrambleError `cli.unwritable` where one cannot be written.
    """
    # spec: cli.man
    try:
        os.makedirs(directory, exist_ok=True)
        for name, page in pages.items():
            replace_file(directory, name, page.encode("utf-8"))
    except OSError as error:
        raise BrambleError(
            "cli.unwritable",
            f"the pages cannot be written to {directory}: {error.strerror}",
            remedy="name a directory that you may write to",
        ) from error
    return [os.path.join(directory, name) for name in pages]
