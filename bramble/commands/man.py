"""`bramble man`: manual pages become files."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bramble.commands.context.written import unwritable, write_file


def write_pages(directory: str, pages: Mapping[str, str]) -> list[str]:
    """Write each page into a directory, which is made if need be, and return the paths of the files.

    A file that is there already is replaced whole. Raises BrambleError `cli.unwritable` where one
    cannot be written.
    """
    # spec: cli.man
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error.strerror) from error
    written = [os.path.join(directory, name) for name in pages]
    for path, page in zip(written, pages.values()):
        write_file(path, page.encode("utf-8"))
    return written
