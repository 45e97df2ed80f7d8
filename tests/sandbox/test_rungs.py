"""The weaker rungs, asked for by name, and a sandbox in a sandbox."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bramble.sandbox.spec import Limits, Mount
from tests.sandbox import rawcalls
from tests.sandbox.processes import alive, children, gone, mark, wait_for
from tests.sandbox.rawcalls import Of
from tests.sandbox.test_hostile_outlive import DAEMONS
from tests.sandbox.test_hostile_reach import address_in, landlock_abi, listening
from tests.sandbox.world import SECRET, Result, World, interpreter

NO_LANDLOCK = "this kernel has no Landlock"


def hosted(here: World, rung: str, script: str, **wish: Any) -> Result:
    """Run a script on a rung that has the host's own paths."""
    programs = f"{here.asker.home}/programs"
    mounts = (
        Mount(programs, programs),
        Mount(str(here.input), str(here.input)),
        Mount(str(here.out), str(here.out), True),
    )
    env = (("PATH", programs), ("IN", str(here.input)), ("OUT", str(here.out)), ("WORLD", str(here.path)))
    defaults: dict[str, Any] = {"env": env, "cwd": str(here.out), "mounts": mounts, "rung": rung}
    return here.execute((f"{programs}/sh", "-c", script), **{**defaults, **wish})


@pytest.fixture(params=["landlock", "none"])
def rung(request: pytest.FixtureRequest) -> str:
    if request.param == "landlock" and landlock_abi() < 1:
        pytest.skip(NO_LANDLOCK)
    return str(request.param)


@pytest.fixture
def confined(here: World) -> World:
    if landlock_abi() < 1:
        pytest.skip(NO_LANDLOCK)
    return here


def test_a_weaker_rung_builds(here: World, rung: str) -> None:
    result = hosted(here, rung, "cat $IN/file; echo made > $OUT/made; pwd; umask; busybox env | sort; exit 5")
    assert (result.kind, result.code) == ("exited", 5)
    assert result.text.splitlines()[:3] == ["given", str(here.out), "0022"]
    assert (here.out / "made").read_text() == "made\n"


def test_a_weaker_rung_gives_no_input_no_descriptors_and_no_environment(here: World, rung: str) -> None:
    result = hosted(
        here,
        rung,
        "cat | wc -c; for n in 3 4 5 6 7 8 9 10 20; do cat <&$n && echo open; done 2>/dev/null; busybox env",
    )
    assert result.text.splitlines()[0] == "0" and "open" not in result.text
    assert {line.split("=")[0] for line in result.text.splitlines()[1:]} <= {
        "PATH", "IN", "OUT", "WORLD", "PWD", "SHLVL", "OLDPWD",
    }  # fmt: skip


def test_a_weaker_rung_ends_what_it_began(here: World, rung: str) -> None:
    number = mark()
    daemons = "\n".join(DAEMONS.values()).replace("{}", number).replace("/bin/sleep", "sleep")
    result = hosted(here, rung, f"{daemons}\nusleep 50000; exit 6")
    assert (result.kind, result.code) == ("exited", 6) and alive(number) == []


def test_a_weaker_rung_keeps_its_time(here: World, rung: str) -> None:
    number = mark()
    result = hosted(
        here,
        rung,
        f"trap '' TERM; setsid sleep {number} & sleep {number}; sleep {number}",
        limits=Limits(seconds=0.5),
    )
    assert (result.kind, result.limit) == ("timeout", "seconds") and alive(number) == []


def test_a_weaker_rung_that_is_killed_with_the_tool_leaves_nothing(here: World, rung: str) -> None:
    number = mark()
    result = hosted(
        here, rung, f"setsid sleep {number} & setsid sleep {number} & sleep {number}", cancel_after=0.5
    )
    assert result.kind == "cancelled"
    time.sleep(0.1)
    assert alive(number) == []


