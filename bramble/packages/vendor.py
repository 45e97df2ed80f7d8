"""The vendor directory: its files, the manifest that says what they are for, and what is to be done. Pure.

    bramble-vendor.json   the manifest
    bramble               Bramble itself, the one file
    .gitattributes        no line ends are changed here
    objects/DIGEST        the archive of an object: sources of a package, or the result of a download
    downloads/sha256-…    the bytes of a download whose derivation states a checksum

The manifest is for people, and says that the directory is Bramble's. No build reads it: the lock names what
is needed, and the names of the files are what their bytes are checked against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Optional

from bramble.project.names import VENDOR_NAME, VENDOR_PROGRAM
from bramble.record import NamedTuple

MANIFEST, PROGRAM, ATTRIBUTES = VENDOR_NAME, VENDOR_PROGRAM, ".gitattributes"
FOLDERS = ("downloads", "objects")
TEMPORARY = ".bramble-"  # begins the name of a file that is not complete
# The one file begins with a text, and git may take it for one.
ATTRIBUTES_TEXT = b"* -text\nbramble -diff\n"
_VERSION = 1
_OWN = re.compile(r"objects/[a-z2-7]{32}|downloads/sha(256|384|512)-[0-9a-f]{64,128}")


class Manifest(NamedTuple):
    """What a vendor directory holds."""

    bramble: str  # version of the one file
    sha256: str  # of the one file, hexadecimal
    files: Mapping[str, tuple[str, ...]]  # path → keys of the lock that it is for, sorted


class Steps(NamedTuple):
    """What is to be done so that a vendor directory holds what it should: paths, sorted."""

    written: tuple[str, ...]
    removed: tuple[str, ...]


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of a manifest: the same for the same content, one line for each file."""
    # spec: vendor.manifest
    # By hand, so that a file is one line: such lines are merged.
    program = json.dumps({"version": manifest.bramble, "sha256": manifest.sha256})
    files = [f"  {json.dumps(path)}: {json.dumps(manifest.files[path])}" for path in sorted(manifest.files)]
    head = f'{{\n "version": {_VERSION},\n "bramble": {program},\n "files": {{'
    return "".join([head, *("\n" + line + "," for line in files)]).rstrip(",").encode("ascii") + b"\n }\n}\n"


def is_manifest(data: bytes) -> bool:
    """Return whether these are the bytes of a manifest that this Bramble may replace."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("version") == _VERSION


def is_own(path: str) -> bool:
    """Return whether a path in a vendor directory is one that Bramble gives to what it writes there."""
    # spec: vendor.own
    folder, _, name = path.rpartition("/")
    if name.startswith(TEMPORARY):
        return folder in ("", *FOLDERS)
    return _OWN.fullmatch(path) is not None


def steps(wanted: Iterable[str], present: Mapping[str, Optional[bool]]) -> Steps:
    """Return what is to be written and removed.

    `wanted` are the paths that belong there; `present` maps those that are there to whether they are what
    they should be.
    """
    # spec: vendor.incremental
    needed = set(wanted)
    return Steps(
        written=tuple(sorted(path for path in needed if not present.get(path))),
        removed=tuple(sorted(path for path in present if path not in needed and is_own(path))),
    )
