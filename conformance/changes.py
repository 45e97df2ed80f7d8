"""The verbs that change a case's world between commands: write, env, serve, git."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Mapping

from conformance import listing
from conformance.outcome import Broken, Mismatch, Missing
from conformance.routes import parse_routes
from conformance.script import Env, Git, Serve, Write
from conformance.words import expand_text
from conformance.world import repositories
from conformance.world.serve import serving
from conformance.world.session import World, remove

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


def write(action: Write, world: World, sections: Mapping[str, str], *, fixtures: bool) -> None:
    """Change one path. Raises BadListing, Broken, and Missing where the machine has no fixture."""
    path = world.path(action.path.expand(world.values))
    argument = action.argument.expand(world.values)
    if action.how == "mode":
        os.chmod(path, int(argument, 8))
        return
    if action.how == "age":
        then = time.time() - int(argument[:-1]) * _UNITS[argument[-1]]
        os.utime(path, (then, then), follow_symlinks=False)
        return
    if action.how == "replace":
        _replace(path, *(os.fsencode(part) for part in argument.split(" -> ", 1)))
        return
    if action.how == "cut":
        os.truncate(path, int(argument))
        return
    if os.path.lexists(path):
        remove(path)
    if action.how == "gone":
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if action.how == "link":
        os.symlink(argument, path)
    elif action.how == "copy":
        _copy(world.path(argument), path)
    elif action.how == "tree":
        listing.make_tree(path, listing.parse_listing(sections[argument], sections))
    elif action.how == "fixture" and not fixtures:
        raise Missing("fixture")
    else:
        content = _content(action, argument, world, sections)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o755 if action.how == "fixture" else 0o644)


def _content(action: Write, argument: str, world: World, sections: Mapping[str, str]) -> bytes:
    if action.how == "text":
        return os.fsencode(argument) + b"\n"
    if action.how == "from":
        return sections[argument].encode()
    if action.how == "fill":
        try:
            return os.fsencode(expand_text(sections[argument], world.values))
        except KeyError as problem:
            raise Broken(f"the section {argument} uses ${problem.args[0]}, which has no value") from None
    if action.how == "archive":
        entries = listing.parse_listing(sections[argument], sections)
        return listing.pack(action.path.expand(world.values), entries)
    with open(fixture_path(argument), "rb") as file:
        return file.read()


def fixture_path(name: str) -> str:
    """Return where the fixture of this name for this machine is, whether it exists or not."""
    return os.path.join(FIXTURES, f"{name}-{os.uname().machine}")


def _replace(path: str, old: bytes, new: bytes) -> None:
    """Replace the first place in a file that holds `old`; its mode and its time stay."""
    with open(path, "rb") as file:
        content = file.read()
    if old not in content:
        raise Mismatch(f"{path} does not hold {os.fsdecode(old)!r}")
    status = os.stat(path)
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(content.replace(old, new, 1))
    os.chmod(path, stat.S_IMODE(status.st_mode))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy(source: str, path: str) -> None:
    if os.path.isdir(source):
        shutil.copytree(source, path, symlinks=True)
    else:
        shutil.copy(source, path)


def env(action: Env, world: World) -> None:
    """Set or remove one variable for the commands that follow; `$STORE` goes with BRAMBLE_PATH."""
    if action.value is None:
        world.environment.pop(action.name, None)
        return
    value = action.value.expand(world.values)
    world.environment[action.name] = value
    # A case may also ask for a store where there can be none.
    with contextlib.suppress(ValueError):
        if action.name == "BRAMBLE_PATH" and value.startswith("/"):
            world.use_store(value)


def serve(action: Serve, world: World, sections: Mapping[str, str], servers: contextlib.ExitStack) -> None:
    """Start a loopback server that ends with the case, and give its address a name. Raises BadRoutes."""

    def read(name: str) -> bytes:
        with open(world.path(name), "rb") as file:
            return file.read()

    routes = parse_routes(sections[action.routes])
    certificate = None
    if action.certificate is not None:
        certificate = world.path(action.certificate.expand(world.values))

    def on_request(path: str) -> None:
        world.asked.append(world.values[action.name] + path)

    address = servers.enter_context(serving(routes, read, certificate, on_request))
    world.values[action.name] = address
    world.values[f"{action.name}_at"] = address.partition("//")[2]


def git(action: Git, world: World) -> None:
    """Change a repository. Raises Broken if a tag or a branch is to mean what is not there."""
    repository = world.path(action.path.expand(world.values))
    name = action.name.expand(world.values)
    commit = "" if action.commit is None else action.commit.expand(world.values)
    try:
        if action.how == "commit":
            made = repositories.commit(repository, world.path(name))
            for tag in action.tags:
                repositories.tag(repository, tag.expand(world.values), made)
            if action.hash_name is not None:
                world.values[action.hash_name] = made
        elif action.how == "untag":
            repositories.untag(repository, name)
        elif action.how == "module":
            repositories.module(repository, name, commit)
        elif action.how == "branch":
            repositories.branch(repository, name, commit)
        else:
            repositories.tag(repository, name, commit, annotated=action.how == "annotate")
    except (OSError, repositories.NoCommit) as problem:
        # Whatever the implementation did, a repository is the case's own.
        raise Broken(f"git {action.how} {name}: {problem}") from None
