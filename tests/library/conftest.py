"""One store for all tests of the library: the tools of this machine are copied into it once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import World, remove_store


@pytest.fixture(scope="session")
def shared() -> Iterator[World]:
    # A store's root has 47 bytes at most, so it cannot lie below pytest's own directories.
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    yield World(base)
    remove_store(base)


@pytest.fixture
def project(shared: World, tmp_path: Path) -> Iterator[World]:
    """A new project beside the shared store."""
    shutil.rmtree(shared.project, ignore_errors=True)
    shared.project.mkdir()
    (shared.project / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
    yield shared
