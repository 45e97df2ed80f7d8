"""Who asks for the sandboxes: the user who runs the tests, and, when that is root, an ordinary user too."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from bramble.sandbox.launch import Launcher
from tests.sandbox import rawcalls, world
from tests.sandbox.world import Asker, World


@pytest.fixture(scope="session", params=["caller", "ordinary"])
def asker(request: pytest.FixtureRequest) -> Iterator[Asker]:
    if not world.static(world.BUSYBOX):
        pytest.skip(world.NO_BUSYBOX)
    user = ""
    if request.param == "ordinary":
        if os.geteuid() != 0:
            pytest.skip("the caller is an ordinary user already")
        user = str(world.ORDINARY)
        if not world.interpreter(user):
            pytest.skip("an ordinary user can execute no Python here")
    asker = Asker(user, world.make_home(user))
    yield asker
    asker.stop()
    shutil.rmtree(asker.home, ignore_errors=True)


@pytest.fixture
def here(asker: Asker) -> Iterator[World]:
    one = World(asker)
    yield one
    for directory, _, _ in os.walk(one.path):
        os.chmod(directory, 0o700)
    shutil.rmtree(one.path, ignore_errors=True)


@pytest.fixture
def raw(here: World) -> World:
    """A world in which raw system calls can be made."""
    if not rawcalls.AVAILABLE:
        pytest.skip(rawcalls.REASON)
    return here


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """A launcher of the user who runs the tests, in their process."""
    with Launcher() as one:
        yield one
