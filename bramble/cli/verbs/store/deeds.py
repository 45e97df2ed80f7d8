"""The deeds of `bramble store`: what checks, moves or removes objects."""

from __future__ import annotations

import argparse
import sys
from typing import Union

from bramble.cli.environment import Surface
from bramble.cli.render import RED, harmless, paint, print_json, say, several, size
from bramble.commands.context.setting import Setting
from bramble.commands.objects import (
    add_root,
    delete,
    explicit_roots,
    export_objects,
    find_objects,
    import_objects,
    open_store,
    optimise,
    relocate,
    remove_root,
    root_of,
)
from bramble.commands.verify import verify_store
from bramble.errors import BrambleError


def do_verify(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Verify the store; the exit status is 1 when damage is left."""
    store = open_store(setting, read_only=not arguments.repair, change=arguments.repair)
    names = find_objects(store, arguments.objects, setting) if arguments.objects else None
    report = verify_store(store, setting, names=names, repair=arguments.repair)
    left = report.left
    if arguments.json:
        print_json(
            {
                "version": 1,
                "objects": report.objects,
                "size": report.size,
                "derivations": report.derivations,
                "damages": [
                    {
                        "name": one.name,
                        "kind": one.kind,
                        "detail": one.detail,
                        "repaired": one in report.repaired,
                        "removed": one in report.removed,
                    }
                    for one in report.damages
                ],
            }
        )
        return 1 if left else 0
    for damage in report.damages:
        state = paint("damaged", RED, surface)
        if damage not in left:
            state = "repaired" if damage in report.repaired else "removed"
        print(f"{state} {harmless(damage.name)}: {damage.kind}: {harmless(damage.detail)}")
    print(
        f"{several(report.objects, 'object')}, {size(report.size)}, "
        f"{several(report.derivations, 'derivation')}: {_sum(len(left))}"
    )
    if report.removed:
        say("what was removed is a derivation; it is written again when it is built again")
    if left and not arguments.repair:
        say("bramble store verify --repair builds again what the known projects need")
    return 1 if left else 0


def do_export(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Write objects to standard output."""
    if sys.stdout.isatty():
        raise BrambleError(
            "cli.usage",
            "an export cannot be written to a terminal",
            remedy="bramble store export OBJECT > FILE",
        )
    store = open_store(setting, read_only=True)
    names = find_objects(store, arguments.objects, setting)
    written = export_objects(store, names, _write_output, closure=not arguments.alone)
    sys.stdout.buffer.flush()
    say(f"{several(len(written), 'object')} written")
    return 0


def _write_output(data: Union[bytes, bytearray]) -> None:
    sys.stdout.buffer.write(data)


def do_import(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Read objects from standard input."""
    if sys.stdin.isatty():
        raise BrambleError(
            "cli.usage", "objects are read from standard input", remedy="bramble store import < FILE"
        )
    report = import_objects(open_store(setting, change=True), sys.stdin.buffer.read)
    if arguments.json:
        print_json(
            {
                "version": 1,
                "imported": list(report.imported),
                "present": list(report.present),
                "size": report.size,
            }
        )
        return 0
    for name in report.imported:
        print(name)
    say(f"{several(len(report.imported), 'object')} imported, {len(report.present)} were present already")
    return 0


def do_optimise(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Hard-link equal files."""
    report = optimise(open_store(setting, change=True))
    if arguments.json:
        print_json({"version": 1, "files": report.files, "linked": report.linked, "saved": report.saved})
    else:
        print(f"{report.linked} of {report.files} files linked, {size(report.saved)} saved")
    return 0


def do_delete(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Delete objects that nothing needs."""
    store = open_store(setting, change=True)
    report = delete(store, find_objects(store, arguments.objects, setting))
    if arguments.json:
        print_json({"version": 1, "freed": list(report.freed), "freed_size": report.freed_size})
    else:
        print(f"{several(len(report.freed), 'object')}, {size(report.freed_size)} freed")
    return 0


def do_root(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Keep objects under a label, forget a label, or list what is kept (spec: cli.store.root)."""
    action = arguments.action
    store = open_store(setting, read_only=action == "list", change=action != "list")
    if action == "add":
        add_root(store, arguments.label, find_objects(store, arguments.objects, setting))
    elif action == "remove" and not remove_root(store, arguments.label):
        raise BrambleError(
            "store.unknown-root",
            f'nothing is kept under "{harmless(arguments.label)}"',
            remedy="`bramble store root list` shows what is",
        )
    roots = explicit_roots(store)
    if arguments.json:
        print_json({"version": 1, "roots": {name: list(kept) for name, kept in sorted(roots.items())}})
    elif action == "list":
        for name, kept in sorted(roots.items()):
            for one in kept:
                gone = "" if store.contains(one) else "  (gone)"
                print(f"{harmless(name)}  {store.root}/store/{one}{gone}")
    return 0


def do_relocate(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Rewrite a moved store for its new place."""
    # spec: store.other-owner
    if setting.store_of is not None:
        raise BrambleError(
            "store.read-only",
            f"the store of {setting.store_of} is only read, and relocate would change it",
            remedy="let its owner run `bramble store relocate`",
        )
    report = relocate(root_of(setting))
    if arguments.json:
        print_json(
            {
                "version": 1,
                "old": report.old,
                "new": report.new,
                "objects": report.objects,
                "changed": report.changed,
            }
        )
    elif report.finished:
        print("a move that was interrupted is finished:")
        print(f"valid now: {several(report.objects, 'object')}, at {harmless(report.new)}")
    elif report.old == report.new:
        print("the store has not moved: nothing to do")
    else:
        print(f"valid now: {several(report.objects, 'object')}, at {harmless(report.new)}")
    return 0


def _sum(count: int) -> str:
    return "no damage found" if count == 0 else f"{count} damaged"