def test_a_program_of_a_weaker_rung_dies_with_the_process_that_guards_it(here: World, rung: str) -> None:
    number = mark()
    worker = here.asker.start()
    assert here.run("true").kind == "exited"
    (helper,) = children(worker.pid)
    killer = os.fork()
    if killer == 0:
        wait_for(lambda: alive(number))
        for guard in children(helper):
            os.kill(guard, signal.SIGKILL)
        os._exit(0)
    result = hosted(here, rung, f"exec sleep {number}")
    os.waitpid(killer, 0)
    assert (result.kind, result.code) == ("signalled", 9) and gone(number)


def test_a_weaker_rung_tells_what_it_cannot_execute(here: World, rung: str) -> None:
    programs = f"{here.asker.home}/programs"
    mounts = (Mount(programs, programs),)
    absent = here.execute((f"{programs}/absent",), mounts=mounts, rung=rung, cwd=programs)
    assert absent.failed == "sandbox.builder-missing"


def test_a_path_has_one_name_without_namespaces(here: World, rung: str) -> None:
    assert here.run("true", rung=rung).failed == "sandbox.mount"
    assert hosted(here, rung, "true", hidden=(f"{here.input}/file",)).failed == "sandbox.rung"


# ---- landlock ------------------------------------------------------------------------------------------


def test_landlock_shows_no_file_that_was_not_given(confined: World) -> None:
    script = (
        "cat $WORLD/private/secret; cat /etc/passwd; ls /; ls $WORLD; ls /proc; cat /proc/version; ls /tmp"
    )
    result = hosted(confined, "landlock", script)
    assert SECRET not in result.text and "root:" not in result.text and "Linux version" not in result.text
    assert result.text.count("denied") >= 6


def test_landlock_changes_no_file_that_was_not_given(confined: World) -> None:
    script = (
        "echo x > $IN/file; rm $IN/file; mkdir $IN/d; echo x > $WORLD/private/secret; "
        "echo x > /tmp/evil; ln $IN/file $OUT/l"
    )
    result = hosted(confined, "landlock", script)
    assert result.code != 0 and (confined.input / "file").read_text() == "given\n"
    assert (confined.private / "secret").read_text() == SECRET
    assert not Path("/tmp/evil").exists() and list(confined.input.iterdir()) == [confined.input / "file"]


def test_landlock_lets_outputs_be_arranged(confined: World) -> None:
    script = (
        "mkdir a b && echo x > a/f && mv a/f b/f && ln b/f a/g && ln -s f b/l "
        "&& rm a/g && rmdir a && cat b/l && echo > /dev/null"
    )
    result = hosted(confined, "landlock", script)
    if landlock_abi() < 2:
        pytest.skip("renaming across directories needs ABI 2")
    assert (result.code, result.text) == (0, "x\n")


def test_landlock_closes_the_network(confined: World) -> None:
    with listening(2, ("127.0.0.1", 0)) as (server, reached):
        port = server.getsockname()[1]
        assert hosted(confined, "landlock", f"nc -w 2 127.0.0.1 {port} < /dev/null").code != 0
        assert reached == []
        hosted(confined, "landlock", f"nc -w 2 127.0.0.1 {port} < /dev/null", network=True)
        assert len(reached) == 1


def test_landlock_refuses_every_kind_of_internet_socket(confined: World) -> None:
    if not rawcalls.AVAILABLE:
        pytest.skip(rawcalls.REASON)
    address = address_in(9)
    program = rawcalls.program([
        ("socket", 2, 2, 0), ("socket", 2, 1, 0), ("socket", 10, 2, 0), ("socket", 16, 3, 0),
        ("socket", 1, 1, 0),
        ("sendto", Of(0), b"x", 1, 0, address, 16),
    ])  # fmt: skip
    confined.put_program(program, {})
    programs = f"{confined.asker.home}/programs"
    mounts = (Mount(programs, programs), Mount(str(confined.input), str(confined.input)))
    result = confined.execute((f"{confined.input}/calls",), mounts=mounts, rung="landlock", cwd=programs)
    results = rawcalls.results(result.output)
    assert results[:4] == [-errno.EAFNOSUPPORT] * 4 and results[4] >= 0


def test_landlock_has_no_capabilities_and_a_filter(confined: World) -> None:
    programs = f"{confined.asker.home}/programs"
    mounts = (Mount(programs, programs),)
    result = confined.execute(
        (f"{programs}/unshare", "-r", "true"), mounts=mounts, rung="landlock", cwd=programs
    )
    assert result.code != 0


