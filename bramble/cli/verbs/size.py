"""`bramble size OBJECT…`."""

from __future__ import annotations

import argparse
import os

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import harmless, print_json, several, size
from bramble.commands.objects import find_objects, open_store
from bramble.commands.size import weigh


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `size`."""
    parser.add_argument("objects", nargs="+", metavar="OBJECT", help="a built target, a path or a name")
    parser.add_argument("--json", action="store_true", help="print the sizes as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print every object of the closure, those that bring most first."""
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    store = open_store(setting, read_only=True)
    weights = weigh(store, find_objects(store, arguments.objects, setting))
    total = sum(weight.size for weight in weights)
    if arguments.json:
        objects = [
            {
                "name": weight.name,
                "label": weight.label,
                "size": weight.size,
                "brings": weight.brings,
                "referrers": list(weight.referrers),
            }
            for weight in weights
        ]
        print_json({"version": 1, "size": total, "objects": objects})
        return 0
    labels = {weight.name: weight.label or weight.name for weight in weights}
    print(f"{'brings':>10}  {'itself':>10}  object")
    for weight in weights:
        by = ", ".join(sorted(labels[name] for name in weight.referrers))
        through = f"  (from {by})" if by else ""
        print(
            f"{size(weight.brings):>10}  {size(weight.size):>10}  {harmless(labels[weight.name] + through)}"
        )
    print(f"{size(total):>10}  in {several(len(weights), 'object')}")
    return 0
