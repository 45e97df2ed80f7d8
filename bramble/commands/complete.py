"""The targets that a word may become: found by names and lines of files, with nothing evaluated.

A project may be somebody else's: no link is followed out of it, no file is
waited for, and what is read and returned has limits.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from typing import Optional

import bramble
from bramble.errors import BrambleError
from bramble.project.access import read_file
from bramble.project.config import ProjectConfig
from bramble.project.lockfile import DEPENDENCIES, read_lock
from bramble.project.names import CONFIG_NAME, LOCK_NAME
from bramble.project.project import Project, find_project
from bramble.record import NamedTuple
from bramble.starlark.kept import Kept
from bramble.store.layout.place import VISITED, locate

__all__ = ["Candidate", "dependencies", "program_stamp", "read_kept", "targets", "write_kept"]

SUFFIX = ".bramble"
MOST_NAMES = 5000  # of one directory that are looked at
MOST_CANDIDATES = 500
COMPLETION = "completion"  # the directory in the cache
_KEPT_NAME = "commands"
_GROUPS = ("cli/verbs/packages", "cli/verbs/self", "cli/verbs/store")
_LARGEST = 1 << 20  # bytes of a module that is looked through
# Parameters end before the next function: to look for their end in the whole file, for each function that has
# none, would take a time that grows with the square of its size.
_DEF = re.compile(rb"^def[ \t]+([A-Za-z][A-Za-z0-9_]*)[ \t]*\(([^)\n]*(?:\n(?!def[ \t])[^)\n]*)*)\)", re.M)


class Candidate(NamedTuple):
    """What a word may become."""

    text: str
    summary: str = ""


def program_stamp() -> str:
    """Return a name that changes when the program may have changed: 40 hexadecimal digits."""
    top = os.path.dirname(os.path.abspath(bramble.__file__))
    seen = [bramble.__version__]
    for directory in (
        "cli",
        "cli/completion",
        "cli/verbs",
        "cli/verbs/packages",
        "cli/verbs/self",
        "cli/verbs/store",
        "commands",
    ):
        try:
            with os.scandir(os.path.join(top, directory)) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    status = entry.stat()
                    seen.append(f"{entry.name} {status.st_mtime_ns} {status.st_size}")
        except OSError:
            break
    if len(seen) == 1:
        # One file that holds them all.
        while not os.path.lexists(top):
            top = os.path.dirname(top)
        status = os.stat(top)
        seen.append(f"{top} {status.st_mtime_ns} {status.st_size}")
    return hashlib.sha256("\n".join(seen).encode("utf-8", "surrogateescape")).hexdigest()[:40]


def read_kept(cache: Optional[str], stamp: str) -> Optional[bytes]:
    """Return what `write_kept` has kept for the program with this stamp, None if there is nothing."""
    if cache is None:
        return None
    found, _, data = (_kept(cache).read(_KEPT_NAME) or b"").partition(b"\n")
    return data if found == stamp.encode("ascii") else None


def write_kept(cache: Optional[str], stamp: str, data: bytes) -> None:
    """Keep what completion knows of the commands in the directory `cache`, if that is possible."""
    if cache is not None:
        _kept(cache).write(_KEPT_NAME, stamp.encode("ascii") + b"\n" + data)


def _kept(cache: str) -> Kept:
    return Kept(os.path.dirname(cache), (os.path.basename(cache), COMPLETION))


def targets(word: str, directory: str, store: str = "") -> list[Candidate]:
    """Return the targets, or beginnings of targets, that begin with `word`, in order.

    `directory` is where the command works, `store` the root of the store, which knows the packages that were
    used before. A candidate that ends in `/` or `:` is to be continued.
    """
    return [*_of_project(word, directory), *_of_packages(word, store)][:MOST_CANDIDATES]


def _of_packages(word: str, store: str) -> list[Candidate]:
    """Return what a word may become that names a package which was used before, or a function of it."""
    # spec: internet.completion
    if not store or "." not in word.partition("/")[0].strip("."):
        return []
    homes = os.path.join(store, VISITED)
    key, colon, function = word.partition(":")
    if not colon:
        return [Candidate(f"{found}:") for found in _visited(homes) if found.startswith(word)]
    name, at, rest = key.partition("@")
    version, _, module = rest.partition("/")
    try:
        known = read_lock(os.path.join(homes, f"{name}@{version}", LOCK_NAME)).tables.get(DEPENDENCIES, {})
        digest = known.get(f"{name}@{version}") or known[f"{name} rev={version}"]
        root = os.path.join(locate(store).directory, digest)
        project = Project(root, ProjectConfig(name, "0"))
    except (BrambleError, KeyError, ValueError):
        return []
    inner = f"{name}/{module}" if module else name
    found = _functions(project, inner, function)
    return [Candidate(key + one.text[len(inner) :], one.summary) for one in found]


def _visited(homes: str) -> Iterator[str]:
    """Yield the keys of packages that were used before, in order."""
    waiting, looked = [homes], 0
    while waiting and looked < MOST_NAMES:
        directory = waiting.pop()
        looked += 1
        if "@" in os.path.basename(directory):
            yield directory[len(homes) + 1 :]
        else:
            names = sorted((name for name, is_directory in _entries(directory) if is_directory), reverse=True)
            waiting += [f"{directory}/{name}" for name in names]


def _of_project(word: str, directory: str) -> list[Candidate]:
    # spec: cli.completion.targets
    try:
        project = find_project(directory)
    except BrambleError:
        return []
    head, colon, function = word.rpartition(":")
    if colon:
        return _functions(project, head, function)
    found = _places(project, word)
    if len(found) == 1 and found[0].text.endswith(":"):
        return _functions(project, found[0].text[:-1], "")
    return found[:MOST_CANDIDATES]


def dependencies(word: str, directory: str) -> list[Candidate]:
    """Return the packages that bramble.toml requires and that begin with `word`, with their versions."""
    # spec: cli.completion.dependencies
    try:
        known = find_project(directory).config.dependencies
    except BrambleError:
        return []
    return [
        Candidate(name, one.version or one.path or one.rev)
        for name, one in sorted(known.items())
        if name.startswith(word)
    ][:MOST_CANDIDATES]


def _places(project: Project, word: str) -> list[Candidate]:
    """Return what modules and directories a word without a colon may become."""
    if not word or word in (".", ".."):
        nearer = [Candidate(f"{start}/") for start in (".", "..") if start.startswith(word)]
        found = [one for one in nearer if one.text == "./" or project.location]
        # The directory itself is what is meant most often.
        return [*_inside(project, "./", ""), *found[1:]] if word != ".." else found
    head, slash, last = word.rpartition("/")
    if word.startswith(("./", "../")):
        return _inside(project, f"{head}/", last)
    names = [project.name] if project.name.startswith(word) else []
    if names:
        return [*(Candidate(f"{name}:") for name in names), *(Candidate(f"{name}/") for name in names)]
    return _inside(project, f"{head}/", last) if slash else []


def _inside(project: Project, head: str, beginning: str) -> list[Candidate]:
    """Return the candidates in the directory that `head` spells, whose last part begins so."""
    place = _directory(project, head)
    if place is None:
        return []
    found = []
    if not beginning:
        found += _functions(project, head, "") if head in ("./", "../") else []
    if "...".startswith(beginning):
        found.append(Candidate(f"{head}...", "everything there and below"))
    names = set()
    for name, is_directory in _entries(os.path.join(project.root, place)):
        if not name.startswith(beginning or "") or name.startswith("."):
            continue
        path = os.path.join(place, name)
        if is_directory:
            if not _is_project(project, path):
                names.add(f"{name}/")
                if _is_module(project, os.path.join(path, "default" + SUFFIX)):
                    names.add(f"{name}:")
        elif name.endswith(SUFFIX) and name != "default" + SUFFIX:
            names.add(f"{name[: -len(SUFFIX)]}:")
    return [*found, *(Candidate(head + name) for name in sorted(names))]


def _functions(project: Project, head: str, beginning: str) -> list[Candidate]:
    """Return the functions of a module that can be called without arguments."""
    place = _directory(project, head)
    if place is None:
        return []
    for path in (os.path.join(place, "default" + SUFFIX), place + SUFFIX):
        try:
            source = read_file(project.root, os.path.normpath(path), _LARGEST)
        except OSError:
            continue
        names = dict.fromkeys(_defined(source))
        return [Candidate(f"{head}:{name}") for name in names if name.startswith(beginning)][:MOST_CANDIDATES]
    return []


def _defined(source: bytes) -> Iterator[str]:
    for found in _DEF.finditer(source):
        parameters = [one.strip() for one in found.group(2).split(b",")]
        if all(not one or b"=" in one or one.startswith((b"*", b"#")) for one in parameters):
            yield found.group(1).decode("ascii")


def _directory(project: Project, spelled: str) -> Optional[str]:
    """Return the place that a path or a module name spells, relative to the root; None outside of it."""
    if spelled == project.name or spelled.startswith(f"{project.name}/"):
        place = os.path.normpath(spelled[len(project.name) + 1 :] or ".")
    elif spelled in (".", "..") or spelled.startswith(("./", "../")):
        place = os.path.normpath(os.path.join(project.location, spelled))
    else:
        return None
    if place == ".." or place.startswith(("../", "/")) or "\0" in place:
        return None
    # A directory that is a link, and whatever is below one, holds no modules.
    parts = place.split("/")
    if any(os.path.islink(os.path.join(project.root, *parts[:n])) for n in range(1, len(parts) + 1)):
        return None
    return place


def _entries(directory: str) -> Iterator[tuple[str, bool]]:
    """Yield the names in a directory, and whether each is a directory; links are left out."""
    try:
        with os.scandir(directory) as found:
            for number, entry in enumerate(found):
                if number >= MOST_NAMES:
                    return
                if not entry.is_symlink():
                    yield entry.name, entry.is_dir(follow_symlinks=False)
    except OSError:
        return


def _is_project(project: Project, path: str) -> bool:
    return os.path.lexists(os.path.join(project.root, path, CONFIG_NAME))


def _is_module(project: Project, path: str) -> bool:
    return os.path.isfile(os.path.join(project.root, path))
