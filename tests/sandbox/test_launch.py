"""The door: sandboxes run from threads, ended early, refused with reasons, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bramble.commands.doctor import sandbox_findings
from bramble.errors import BrambleError
from bramble.sandbox import layout
from bramble.sandbox.launch import Launcher, Outcome, check_machine, parts_of
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from bramble.sandbox.start import loader_environment
from bramble.sandbox.vocabulary import Step
from tests.sandbox.processes import alive, children, gone, mark, wait_for
from tests.sandbox.world import BUSYBOX, NO_BUSYBOX, World, owners_can_be_shown, static

pytestmark = pytest.mark.skipif(not static(BUSYBOX), reason=NO_BUSYBOX)
PATIENT = Limits(seconds=30)
SHELL = Mount(os.path.realpath(BUSYBOX or "/"), "/bin/busybox")


def shell(script: str, *mounts: Mount, limits: Limits = PATIENT, purpose: str = "build") -> SandboxSpec:
    argv = ("/bin/busybox", "sh", "-c", script)
    return SandboxSpec(argv, (), "/tmp", (SHELL, *mounts), limits=limits, purpose=purpose)


def run(launcher: Launcher, spec: SandboxSpec) -> tuple[Outcome, bytes]:
    output: list[bytes] = []
    return launcher.run(spec, on_output=output.append), b"".join(output)


def refused(launcher: Launcher, spec: SandboxSpec) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        run(launcher, spec)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    "script, expected",
    [
        ("exit 0", ("exited", 0, 0)),
        ("exit 3", ("exited", 3, 3)),
        ("exit 255", ("exited", 255, 255)),
        ("kill -TERM $$", ("signalled", 15, 143)),
        ("kill -KILL $$", ("signalled", 9, 137)),
        ("kill -SEGV $$", ("signalled", 11, 139)),
        ("kill -ABRT $$", ("signalled", 6, 134)),
        ("kill -INT $$", ("signalled", 2, 130)),
        ("kill -PIPE $$", ("signalled", 13, 141)),
    ],
)
def test_the_end_of_a_program_is_told_exactly(
    launcher: Launcher, script: str, expected: tuple[str, int, int]
) -> None:
    outcome, _ = run(launcher, shell(script))
    assert (outcome.kind, outcome.code, outcome.shell_status) == expected
    assert outcome.succeeded == (expected[1] == 0)


def test_output_and_errors_come_in_order_and_whole(launcher: Launcher) -> None:
    outcome, output = run(
        launcher, shell("i=0; while [ $i -lt 2000 ]; do echo $i; echo e$i >&2; i=$((i+1)); done")
    )
    assert outcome.succeeded
    assert output == b"".join(b"%d\ne%d\n" % (i, i) for i in range(2000))


def test_output_without_end_of_line_and_of_any_bytes_arrives(launcher: Launcher) -> None:
    assert run(launcher, shell("printf 'a\\000\\377\\033[2Jb'"))[1] == b"a\0\xff\x1b[2Jb"


def test_a_gigabyte_would_pass_through_in_little_memory(launcher: Launcher) -> None:
    total = 0
    biggest = 0

    def count(data: bytes) -> None:
        nonlocal total, biggest
        total += len(data)
        biggest = max(biggest, len(data))

    launcher.run(shell("/bin/busybox dd if=/dev/zero bs=65536 count=800 2>/dev/null"), on_output=count)
    assert total == 800 * 65536 and biggest <= 65536


def test_many_threads_run_many_sandboxes_at_once(launcher: Launcher) -> None:
    def one(number: int) -> bytes:
        return run(launcher, shell(f"echo {number}; /bin/busybox usleep 20000; exit {number % 5}"))[1]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(80))) == [b"%d\n" % number for number in range(80)]


def test_nothing_is_left_open_or_unreaped(launcher: Launcher) -> None:
    def open_files(pid: int) -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    helper = launcher._started.pid
    with contextlib.suppress(BrambleError):
        run(launcher, SandboxSpec(("/nothing",), (), "/", ()))
    run(launcher, shell("true"))
    time.sleep(0.2)  # the helper closes its last descriptors after it has answered
    before = open_files(os.getpid()), open_files(helper)
    for _ in range(20):
        run(launcher, shell("/bin/busybox sleep 100 & exit 1"))
        with contextlib.suppress(BrambleError):
            run(launcher, SandboxSpec(("/nothing",), (), "/", ()))
        with contextlib.suppress(BrambleError):
            run(launcher, SandboxSpec(("/bin/busybox",), (), "/no/such/place", (SHELL,)))
        stop = threading.Event()
        stop.set()
        launcher.run(shell("/bin/busybox sleep 100"), on_output=print, cancelled=stop)
    assert wait_for(lambda: (open_files(os.getpid()), open_files(helper)) == before)
    assert children(helper) == []
    assert children(helper, states="ZX") == []


def test_a_sandbox_can_be_cancelled(launcher: Launcher) -> None:
    cancelled = threading.Event()
    threading.Timer(0.2, cancelled.set).start()
    began = time.monotonic()
    outcome = launcher.run(
        shell("echo on; /bin/busybox sleep 100"), on_output=lambda data: None, cancelled=cancelled
    )
    assert (outcome.kind, outcome.code) == ("cancelled", 9)
    assert time.monotonic() - began < 10


def test_sandboxes_that_are_cancelled_at_any_moment_do_not_disturb_others(launcher: Launcher) -> None:
    def one(number: int) -> str:
        cancelled = threading.Event()
        if number % 3:
            threading.Timer(number % 7 / 1000, cancelled.set).start()
        spec = shell("/bin/busybox sleep 100") if number % 3 else shell("exit 5")
        outcome = launcher.run(spec, on_output=lambda data: None, cancelled=cancelled)
        return outcome.kind if number % 3 else f"{outcome.kind} {outcome.code}"

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(one, range(60)))
    assert ends == ["cancelled" if number % 3 else "exited 5" for number in range(60)]


def test_time_and_silence_are_limited_apart(launcher: Launcher) -> None:
    outcome, _ = run(
        launcher, shell("while :; do echo x; /bin/busybox usleep 20000; done", limits=Limits(seconds=0.4))
    )
    assert (outcome.kind, outcome.limit) == ("timeout", "seconds")
    talkative = "i=0; while [ $i -lt 12 ]; do echo x; /bin/busybox usleep 100000; i=$((i+1)); done"
    assert run(launcher, shell(talkative, limits=Limits(silence=1)))[0].succeeded
    outcome, output = run(launcher, shell("echo x; /bin/busybox sleep 100", limits=Limits(silence=0.3)))
    assert (outcome.kind, outcome.limit, output) == ("timeout", "silence", b"x\n")


def test_a_caller_s_own_failure_ends_the_sandbox_before_it_is_heard(
    launcher: Launcher, tmp_path: Path
) -> None:
    class Own(Exception):
        pass

    def fail(data: bytes) -> None:
        raise Own

    os.chmod(tmp_path, 0o777)
    with pytest.raises(Own):
        launcher.run(
            shell("echo x; /bin/busybox sleep 1; echo late > /out/late", Mount(str(tmp_path), "/out", True)),
            on_output=fail,
        )
    assert children(launcher._started.pid) == []
    assert not (tmp_path / "late").exists()


def test_a_program_that_is_not_there_is_told_apart_from_one_that_fails(
    launcher: Launcher, tmp_path: Path
) -> None:
    def made(name: str, content: str, mode: int = 0o755) -> str:
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
        return f"/in/{name}"

    mounts = (SHELL, Mount(str(tmp_path), "/in"))
    made("plain", "x", 0o644)
    made("text", "hello\n")
    made("script", "#!/no/such/interpreter\n")
    cases = {
        "/in/absent": ("sandbox.builder-missing", "/in/absent"),
        "/in/script": ("sandbox.builder-missing", "/no/such/interpreter"),
        "/in/plain": ("sandbox.builder-not-executable", "permission"),
        "/in/text": ("sandbox.builder-not-executable", "#!"),
        "/in": ("sandbox.builder-not-executable", "directory"),
        "absent": ("sandbox.builder-missing", "absent"),
    }
    os.chmod(tmp_path, 0o755)
    for program, (code, fact) in cases.items():
        error = refused(launcher, SandboxSpec((program,), (("PATH", "/bin"),), "/", mounts))
        assert (error.code, fact in error.message) == (code, True), error
    assert run(launcher, SandboxSpec(("/bin/busybox", "false"), (), "/", mounts))[0].code == 1
    by_path = SandboxSpec(("busybox", "echo", "found"), (("PATH", "/none:/bin"),), "/", mounts)
    assert run(launcher, by_path)[1] == b"found\n"


def test_a_loader_that_is_missing_is_named(launcher: Launcher) -> None:
    host = os.path.realpath("/bin/ls")
    error = refused(launcher, SandboxSpec(("/bin/ls",), (), "/", (Mount(host, "/bin/ls"),)))
    assert error.code == "sandbox.builder-missing" and "loader" in error.message


def test_what_cannot_be_mounted_is_said_before_anything_starts(launcher: Launcher, tmp_path: Path) -> None:
    for mount in (Mount(str(tmp_path / "absent"), "/x"), Mount("relative", "/x"), Mount("/dev/null", "/x")):
        assert refused(launcher, shell("true", mount)).code == "sandbox.mount"
    os.symlink("/no/where", tmp_path / "link")
    assert refused(launcher, shell("true", Mount(str(tmp_path / "link"), "/x"))).code == "sandbox.mount"
    inside = shell("true", Mount(str(tmp_path), "/x"), Mount("/etc/hostname", "/x/absent"))
    error = refused(launcher, inside)
    assert error.code == "sandbox.mount" and "/x/absent" in error.message


def test_a_working_directory_that_is_not_there_is_an_error_of_its_own(launcher: Launcher) -> None:
    spec = SandboxSpec(("/bin/busybox", "true"), (), "/no/where", (SHELL,))
    assert refused(launcher, spec).code == "sandbox.cwd"


def test_arguments_that_no_program_can_be_given_are_an_error(launcher: Launcher) -> None:
    spec = SandboxSpec(("/bin/busybox", "true", "x" * (1 << 18)), (), "/", (SHELL,))
    assert refused(launcher, spec).code == "sandbox.argument"
    assert (
        refused(launcher, SandboxSpec(("/bin/busybox", "a\0b"), (), "/", (SHELL,))).code == "sandbox.argument"
    )


def test_paths_and_arguments_may_hold_any_bytes(launcher: Launcher, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/a b\nc\xff\\\"'"
    os.mkdir(odd)
    os.chmod(tmp_path, 0o755)
    with open(odd + b"/f", "w") as file:
        file.write("odd\n")
    name = os.fsdecode(odd)
    spec = SandboxSpec(
        ("/bin/busybox", "cat", name + "/f"), (("V", "\udcfe"),), name, (SHELL, Mount(name, name))
    )
    assert run(launcher, spec)[1] == b"odd\n"
    spec = SandboxSpec(("/bin/busybox", "sh", "-c", 'printf %s "$V"'), (("V", "\udcfe\n"),), "/", (SHELL,))
    assert run(launcher, spec)[1] == b"\xfe\n"


def test_a_caller_with_another_encoding_means_the_same_bytes() -> None:
    step = Step("bind", ("/caf\xe9", "/\udcff"))
    job = parts_of((step,), "iso8859-1")
    assert job["init"][0][2][0].encode("utf-8", "surrogateescape") == b"/caf\xe9"
    assert parts_of((step,), "utf-8")["init"][0][2] == step.args


def test_a_file_can_be_mounted_and_a_link_is_followed_outside(launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content\n")
    os.symlink("file", tmp_path / "link")
    os.chmod(tmp_path, 0o755)
    outcome, output = run(launcher, shell("/bin/busybox cat /a/b/f", Mount(str(tmp_path / "link"), "/a/b/f")))
    assert output == b"content\n"


def test_a_thousand_mounts_work(launcher: Launcher, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    mounts = []
    for number in range(1000):
        (tmp_path / str(number)).mkdir()
        mounts.append(Mount(str(tmp_path / str(number)), f"/s/{number}"))
    outcome, output = run(
        launcher, shell("/bin/busybox ls /s | /bin/busybox wc -l; echo x > /s/7/x", *mounts)
    )
    assert outcome.code == 1 and output.startswith(b"1000\n") and b"Read-only" in output


def test_a_plan_starts_nothing(launcher: Launcher) -> None:
    planned = launcher.plan(shell("true"))
    assert planned[-1].action == "execute" and children(launcher._started.pid) == []


def test_the_machine_is_examined_by_making_a_sandbox(launcher: Launcher) -> None:
    findings = {finding.topic: finding for finding in sandbox_findings(launcher)}
    assert findings["sandbox"].good is True
    assert {"kernel", "landlock", "control groups"} <= set(findings)
    assert all(finding.to_json()["fact"] for finding in findings.values())


def test_a_helper_that_is_gone_is_an_error_and_takes_its_sandboxes_along() -> None:
    with Launcher() as launcher:
        run(launcher, shell("true"))
        threading.Timer(0.3, os.kill, (launcher._started.pid, signal.SIGKILL)).start()
        number = mark()
        error = refused(launcher, shell(f"/bin/busybox sleep {number}"))
        assert error.code == "sandbox.launcher-died"
        assert gone(number)
        assert refused(launcher, shell("true")).code == "sandbox.launcher-died"


def test_closing_the_launcher_ends_what_still_runs() -> None:
    launcher = Launcher()
    outcomes: list[Outcome] = []
    number = mark()

    def long() -> None:
        outcomes.append(run(launcher, shell(f"/bin/busybox sleep {number}"))[0])

    thread = threading.Thread(target=long)
    thread.start()
    assert wait_for(lambda: children(launcher._started.pid))
    launcher.close()
    thread.join(10)
    assert not thread.is_alive() and outcomes[0].kind == "cancelled"
    assert alive(number) == []
    launcher.close()


@pytest.mark.parametrize("python", ["/no/such/python", "/etc/passwd", ""])
def test_an_interpreter_that_cannot_be_executed_is_an_error(python: str) -> None:
    with pytest.raises(BrambleError) as caught:
        Launcher(python)
    assert caught.value.code == "sandbox.launcher-died"


def test_a_program_that_is_no_interpreter_is_an_error_with_its_words() -> None:
    with Launcher(BUSYBOX) as launcher:
        error = refused(launcher, shell("true"))
    assert error.code == "sandbox.launcher-died"


def test_the_helper_finds_python_s_library_and_is_told_nothing_else() -> None:
    plain = "55d0-55d1 r-xp 00000000 08:01 1 /usr/bin/python3.11\n7f00-7f01 r-xp 0 08:01 2 /lib/libc.so.6\n"
    shared = plain + "7f02-7f03 r-xp 00000000 08:01 3   /opt/hosted tools/lib/libpython3.12.so.1.0\n"
    assert loader_environment(plain) == {}
    assert loader_environment(shared) == {"LD_LIBRARY_PATH": "/opt/hosted tools/lib"}


def test_standard_descriptors_of_the_caller_may_be_closed() -> None:
    code = (
        "import os; os.closerange(0, 3)\n"
        "from bramble.sandbox.launch import Launcher\n"
        "from bramble.sandbox.spec import Mount, SandboxSpec\n"
        "said = []\n"
        "with Launcher() as launcher:\n"
        f"    spec = SandboxSpec(('/busybox', 'echo', 'hello'), (), '/', (Mount({BUSYBOX!r}, '/busybox'),))\n"
        "    outcome = launcher.run(spec, on_output=said.append)\n"
        "os._exit(42 if outcome.succeeded and said == [b'hello\\n'] else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=os.getcwd()).returncode == 42


def test_a_program_that_closes_its_output_is_waited_for(launcher: Launcher) -> None:
    outcome, output = run(launcher, shell("echo a; exec >&- 2>&-; /bin/busybox usleep 300000; exit 9"))
    assert (outcome.code, output) == (9, b"a\n") and outcome.seconds >= 0.3


def test_root_s_files_are_the_sandbox_s_user_s_inside_and_root_s_outside(here: World) -> None:
    if not owners_can_be_shown(here.input):
        pytest.skip("before Linux 6.3 the kernel shows no other owner on tmpfs")
    result = here.run(
        "stat -c %u:%g /input /input/file /out; echo x > /out/x; mkdir /out/d; stat -c %u:%g /out/x /out/d"
    )
    assert result.text == "1000:100\n" * 5
    assert {os.stat(here.out / name).st_uid for name in ("x", "d", ".")} == {here.asker.uid}


@pytest.mark.parametrize(
    "machine, largest", [("riscv64", 2**63 - 1), ("i686", 2**31 - 1), ("x86_64", 2**31 - 1)]
)
def test_a_machine_whose_calls_are_not_known_is_refused(machine: str, largest: int) -> None:
    with pytest.raises(BrambleError) as caught:
        check_machine(machine, largest, True)
    assert caught.value.code == "sandbox.unavailable" and machine in caught.value.message
    check_machine("aarch64", 2**63 - 1, True)


def test_a_machine_without_proc_is_refused() -> None:
    with pytest.raises(BrambleError) as caught:
        check_machine("x86_64", 2**63 - 1, False)
    assert caught.value.code == "sandbox.unavailable" and "/proc" in caught.value.message


def test_the_helper_starts_from_a_zip_file_too(tmp_path: Path) -> None:
    package = Path(layout.__file__).parents[1]
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (*package.glob("*.py"), *(package / "sandbox").rglob("*.py")):
            file.write(path, Path("bramble", path.relative_to(package)))
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from bramble.sandbox.launch import Launcher\n"
        "from bramble.sandbox.spec import Mount, SandboxSpec\n"
        "with Launcher() as launcher:\n"
        f"    mounts = (Mount({BUSYBOX!r}, '/busybox'),)\n"
        "    spec = SandboxSpec(('/busybox', 'echo', 'zipped'), (), '/', mounts)\n"
        "    launcher.run(spec, on_output=sys.stdout.buffer.write)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd="/")
    assert run.stdout == b"zipped\n"
