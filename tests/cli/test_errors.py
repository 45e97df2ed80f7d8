"""Each mistake of a user has a code, a place where there is one, a remedy, and no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.world import ROOT, World

MODULES = {
    "an unknown function": ("./:nothing", "load.unknown-function", "default.bramble"),
    "an unknown module": ("./nowhere:f", "load.unknown-module", None),
    "a function with parameters": ("./:needs", "load.parameters", "default.bramble:2"),
    "an unknown output": ("./:output", "derivation.unknown-output", "default.bramble:6"),
    "a source outside the project": ("./:outside", None, "default.bramble:8"),
    "a source that is missing": ("./:missing", None, "default.bramble:10"),
    "a glob that matches nothing": ("./:empty", None, "default.bramble:12"),
    "a target without a path": (":needs", "load.target", None),
}
TEXT = """
def needs(x):
    return x

def output():
    return derivation("a", "b").nope
def outside():
    return derivation("a", "b", sources=files(["../x"]))
def missing():
    return derivation("a", "b", sources=files(["./x"]))
def empty():
    return files(["*.c"], allow_empty=False)
"""


@pytest.mark.parametrize("case", MODULES)
def test_a_mistake_in_a_module_has_its_place(world: World, case: str) -> None:
    target, code, place = MODULES[case]
    world.write(default=TEXT)
    ran = world.run("build", target)
    assert ran.status == 1, ran.err
    (error,) = ran.errors
    assert "Traceback (most recent call last):\n  File" not in ran.err
    if code is not None:
        assert error["error"] == code
    assert error["remedy"] or error["detail"]
    if place is not None:
        assert str(error["at"]).startswith(place)


CONFIGURATIONS = {
    "no version": ('[package]\nname = "example.com/p"\n', "config.missing"),
    "not TOML": ("[package\n", "config.syntax"),
    "a wrong type": ('[package]\nname = 1\nversion = "0.1.0"\n', "config.type"),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_mistake_in_the_configuration_has_its_line(world: World, case: str) -> None:
    text, code = CONFIGURATIONS[case]
    (world.project / "bramble.toml").write_text(text)
    ran = world.run("build", "./...")
    assert (ran.status, ran.codes) == (1, [code])
    assert ran.errors[0]["at"].startswith("bramble.toml")


def test_outside_of_a_project_there_is_nothing_to_build(world: World) -> None:
    elsewhere = world.base / "elsewhere"
    elsewhere.mkdir()
    assert world.run("build", "./:x", cwd=elsewhere).codes == ["config.no-project"]


def test_a_project_is_found_from_below(world: World) -> None:
    world.write(lib__default='def f():\n    """Here."""\n    return derivation("a", "./b")\n')
    ran = world.run("build", "--just-parse", "--json", "./:f", cwd=world.project / "lib")
    assert ran.json["results"][0]["target"] == "example.com/p/lib:f"


def test_a_broken_lock_is_named_and_kept(tooled: World) -> None:
    lock = tooled.project / "bramble.lock"
    lock.write_text("[URLHashes\n")
    tooled.write(
        default='load("example.com/p/tools")\ndef f():\n    return tools.script("f", "echo > $out/x")\n'
    )
    ran = tooled.run("build", "./:f")
    assert ran.status == 1
    assert ran.errors[0]["at"].startswith("bramble.lock:1")
    assert lock.read_text() == "[URLHashes\n"


STORES = {
    "too long": ("/tmp/" + "x" * 60, "store.root-too-long"),
    "relative": ("stores/one", "store.root-relative"),
    "below a file": ("/dev/null/s", None),
}


@pytest.mark.parametrize("case", STORES)
def test_a_store_that_cannot_be_is_refused(tooled: World, case: str) -> None:
    root, code = STORES[case]
    ran = tooled.run("build", "./tools:tools", BRAMBLE_PATH=root)
    assert ran.status == 1
    (error,) = ran.errors
    assert error["error"].startswith("store.") and error["remedy"]
    if code is not None:
        assert error["error"] == code


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written_is_refused(tooled: World) -> None:
    tooled.store.mkdir(mode=0o500)
    ran = tooled.run("build", "./tools:tools")
    assert ran.status == 1
    assert ran.errors[0]["error"].startswith("store.")


def test_a_full_disk_loses_nothing(tooled: World) -> None:
    """The store is on a file system of two megabytes, in a mount namespace of the test's own."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare(1) to mount a small file system")
    tooled.write(
        default='load("example.com/p/tools")\n'
        'def small():\n    return derivation("small", "./b.sh", sources=files(["./b.sh"]))\n'
    )
    (tooled.project / "b.sh").write_text("x" * 4_000_000)
    tooled.store.mkdir()
    command = " ".join(tooled.command("build", "./:small"))
    left = f"find {tooled.store} -size +100k"
    mount = f"mount -t tmpfs -o size=2m,mode=755 none {tooled.store}"
    script = f"{mount} && {command}; echo status $?; {command}; {left}"
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script],
        cwd=tooled.project,
        env=tooled.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "status 1\n" in done.stdout, done.stderr
    assert '"store.disk-full"' in done.stderr
    assert "Traceback" not in done.stderr
    # What could not be finished takes no room.
    assert done.stdout.strip() == "status 1"


