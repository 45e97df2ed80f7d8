"""Which files of the machine a project may name by their paths: what root has installed for everybody.

Programs that `host_tools` copies are asked questions, and so are their loaders: they run as the
person, outside of every sandbox. So a path that a project chose must not lead to what a stranger,
or the project itself, could have put there, and not to what only the user, or root, may read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Optional

from bramble.errors import BrambleError
from bramble.store.trust.people import is_unmapped

# Where the programs of a machine are installed.
TREES = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/var/lib",
    "/snap",
    "/nix/store",
    "/gnu/store",
    "/run/current-system",
)


def entrusted(path: str, granted: Sequence[str], projects: Sequence[str]) -> str:
    """Return the path, all links followed, of something that a project may name; what it leads to is fixed.

    `granted` are directories that the user treats as part of the machine, `projects` those
    that strangers may have filled: of the project, of its packages, and of the store. Nobody
    but root can change what the path that is returned leads to, so it may be used later.

    Raises build.host-tool-out-of-reach.
    """
    # spec: build.host-tools.reach
    real = os.path.realpath(path)
    if any(_below(real, os.path.realpath(one)) for one in granted):
        return real
    why = _objection(real, projects)
    if why is not None:
        raise BrambleError(
            "build.host-tool-out-of-reach",
            f"the project names {path}, and {why}",
            remedy="let root install it for everybody, or name its directory in BRAMBLE_HOST_TOOLS "
            "if you trust what is in it",
        )
    return real


def _objection(real: str, projects: Sequence[str]) -> Optional[str]:
    trees = tuple(os.path.realpath(tree) for tree in TREES)
    if not any(_below(real, tree) for tree in trees):
        return f"{real} is not where the programs of a machine are installed"
    for project in map(os.path.realpath, projects):
        above = os.path.dirname(project)
        # What came in one archive with a project is beside it.
        if _below(real, project) or (above not in trees and _below(real, above)):
            return f"{real} is a file of the project or of the store, or beside one"
    here = real
    while True:
        try:
            status = os.lstat(here)
        except OSError as error:
            return f"{here} cannot be examined: {error.strerror}"
        directory = stat.S_ISDIR(status.st_mode)
        if status.st_uid != 0 and not is_unmapped(status.st_uid):
            return f"{here} does not belong to root"
        if status.st_mode & stat.S_IWOTH and not (directory and status.st_mode & stat.S_ISVTX):
            return f"{here} is writable by everybody"
        if not status.st_mode & (stat.S_IXOTH if directory else stat.S_IROTH):
            return f"{here} is not readable by everybody"
        if here == "/":
            return None
        here = os.path.dirname(here)


def _below(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith(ancestor.rstrip("/") + "/")
