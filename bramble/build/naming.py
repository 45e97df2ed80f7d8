"""What a build calls its directories, and how a store derivation becomes a sandbox. Pure.

A build sees its directories under names that depend on nothing but the store
derivation: 32 characters, the length of an object's name, so that an output can
be given its final name in place (spec: build.names).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Optional

from bramble.derivation.model import GENERATOR
from bramble.derivation.resolve import ResolvedDerivation
from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from bramble.store.digest import digest
from bramble.store.path import prefix_of_record


class Names(NamedTuple):
    """The names below the store directory under which a build sees what it may write."""

    build: str  # of the build directory
    outputs: tuple[tuple[str, str], ...]  # (output name, temporary name), in the derivation's order


def names_of(resolved: ResolvedDerivation, *, again: bool = False) -> Names:
    """Return the names for a build of `resolved`; other ones when it is built `again` to compare."""
    # spec: build.names, build.check.names
    salt = b"check-" if again else b""
    key = resolved.digest.encode("ascii")
    return Names(
        build=digest(salt + b"build:" + key),
        outputs=tuple(
            (name, digest(salt + b"output:" + key + b":" + name.encode("utf-8"))) for name in resolved.outputs
        ),
    )


def on_this_machine(text: str, directory: str) -> str:
    """Return a string of a store derivation with this machine's store directory in it."""
    # spec: build.paths
    return text.replace(prefix_of_record(), directory)


def environment(resolved: ResolvedDerivation, names: Names, directory: str) -> tuple[tuple[str, str], ...]:
    """Return the whole environment of the build: the derivation's variables and one for each output."""
    # spec: build.environment
    variables = {name: on_this_machine(value, directory) for name, value in resolved.env}
    variables.update((name, f"{directory}/{temporary}") for name, temporary in names.outputs)
    return tuple(sorted(variables.items()))


class Directories(NamedTuple):
    """Where the directories of a build really are, as paths of the host."""

    build: str
    outputs: tuple[tuple[str, str], ...]  # (output name, path)


def sandbox_spec(
    resolved: ResolvedDerivation,
    names: Names,
    directories: Directories,
    *,
    directory: str,
    closure: Collection[str],
    rung: str,
    limits: Limits,
    inputs: Optional[Mapping[str, str]] = None,
) -> SandboxSpec:
    """Return the sandbox in which `resolved` is built.

    `directory` is the store directory that the build sees, `closure` the names of all
    objects that the build may read, `inputs` where they are if they are not
    there. Raises derivation.builder.
    """
    # spec: build.sandbox
    command, args = resolved.builder, resolved.args
    if command == GENERATOR:
        # spec: build.generated
        command, args = args[0], args[1:]
    builder = on_this_machine(command, directory)
    if builder.startswith("/") and not builder.startswith(directory + "/"):
        raise BrambleError(
            "derivation.builder",
            f'the builder of "{resolved.name}" is {builder}, which a build cannot see',
            remedy='name a program in an output, such as tools.out + "/bin/sh", or a source file',
        )
    # spec: build.builder
    if "/" not in builder:
        # Without a slash it would be looked for in PATH.
        builder = "./" + builder
    start = f"{directory}/{names.build}"
    if resolved.source is not None and resolved.source.relative_build_path:
        start += "/" + resolved.source.relative_build_path
    temporary = dict(names.outputs)
    mounts = [Mount(directories.build, f"{directory}/{names.build}", writable=True)]
    mounts += [
        Mount(path, f"{directory}/{temporary[output]}", writable=True) for output, path in directories.outputs
    ]
    seen = {name: f"{directory}/{name}" for name in sorted(closure)}
    mounts += [Mount((inputs or seen)[name], path) for name, path in seen.items()]
    return SandboxSpec(
        argv=(builder, *(on_this_machine(arg, directory) for arg in args)),
        env=environment(resolved, names, directory),
        cwd=start,
        mounts=tuple(mounts),
        network=resolved.network,
        rung=rung,
        limits=limits,
    )


def trial_spec(
    names: Names,
    directories: Directories,
    *,
    directory: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    rung: str,
    limits: Limits,
) -> SandboxSpec:
    """Return the sandbox in which a command tries what a built-in builder has put into its outputs."""
    # spec: build.host-tools.trials
    temporary = dict(names.outputs)
    build = f"{directory}/{names.build}"
    mounts = [Mount(directories.build, build, writable=True)]
    mounts += [Mount(path, f"{directory}/{temporary[output]}") for output, path in directories.outputs]
    return SandboxSpec(
        argv=tuple(argv),
        env=tuple(sorted(env.items())),
        cwd=build,
        mounts=tuple(mounts),
        rung=rung,
        limits=limits,
    )
