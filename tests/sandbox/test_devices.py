"""A machine on which other files stand in the place of devices: nothing is run, and `doctor` says which."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bramble

# Runs in a mount namespace of its own: makes a /dev, breaks one node, asks for a sandbox and findings.
SCRIPT = """
import json, os, subprocess, sys
made, broken, kind = sys.argv[1:4]
os.chmod(made, 0o755)
def mount(*words):
    subprocess.run(["mount", *words], check=True)
for name in ("null", "zero", "full", "random", "urandom", "tty"):
    open(f"{made}/{name}", "w").close()
    if name != broken:
        mount("--bind", f"/dev/{name}", f"{made}/{name}")
if kind == "file":
    with open(f"{made}/{broken}", "w") as file:
        file.write("the-text-of-the-host")
    os.chmod(f"{made}/{broken}", 0o666)
elif kind == "other":
    mount("--bind", "/dev/zero" if broken != "zero" else "/dev/null", f"{made}/{broken}")
elif kind == "fifo":
    os.unlink(f"{made}/{broken}")
    os.mkfifo(f"{made}/{broken}")
    os.close(os.open(f"{made}/{broken}", os.O_RDWR | os.O_NONBLOCK)) # no reader stays
elif kind == "absent":
    os.unlink(f"{made}/{broken}")
mount("--rbind", made, "/dev")
from bramble.errors import BrambleError
from bramble.commands.doctor import sandbox_findings
from bramble.sandbox.launch import Launcher
from bramble.sandbox.spec import SandboxSpec
said = []
try:
    with Launcher() as launcher:
        try:
            launcher.run(SandboxSpec(("/nothing",), (), "/", ()), on_output=lambda data: None)
        except BrambleError as error:
            said = [error.code, error.message, error.remedy]
        found = [one.to_json() for one in sandbox_findings(launcher) if one.good is False]
except BrambleError as error:
    said, found = [error.code, error.message, error.remedy], "no launcher"
print(json.dumps([said, found]))
"""


def on_a_machine(tmp_path: Path, broken: str, kind: str) -> tuple[list[str], object]:
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("no unshare and mount here")
    own = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    root = str(Path(bramble.__file__).parents[1])
    run = subprocess.run(
        [*own, sys.executable, "-c", SCRIPT, str(tmp_path), broken, kind],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root},
        timeout=60,
        check=False,
    )
    if "mount:" in run.stderr or "unshare:" in run.stderr:
        pytest.skip(run.stderr)
    assert run.returncode == 0, run.stderr
    said, found = json.loads(run.stdout)
    return said, found


@pytest.mark.parametrize("broken", ["null", "zero", "random", "tty"])
@pytest.mark.parametrize("kind", ["file", "other"])
def test_another_file_in_the_place_of_a_device_ends_everything(
    tmp_path: Path, broken: str, kind: str
) -> None:
    (code, message, remedy), found = on_a_machine(tmp_path, broken, kind)
    assert code == "sandbox.unavailable" and f"/dev/{broken} " in message and "mknod" in remedy
    assert found == "no launcher" if broken == "null" else f"/dev/{broken}" in json.dumps(found)


def test_a_fifo_keeps_nobody_waiting(tmp_path: Path) -> None:
    (code, _, _), _ = on_a_machine(tmp_path, "random", "fifo")
    assert code == "sandbox.unavailable"


def test_devices_that_are_what_they_should_be_are_shown_and_absent_ones_are_not(tmp_path: Path) -> None:
    (code, _, _), found = on_a_machine(tmp_path, "tty", "absent")
    assert code == "sandbox.builder-missing" and found == []
