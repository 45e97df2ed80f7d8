"""What a `run()` value asks for beyond its project, and whether the user has agreed to it.

A project may be a stranger's. What it can have by itself is its own directory;
everything else is a request, and a request is granted by the user: with an
option, by an answer, or earlier, by a grant that `trust` remembers.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from typing import Optional

from bramble.commands.context.evaluation import Evaluated
from bramble.errors import BrambleError
from bramble.lang.results import RunRequest
from bramble.project.project import Project
from bramble.record import dataclass

WORDS = {
    "run": "to be run",
    "path": "to take a package from",
    "write": "to read and write",
    "read": "to read",
    "network": "to use the network",
    "generate": "to use the network while derivation_output runs",
}
_LONGEST_QUESTION = 4096  # characters of all requests, which have to be on a screen together
_MOST_ASKED = 16
_OPTIONS = {"write": "--paths", "read": "--read_only_paths"}


@dataclass(frozen=True, order=True)
class Item:
    """One thing that is asked for: `kind` is one of WORDS; `path` is absolute, without links."""

    kind: str
    path: str = ""

    def to_json(self) -> dict[str, str]:
        """Return it as it is remembered and reported."""
        return {"kind": self.kind, "path": self.path}

    def __str__(self) -> str:
        return f"{WORDS[self.kind]} {self.path}".rstrip()


@dataclass(frozen=True)
class Asked:
    """All that one run asks for: of which project, in whose module, and what. No items: nothing."""

    directory: str  # of the project, without symbolic links; the digest of sources that were fetched
    name: str  # of the project
    owner: str  # the package whose module calls run(); "" for the project itself
    items: tuple[Item, ...]  # sorted

    def to_json(self) -> dict[str, object]:
        """Return what is remembered of it, and compared."""
        return {
            "directory": self.directory,
            "name": self.name,
            "package": self.owner,
            "requests": [item.to_json() for item in self.items],
        }


def asked(
    evaluated: Evaluated,
    request: RunRequest,
    *,
    paths: Optional[tuple[str, ...]] = None,
    read_only_paths: Optional[tuple[str, ...]] = None,
    network: bool = False,
) -> Asked:
    """Return what `request` asks for that the command line, given in the other arguments, does not give."""
    # spec: cli.run.requests
    project = evaluated.project
    items = set()
    for kind, given, declared in (
        ("write", paths, request.paths),
        ("read", read_only_paths, request.read_only_paths),
    ):
        for text in declared if given is None else ():
            if text.references:
                # It is in an output, which is visible anyway.
                continue
            path = text.text
            real = os.path.realpath(os.path.join(project.here, path))
            if request.owner or not (project.ground and below(real, project.ground)):
                items.add(Item(kind, real))
    if request.network and not network:
        items.add(Item("network"))
    return Asked(*project.asker, request.owner, tuple(sorted(items)))


def asked_to_generate(project: Project) -> Asked:
    """Return what a project asks for whose generators need the network (spec: build.generated.network)."""
    return Asked(*project.asker, "", (Item("generate"),))


def asked_to_follow(project: Project, directory: str) -> Asked:
    """Return what a project asks for that takes a package from a directory (spec: packages.path.granted)."""
    return Asked(*project.asker, "", (Item("path", directory),))


def asked_to_run(project: Project) -> Asked:
    """Return what a project asks for that was fetched: to be run at all; others ask for nothing."""
    # spec: internet.granted
    return Asked(*project.asker, "", () if project.fetched is None else (Item("run"),))


def check_granted(wish: Asked, project: Project, kind: str, real: str) -> None:
    """Refuse a path, without links, that is not in the granted request `wish`. Raises run.not-granted.

    A program that still runs can have put a link in the place of a directory of the project.
    """
    # spec: cli.run.requests
    own = not wish.owner and bool(project.ground) and below(real, project.ground)
    if not own and Item(kind, real) not in wish.items:
        raise BrambleError(
            "run.not-granted",
            f"a path leads to {real}, but led to another place when it was granted",
            remedy="find out what changes the project in the meantime, and run it again",
        )


def can_be_asked(wish: Asked) -> bool:
    """Return whether a user can see all of it at once: what has left the screen is agreed to unseen."""
    # spec: cli.run.requests
    length = sum(len(str(item)) for item in wish.items)
    return len(wish.items) <= _MOST_ASKED and length <= _LONGEST_QUESTION


def refusal(wish: Asked, target: str) -> BrambleError:
    """Return the error for a request that nobody has granted."""
    if Item("run") in wish.items:
        return BrambleError(
            "run.not-granted",
            f"{wish.name} comes from the internet, its sources are {wish.directory}, and it was not run "
            "before",
            remedy=f"look at it: bramble ls {wish.name}\n"
            f"to run it now and from now on: bramble run --yes {shlex.quote(target)} …",
        )
    # The project chose the paths, and the user may copy the line into a shell.
    options = [
        f"{_OPTIONS[item.kind]} {shlex.quote(item.path)}" if item.path else "--network" for item in wish.items
    ]
    asker = wish.owner or wish.name
    return BrambleError(
        "run.not-granted",
        f"{asker} asks {', '.join(str(item) for item in wish.items)}",
        remedy=f"to allow it once: bramble run {' '.join(options)} {shlex.quote(target)} …\n"
        f"to allow it from now on: bramble trust grant {shlex.quote(target)}",
    )


def question(wishes: Sequence[Asked], project: Project) -> Iterator[str]:
    """Yield the question for a user who has granted none of `wishes`, line by line."""
    # spec: internet.granted
    fetched = project.fetched
    if fetched is not None:
        yield f"{fetched.key} comes from the internet, commit {fetched.commit}, sources {fetched.digest}"
        seen = f"read and write {project.ground}" if project.ground else "see nothing of this machine"
        yield f"  its programs may {seen}, and use no network"
    for wish in wishes:
        items = [item for item in wish.items if item.kind != "run"]
        if items:
            place = "that" if fetched is not None else f"its directory {wish.directory}"
            yield f"{wish.owner or wish.name} asks, beyond {place},"
            yield from (f"  {item}" for item in items)


def nothing_shown(project: Project) -> str:
    """Return the warning for programs of a package that see nothing of the current directory."""
    # spec: internet.run.ground
    return (
        f"the program sees nothing of {project.here}, which is hidden, or contains your home directory, "
        "or what Bramble trusts: go to another directory, or name what it may write with --paths"
    )


def below(path: str, ancestor: str) -> bool:
    """Return whether an absolute path is `ancestor` or below it."""
    return path == ancestor or path.startswith(ancestor.rstrip("/") + "/")