def test_landlock_keeps_signals_from_others_where_the_kernel_can(confined: World) -> None:
    programs = f"{confined.asker.home}/programs"
    become = {"user": confined.asker.uid, "group": confined.asker.uid} if confined.user else {}
    victim = subprocess.Popen([f"{programs}/sleep", "1000"], cwd="/", **become)  # type: ignore[call-overload]
    try:
        result = confined.execute(
            (f"{programs}/kill", "-9", str(victim.pid)),
            mounts=(Mount(programs, programs),),
            rung="landlock",
            cwd=programs,
        )
        if landlock_abi() >= 6:
            assert result.code != 0 and victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


# ---- nesting -------------------------------------------------------------------------------------------

INNER = """
import sys
sys.path.insert(0, "/code")
from bramble.errors import BrambleError
from bramble.sandbox.launch import Launcher
from bramble.sandbox.spec import Mount, SandboxSpec
said = []
script = "id -u; echo inner; ls /; cat /input/file; echo x > /bin/x; echo made > /out/made; ps | wc -l"
mounts = (Mount("/bin", "/bin"), Mount("/out", "/out", True))
spec = SandboxSpec(("/bin/sh", "-c", script), (("PATH", "/bin"),), "/tmp", mounts)
try:
    with Launcher() as launcher:
        outcome = launcher.run(spec, on_output=said.append)
    print(b"".join(said).decode(), outcome.kind, outcome.code)
except BrambleError as error:
    print("refused", error.code, error.message, error.remedy)
"""


def nested(here: World, **wish: Any) -> Result:
    """Run Bramble's own launcher in a sandbox, with the Python and the libraries of this machine."""
    python = os.path.realpath(interpreter(here.user))
    given = {
        os.path.realpath(getattr(sys, "base_prefix", "/usr"))
        if not here.user
        else str(Path(python).parents[1]),
        "/usr/lib",
    }
    given |= {path for path in ("/lib", "/lib64", "/usr/lib64") if os.path.isdir(path)}
    mounts = [Mount(os.path.realpath(path), path) for path in sorted(given)]
    mounts.append(Mount(f"{here.asker.home}/code", "/code"))
    return here.execute((python, "-B", "-I", "-S", "-c", INNER), more=mounts, **wish)


def test_bramble_runs_in_bramble_s_own_sandbox_when_that_was_asked_for(here: World) -> None:
    result = nested(here, nesting=True, purpose="run")
    assert result.kind == "exited", result
    lines = result.text.splitlines()
    assert lines[:2] == ["1000", "inner"], result.text
    assert "/input" not in lines and "can't open '/input/file'" in result.text
    assert "Read-only file system" in result.text and lines[-1].split()[-2:] == ["exited", "0"]
    assert (here.out / "made").read_text() == "made\n"
    assert (here.out / "made").stat().st_uid == here.asker.uid


def test_bramble_in_a_sandbox_that_does_not_allow_it_says_so(here: World) -> None:
    result = nested(here)
    assert result.text.startswith("refused sandbox.unavailable") and "nesting" in result.text


def test_nesting_opens_namespaces_and_nothing_else(here: World) -> None:
    script = """
        cat /etc/shadow; echo x > /input/file; echo x > /proc/sys/kernel/core_pattern; chmod 000 /dev/null
        unshare -rm sh -c 'mount -o remount,rw,bind /input && echo remounted; echo x > /input/file'
        unshare -rm umount /input && echo remounted
        unshare -rm sh -c 'echo x > /proc/sys/kernel/core_pattern; mknod /tmp/disk b 8 0 && cat /tmp/disk'
        unshare -r sh -c 'cat /proc/1/environ; kill -9 1; hostname evil'
        ls -A /
    """
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    result = here.run(script, nesting=True, purpose="run")
    assert "root:" not in result.text and "remounted" not in result.text
    assert (here.input / "file").read_text() == "given\n"
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    assert result.text.split()[-7:] == ["bin", "dev", "etc", "input", "out", "proc", "tmp"]
