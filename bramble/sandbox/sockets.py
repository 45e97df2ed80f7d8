"""Unix sockets of the host in what a sandbox shows: proc_net_unix(5) has their paths."""

from __future__ import annotations

import os
import stat

from bramble.sandbox.layout import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bramble.sandbox.spec import Mount

FIELDS = 8  # the last of them is the path, which may hold blanks


def shown(table: str, mounts: Sequence[Mount]) -> Iterator[str]:
    """Yield the paths, in a sandbox with these mounts, of the sockets in `table` that are still there."""
    paths = {os.path.realpath(path) for path in bound(table)}
    if not paths:
        return
    sources = [(mount, os.path.realpath(mount.source)) for mount in mounts]
    targets = sorted((mount.target for mount in mounts), key=len)
    for path in paths:
        for mount, source in sources:
            if not below(path, source) or not is_socket(path):
                continue
            inside = mount.target + path[len(source) :]
            if [target for target in targets if below(inside, target)][-1] == mount.target:
                yield inside


def bound(table: str) -> Iterator[str]:
    """Yield the absolute paths in `table`."""
    for line in table.splitlines():
        fields = line.split(None, FIELDS - 1)
        if len(fields) == FIELDS and fields[-1].startswith("/"):
            yield fields[-1]


def is_socket(path: str) -> bool:
    """Return whether `path` is a socket now."""
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False
