"""What a project names by its path is taken, and run, only where root has installed it for everybody."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bramble.build.tools import entrusted as room
from bramble.build.tools.entrusted import entrusted
from bramble.derivation.model import Derivation
from bramble.errors import BrambleError
from tests.build.tools.test_host_tools import HostWorld
from tests.build.world import derivation

OPEN, SHUT = stat.S_IFREG | 0o644, stat.S_IFREG | 0o600
FILES = {
    "/usr/lib/tool": (0, OPEN),
    "/usr/lib/key": (0, SHUT),
    "/usr/lib/anybody": (0, stat.S_IFREG | 0o646),
    "/usr/lib/mine": (1000, OPEN),
    "/opt/closed": (0, stat.S_IFDIR | 0o700),
    "/opt/closed/tool": (0, OPEN),
    "/opt/theirs": (1000, stat.S_IFDIR | 0o755),
    "/opt/theirs/tool": (0, OPEN),
    "/opt/drop": (0, stat.S_IFDIR | 0o1777),
    "/opt/drop/tool": (0, OPEN),
    "/opt/open": (0, stat.S_IFDIR | 0o777),
    "/opt/open/tool": (0, OPEN),
    "/opt/src": (0, stat.S_IFDIR | 0o755),
    "/opt/src/beside": (0, OPEN),
    "/opt/src/p/in": (0, OPEN),
    "/srv/tool": (0, OPEN),
}
ALLOWED = {"/usr/lib/tool", "/opt/drop/tool"}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def status(path: str) -> SimpleNamespace:
        uid, mode = FILES.get(path, (0, stat.S_IFDIR | 0o755))
        return SimpleNamespace(st_uid=uid, st_mode=mode)

    with monkeypatch.context() as patched:
        patched.setattr(room, "os", SimpleNamespace(path=os.path, lstat=status))
        yield


@pytest.mark.parametrize("path", [path for path in FILES if FILES[path][1] & stat.S_IFREG])
def test_the_rule(machine: None, path: str) -> None:
    if path in ALLOWED:
        assert entrusted(path, (), ("/opt/src/p",)) == path
        return
    with pytest.raises(BrambleError) as caught:
        entrusted(path, (), ("/opt/src/p",))
    assert caught.value.code == "build.host-tool-out-of-reach"


def test_what_the_person_trusts_is_taken(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("x")
    (tmp_path / "link").symlink_to("tool")
    found = entrusted(str(tmp_path / "link"), (str(tmp_path),), (str(tmp_path),))
    assert found == os.path.realpath(tmp_path / "tool")


class TestHostileNames(HostWorld):
    """Nothing that a project brought is run to find out what it is."""

    def given(self, **env: str) -> Derivation:
        return derivation("tools", "host_tools", env=env)

    def test_neither_a_compiler_nor_a_loader_of_a_project_is_run(self) -> None:
        mark = os.path.join(self.top, "ran")
        compiler = self.program("gcc", f"#!/bin/sh\necho > {mark}\n".encode())
        self.failure(self.given(tools=compiler), "build.host-tool-out-of-reach")
        os.symlink(compiler, self.other + "/gcc")
        self.failure(self.given(tools=self.other + "/gcc"), "build.host-tool-out-of-reach")
        with open("/bin/true", "rb") as file:
            program = bytearray(file.read())
        loader = self.program("l", f"#!/bin/sh\necho > {mark}\n".encode())
        start = program.index(b"/lib")
        program[start : start + len(loader) + 1] = loader.encode() + b"\0"
        changed = self.program("changed", bytes(program))
        self.failure(self.given(tools=changed), "build.host-tool-out-of-reach")
        self.failure(self.given(tools="sh", files=changed), "build.host-tool-out-of-reach")
        assert not os.path.lexists(mark)

    def test_a_directory_of_the_search_may_lead_anywhere(self) -> None:
        os.symlink("/bin/true", self.bin + "/true")
        self.here(self.given(tools=self.bin + "/true"))
