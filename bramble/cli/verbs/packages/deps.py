"""`bramble deps [options]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Optional

from bramble.cli.environment import Surface
from bramble.cli.render import on_one_line, print_json
from bramble.cli.verbs.packages.common import add_options, heard, setting_of
from bramble.commands.packages.explaining import Dependencies, Package, dependencies, shown


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `deps`."""
    parser.add_argument("--why", metavar="PACKAGE", help="show the paths from this project to a package")
    add_options(parser, changes=False, what="the packages, and who requires each,")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the tree of packages, and for each version who requires it."""
    found = dependencies(setting_of(arguments), heard)
    lines: Optional[Iterator[str]] = None
    if arguments.why is not None:
        chains = found.chains(arguments.why)
        if arguments.json:
            # spec: packages.deps.why
            ways = [
                {
                    "name": package.release.name,
                    "version": str(package.release.version),
                    "chains": [{"version": one.version, "links": list(one.links)} for one in ways],
                }
                for package, ways in chains
            ]
            print_json({"version": 1, "packages": ways})
            return 0
        lines = (
            line
            for package, ways in chains
            for line in (
                f"{shown(package.release)} is used",
                *(f"  {' → '.join(one.links)}" for one in ways),
            )
        )
    elif arguments.json:
        print_json(found.to_json())
        return 0
    for line in lines or _lines(found):
        print(on_one_line(line))
    return 0


def _lines(found: Dependencies) -> Iterator[str]:
    # spec: packages.deps
    yield f"{found.project.name} {found.project.config.version}"
    yield from _tree(found)
    for package in sorted(found.resolution.packages.values(), key=lambda one: one.release):
        yield ""
        yield from _details(found, package)


def _tree(found: Dependencies) -> Iterator[str]:
    """Yield the lines of a tree; what stood further up already is not gone into again."""
    packages, name = found.resolution.packages, found.project.name
    seen: set[str] = set()
    # Not by recursion: a chain of packages can be longer than Python's stack.
    waiting = [_children(found.resolution.meanings, "")]
    while waiting:
        following = next(waiting[-1], None)
        if following is None:
            waiting.pop()
            continue
        key, branch, below = following
        package = packages.get(key)
        if package is None:
            yield f"{branch}{name} (this project)"
            continue
        again = key in seen and bool(package.meanings)
        yield f"{branch}{shown(package.release)}{' (above)' if again else ''}"
        if key not in seen:
            seen.add(key)
            waiting.append(_children(package.meanings, below))


def _children(meanings: Mapping[str, str], below: str) -> Iterator[tuple[str, str, str]]:
    """Yield what a package requires, by name: its key, its branch, and the prefix of lines below it."""
    keys = [meanings[name] for name in sorted(meanings)]
    for number, key in enumerate(keys, 1):
        last = number == len(keys)
        yield key, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")


def _details(found: Dependencies, package: Package) -> Iterator[str]:
    tree = found.sources(package)
    source = package.directory if tree is None else f"commit {tree.commit[:12] or 'unknown'}, {tree.digest}"
    yield f"{shown(package.release)}: {source}"
    for one in found.requirements(package):
        used = "" if one.used else " (of which another version is used)"
        yield f"  {one.version} is required by {one.by}{used}"
