"""`bramble gc`: deletes what no known project needs."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from typing import Optional

from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.project.names import CONFIG_NAME, LOCK_NAME
from bramble.store.digest import digest
from bramble.store.gc.collect import KEEP_FORMER, GcReport, Share, collect
from bramble.store.layout.place import VISITED

__all__ = ["KEEP_FORMER", "GcReport", "Share", "collect_garbage"]

# So many seconds a package stays that was run from the internet, since it was last used.
KEEP_VISITED = 30 * 86400.0


def collect_garbage(
    setting: Setting,
    *,
    dry_run: bool = False,
    older_than: Optional[float] = None,
    max_size: Optional[int] = None,
    forget_idle: Optional[float] = None,
    results_only: bool = False,
    keep_former: float = KEEP_FORMER,
) -> GcReport:
    """Delete what the known projects, explicit roots and running programs do not need (spec: store.gc).

    `older_than`, `forget_idle` and `keep_former` are seconds, `max_size` bytes. A project is
    known as long as its directory holds a bramble.toml; what is in that file
    does not matter, so that a mistake in it costs nothing. A package that a user has named is
    known for `KEEP_VISITED` since it was last used. With `results_only` what they would need to
    build their targets again goes, too; what they were made with before stays for `keep_former`.
    """
    store = open_store(setting)
    report = collect(
        store,
        dry_run=dry_run,
        older_than=older_than,
        max_size=max_size,
        forget_idle=forget_idle,
        results_only=results_only,
        keep_former=keep_former,
        is_project=functools.partial(
            _is_known, f"{store.root}/{VISITED}/", f"{store.var}/projects", time.time()
        ),
    )
    for directory in () if dry_run else report.forgotten:
        if directory.startswith(f"{store.root}/{VISITED}/"):
            _forget(directory)
    return report


def _is_known(visited: str, records: str, now: float, directory: str) -> bool:
    if not directory.startswith(visited):
        return os.path.isfile(os.path.join(directory, CONFIG_NAME))
    # spec: internet.kept
    with contextlib.suppress(OSError):
        return os.stat(f"{records}/{digest(os.fsencode(directory))}").st_mtime > now - KEEP_VISITED
    return False


def _forget(directory: str) -> None:
    """Remove what is remembered of a package that was named, and directories above that are empty then."""
    with contextlib.suppress(OSError):
        os.unlink(f"{directory}/{LOCK_NAME}")
        os.removedirs(directory)
