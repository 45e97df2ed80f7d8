"""`/bin/sh` and `/usr/bin/env`: the two paths that half of all scripts and system(3) take for granted.

A sandbox does not have these itself. If the PATH of the program names, in what is shown read-only, a
directory with such a program, the path is a link to that one: what a program finds at `/bin/sh` is what it
would find as `sh`. Links are followed here as they will be inside, part by part: one that leads out of what
is shown leads to nothing there, whatever it leads to on the host.
"""

from __future__ import annotations

import os
import stat

from bramble.sandbox.layout import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Optional

    from bramble.sandbox.spec import Mount, SandboxSpec

# spec: sandbox.programs
STANDARD = {"/bin/sh": "sh", "/usr/bin/env": "env"}
MOST_LINKS = 40  # path_resolution(7)
EXECUTABLE = 0o111


def links(spec: SandboxSpec) -> tuple[tuple[str, str], ...]:
    """Return the links (path, target) that the sandbox of `spec` gets, for paths that no mount concerns."""
    directories = [part for part in dict(spec.env).get("PATH", "").split(":") if part.startswith("/")]
    mounts = {mount.target: mount for mount in spec.mounts}
    found = []
    for path, name in STANDARD.items():
        if any(below(path, target) or below(target, path) for target in mounts):
            continue
        candidates = (f"{directory.rstrip('/')}/{name}" for directory in directories)
        target = next((one for one in candidates if is_program(one, mounts)), None)
        if target is not None:
            found.append((path, target))
    return tuple(found)


def is_program(path: str, mounts: Mapping[str, Mount]) -> bool:
    """Return whether `path`, in the sandbox, leads to an executable file in a mount that is read-only."""
    status = follow(path, mounts)
    return status is not None and stat.S_ISREG(status.st_mode) and bool(status.st_mode & EXECUTABLE)


def follow(path: str, mounts: Mapping[str, Mount]) -> Optional[os.stat_result]:
    """Return what `path` leads to in what a sandbox shows read-only, or None. `mounts` is by target."""
    todo = parts(path)
    here: list[str] = []
    status: Optional[os.stat_result] = None
    followed = 0
    while todo:
        name = todo.pop()
        if name == "..":
            if not is_shown(here, mounts):
                return None
            here, status = here[:-1], None
            continue
        here.append(name)
        outside = source(here, mounts)
        if outside is None:
            status = None  # a directory that leads to mounts, or nothing
            continue
        try:
            # The source itself is followed on the host: a link on the host is not one in the sandbox.
            status = os.stat(outside) if absolute(here) in mounts else os.lstat(outside)
            if not stat.S_ISLNK(status.st_mode):
                continue
            target = os.readlink(outside)
        except OSError:
            return None
        followed += 1
        if followed > MOST_LINKS:
            return None
        here = [] if target.startswith("/") else here[:-1]
        todo += parts(target)
    return status


def parts(path: str) -> list[str]:
    """Return the parts of a path that mean something, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def absolute(here: list[str]) -> str:
    """Return a path of its parts."""
    return "/" + "/".join(here)


def is_shown(here: list[str], mounts: Mapping[str, Mount]) -> bool:
    """Return whether a path without links is in a mount that is read-only, or leads to one."""
    top = "/".join(("", *here, ""))
    return source(here, mounts) is not None or any(target.startswith(top) for target in mounts)


def source(here: list[str], mounts: Mapping[str, Mount]) -> Optional[str]:
    """Return the host's path behind a path of the sandbox, None if no mount that is read-only shows it."""
    for depth in range(len(here), 0, -1):
        mount = mounts.get(absolute(here[:depth]))
        if mount is not None:
            return None if mount.writable else "/".join((mount.source, *here[depth:]))
    return None
