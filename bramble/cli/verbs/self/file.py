"""`bramble self pack`, `extract` and `verify`."""

from __future__ import annotations

import argparse
import os
import sys

from bramble.cli.environment import Surface
from bramble.cli.render import harmless, print_json, size
from bramble.commands.self.source import OneFile, extract_self, pack_self, verify_file


def do_pack(arguments: argparse.Namespace, surface: Surface) -> int:
    """Write the one file, and print what it is (spec: self.pack)."""
    return _printed(pack_self(_path(arguments, arguments.out)), arguments.json)


def do_extract(arguments: argparse.Namespace, surface: Surface) -> int:
    """Lay out the source (spec: self.extract)."""
    directory = _path(arguments, arguments.out)
    count = extract_self(directory)
    if arguments.json:
        print_json({"version": 1, "directory": directory, "files": count})
    else:
        print(f"{harmless(directory)}: {count} files")
    return 0


def do_verify(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print what a file is, if it is as it was made (spec: self.verify)."""
    # The `__main__.py` of a checkout is not such a file, and the error says so.
    named = sys.argv[0] if arguments.file is None else _path(arguments, arguments.file)
    return _printed(verify_file(named), arguments.json)


def _path(arguments: argparse.Namespace, word: str) -> str:
    return os.path.normpath(os.path.join(os.getcwd(), arguments.directory or "", word))


def _printed(file: OneFile, as_json: bool) -> int:
    if as_json:
        print_json({"version": 1, "file": {**vars(file), "bramble": file.version}})
    else:
        print(f"{harmless(file.path)}: bramble {file.version}, {size(file.size)}")
        print(f"source {file.source}")
        print(f"sha256 {file.sha256}")
    return 0
