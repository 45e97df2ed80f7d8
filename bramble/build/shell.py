"""The environment of a build, for a user to read about or to look around in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Optional

from bramble.build.naming import Names, names_of, sandbox_spec
from bramble.build.options import STRONGEST
from bramble.build.placing import directories_in, make_directories, placed
from bramble.build.sources import add_sources, fill_build_directory
from bramble.derivation.model import Derivation
from bramble.derivation.resolve import resolve
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.sandbox.spec import Limits, SandboxSpec
from bramble.store.disk import Store
from bramble.store.history.failed import all_failed, held
from bramble.store.layout.workspace import KEPT

_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh")
MULTICALL = "busybox"


@contextlib.contextmanager
def build_environment(
    derivation: Derivation,
    *,
    inputs: Mapping[OutputRef, str],
    filenames: Mapping[str, str],
    store: Store,
    source_roots: Mapping[str, str],
    platform: str,
    rung: str,
    limits: Limits,
    failed: bool = False,
    more: Collection[str] = (),
) -> Iterator[SandboxSpec]:
    """Prepare the directories of a build, and give the sandbox that it would run in.

    `inputs` are the objects of what the derivation names, `filenames` their
    store derivations. With `failed` the directories are those that the last
    failed build left; they stay. Others are removed at the end. `more` are
    objects that the sandbox shows besides.

    Raises BrambleError shell.builtin, shell.nothing-kept, and those of resolving.
    """
    refuse_builtin(derivation)
    source = add_sources(derivation.sources, store, source_roots)
    resolved = resolve(derivation, inputs=inputs, filenames=filenames, source=source, platform=platform)
    names = names_of(resolved)
    closure = store.closure(sorted({*inputs.values(), *more}))
    store.protect(closure)
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(store.workspace(names.build))
        if failed:
            left = _kept(store, names, derivation.name)
            stack.enter_context(held(left))
            inside = directories_in(names, left)
        else:
            inside = make_directories(names, work.path)
        if rung != STRONGEST:
            # They will stand where those of a build would.
            stack.enter_context(store.building(resolved.digest, None))
        directories = stack.enter_context(placed(names, inside, store, rung, work.path))
        if not failed:
            fill_build_directory(resolved.source, store, directories.build)
        yield sandbox_spec(
            resolved,
            names,
            directories,
            directory=store.directory,
            closure=closure,
            rung=rung,
            limits=limits,
        )


def refuse_builtin(derivation: Derivation) -> None:
    """Raise shell.builtin for a derivation that no program builds: it has no environment."""
    if not derivation.runs_program:
        raise BrambleError(
            "shell.builtin",
            f'"{derivation.name}" is built by {derivation.builtin}, which runs no program',
            remedy="name a target whose builder is a program",
        )


def _kept(store: Store, names: Names, name: str) -> str:
    """Return the newest directory that a failed build with these names left."""
    best: Optional[tuple[float, str]] = None
    parent = os.path.join(store.var, KEPT)
    places = all_failed(store.var)
    with contextlib.suppress(FileNotFoundError):
        places += [os.path.join(parent, name) for name in os.listdir(parent)]
    for place in places:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = (os.stat(os.path.join(place, names.build)).st_ctime, place)
            best = found if best is None else max(best, found)
    if best is None:
        raise BrambleError(
            "shell.nothing-kept",
            f'no failed build of "{name}" as it is now has been kept',
            remedy="build it: the directories of a failed build are kept until the next one succeeds, "
            "and with --keep-failed permanently",
        )
    return best[1]


def own_shell(spec: SandboxSpec) -> tuple[str, ...]:
    """Return the command line of the shell that the sandbox of a build has, () if it has none.

    That is the builder if it is one, else `bash` or `sh` in the PATH of the build.
    """
    # spec: cli.shell
    builder = spec.argv[0]
    if os.path.basename(builder) in _SHELLS:
        return (builder,)
    if os.path.basename(builder) == MULTICALL:
        return (builder, "sh")
    # The directories in PATH are in the store, at the same paths outside of the sandbox.
    for name in ("bash", "sh"):
        for directory in dict(spec.env).get("PATH", "").split(":"):
            candidate = os.path.join(directory, name)
            if directory.startswith("/") and os.access(candidate, os.X_OK):
                return (candidate,)
    return ()


def no_shell(name: str) -> BrambleError:
    """Return the error for a build in which no shell can be opened."""
    return BrambleError(
        "shell.no-shell",
        f'the builder of "{name}" is not a shell, and its PATH has none',
        remedy="bring one of this machine: bramble shell --with sh TARGET",
    )
