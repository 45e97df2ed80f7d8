from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import World, remove_store


@pytest.fixture
def world() -> Iterator[World]:
    # A store's root has 47 bytes at most, so it cannot lie below pytest's own directories.
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    made = World(base)
    made.project.mkdir()
    (made.project / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
    yield made
    remove_store(base)


TOOLS = """
def tools():
    return derivation("tools", builder="host_tools", env={"tools": "sh cat mkdir sleep rm ln"})

def script(name, text, **more):
    t = tools()
    path = {"PATH": t.out + "/bin"}
    return derivation(name, builder=t.out + "/bin/sh", args=["-c", text], env=path, **more)
"""


@pytest.fixture
def tooled(world: World) -> World:
    """A world whose project has a module `tools` with `script(name, text)`."""
    world.write(tools=TOOLS)
    return world
