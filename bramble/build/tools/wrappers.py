"""Programs that replace others, recognized by their path, their target or their output. Pure.

A wrapper calls another program, with an environment that no build has. So it is passed over where it is
found, and where nothing else is found the error says how to name what it would call.
"""

from __future__ import annotations

import posixpath
import re
from typing import Optional

_COMPILERS = ("ccache", "distcc", "icecc", "sccache", "colorgcc")
_MANAGERS = ("pyenv", "rbenv", "nodenv", "goenv", "jenv", "asdf", "mise", "rustup", "volta")
_BOXES = ("snap", "flatpak", "firejail")
# A program with one of these names is another program only if a link with its own name leads to it.
_NAMES = {**{name: name for name in (*_COMPILERS, *_MANAGERS, *_BOXES)}, "volta-shim": "volta"}
_SHIM = re.compile(r"/\.?(" + "|".join(_MANAGERS) + r")/shims/[^/]+")
_CALLS = re.compile(
    r"^\s*exec\s+\"?(?:[^\s\"]*/)?(?:(" + "|".join(_NAMES) + r")\"?\s|snap/bin/)", re.MULTILINE
)


def wrapper_of(tool: str, path: str, real: str, head: bytes) -> Optional[str]:
    """Return what a program only calls, "ccache"; None for one that does its work itself.

    `tool` is the name that was asked for, `path` where it was found, `real` what that leads to, and
    `head` how the file begins.
    """
    # spec: build.host-tools.wrappers
    shim = _SHIM.search(path)
    if shim is not None:
        return shim[1]
    name = _NAMES.get(posixpath.basename(real))
    if name is not None and posixpath.basename(real) != posixpath.basename(tool):
        return name
    if head[:2] == b"#!":
        said = _CALLS.search(head.decode("utf-8", "replace"))
        if said is not None:
            return said[1] or "snap"
    return None


def instead_of(wrapper: str, tool: str, install: Optional[str]) -> str:
    """Return what to do about a wrapper; `install` is the command of the distribution, if it is known."""
    name = posixpath.basename(tool)
    if wrapper in _MANAGERS:
        return (
            f"`{wrapper} which {name}` says what it calls: name that by its path in tools (what is not "
            "installed for everybody needs BRAMBLE_HOST_TOOLS too)"
        )
    if wrapper in _BOXES:
        return (f"install it with `{install}`" if install else "install it as a package") + ", or fetch it"
    return "name the compiler that it calls by its path in tools, such as /usr/bin/gcc-12"
