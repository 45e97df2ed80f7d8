"""Running a program of an output, once it is known which one and what it may see: the second half of `run`.

The first half evaluates and builds (`bramble.commands.run`). A run that was made before, and of which nothing
that decides it has changed, begins here (spec: recall.run); so this loads the sandbox, the locks of the
store, and nothing else.
"""

from __future__ import annotations

import marshal
import os

from bramble.commands.context.guarded import Guarded, changed, guarded
from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.sandbox.launch import Launcher
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from bramble.store.locks.advisory import LocksUnsupported
from bramble.store.locks.uses import Uses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional

    from bramble.sandbox.start import Started

_TOO_MUCH = {
    "memory": ("used more memory than it may", "raise --memory if it needs more"),
    "processes": ("had more processes than it may", "raise --processes if it needs more"),
    "disk": ("used almost all space on the disk", "free space on the disk that it writes to"),
}


class Prepared(NamedTuple):
    """What determines a run, except for the content of the project when it begins.

    `spec` has no mounts yet: `writable` are those that the program may write, `read_only` the others. With
    `guards` the files that decide what is built stay read-only, unless they are `named`, paths without links.
    `project` is the directory in which they are searched; with `unprotected` changes are not reported.
    `objects` are those of the store that are shown; `store` is its directory, that of its records, and the
    file of the locks of objects.
    """

    spec: SandboxSpec
    writable: tuple[Mount, ...]
    read_only: tuple[Mount, ...]
    guards: bool
    named: tuple[str, ...]
    project: str
    unprotected: bool
    store: tuple[str, str, str]
    objects: tuple[str, ...]


class Ran(NamedTuple):
    """How a program ended, and which of the guarded files are other ones since it began."""

    status: int  # its exit status; 128 and the signal when one ended it
    changed: tuple[str, ...]


def sandbox_of(prepared: Prepared, guard: Guarded) -> SandboxSpec:
    """Return the sandbox of a run in a project that has the guarded files `guard`."""
    # Of a path that is named twice the stricter word holds.
    mounts = {mount.target: mount for mount in prepared.writable}
    mounts.update((mount.target, mount) for mount in _kept_from(prepared, guard))
    mounts.update((mount.target, mount) for mount in prepared.read_only)
    return prepared.spec._replace(mounts=tuple(mounts.values()))


def _kept_from(prepared: Prepared, guard: Guarded) -> Iterator[Mount]:
    """Yield mounts that keep guarded files read-only where the program could write them otherwise."""
    # spec: cli.run.guarded
    for mount in prepared.writable if prepared.guards else ():
        real = os.path.realpath(mount.target)
        for path in guard.solid:
            if (path == real or path.startswith(real.rstrip("/") + "/")) and path not in prepared.named:
                yield Mount(path, mount.target + path[len(real) :])


def run(prepared: Prepared, before: Guarded, started: Optional[Started] = None) -> Ran:
    """Run the program on the streams of this process; `before` are the guarded files as they are now.

    `started` is a helper that was started for it.

    Raises BrambleError as `run_attached` does.
    """
    status = run_attached(sandbox_of(prepared, before), started)
    # spec: cli.run.guarded
    return Ran(status, () if prepared.unprotected else changed(before, guarded(prepared.project)))


def run_attached(spec: SandboxSpec, started: Optional[Started] = None) -> int:
    """Run on the streams of this process; return the exit status, 128 and the signal when one ended it.

    Raises BrambleError run.limit for a program that was ended since it used too much, and sandbox.*.
    """
    # spec: cli.exit-status, cli.run.limits
    with Launcher(started=started) as launcher:
        outcome = launcher.run_attached(spec, 0, 1, 2)
    if outcome.kind == "limit" and outcome.limit in _TOO_MUCH:
        what, remedy = _TOO_MUCH[outcome.limit]
        raise BrambleError("run.limit", f"the program was ended because it {what}", remedy=remedy)
    return outcome.shell_status


def packed(prepared: Prepared) -> bytes:
    """Return a prepared run as bytes, for a record of it."""
    return marshal.dumps(_plain(prepared))


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def unpacked(data: bytes) -> Prepared:
    """Return the run that `packed` was given, in the same version of Bramble."""
    spec, writable, read_only, *others = marshal.loads(data)
    made = SandboxSpec(*spec)
    return Prepared(
        made._replace(limits=Limits(*made.limits)),
        tuple(Mount(*mount) for mount in writable),
        tuple(Mount(*mount) for mount in read_only),
        *others,
    )


def hold(prepared: Prepared) -> Optional[Uses]:
    """Keep the objects of a run from being removed, until what is returned is closed.

    None if one of them is gone, cannot be kept, or cannot be executed, as where their file system does not
    allow that any more: then they have to be looked for, and perhaps built.
    """
    # spec: store.gc.protection
    directory, var, locks = prepared.store
    if not os.path.isdir(directory):
        return None  # Nothing is made where no store is any more.
    try:
        uses = Uses(var, locks)
        uses.add(prepared.objects)
    except (OSError, LocksUnsupported, BrambleError):
        return None
    there = all(os.path.lexists(f"{directory}/{name}") for name in prepared.objects)
    if there and os.access(prepared.spec.argv[0], os.X_OK):
        return uses
    uses.close()
    return None