def test_a_fault_of_our_own_keeps_its_traceback(world: World, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import bramble.commands.ls as ls\n"
        "def broken(*a): raise RuntimeError('ours')\n"
        "ls.list_modules = broken\n"
    )
    ran = world.run("ls", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert ran.status == 70
    assert "RuntimeError: ours" in ran.err and "this is a bug in Bramble" in ran.err


WRONG_LINES = {
    "biuld": ("cli.unknown-command", "did you mean: bramble build\nsee: bramble help"),
    "docto": ("cli.unknown-command", "did you mean: bramble doctor\nsee: bramble help"),
    "zzz": ("cli.unknown-command", "see: bramble help"),
    "help bulid": ("cli.unknown-command", "did you mean: bramble help build\nsee: bramble help"),
    "help eval.fial": ("cli.unknown-command", "to read about an error: bramble explain eval.fial"),
    "store verfy": ("cli.unknown-command", "did you mean: bramble store verify\nsee: bramble help store"),
    "trust nothing": ("cli.unknown-command", "it is one of: "),
    "build --nope ./:x": ("cli.unknown-option", "see: bramble help build"),
    "build --jbos=4 ./:x": ("cli.unknown-option", "did you mean --jobs?\nsee: bramble help build"),
    "store verify --repiar": ("cli.unknown-option", "did you mean --repair?\nsee: bramble help store"),
    "--colr never build ./:x": ("cli.unknown-option", "did you mean --color?\nsee: bramble help"),
    "build --color never ./:x": ("cli.unknown-option", "it goes before the command: bramble --color"),
    "build --sandbox nmespaces ./:x": ("cli.usage", "did you mean namespaces?\nsee: bramble help build"),
    "--color blue build": ("cli.usage", "it is one of: auto, always, never\nsee: bramble help"),
    "build --jobs": ("cli.usage", "see: bramble help build"),
    "build --json=3 ./:x": ("cli.usage", "see: bramble help build"),
    "store": ("cli.usage", "it is one of: path, "),
    "store root add": ("cli.usage", "see: bramble help store"),
    "gc --max-size x": ("cli.usage", "see: bramble help gc"),
    "gc more": ("cli.usage", "omit it\nsee: bramble help gc"),
}


@pytest.mark.parametrize("line", WRONG_LINES)
def test_a_wrong_command_line_is_one_error_with_what_was_meant(world: World, line: str) -> None:
    # spec: cli.usage
    code, remedy = WRONG_LINES[line]
    ran = world.run(*line.split())
    assert (ran.status, ran.out, ran.codes) == (2, "", [code])
    assert ran.errors[0]["remedy"].startswith(remedy), ran.errors[0]["remedy"]
    shown = world.run(*line.split(), BRAMBLE_ERROR_FORMAT="").err.splitlines()
    assert shown[0].startswith(f"error[{code}]: ") and len(shown) <= 3


def test_an_operand_that_may_be_left_out_is_not_called_missing(world: World) -> None:
    # spec: cli.usage
    assert world.run("run").errors[0]["message"] == "TARGET is missing"


def test_a_wrong_command_line_is_one_also_where_nothing_can_be_said(world: World) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            world.command("biuld"), env=world.environment(), stderr=full, timeout=60, check=False
        )
    assert done.returncode == 2


def test_a_reader_that_leaves_early_is_no_fault(world: World) -> None:
    world.write(**{f"m{n}": f'def f{n}():\n    """{"x" * 400}"""\n' for n in range(400)})
    done = subprocess.run(
        f"{' '.join(world.command('ls'))} | true",
        shell=True,
        cwd=world.project,
        env=world.environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr and b"BrokenPipe" not in done.stderr


def test_a_warning_is_said_once(world: World) -> None:
    with open(world.project / "bramble.toml", "a", encoding="utf-8") as file:
        file.write("colour = 1\n")
    world.write(default="def f():\n    return None\n")
    assert world.run("build", "./:f").err.count("package.colour") == 1


def test_help_about_an_unknown_command_says_so(world: World) -> None:
    ran = world.run("help", "bulid")
    assert (ran.status, ran.out) == (2, "")
    assert "bulid" in ran.err and "build" in ran.err


def test_a_lock_that_cannot_be_written_hides_no_result(world: World) -> None:
    (world.base / "a.txt").write_text("a")
    url = f"file://{world.base}/a.txt"
    world.write(default=f'def f():\n    return derivation("f", "fetch_url", env=dict(url="{url}"))\n')
    # Nobody can write a file in a directory that is not there, root included.
    os.symlink("nowhere/lock", world.project / "bramble.lock")
    ran = world.run("build", "./:f")
    assert (ran.status, ran.codes) == (1, ["lock.unwritable"])
    assert os.path.isdir(ran.out.strip())
    assert world.run("store", "path", "./:f").out == ran.out


def test_what_is_printed_commands_no_terminal(world: World) -> None:
    world.write(default='def f():\n    print("a\\033[31mb")\n')
    assert world.run("build", "-q", "./:f").err == "a\\x1b[31mb\n"


def test_modules_are_listed_in_order(world: World) -> None:
    names = ["m", "zz", "default", "aaa", "k", "b__default"]
    world.write(**{name: "" for name in names})
    (error,) = world.run("build", "./elsewhere:f").errors
    listed = str(error["remedy"]).split(": ")[1].split(", ")
    assert len(listed) == len(names) and listed == sorted(listed)


def test_output_that_cannot_be_written_is_an_error(world: World) -> None:
    world.write(default='def f():\n    """Text."""\n')
    for words in (["ls"], ["ls", "--json"], ["build", "--just-parse", "--json", "./:f"], ["store", "path"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                world.command(*words),
                cwd=world.project,
                env=world.environment(),
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
        assert done.returncode == 1
        assert json.loads(done.stderr)["error"] == "cli.output"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(world: World, closed: str) -> None:
    world.write(default="def f():\n    return None\n")
    for words in ("build -q ./:f", "ls --json", "store path"):
        done = subprocess.run(
            ["/bin/sh", "-c", f'"$@" {words} {closed}', "sh", *world.command()],
            cwd=world.project,
            env=world.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
