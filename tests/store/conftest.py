from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bramble.store.disk import RawOutput, Store, StoreObject
from tests.store.oracle import Exec, Link, Tree


@pytest.fixture
def place() -> Iterator[str]:
    """A directory with a short path: the path of a store root has room for 47 bytes only."""
    path = tempfile.mkdtemp(prefix="b", dir="/tmp")
    yield path
    subprocess.run(["chmod", "-R", "u+rwX", path], check=True)
    subprocess.run(["rm", "-rf", path], check=True)


@pytest.fixture
def memory() -> Iterator[str]:
    """The same, for tests that sync very often: in memory where that can be had."""
    path = tempfile.mkdtemp(prefix="b", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
    yield path
    subprocess.run(["chmod", "-R", "u+rwX", path], check=True)
    subprocess.run(["rm", "-rf", path], check=True)


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    store = Store.open(place + "/s")
    yield store
    store.close()


def plant(tree: Mapping[bytes, Any], directory: str) -> None:
    """Make `tree` on disk."""
    os.makedirs(directory, exist_ok=True)
    for base, node in tree.items():
        path = os.path.join(os.fsencode(directory), base)
        if isinstance(node, dict):
            plant(node, os.fsdecode(path))
        elif isinstance(node, Link):
            os.symlink(node.target, path)
        else:
            # By the calls that tests of crashes see.
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            data = node.data if isinstance(node, Exec) else node
            while data:
                data = data[os.write(fd, data) :]
            os.close(fd)
            os.chmod(path, 0o755 if isinstance(node, Exec) else 0o644)


def grown(directory: str) -> Tree:
    """Return what is on disk as a tree."""
    tree: Tree = {}
    for base in os.listdir(os.fsencode(directory)):
        path = os.path.join(os.fsencode(directory), base)
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            tree[base] = Link(os.readlink(path))
        elif stat.S_ISDIR(mode):
            tree[base] = grown(os.fsdecode(path))
        else:
            data = Path(os.fsdecode(path)).read_bytes()
            tree[base] = Exec(data) if mode & 0o100 else data
    return tree


def publish(
    store: Store,
    trees: Mapping[Any, Any],
    *,
    own: str = "",
    closure: tuple[str, ...] = (),
    build_name: str | None = None,
) -> dict[str, StoreObject]:
    """Publish one tree as `out`, or several: {output name: (temporary name, tree)}."""
    named = {"out": (own, trees)} if not all(isinstance(key, str) for key in trees) or not trees else trees
    with store.workspace() as work:
        raws = []
        for name, (temporary, tree) in named.items():
            plant(tree, f"{work.path}/{name}")
            raws.append(RawOutput(name, f"{work.path}/{name}", temporary))
        return store.publish(raws, closure=closure, build_name=build_name)
