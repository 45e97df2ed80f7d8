"""`build --out-link NAME`: a symbolic link to what was built, which keeps that from being collected.

What is kept is registered in the store under the path of the link, and does not depend on the link being
there: a project that is moved takes its links along, and loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Optional

from bramble.commands.build import BuildResult
from bramble.commands.context.evaluation import Evaluated
from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.store.records.roots import add_root, explicit_roots, remove_root

_OURS = re.compile(r"/store/([a-z2-7]{32})\Z")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Links:
    """Links to be made in `directory`, absolute and reached by none: name → (derivation id, output)."""

    directory: str
    names: Mapping[str, tuple[str, str]]


def planned_links(evaluated: Evaluated, name: str, cwd: str) -> Links:
    """Return the links that `--out-link NAME` asks for, before anything is built.

    For one derivation that is NAME for its default output, and NAME-OUTPUT for others; for several the name
    of the derivation follows NAME-. Raises build.out-link if a link cannot or must not be created.
    """
    # spec: cli.build.out-link
    directory, base = os.path.split(os.path.join(cwd, name))
    if base in ("", ".", ".."):
        raise _refused(name, "is not the name of a file")
    real, here = os.path.realpath(directory), os.path.realpath(cwd)
    if not os.path.isdir(real):
        raise _refused(name, f"cannot be made: there is no directory {directory}")
    if _below(os.path.normpath(directory), os.path.normpath(cwd)) and not _below(real, here):
        raise _refused(name, f"leads out of {cwd} through a symbolic link, to {real}")
    names: dict[str, tuple[str, str]] = {}
    for link, wanted in _named(evaluated, base):
        if names.setdefault(link, wanted) != wanted:
            raise _refused(
                link, "would lead to two outputs", "build the targets one by one, each with a name"
            )
    for link in names:
        _check_free(f"{real}/{link}")
    return Links(real, names)


def _named(evaluated: Evaluated, base: str) -> Iterator[tuple[str, tuple[str, str]]]:
    graph, results = evaluated.evaluation.graph, evaluated.evaluation.results
    roots = tuple(dict.fromkeys(ref.derivation for result in results for ref in result.roots))
    for root in roots:
        derivation = graph.get(root)
        link = base if len(roots) == 1 else f"{base}-{derivation.name}"
        for output in derivation.outputs:
            yield link if output == derivation.outputs[0] else f"{link}-{output}", (root, output)


def _below(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith(ancestor.rstrip("/") + "/")


def _check_free(path: str, directory: Optional[int] = None) -> None:
    """Raise build.out-link unless `path` does not exist or is a link that this command has created."""
    try:
        mode = os.lstat(path if directory is None else os.path.basename(path), dir_fd=directory).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISLNK(mode):
        raise _refused(path, "exists already, and is not a link")
    target = os.readlink(path if directory is None else os.path.basename(path), dir_fd=directory)
    if _OURS.search(target) is None:
        raise _refused(path, f"is a link to {target}, which is not an output in a store")


def _refused(
    name: str, why: str, remedy: str = "choose another name for --out-link, or move it away"
) -> BrambleError:
    return BrambleError("build.out-link", f"the link {name} {why}", remedy=remedy)


def make_links(links: Links, result: BuildResult) -> tuple[str, ...]:
    """Make the links to what was built, and have that kept; return their paths. What failed has none.

    Raises build.out-link, and store.* where it cannot be recorded what is to be kept.
    """
    # spec: cli.build.out-link
    store = result.store
    built = {
        (target.derivation, output): found
        for target in result.targets
        for output, found in target.outputs.items()
    }
    kept = dict(explicit_roots(store))
    made = []
    try:
        directory = os.open(links.directory, _DIRECTORY)
    except OSError as error:
        raise _refused(links.directory, f"cannot be made there: {error.strerror}") from error
    try:
        for name, wanted in links.names.items():
            if wanted not in built:
                continue
            path = f"{links.directory}/{name}"
            # Its target is made a root first: a link to an object that may be collected would be misleading.
            former = _moved(path, kept)
            add_root(store, path, [built[wanted].name])
            _link(directory, path, built[wanted].path)
            for label in former:
                remove_root(store, label)
            made.append(path)
    finally:
        os.close(directory)
    return tuple(made)


def _moved(path: str, kept: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the labels under which the link at `path` was registered where it stood before."""
    try:
        found = _OURS.search(os.readlink(path))
    except OSError:
        return ()
    return tuple(
        label
        for label, objects in kept.items()
        if label.startswith("/")
        and label != path
        and os.path.basename(label) == os.path.basename(path)
        and found is not None
        and objects == (found[1],)
        and not os.path.lexists(label)
    )


def _link(directory: int, path: str, target: str) -> None:
    name = os.path.basename(path)
    temporary = f".{name[:100]}.{os.urandom(8).hex()}"
    try:
        os.symlink(target, temporary, dir_fd=directory)
        try:
            # Somebody may have put another thing there while it was built.
            _check_free(path, directory)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
            raise
    except OSError as error:
        raise _refused(path, f"cannot be made: {error.strerror}") from error
