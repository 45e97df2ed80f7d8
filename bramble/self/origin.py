"""How the running Bramble was installed, and so how its program is removed."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from typing import Optional

import bramble
from bramble.record import dataclass

_DIST_INFO = re.compile(r"bramble-[0-9][^/]*\.dist-info")
_COPY = re.compile(r"[a-z2-7]{32}")


@dataclass(frozen=True)
class Origin:
    """What the program is and how it is removed.

    `kind` is `file` (the one file), `checkout` (a clone, or a source that was laid out), `pip`, `pipx`,
    `uv`, or what else an installer calls itself. `path` is the file, the checkout or the package.
    `removal` are the words of the command that removes it; none where a user has to decide.
    """

    kind: str
    path: str
    removal: tuple[str, ...]


def origin(program: str) -> Origin:
    """Return the origin of this process, which was started as `program` (the first of `sys.argv`)."""
    # spec: self.uninstall.program
    package = os.path.dirname(os.path.abspath(bramble.__file__))
    top = os.path.dirname(package)
    if is_copy(top) or not os.path.isdir(package):
        return Origin("file", program, ("rm", program))
    if os.path.lexists(os.path.join(package, "pyproject.toml")):
        return _installed(package, top)
    # An editable installation: the package is the checkout's, and what makes it known is installed.
    library = sysconfig.get_path("purelib")
    if library and _dist_info(library) is not None:
        return Origin("checkout", top, _installed(package, library).removal)
    return Origin("checkout", top, ())


def is_copy(directory: str) -> bool:
    """Return whether a directory is a copy of the one file that was unpacked into the cache."""
    named = _COPY.fullmatch(os.path.basename(directory)) is not None
    return named and all(
        os.path.isfile(os.path.join(directory, name)) for name in ("manifest", "bramble/self/boot.py")
    )


def _installed(package: str, library: str) -> Origin:
    if os.path.isfile(os.path.join(sys.prefix, "pipx_metadata.json")):
        return Origin("pipx", package, ("pipx", "uninstall", "bramble"))
    if os.path.isfile(os.path.join(sys.prefix, "uv-receipt.toml")):
        return Origin("uv", package, ("uv", "tool", "uninstall", "bramble"))
    installer = _installer(library)
    if installer == "pip":
        return Origin("pip", package, (sys.executable, "-m", "pip", "uninstall", "bramble"))
    if installer == "uv":
        return Origin("uv", package, ("uv", "pip", "uninstall", "--python", sys.executable, "bramble"))
    return Origin(installer or "unknown", package, ())


def _installer(library: str) -> str:
    """Return what the file INSTALLER says (PEP 376)."""
    directory = _dist_info(library)
    if directory is None:
        return ""
    try:
        with open(os.path.join(directory, "INSTALLER"), encoding="utf-8", errors="replace") as file:
            return file.read(80).strip()
    except OSError:
        return ""


def _dist_info(library: str) -> Optional[str]:
    try:
        names = sorted(os.listdir(library))
    except OSError:
        return None
    found = [os.path.join(library, name) for name in names if _DIST_INFO.fullmatch(name)]
    return found[0] if found else None
