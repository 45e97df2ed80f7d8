"""Git repositories for cases, written without git: objects, branches and tags (gitrepository-layout(5)).

Authors and times are always the same, so the hash of a commit is a function of the files and of the
commits before it, and a case can hold it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Mapping
from typing import Optional

MAIN = "main"
_HEADS, _TAGS = "refs/heads/", "refs/tags/"
# An empty configuration is one of a repository that is not bare, whose files git would look for.
_CONFIGURATION = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
_WHO = b"A <a@example.test> 1000000000 +0000"
_TREE, _LINK, _FILE, _PROGRAM, _MODULE = b"40000", b"120000", b"100644", b"100755", b"160000"
_MODULES = "case-modules"  # of a repository: the submodules of its next commits
_LIST = "info/refs"  # what a client of a server that only has files reads (gitrepository-layout(5))


class NoCommit(Exception):
    """A tag or a branch is to refer to a commit, but there is none."""


def commit(repository: str, directory: str) -> str:
    """Commit what is in a directory, and nothing else, to the branch `main`; return the commit's hash.

    The bare repository is made if it is not there. Raises OSError.
    """
    # spec: conformance.verbs.git
    _begin(repository)
    lines = [b"tree " + _tree(repository, directory, _modules(repository)).encode()]
    before = _meaning(repository, _HEADS + MAIN)
    if before is not None:
        lines.append(b"parent " + before.encode())
    lines += [b"author " + _WHO, b"committer " + _WHO, b"", b"A commit.", b""]
    made = _object(repository, "commit", b"\n".join(lines))
    _set(repository, _HEADS + MAIN, made)
    return made


def tag(repository: str, name: str, commit: str = "", *, annotated: bool = False) -> None:
    """Have a tag mean a commit, or the newest of `main`, also one that is there. Raises NoCommit, OSError."""
    made = commit or _newest(repository)
    if annotated:
        lines = [f"object {made}".encode(), b"type commit", b"tag " + name.encode(), b"tagger " + _WHO]
        made = _object(repository, "tag", b"\n".join([*lines, b"", b"A tag.", b""]))
    _set(repository, _TAGS + name, made)


def untag(repository: str, name: str) -> None:
    """Remove a tag, which is there. Raises OSError."""
    os.unlink(os.path.join(repository, _TAGS + name))
    _list(repository)


def module(repository: str, path: str, commit: str) -> None:
    """Have later commits hold a submodule: a commit of another repository at this path. Raises OSError."""
    _begin(repository)
    with open(os.path.join(repository, _MODULES), "a", encoding="utf-8") as file:
        file.write(f"{commit} {path}\n")


def branch(repository: str, name: str, commit: str = "") -> None:
    """Have a branch mean a commit, or the newest of `main`. Raises NoCommit, OSError."""
    _set(repository, _HEADS + name, commit or _newest(repository))


def _newest(repository: str) -> str:
    found = _meaning(repository, _HEADS + MAIN)
    if found is None:
        raise NoCommit(f"there is no commit in {repository} yet")
    return found


def _begin(repository: str) -> None:
    if os.path.exists(os.path.join(repository, "HEAD")):
        return
    for name in ("objects", _HEADS, _TAGS):
        os.makedirs(os.path.join(repository, name), exist_ok=True)
    for name, text in (("config", _CONFIGURATION), ("HEAD", f"ref: {_HEADS}{MAIN}\n")):
        with open(os.path.join(repository, name), "w", encoding="ascii") as file:
            file.write(text)


def _meaning(repository: str, reference: str) -> Optional[str]:
    try:
        with open(os.path.join(repository, reference), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def _set(repository: str, reference: str, name: str) -> None:
    path = os.path.join(repository, reference)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(name + "\n")
    _list(repository)


def _list(repository: str) -> None:
    """Write the list of all references."""
    lines = []
    for top, _, names in os.walk(os.path.join(repository, "refs")):
        for name in names:
            reference = os.path.relpath(os.path.join(top, name), repository)
            lines.append(f"{_meaning(repository, reference)}\t{reference}\n")
    os.makedirs(os.path.join(repository, "info"), exist_ok=True)
    with open(os.path.join(repository, _LIST), "w", encoding="utf-8") as file:
        file.write("".join(sorted(lines, key=lambda line: line.partition("\t")[2])))


def _modules(repository: str) -> dict[str, str]:
    """Return the commits of submodules, by path."""
    try:
        with open(os.path.join(repository, _MODULES), encoding="utf-8") as file:
            return {path: commit for commit, _, path in (line.strip().partition(" ") for line in file)}
    except FileNotFoundError:
        return {}


def _tree(repository: str, directory: str, modules: Mapping[str, str]) -> str:
    """Write the object of a directory and all below it; empty ones are left out, as git leaves them out."""
    entries: dict[bytes, tuple[bytes, bytes, str]] = {}
    for inner, commit in modules.items():
        if "/" not in inner:
            entries[os.fsencode(inner)] = _MODULE, os.fsencode(inner), commit
    for name in os.listdir(os.fsencode(directory)):
        path = os.path.join(os.fsencode(directory), name)
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            if _holds_files(path):
                # Directories are sorted as if a slash stood behind their names.
                above = os.fsdecode(name) + "/"
                below = {
                    inner[len(above) :]: commit
                    for inner, commit in modules.items()
                    if inner.startswith(above)
                }
                entries[name + b"/"] = _TREE, name, _tree(repository, os.fsdecode(path), below)
        elif stat.S_ISLNK(mode):
            entries[name] = _LINK, name, _object(repository, "blob", os.readlink(path))
        else:
            with open(path, "rb") as file:
                entries[name] = (
                    _PROGRAM if mode & 0o100 else _FILE,
                    name,
                    _object(repository, "blob", file.read()),
                )
    pieces = [
        mode + b" " + name + b"\0" + bytes.fromhex(made) for _, (mode, name, made) in sorted(entries.items())
    ]
    return _object(repository, "tree", b"".join(pieces))


def _holds_files(directory: bytes) -> bool:
    return any(files or any(map(os.path.islink, names)) for _, names, files in os.walk(directory))


def _object(repository: str, kind: str, content: bytes) -> str:
    """Write a loose object, if it is not there; return its hash (gitformat-loose(5))."""
    whole = f"{kind} {len(content)}".encode() + b"\0" + content
    name = hashlib.sha1(whole).hexdigest()
    path = os.path.join(repository, "objects", name[:2], name[2:])
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(zlib.compress(whole, 1))
    return name
