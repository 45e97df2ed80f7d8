"""A store in a lower layer of overlayfs, where directories cannot be renamed; and one mounted noexec.

Mounts are made in a namespace of their own, by a child that is root there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bramble.sandbox import autopsy

ROOT_OF_REPOSITORY = Path(__file__).parents[2]

PRELUDE = """
import os, subprocess, sys
from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.gc.collect import collect
from bramble.store.gc.removal import take_out
from bramble.store.gc.optimise import optimise
from bramble.store.transfer.relocate import relocate
from bramble.store.questions.verify import verify
from tests.store.conftest import publish
top = sys.argv[1]
options = sys.argv[2]
for name in ("l", "m", "m-longer", "u", "w"):
    os.mkdir(f"{top}/{name}")
def mount(*arguments): subprocess.run(["mount", *arguments], check=True)
mount("--bind", top + "/l", top + "/m")
store = Store.open(top + "/m/b")
here = store.directory.encode()
live = publish(store, {b"f": here, b"d": {b"e": {b"g": b"same"}}})["out"].name
dead = publish(store, {b"f": live.encode(), b"d": {b"e": {b"g": b"same"}}}, closure=(live,))["out"].name
store.record_roots("/", {"m:f": [live]})
store.close()
subprocess.run(["umount", top + "/m"], check=True)
def overlay(at):
    layers = f"lowerdir={top}/l,upperdir={top}/u,workdir={top}/w"
    command = ["mount", "-t", "overlay", "overlay", "-o", layers + options, at]
    if subprocess.run(command).returncode: sys.exit(77)
"""
COLLECT = """
overlay(top + "/m")
store = Store.open(top + "/m/b")
assert optimise(store).linked == 1
assert collect(store).freed == (dead,)
assert verify(store).damages == () and store.names() == [live]
path = store.object_path(live)
os.chmod(path, 0o755)
os.unlink(path + "/f")
assert [damage.kind for damage in verify(store, rebuild=lambda name: False).left] == ["content"]
assert os.listdir(path) == ["d"], "what could not be built again is put back"
assert not [name for name in os.listdir(store.directory) if name.startswith(".")]
"""
BROKEN_OFF = """
import bramble.store.gc.removal as removal
overlay(top + "/m")
store = Store.open(top + "/m/b")
def stop(path): raise KeyboardInterrupt
real, removal.remove_tree = removal.remove_tree, stop
try: collect(store)
except KeyboardInterrupt: pass
removal.remove_tree = real
os.chmod(store.object_path(dead), 0o755)
os.unlink(store.object_path(dead) + "/f")
store = Store.open(top + "/m/b")
assert not store.is_complete([dead])
if sys.argv[3] == "publish":
    tree = {b"f": live.encode(), b"d": {b"e": {b"g": b"same"}}}
    assert publish(store, tree, closure=(live,))["out"].name == dead
    assert store.is_complete([dead])
else:
    store.close()
    collect(store)
    assert store.names() == [live]
assert verify(store).damages == ()
store.close()
collect(Store.open(top + "/m/b"))
assert not [name for name in os.listdir(store.directory) if name.startswith(".")]
"""
RELOCATE = """
overlay(top + "/m-longer")
stop = int(sys.argv[3])
calls = 0
def counted(real):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == stop: raise OSError(5, "lost")
        return real(*arguments, **options)
    return call
names = ("rename", "mkdir", "unlink", "rmdir", "symlink", "fchmod", "fsync", "sendfile")
kept = {name: getattr(os, name) for name in names}
os.sched_getaffinity = lambda _: {0}
for name in names: setattr(os, name, counted(kept[name]))
try: relocate(top + "/m-longer/b")
except BrambleError as error: assert stop and error.code == "store.system", error
for name in names: setattr(os, name, kept[name])
relocate(top + "/m-longer/b")
store = Store.open(top + "/m-longer/b")
assert store.names() == sorted([live, dead])
assert open(store.object_path(live) + "/f", "rb").read() == store.directory.encode()
assert verify(store).damages == ()
sys.stdout.write("done" if calls < stop or not stop else "more")
"""


def as_root(place: str, program: str, *arguments: str) -> str:
    """Run a program in which `top` can be mounted on."""
    os.makedirs(place, exist_ok=True)
    command = [
        "unshare",
        "-m" if os.geteuid() == 0 else "-rm",
        sys.executable,
        "-c",
        PRELUDE + program,
        place,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT_OF_REPOSITORY)}
    found = subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if found.returncode == 77:
        pytest.skip("overlayfs cannot be mounted here")
    assert found.returncode == 0, found.stderr[-2000:]
    return found.stdout


@pytest.fixture(params=[",redirect_dir=off", ",redirect_dir=on,metacopy=on"], ids=["plain", "metacopy"])
def options(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_objects_of_a_lower_layer_are_linked_collected_and_set_aside(memory: str, options: str) -> None:
    as_root(memory, COLLECT, options)


@pytest.mark.parametrize("way", ["collect", "publish"])
def test_a_removal_that_was_broken_off_is_finished(memory: str, way: str) -> None:
    as_root(memory, BROKEN_OFF, ",redirect_dir=off", way)


@pytest.mark.parametrize("stop", [0, 3, 6, 10, 15, 22, 30])
def test_a_relocation_that_fails_anywhere_is_finished_by_the_next(memory: str, stop: int) -> None:
    as_root(memory, RELOCATE, ",redirect_dir=off", str(stop))


def test_a_program_on_a_file_system_that_is_mounted_noexec(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "p"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    real = os.statvfs
    assert autopsy.explain(os.fsencode(program), 13) == "other"

    class Noexec:
        f_flag = os.ST_NOEXEC

    monkeypatch.setattr(os, "statvfs", lambda path: Noexec() if path == os.fsencode(program) else real(path))
    assert autopsy.explain(os.fsencode(program), 13) == "noexec"
