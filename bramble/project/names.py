"""The names of the files that make a directory a project."""

from __future__ import annotations

CONFIG_NAME = "bramble.toml"
LOCK_NAME = "bramble.lock"
SUFFIX = ".bramble"  # of a module
