"""The wheel: what `pip`, `pipx` and `uv` install. A function from the source tree to bytes.

Sources: the binary distribution format (PEP 427), editable installs (PEP 660), the record of
installed projects (PEP 376, PEP 627), licence files (PEP 639).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping

from bramble.self.metadata import Metadata, core_metadata, entry_points, read_metadata
from bramble.self.payload import archive_of

PACKAGE = "bramble"
TAG = "py3-none-any"


def wheel_name(metadata: Metadata) -> str:
    """Return the file name of the wheel."""
    return f"{metadata.stem}-{TAG}.whl"


def dist_info_name(metadata: Metadata) -> str:
    """Return the name of the directory with what is known of an installed package."""
    return f"{metadata.stem}.dist-info"


def wheel(tree: Mapping[str, bytes]) -> bytes:
    """Return the wheel of the source tree `tree`, path → bytes. The same tree gives the same bytes.

    The package is in it as in the tree; every other file of the tree (the licence, the README,
    `pyproject.toml`, the specification) stands within the package, so that an installed Bramble
    holds its whole source.

    Raises BrambleError as `read_metadata` does.
    """
    # spec: self.wheel
    metadata = read_metadata(tree)
    files = {_installed(path): data for path, data in tree.items()}
    return _archive(files, dist_info(metadata, tree), metadata)


def editable_wheel(tree: Mapping[str, bytes], checkout: str) -> bytes:
    """Return a wheel that makes `import bramble` read the package in the directory `checkout`.

    Raises BrambleError as `read_metadata` does.
    """
    # spec: self.wheel.editable
    metadata = read_metadata(tree)
    files = {f"__editable__.{metadata.stem}.pth": path_line(checkout)}
    return _archive(files, dist_info(metadata, tree), metadata)


def dist_info(metadata: Metadata, tree: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the files of `.dist-info`, relative to it, without RECORD."""
    lines = (
        "Wheel-Version: 1.0",
        f"Generator: {metadata.name} {metadata.version}",
        "Root-Is-Purelib: true",
        f"Tag: {TAG}",
    )
    return {
        "METADATA": core_metadata(metadata),
        "WHEEL": ("\n".join(lines) + "\n").encode("ascii"),
        "entry_points.txt": entry_points(metadata),
        **{f"licenses/{path}": tree[path] for path in metadata.license_files},
    }


def path_line(directory: str) -> bytes:
    """Return a `.pth` file that appends `directory` to the path of modules.

    Python reads such a file in an encoding that depends on its version and on the locale, and takes
    each line apart: whatever is not plain is written as an expression in ASCII.
    """
    plain = directory.isascii() and directory.isprintable() and directory == directory.strip()
    line = directory if plain else f"import sys; sys.path.append({ascii(directory)})"
    return (line + "\n").encode("ascii")


def _installed(path: str) -> str:
    return path if path.startswith(f"{PACKAGE}/") else f"{PACKAGE}/{path}"


def _archive(files: Mapping[str, bytes], about: Mapping[str, bytes], metadata: Metadata) -> bytes:
    """Return the archive: the files, sorted, then `.dist-info`, sorted, with RECORD as the last."""
    # spec: self.wheel.bytes
    directory = dist_info_name(metadata)
    members = [
        *sorted(files.items()),
        *((f"{directory}/{path}", data) for path, data in sorted(about.items())),
    ]
    members.append((f"{directory}/RECORD", _record(members, f"{directory}/RECORD")))
    return archive_of(members)


def _record(members: Iterable[tuple[str, bytes]], own: str) -> bytes:
    """Return the file RECORD: path, digest and size of each member, and of itself the path alone."""
    rows = []
    for path, data in members:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
        rows.append(f"{_field(path)},sha256={digest},{len(data)}\n")
    return "".join([*rows, f"{own},,\n"]).encode("utf-8")


def _field(text: str) -> str:
    """Return a field of a CSV file (RFC 4180)."""
    return '"{}"'.format(text.replace('"', '""')) if set(text) & set(',"\n\r') else text
