"""The paths of the directories of a build on this machine, while it runs and afterwards."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bramble.build.naming import Directories, Names
from bramble.build.options import STRONGEST
from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.late import late

if TYPE_CHECKING:
    from bramble.store.disk import Workspace


def directories_in(names: Names, where: str) -> Directories:
    """Return the build directory and the outputs as they are called in the directory `where`."""
    outputs = tuple((output, f"{where}/{temporary}") for output, temporary in names.outputs)
    return Directories(f"{where}/{names.build}", outputs)


def make_directories(names: Names, where: str) -> Directories:
    """Make the build directory and the outputs in `where`, empty."""
    directories = directories_in(names, where)
    for path in (directories.build, *(path for _, path in directories.outputs)):
        os.mkdir(path)
        # Whatever the umask of the caller: a build may look at the mode.
        os.chmod(path, 0o755)
    return directories


@contextlib.contextmanager
def placed(names: Names, inside: Directories, store: Store, rung: str, aside: str) -> Iterator[Directories]:
    """Place the directories as a sandbox in the mode `rung` needs them, and move them back afterwards.

    A sandbox without mounts cannot show a directory under another name, so
    in the weaker modes they are in the store itself meanwhile. The lock of the
    derivation is held; what a crash left in the way is moved into the directory `aside`.
    """
    # spec: build.directories
    if rung == STRONGEST:
        yield inside
        return
    temporary = dict(names.outputs)
    shown = Directories(
        store.object_path(names.build),
        tuple((output, store.object_path(temporary[output])) for output, _ in inside.outputs),
    )
    moves = [(inside.build, shown.build)]
    moves += [(here, there) for (_, here), (_, there) in zip(inside.outputs, shown.outputs)]
    for at, (_, there) in enumerate(moves):
        if os.path.lexists(there):
            os.rename(there, f"{aside}/left-{at}")
    try:
        for here, there in moves:
            os.rename(here, there)
        yield shown
    finally:
        for here, there in moves:
            with contextlib.suppress(FileNotFoundError):
                os.rename(there, here)


def keep_last(store: Store, slot: tuple[str, str], work: Workspace) -> bool:
    """Keep what a failed build left until the next success; say whether it was kept.

    `slot` is the directory for what failed builds of the project leave, and a name for this build; ("", "")
    keeps nothing.
    """
    # spec: build.failure.kept
    place, build = slot
    if not place:
        return False
    # What cannot be kept is removed as usual, and the failure is reported unchanged.
    with contextlib.suppress(BrambleError, OSError):
        return bool(late("history.failed", "keep_failed")(store.var, place, build, work))
    return False
