"""The names of projects and their modules, and of the files that make a directory a project. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

CONFIG_NAME = "bramble.toml"
LOCK_NAME = "bramble.lock"
SUFFIX = ".bramble"  # of a module
VENDOR_NAME = "bramble-vendor.json"  # in a directory that `bramble vendor` has written,
VENDOR_PROGRAM = "bramble"  # beside this, the one file

# spec: project.config.name
_BEGINS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_GOES_ON = _BEGINS | frozenset(".+~-")


def broken_name(name: str) -> Optional[str]:
    """Return what is wrong with the name of a project or a module, or None."""
    # spec: project.config.name
    if not name:
        return "the name is empty"
    for part in name.split("/"):
        if not part:
            return f'"{name}" has an empty part between slashes'
        if part[0] not in _BEGINS or not _GOES_ON.issuperset(part):
            return f"{ascii(part)} cannot be a part of a module name"
    return None
