"""`bramble gc [--dry-run] [--older-than AGE] [--max-size SIZE] [--results-only] [--keep-former AGE]`."""

from __future__ import annotations

import argparse
import os
import time
from typing import Optional

from bramble.cli.environment import Surface, read_setting
from bramble.cli.quantities import age, byte_count
from bramble.cli.render import harmless, print_json, several, size
from bramble.commands.gc import KEEP_FORMER, GcReport, Share, collect_garbage


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gc`."""
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be deleted, and delete nothing"
    )
    parser.add_argument(
        "--older-than", type=age, metavar="AGE", help="only objects not used for AGE, such as 30d"
    )
    parser.add_argument(
        "--max-size", type=byte_count, metavar="SIZE", help="stop when the store is at most SIZE, such as 10G"
    )
    parser.add_argument(
        "--forget-idle", type=age, metavar="AGE", help="also forget projects that were not built for AGE"
    )
    parser.add_argument(
        "--results-only",
        action="store_true",
        help="keep only results, not what is needed to build them again",
    )
    parser.add_argument(
        "--keep-former",
        type=age,
        default=KEEP_FORMER,
        metavar="AGE",
        help="keep inputs of earlier versions of targets for AGE (default: 7d; 0d: delete them)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Collect, and print what was freed, by project."""
    report = collect_garbage(
        read_setting(os.environ, arguments.directory, store_of=arguments.store_of),
        dry_run=arguments.dry_run,
        older_than=arguments.older_than,
        max_size=arguments.max_size,
        forget_idle=arguments.forget_idle,
        results_only=arguments.results_only,
        keep_former=arguments.keep_former,
    )
    if arguments.json:
        print_json(_as_json(report))
    else:
        _print(report, arguments.max_size)
    return 0


def _print(report: GcReport, max_size: Optional[int]) -> None:
    for project in report.forgotten:
        forgotten = "would be forgotten" if report.dry_run else "forgotten"
        why = "not built for that time" if os.path.isdir(project) else "no longer there"
        print(f"{forgotten}: {harmless(project)} ({why})")
    for project, share in sorted(report.held_by.items(), key=lambda item: -item[1].size):
        used = report.last_used.get(project)
        when = f", last built {_ago(used)}" if used else ""
        results = report.results_of.get(project, share).size
        former = report.former_of.get(project, Share()).size
        was = f", {size(former)} inputs of earlier versions" if former else ""
        of_these = f" ({size(results)} are results{was})" if results < share.size else ""
        print(f"{size(share.size):>10}  held by {harmless(project)}{of_these}{when}")
    for project, share in sorted(report.freed_by.items(), key=lambda item: -item[1].size):
        whose = f"of {harmless(project)}" if project else "of no known project"
        print(f"{size(share.size):>10}  {'would go' if report.dry_run else 'freed'}, {whose}")
    verb = "would be freed" if report.dry_run else "freed"
    print(
        f"{several(len(report.freed), 'object')}, {size(report.freed_size)} {verb}; "
        f"{several(report.kept.objects, 'object')} stay{'s' if report.kept.objects == 1 else ''}"
    )
    if max_size is not None and report.kept.size > max_size and not report.dry_run:
        # spec: cli.gc
        print(f"{size(report.kept.size)} stay, since projects need them or they were used; ", end="")
        print("--keep-former 0d, --results-only and --forget-idle free more")


def _ago(moment: float) -> str:
    days = int((time.time() - moment) // 86400)
    return "today" if days < 1 else f"{days} day{'s' if days > 1 else ''} ago"


def _as_json(report: GcReport) -> dict[str, object]:
    return {
        "version": 1,
        "dry_run": report.dry_run,
        "freed": list(report.freed),
        "freed_size": report.freed_size,
        "kept": _share(report.kept),
        "freed_by": {project: _share(share) for project, share in report.freed_by.items()},
        "held_by": {project: _share(share) for project, share in report.held_by.items()},
        "results_of": {project: _share(share) for project, share in report.results_of.items()},
        "former_of": {project: _share(share) for project, share in report.former_of.items()},
        "last_used": {project: int(used) for project, used in report.last_used.items()},
        "forgotten": list(report.forgotten),
        "leftovers": report.leftovers,
    }


def _share(share: Share) -> dict[str, int]:
    return {"objects": share.objects, "size": share.size}
