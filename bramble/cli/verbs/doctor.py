"""`bramble doctor`."""

from __future__ import annotations

import argparse
import os

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import GREEN, RED, harmless, paint, print_json
from bramble.commands.doctor import examine


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the findings; the exit status is 1 when builds cannot run."""
    findings = examine(read_setting(os.environ, arguments.directory, store_of=arguments.store_of))
    healthy = all(finding.good is not False for finding in findings)
    if arguments.json:
        found = [finding.to_json() for finding in findings]
        print_json({"version": 1, "healthy": healthy, "findings": found})
        return 0 if healthy else 1
    width = max(len(finding.topic) for finding in findings)
    for finding in findings:
        mark = {True: paint("✔", GREEN, surface), False: paint("✘", RED, surface), None: "·"}[finding.good]
        print(f"{mark} {finding.topic:<{width}}  {harmless(finding.fact)}")
        if finding.remedy and finding.good is not True:
            for line in finding.remedy.splitlines():
                print(f"  {'':<{width}}  {harmless(line)}")
    return 0 if healthy else 1
