"""The suite in one file: `python3 -m conformance pack FILE` makes one program of runner, cases and spec/.

The file is a zip after a first line for `python3`. Cases need files on disk, so it unpacks itself into a
temporary directory, which it removes at its end. The bytes depend only on what is packed.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import zipfile
from collections.abc import Iterator, Sequence

from conformance.places import HOME, SPEC

_FIRST_LINE = b"#!/usr/bin/env python3\n"
_START = '''\
"""Unpack the suite beside temporary files, run it there, and remove it."""
import os, runpy, shutil, sys, tempfile, zipfile

top = tempfile.mkdtemp(prefix="bc-suite-")
try:
    with zipfile.ZipFile(os.path.abspath(sys.argv[0])) as packed:
        for one in packed.infolist():
            path = packed.extract(one, top)
            os.chmod(path, (one.external_attr >> 16) & 0o777)
    sys.path[0] = top
    sys.argv[0] = "conformance"
    runpy.run_module("conformance", run_name="__main__", alter_sys=False)
finally:
    shutil.rmtree(top, ignore_errors=True)
'''
_DATE = (1980, 1, 1, 0, 0, 0)


def packed(files: Sequence[tuple[str, str]]) -> bytes:
    """Return the program that holds these files: names in it, and where each is now."""
    data = io.BytesIO()
    data.write(_FIRST_LINE)
    with zipfile.ZipFile(data, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_info("__main__.py", 0o644), _START)
        for name, path in files:
            with open(path, "rb") as file:
                executable = os.stat(path).st_mode & stat.S_IXUSR
                archive.writestr(_info(name, 0o755 if executable else 0o644), file.read())
    return data.getvalue()


def main(words: Sequence[str]) -> int:
    """Write the suite into the file that is named; return 0, or 1 where that cannot be done."""
    # spec: conformance.pack
    if len(words) != 1 or words[0].startswith("-"):
        print("usage: python3 -m conformance pack FILE", file=sys.stderr)
        return 1
    try:
        data = packed(sorted([*_files(HOME, "conformance"), *_files(SPEC, "spec")]))
        with open(words[0], "wb") as file:
            file.write(data)
        os.chmod(words[0], 0o755)
    except OSError as problem:
        print(f"conformance: {words[0]}: {problem.strerror}", file=sys.stderr)
        return 1
    return 0


def _files(top: str, name: str) -> Iterator[tuple[str, str]]:
    for directory, names, files in os.walk(top):
        names[:] = [one for one in names if one != "__pycache__"]
        for file in files:
            path = os.path.join(directory, file)
            yield os.path.join(name, os.path.relpath(path, top)), path


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system = 3  # Unix, whose modes these are
    info.external_attr = (stat.S_IFREG | mode) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
