from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bramble.self.pack import pack
from bramble.self.tree import source_tree


@dataclass
class Box:
    """A machine in small: a directory with a PATH, a HOME and a place for the one file."""

    base: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.base / "cache" / "bramble"

    def run(self, command: list[str], cwd: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command with no environment but this box's; the variable of an empty value is not set."""
        given = {"PATH": str(self.base / "bin"), "XDG_CACHE_HOME": str(self.base / "cache")}
        given.update(self.environ)
        given.update(environ)
        return subprocess.run(
            command,
            cwd=cwd or self.base,
            env={name: value for name, value in given.items() if value},
            capture_output=True,
            text=True,
            errors="replace",
        )


@pytest.fixture(scope="session")
def packed() -> bytes:
    """The one file of this checkout."""
    return pack(source_tree())


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box with one Python, by the name python3."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(os.path.realpath(sys.executable))
    return Box(tmp_path)


@pytest.fixture
def one_file(box: Box, packed: bytes) -> Path:
    """The one file in a box."""
    path = box.base / "bramble"
    path.write_bytes(packed)
    path.chmod(0o755)
    return path
