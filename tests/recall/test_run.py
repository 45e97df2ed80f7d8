"""`run` once more: the program runs anew, and only what decides how is not found out again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bramble.cli.invocation import _RUN
from bramble.commands.running import Prepared, hold, packed, unpacked
from bramble.recall.kept import Kept
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from tests.cli.world import ROOT, World
from tests.recall.marked import answers, records, settle, wait_for_the_program

MODULE = """
load("example.com/p/tools", "tools")

def sh():
    return run(tools(), "sh")
def asking():
    return run(tools(), "sh", read_only_paths = ["/usr"])
"""
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]; "
    "from bramble.__main__ import start; status = start(); "
    "print(*(name for name in [*sys.modules] if name.startswith('bramble')), file=open('loaded', 'w')); "
    "sys.exit(status)"
)
COUNTING = "echo x >> count; cat count; while read l; do n=$((n+1)); done < count; exit $n"
COUNT = ("run", "./:sh", "-c", COUNTING)


@pytest.fixture
def project(tooled: World) -> World:
    wait_for_the_program()
    tooled.write(default=MODULE)
    assert tooled.run("run", "./:sh", "-c", "true").status == 0
    return tooled


def run(world: World, *words: str) -> tuple[int, str, bool]:
    """Run a command; return its status, what it printed, and whether it took the short way."""
    settle()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START, str(ROOT), *words],
        cwd=world.project, env=world.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    loaded = (world.project / "loaded").read_text().split()
    return done.returncode, done.stdout, "bramble.commands.again" in loaded


def test_the_program_runs_each_time_and_its_status_is_its_own(project: World) -> None:
    (project.project / "count").write_text("")
    assert run(project, *COUNT) == (1, "x\n", False)
    assert run(project, *COUNT) == (2, "x\nx\n", True)
    assert run(project, *COUNT) == (3, "x\nx\nx\n", True)


def test_what_is_said_before_the_program_is_said_again(project: World) -> None:
    said = [project.run("run", "./:sh", "-c", "echo out; echo err >&2") for _ in range(3)]
    assert {(one.out, one.err) for one in said} == {(said[0].out, said[0].err)}
    assert said[0].err.endswith("err\n") and said[0].out == "out\n"


def edit(world: World) -> None:
    path = world.project / "default.bramble"
    path.write_text(path.read_text() + "\n# another\n")


def remove_object(world: World) -> None:
    directory = Path(os.path.realpath(world.store / "store"))
    for path in [path for path in directory.iterdir() if (path / "bin" / "sh").exists()]:
        subprocess.run(["chmod", "-R", "u+w", str(path)], check=True)
        shutil.rmtree(path)


def move_lock(world: World) -> None:
    (world.project / "bramble.lock").write_text("")


@pytest.mark.parametrize("change", [edit, remove_object, move_lock])
def test_whatever_decides_how_is_found_out_again(project: World, change: object) -> None:
    words = ("run", "./:sh", "-c", "echo ran")
    run(project, *words)
    assert run(project, *words) == (0, "ran\n", True)
    change(project)  # type: ignore[operator]
    assert run(project, *words) == (0, "ran\n", False)


def test_a_path_to_be_hidden_that_is_gone_is_an_error(project: World) -> None:
    (project.project / "secret").mkdir()
    words = ("run", "--hidden-paths", "secret", "./:sh", "-c", "echo ran")
    run(project, *words)
    assert run(project, *words) == (0, "ran\n", True)
    (project.project / "secret").rmdir()
    assert run(project, *words) == (1, "", False)


def test_a_program_whose_warnings_nobody_reads_is_not_run(project: World) -> None:
    words = ("run", "./:sh", "-c", "echo > ran")
    run(project, *words)
    assert run(project, *words)[2]
    (project.project / "ran").unlink()
    reading, pipe = os.pipe()
    os.close(reading)
    for unread in (pipe, os.open("/dev/full", os.O_WRONLY)):
        done = subprocess.run(
            project.command(*words),
            cwd=project.project,
            env=project.environment(),
            stderr=unread,
            timeout=120,
        )
        os.close(unread)
        assert done.returncode == 1 and not (project.project / "ran").exists()


def test_files_that_have_come_since_are_kept_from_the_program(project: World) -> None:
    words = ("run", "./:sh", "-c", "echo y > sub/new.bramble")
    (project.project / "sub").mkdir()
    assert run(project, *words)[::2] == (0, False)
    (project.project / "sub" / "new.bramble").write_text("x\n")
    status, _, short = run(project, *words)
    assert status != 0 and short
    assert (project.project / "sub" / "new.bramble").read_text() == "x\n"


def test_a_change_that_no_mount_holds_is_told(project: World) -> None:
    words = ("run", "./:sh", "-c", "rm -f made.bramble; echo > made.bramble")
    for _ in range(2):
        (project.project / "made.bramble").unlink(missing_ok=True)
        ran = project.run(*words)
        assert "made.bramble was made, changed or removed" in ran.err


def test_what_asks_for_something_is_decided_each_time(project: World) -> None:
    words = ("run", "./:asking", "-c", "echo ran")
    assert project.run("trust", "grant", "./:asking").status == 0
    for _ in range(2):
        assert run(project, *words) == (0, "ran\n", False)
    assert project.run("trust", "revoke").status == 0
    assert run(project, *words)[0] == 1


def test_an_error_of_the_sandbox_is_told_as_ever(project: World) -> None:
    kept = answers(project)
    words = ("run", "./:sh", "-c", "echo ran")
    run(project, *words)
    for path in records(project):
        break_program(kept, path)
    ran = project.run(*words)
    assert ran.codes == ["sandbox.cwd"] and ran.status == 1


def break_program(kept: Kept, path: Path) -> None:
    """Let a recorded run be in a directory that is not there."""
    found = kept.read(path.name)
    assert found is not None
    head, _, rest = found.partition(b"\n")
    key, text, *_ = map(int, head.split())
    answer = rest[key + text :]
    if not answer.startswith(_RUN):
        return
    errors, _, said = answer[len(_RUN) :].partition(b"\n")
    prepared = unpacked(said[int(errors) :])
    spec = prepared.spec._replace(cwd="/nowhere")
    broken = said[: int(errors)] + packed(prepared._replace(spec=spec))
    assert kept.write(
        path.name, head + b"\n" + rest[: key + text] + _RUN + errors + b"\n" + broken, 64, 1 << 20
    )


def test_a_prepared_run_is_read_as_it_was_written() -> None:
    prepared = Prepared(
        SandboxSpec(("/a", "b\udcff"), (("N", "v"),), "/", (), limits=Limits(memory=1, seconds=0.5)),
        (Mount("/w", "/w", True),),
        (Mount("/r", "/x"),),
        True,
        ("/n",),
        "/p",
        False,
        ("/s", "/v", "/l"),
        ("a" * 32,),
    )
    again = unpacked(packed(prepared))
    assert again == prepared
    assert isinstance(again.spec.limits, Limits) and isinstance(again.writable[0], Mount)


def test_objects_are_held_while_all_are_there(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    names = ("a" * 32, "b" * 32)
    for name in names:
        (tmp_path / name).mkdir()
    store = (str(tmp_path), str(tmp_path), str(tmp_path / "locks" / "objects"))
    prepared = Prepared(SandboxSpec(("/bin/sh",), (), "/", ()), (), (), True, (), "/", False, store, names)
    held = hold(prepared)
    assert held is not None
    held.close()
    os.rmdir(tmp_path / names[1])
    assert hold(prepared) is None
    gone = str(tmp_path / "gone")
    assert hold(prepared._replace(store=(gone, gone, f"{gone}/locks"))) is None
    assert not os.path.exists(gone)


def test_a_program_that_cannot_be_executed_any_more_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "program").touch(0o644)
    spec = SandboxSpec((str(tmp_path / "program"),), (), "/", ())
    store = (str(tmp_path), str(tmp_path), str(tmp_path / "objects"))
    assert hold(Prepared(spec, (), (), True, (), "/", False, store, ())) is None
