"""How the Bramble that runs is started once more."""

from __future__ import annotations

import os
import sys

import bramble


def own_command(environ: dict[str, str]) -> list[str]:
    """Return how to start the Bramble that runs once more, on the same Python."""
    package = os.path.dirname(os.path.abspath(bramble.__file__))
    if os.path.isdir(package):
        return [sys.executable, "-I", "-S", package]
    # It runs from the archive in the one file.
    environ["BRAMBLE_PYTHON"] = sys.executable
    return ["/bin/sh", os.path.dirname(package)]
