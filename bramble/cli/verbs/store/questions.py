"""The questions of `bramble store`: nothing in the store changes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from bramble.cli.environment import Surface
from bramble.cli.render import harmless, print_json, size
from bramble.commands.context.setting import Setting
from bramble.commands.objects import (
    Branch,
    Holding,
    Store,
    archive_digest,
    closure_size,
    diff,
    find_object,
    find_objects,
    labels,
    open_store,
    place,
    referrers,
    tree,
    why,
)
from bramble.errors import BrambleError


def do_path(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Print the store's directory, or the path of an object."""
    root, directory = place(setting)
    paths = [directory]
    if arguments.object is not None:
        store = open_store(setting, read_only=True)
        paths = [_path(store, name) for name in find_object(store, arguments.object, setting)]
    if arguments.json:
        print_json({"version": 1, "root": root, "directory": directory, "paths": paths})
    else:
        print("\n".join(paths))
    return 0


def do_hash(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Print the digest of a directory's archive (spec: conformance.contract.hash)."""
    found = archive_digest(os.path.normpath(os.path.join(setting.cwd, arguments.tree)))
    if arguments.json:
        print_json({"version": 1, "digest": found})
    else:
        print(found)
    return 0


def do_references(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Print the direct references of an object."""
    store = open_store(setting, read_only=True)
    names = find_object(store, arguments.object, setting)
    return _list(store, sorted({other for name in names for other in store.references(name)}), arguments)


def do_referrers(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Print the direct referrers of an object."""
    store = open_store(setting, read_only=True)
    names = find_object(store, arguments.object, setting)
    return _list(store, sorted({other for name in names for other in referrers(store, name)}), arguments)


def do_closure(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Print a closure: names, sizes, or a tree."""
    store = open_store(setting, read_only=True)
    roots = find_objects(store, arguments.objects, setting)
    if arguments.tree and not arguments.json:
        known = labels(store)
        for root in roots:
            for branch in tree(store, root):
                more = " …" if branch.repeated else ""
                indent = (
                    ""
                    if branch.depth == 0
                    else "│  " * (branch.depth - 1) + ("└─ " if branch.last else "├─ ")
                )
                print(f"{indent}{branch.name}{_label(known.get(branch.name))}  {size(branch.size)}{more}")
        return 0
    names = store.closure(roots)
    if arguments.json:
        rows = [
            {"name": name, "size": store.object(name).size, "references": list(store.references(name))}
            for name in names
        ]
        print_json({"version": 1, "objects": rows, "size": closure_size(store, roots)})
        return 0
    if not arguments.size:
        return _list(store, names, arguments)
    for name in sorted(names, key=lambda one: (-store.object(one).size, one)):
        print(f"{size(store.object(name).size):>10}  {_path(store, name)}")
    print(f"{size(closure_size(store, roots)):>10}  in all")
    return 0


def do_why(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Print the chain of references from one object to another, each with its file and bytes."""
    store = open_store(setting, read_only=True)
    holder, held = (_one(store, word, setting) for word in (arguments.holder, arguments.held))
    chain = why(store, holder, held)
    if arguments.json:
        print_json({"version": 1, "holds": bool(chain), "chain": [_holding_as_json(link) for link in chain]})
    elif not chain:
        print(f"{holder} does not need {held}")
    else:
        known = labels(store)
        for link in chain:
            where = f", {link.where}" + (f" {link.offset}" if link.where == "content" else "")
            print(f"{link.holder}{_label(known.get(link.holder))}")
            print(f"  {harmless(link.file)}{where}: {_excerpt(link)}")
        print(f"{held}{_label(known.get(held))}")
    return 0 if chain else 1


def do_diff(arguments: argparse.Namespace, setting: Setting, surface: Surface) -> int:
    """Print how two closures differ."""
    store = open_store(setting, read_only=True)
    changes = diff(
        store, find_object(store, arguments.before, setting), find_object(store, arguments.after, setting)
    )
    if arguments.json:
        rows = [
            {
                "label": change.label,
                "before": change.before or None,
                "after": change.after or None,
                "size_before": change.size_before,
                "size_after": change.size_after,
            }
            for change in changes
        ]
        print_json({"version": 1, "changes": rows})
        return 0
    for change in changes:
        mark = "~" if change.before and change.after else "+" if change.after else "-"
        grown = change.size_after - change.size_before
        print(f"{mark} {harmless(change.label)}  {'+' if grown >= 0 else '-'}{size(abs(grown))}")
        for name in filter(None, (change.before, change.after)):
            print(f"    {name}")
    return 0


def _one(store: Store, word: str, setting: Setting) -> str:
    names = find_object(store, word, setting)
    if len(names) > 1:
        raise BrambleError(
            "store.ambiguous-name",
            f"{word} is {len(names)} objects: {', '.join(names)}",
            remedy="name one of them",
        )
    return names[0]


def _list(store: Store, names: Sequence[str], arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json({"version": 1, "objects": list(names)})
    else:
        for name in names:
            print(_path(store, name))
    return 0


def _path(store: Store, name: str) -> str:
    # The short link, not the padding: it is what people read (spec: store.link).
    return f"{store.root}/store/{name}"


def _branch(branch: Branch) -> str:
    if branch.depth == 0:
        return ""
    return "│  " * (branch.depth - 1) + ("└─ " if branch.last else "├─ ")


def _label(label: str | None) -> str:
    return f" ({harmless(label)})" if label else ""


def _holding_as_json(link: Holding) -> dict[str, object]:
    return {
        "holder": link.holder,
        "held": link.held,
        "file": link.file,
        "where": link.where,
        "offset": link.offset,
        "text": link.text.decode("utf-8", "backslashreplace"),
    }


def _excerpt(link: Holding) -> str:
    return harmless(link.text.decode("utf-8", "backslashreplace").replace("\n", "\\n"))
