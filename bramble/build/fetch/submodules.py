"""Submodules of a commit: what its `.gitmodules` says of them, and where they are. Pure.

The file is a stranger's. Of all that it can say only two things count: the path, which has to be that of a
submodule in the tree of the commit, and the URL, which is looked at like one that a project writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bramble.build.fetch.archives.confined import Path, shown
from bramble.build.fetch.commit import CommitBroken

DEEPEST = 16  # how deep submodules may be nested
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_KEY = re.compile(rb"submodule\.(.*)\.(path|url)", re.DOTALL)


def urls_of(settings: bytes) -> Mapping[Path, str]:
    """Return the URL of each path, of what `git config --list -z` prints of a `.gitmodules` (gitmodules(5)).

    Raises CommitBroken for a path that has two URLs.
    """
    # spec: build.fetch-git.submodules
    said: dict[bytes, dict[bytes, bytes]] = {}
    for line in settings.split(b"\0"):
        key, _, value = line.partition(b"\n")
        found = _KEY.fullmatch(key)
        if found is not None:
            said.setdefault(found[1], {})[found[2]] = value
    urls: dict[Path, str] = {}
    for one in said.values():
        if one.get(b"path") and one.get(b"url"):
            path = tuple(one[b"path"].rstrip(b"/").split(b"/"))
            url = one[b"url"].decode("utf-8", "surrogateescape")
            if urls.setdefault(path, url) != url:
                raise CommitBroken(f"the submodule {shown(one[b'path'])} has two URLs")
    return urls


def url_of(path: Path, urls: Mapping[Path, str], base: str) -> str:
    """Return the URL of the submodule at `path`, in a repository with the URL `base`. Raises CommitBroken."""
    # spec: build.fetch-git.submodules
    url = urls.get(path, "")
    if not url:
        raise CommitBroken(f"no URL in .gitmodules for the submodule {shown(b'/'.join(path))}")
    if not url.startswith(("./", "../")):
        if is_local(url) and not is_local(base):
            raise CommitBroken(
                f"the submodule {shown(b'/'.join(path))} would be a repository of this machine, {url}"
            )
        return url
    return _relative(url.split("/"), base)


def _relative(steps: Iterable[str], base: str) -> str:
    """Return what a relative URL means: from the repository itself upwards (git-submodule(1), add)."""
    scheme = _SCHEME.match(base)
    # What may not be taken away: the scheme and the host.
    start = scheme.group(0) if scheme else ""
    rest = base[len(start) :].rstrip("/")
    host, slash, path = rest.partition("/") if start else ("", "", rest)
    start += host + slash
    if not scheme and ":" in path.partition("/")[0]:
        start, _, path = path.partition(":")
        start += ":"
    absolute = path.startswith("/")
    names = [name for name in path.split("/") if name]
    for step in steps:
        if step == "..":
            if not names:
                raise CommitBroken("the relative URL of a submodule leads above the server")
            names.pop()
        elif step not in ("", "."):
            names.append(step)
    return start + ("/" if absolute else "") + "/".join(names)


def is_local(url: str) -> bool:
    """Return whether a URL is that of a repository on this machine, or a path."""
    if _SCHEME.match(url):
        return url.lower().startswith("file:")
    return ":" not in url.partition("/")[0]
