"""`bramble self release` and `uninstall`."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import termios

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import on_one_line, print_json, say, size
from bramble.commands.self.release import CHECK, SIGN, write_release
from bramble.commands.self.uninstall import ABSENT, KEEP, REMOVE, Inventory, Place, remove, survey
from bramble.errors import BrambleError


def do_release(arguments: argparse.Namespace, surface: Surface) -> int:
    """Write the files of a release, and print what they are and how to sign them (spec: self.release)."""
    directory = os.path.normpath(os.path.join(os.getcwd(), arguments.directory or "", arguments.out))
    released = write_release(directory)
    if released.uncommitted:
        say("! this checkout has uncommitted changes: no one else can make these files")
    if arguments.json:
        files = [
            {"name": one.name, "size": len(one.data), "sha256": one.sha256} for one in released.artifacts
        ]
        committed = None if released.uncommitted is None else not released.uncommitted
        report = {"version": 1, "directory": directory, "files": files, "committed": committed}
        print_json({**report, "sign": SIGN, "check": CHECK})
        return 0
    for one in released.artifacts:
        print(f"{one.sha256}  {on_one_line(os.path.join(directory, one.name))}  {size(len(one.data))}")
    print(f"to sign them, in that directory:\n  {SIGN}")
    print(f"to check them, with the line `NAME KEYTYPE KEY` in the file SIGNERS:\n  {CHECK}")
    return 0


def do_uninstall(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print what Bramble keeps here, and remove it when that is confirmed (spec: self.uninstall)."""
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    inventory = survey(setting, sys.argv[0], with_store=arguments.store)
    to_do = not arguments.dry_run and any(place.fate == REMOVE for place in inventory.places)
    if not to_do:
        _report(inventory, arguments.json, done=False)
        return 0
    if not arguments.yes:
        asked = surface.attached and sys.stderr.isatty() and not arguments.json
        if asked:
            _report(inventory, False, done=False)
        if not (asked and _agreed()):
            raise BrambleError(
                "self.unconfirmed",
                "nothing was removed",
                remedy="--yes removes it without a question; --dry-run only says what it is",
            )
    _report(remove(inventory, setting), arguments.json, done=True)
    return 0


def _agreed() -> bool:
    # What was typed before the question was printed is not an answer to it.
    with contextlib.suppress(termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    say("remove it? y: yes, anything else: no")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _report(inventory: Inventory, as_json: bool, *, done: bool) -> None:
    program = inventory.program
    if as_json:
        print_json(
            {
                "version": 1,
                "removed": done,
                "places": [_place_as_json(place) for place in inventory.places],
                "projects": list(inventory.projects),
                "program": {"kind": program.kind, "path": program.path, "removal": list(program.removal)},
            }
        )
        return
    for place in inventory.places:
        if place.fate != ABSENT:
            print(_line(place, done))
            for reason in place.reasons if place.fate == REMOVE else ():
                print(f"            left: {on_one_line(reason)}")
    if inventory.projects and not done:
        print(f"projects that the store knows, which are not changed: {len(inventory.projects)}")
    print(f"not removed: the program, {on_one_line(program.path)}")
    if program.removal:
        print(f"  {shlex.join(program.removal)}")
    print("not removed: pages of `bramble man` and what `bramble completion` was written to")


def _place_as_json(place: Place) -> dict[str, object]:
    return {
        "kind": place.kind,
        "path": place.path,
        "fate": place.fate,
        "names": list(place.names),
        "size": place.size,
        "files": place.files,
        "reasons": list(place.reasons),
    }


def _line(place: Place, done: bool) -> str:
    what = f"the {place.kind}, {on_one_line(place.path)}"
    if place.fate == KEEP:
        return f"{size(place.size):>10}  left: {what}: {on_one_line('; '.join(place.reasons))}"
    return f"{size(place.size):>10}  {'removed' if done else 'to be removed'}: {what}"
