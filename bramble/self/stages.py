"""Bramble as a project that Bramble builds, and what two results differ in. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bramble.self.metadata import read_metadata
from bramble.self.pack import pack
from bramble.self.wheel import wheel, wheel_name

_PROJECT = "bramble/self/project/"
TOOLS = "tools"


def project_of(source: Mapping[str, bytes], tools: str = "") -> dict[str, bytes]:
    """Return the files of a project that builds a source, path to bytes.

    `tools` names the programs to build with, by names or absolute paths with blanks between; "" for what
    the project names itself.
    """
    # spec: self.build.project
    files = {name[len(_PROJECT) :]: data for name, data in source.items() if name.startswith(_PROJECT)}
    if tools:
        files[TOOLS] = f"{tools}\n".encode("utf-8", "surrogateescape")
    files.update((f"source/{name}", data) for name, data in source.items())
    return files


def products(source: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what the project is to make of a source: the files of its output, path to bytes."""
    # spec: self.build.project
    return {"bin/bramble": pack(source), f"wheel/{wheel_name(read_metadata(source))}": wheel(source)}


def difference(first: Mapping[str, bytes], second: Mapping[str, bytes]) -> str:
    """Return the first difference of two results, path to bytes, as `PATH, byte OFFSET`; "" for none."""
    for path in sorted({*first, *second}):
        one, other = first.get(path), second.get(path)
        if one is None or other is None:
            return f"{path} is only in one of them"
        if one != other:
            shorter = min(len(one), len(other))
            at = next((at for at in range(shorter) if one[at] != other[at]), shorter)
            return f"{path}, byte {at}"
    return ""
