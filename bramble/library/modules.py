"""The library that comes with Bramble: modules in Starlark, loaded as `std`, `std/c` and so on.

They are read as data of this package, so that they are found in a directory and
in a zip alike; and they are named one by one, since a zip is not listed.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Mapping

PACKAGE = "std"
# Module name → its file in this directory.
MODULES: Mapping[str, str] = {
    "std": "default.bramble",
    "std/c": "c.bramble",
    "std/go": "go.bramble",
    "std/node": "node.bramble",
    "std/python": "python.bramble",
    "std/rust": "rust.bramble",
}


def path_of(path: str) -> str:
    """Return where one of the files that MODULES names is, in a zip as in a directory."""
    return os.path.join(os.path.dirname(__file__), path)


def read(path: str) -> bytes:
    """Return the text of one of the files that MODULES names."""
    data = pkgutil.get_data("bramble.library", path)
    if data is None:
        raise AssertionError(f"the library's file {path} is not installed")
    return data
