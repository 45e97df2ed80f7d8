"""`bramble gc`: deletes what no known project needs."""

from __future__ import annotations

import os
from typing import Optional

from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.project.names import CONFIG_NAME
from bramble.store.gc.collect import KEEP_FORMER, GcReport, Share, collect

__all__ = ["KEEP_FORMER", "GcReport", "Share", "collect_garbage"]


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
    does not matter, so that a mistake in it costs nothing. With `results_only` what they would need to
    build their targets again goes, too; what they were made with before stays for `keep_former`.
    """
    return collect(
        open_store(setting),
        dry_run=dry_run,
        older_than=older_than,
        max_size=max_size,
        forget_idle=forget_idle,
        results_only=results_only,
        keep_former=keep_former,
        is_project=lambda directory: os.path.isfile(os.path.join(directory, CONFIG_NAME)),
    )
