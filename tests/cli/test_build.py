from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.world import World

BASIC = """
load("example.com/p/tools")
def one():
    return tools.script("one", "echo 1 > $out/n")
def two():
    first = one()
    t = tools.tools()
    return derivation("two", builder=t.out + "/bin/sh", args=["-c", "echo $one > $out/n"], env={"one": first})
def fails():
    return tools.script("fails", "echo to be seen; printf 'and \\\\033]0;title\\\\007 this'; exit 3")
def killed():
    return tools.script("killed", "kill -9 $$")
def sleeps():
    return tools.script("sleeps", "sleep 100 & sleep 100; echo > $out/x")
def run_one():
    return run(tools.tools(), "cat", args=["$out"])
"""


LONE = 'load("example.com/p/tools")\ndef f():\n    return tools.script("f", "{}")\n'


@pytest.fixture
def basic(tooled: World) -> World:
    tooled.write(default=BASIC)
    return tooled


def test_what_is_built_is_printed_and_progress_is_not(basic: World) -> None:
    ran = basic.run("build", "./:two", "./:one")
    assert ran.status == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert [label for label, _ in lines] == ["./:two", "./:one"]
    (_, two), (_, one) = lines
    assert Path(one, "n").read_text() == "1\n"
    assert os.path.realpath(one) == Path(two, "n").read_text().strip()
    assert re.search(r"^✔ one - [\d.]+m?s$", ran.err, re.M)
    assert re.search(r"^✔ two - [\d.]+m?s$", ran.err, re.M)


def test_the_second_time_nothing_is_built(basic: World) -> None:
    first = basic.run("build", "--json", "./:two").json
    objects = basic.objects()
    ran = basic.run("build", "--json", "./:two")
    again = ran.json
    assert sorted(first["built"]) == ["one", "tools", "two"] and first["cached"] == []
    assert sorted(again["cached"]) == ["one", "tools", "two"] and again["built"] == []
    assert again["results"] == first["results"]
    assert again["impure"] == ["tools"] and again["sandbox"] == "namespaces"
    assert ran.err == "! tools copies programs of this machine\n✔ two (cached)\n"
    assert basic.objects() == objects


def test_the_report_names_the_references(basic: World) -> None:
    result = basic.run("build", "--json", "./:one", "./:two").json["results"]
    one, two = (entry["outputs"]["out"] for entry in result)
    assert two["references"] == [one["name"]]
    assert one["references"] == []
    assert result[0]["target"] == "example.com/p:one"


def test_the_output_of_a_failed_build_is_shown_whole_and_harmless(basic: World) -> None:
    ran = basic.run("build", "./:fails")
    assert ran.status == 1
    (error,) = ran.errors
    assert error["error"] == "build.failed"
    assert error["at"].startswith("tools.bramble:8")
    assert "  to be seen\n  and \\x1b]0;title\\x07 this\n" in ran.err
    assert "\x1b" not in ran.err


def test_the_log_of_a_failed_build_is_kept(basic: World) -> None:
    (error,) = basic.run("build", "./:fails").errors
    path = re.search(r"/\S+/var/logs/\w+", error["remedy"])
    assert path is not None
    assert Path(path.group()).read_bytes().startswith(b"to be seen\n")


def test_a_signal_is_named(basic: World) -> None:
    (error,) = basic.run("build", "./:killed").errors
    assert error["error"] == "build.killed" and "SIGKILL" in error["message"]


def test_verbose_shows_output_as_it_comes(basic: World) -> None:
    basic.write(loud=LONE.format("echo a; echo b >&2; echo > $out/x"))
    ran = basic.run("build", "-v", "./loud:f")
    assert "f> a\n" in ran.err and "f> b\n" in ran.err


def test_quiet_shows_nothing_of_what_goes_well(basic: World) -> None:
    assert basic.run("build", "-q", "./:one").err == ""


def test_with_keep_going_the_others_are_built(basic: World) -> None:
    ran = basic.run("build", "-k", "-j1", "./:fails", "./:one")
    assert ran.status == 1
    assert "✔ one" in ran.err


def test_a_failed_build_can_be_entered(basic: World) -> None:
    basic.write(broken=LONE.format("echo half > here; exit 1"))
    assert basic.run("shell", "--failed", "./broken:f").codes == ["shell.nothing-kept"]
    ran = basic.run("build", "--keep-failed", "./broken:f")
    assert "bramble shell --failed" in ran.errors[0]["remedy"]
    entered = basic.run("shell", "--failed", "./broken:f", stdin=b"cat here; exit 5\n")
    assert (entered.status, entered.out) == (5, "half\n")


@pytest.mark.parametrize("rung", ["landlock", "none"])
def test_a_weaker_rung_has_a_shell_and_can_be_explained(basic: World, rung: str) -> None:
    if rung == "landlock" and basic.run("run", "--sandbox=landlock", "./tools:tools", "sh", "-c", "").status:
        pytest.skip("this kernel has no Landlock")
    basic.write(odd=LONE.format("echo half > half; exit 1"))
    basic.run("build", "--keep-failed", "./odd:f")
    option = f"--sandbox={rung}"
    entered = basic.run("shell", option, "--failed", "./odd:f", stdin=b"cat half; echo x > $out/x; exit 5\n")
    assert (entered.status, entered.out) == (5, "half\n") and option in entered.err
    assert basic.run("shell", option, "./odd:f", stdin=b"cat half || exit 6\n").status == 6
    assert "execute" in basic.run("build", "--explain", option, "./odd:f").out
    # Nothing of it stays among the objects.
    assert os.listdir(basic.store / "var/work") == [] and len(basic.objects()) == 1


def test_a_shell_for_what_no_program_builds_is_refused_at_once(basic: World) -> None:
    ran = basic.run("shell", "./tools:tools")
    assert ran.codes == ["shell.builtin"] and len(ran.err.splitlines()) == 1
    assert not basic.store.exists()


def test_a_shell_sees_what_the_build_would_see(basic: World) -> None:
    (basic.project / "source.txt").write_text("from the project\n")
    basic.write(
        sourced='load("example.com/p/tools")\ndef f():\n'
        '    return tools.script("f", "exit 1", sources=files(["./source.txt"]))\n'
    )
    ran = basic.run("shell", "./sourced:f", stdin=b'cat source.txt; echo x > $out/y; echo "$HOME" "$USER"\n')
    assert (ran.status, ran.out) == (0, "from the project\n \n")


def test_the_sandbox_of_a_build_is_explained_without_building(basic: World) -> None:
    ran = basic.run("build", "--explain", "./:two")
    assert ran.status == 0, ran.err
    one = built_name(basic, "./:one")
    # What it needs is built and shown, the outputs of nobody else.
    assert one in ran.out and "pid 2" in ran.out.lower()
    assert basic.run("build", "--json", "./:two").json["built"] == ["two"]
    steps = basic.run("build", "--explain", "--json", "./:two").json["steps"]
    assert {"who", "action", "arguments", "text"} <= set(steps[0])


def built_name(world: World, target: str) -> str:
    (result,) = world.run("build", "--json", target).json["results"]
    return str(result["outputs"]["out"]["name"])


def test_the_weaker_rungs_are_said_in_the_report(basic: World) -> None:
    ran = basic.run("build", "--json", "--sandbox=none", "./:one")
    assert ran.status == 0, ran.err
    assert ran.json["sandbox"] == "none"
    assert "--sandbox=none" in ran.err
    # It is recorded: a later build that finds it says so, and a pure one does not take it.
    assert basic.run("build", "--json", "./:one").json["sandbox"] == "none"


def test_a_pure_build_refuses_what_depends_on_the_machine(basic: World) -> None:
    assert "build.impure" in basic.run("build", "--pure", "./:one").codes


def test_that_there_is_nothing_to_build_is_said(basic: World) -> None:
    basic.write(empty__default="def f():\n    pass\n")
    for target in ("./empty:f", "./empty/..."):
        ran = basic.run("build", target)
        assert (ran.status, ran.out) == (0, "")
        assert ran.err.startswith("nothing to build: ") and target in ran.err
        assert ("does f() `return` it?" in ran.err) is target.endswith(":f")
    assert "nothing" not in basic.run("build", "./:one").err
    basic.write(empty__default='def f():\n    test(derivation("x", "host_tools", env={"tools": "sh"}))\n')
    ran = basic.run("build", "./empty/...")
    assert (ran.status, ran.out) == (0, "") and "is run by bramble test" in ran.err


def test_a_module_that_is_listed_by_itself_is_shown_where_it_is_listed(basic: World) -> None:
    basic.write(beside="def f():\n    pass\n")
    for path in ("./beside", "./beside:f", "./:f"):
        assert basic.run("ls", path).errors[0]["remedy"].endswith(": bramble ls .")
    assert basic.run("ls", "./besides").errors[0]["remedy"] == "name a directory of the project"


def test_parsing_builds_nothing(basic: World) -> None:
    graph = basic.run("build", "--just-parse", "--json", "./:two").json
    (root,) = graph["results"][0]["derivations"]
    assert graph["graph"][root]["Name"] == "two"
    assert not basic.store.exists()


def _processes(text: str) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if text.encode() in Path("/proc", entry, "cmdline").read_bytes():
                    found.append(int(entry))
            except OSError:
                continue
    return found


_INTERRUPTED_IMPORT = """
import os, signal, sys, weakref

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "bramble.cli.verbs.ls":
            dying = Interrupts()
            keep.append(weakref.ref(dying, lambda _: os.kill(os.getpid(), signal.SIGINT)))
            del dying

keep = []
sys.meta_path.insert(0, Interrupts())
sys.argv[1:] = ["ls"]
from bramble.__main__ import start
sys.exit(start())
"""


def test_an_interruption_while_modules_are_imported_is_not_lost(basic: World) -> None:
    command = [sys.executable, "-c", _INTERRUPTED_IMPORT]
    ran = subprocess.run(
        command, cwd=basic.project, env=basic.environment(), capture_output=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, b"", b"interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_when_it_is_interrupted_nothing_goes_on(basic: World, number: signal.Signals) -> None:
    # Other test runs on this machine sleep for other times.
    mark = f"{os.getpid()}{int(number):03}"
    basic.write(long=LONE.format(f"sleep {mark} & sleep {mark}"))
    process = basic.start("build", "-v", "./long:f")
    deadline = time.monotonic() + 30
    while not _processes(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes(mark)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert b"Traceback" not in err
        assert os.listdir(basic.store / "var/work") == []
    deadline = time.monotonic() + 10
    while _processes(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _processes(mark)
    # And the store is as good as before.
    assert basic.run("build", "./:one").status == 0
    assert basic.run("store", "verify").status == 0


def test_what_a_build_may_write_is_limited_and_the_option_is_named(basic: World) -> None:
    basic.write(odd=LONE.format("echo 12345 > $out/x; echo > $out/y; sleep 1000"))
    for option, code in (("--output-files=1", "too-many-files"), ("--output-size=6", "too-large")):
        ran = basic.run("build", option, "./odd:f")
        assert ran.status == 1 and ran.codes == ["build.output-" + code]
        assert option.partition("=")[0] in ran.errors[0]["remedy"]
    assert basic.run("build", "--output-files=0", "./odd:f").status == 2
    assert os.listdir(basic.store / "var/work") == []


def test_the_limits_of_a_build_are_part_of_its_explanation(basic: World) -> None:
    options = ("--processes=5", "--memory=1G", "--output-size=2M")
    steps = basic.run("build", "--explain", "--json", *options, "./:one").json["steps"]
    shown = [(step["action"], *step["arguments"].values()) for step in steps]
    assert ("limit-group", 1 << 30, 5) in shown
    for name, most in (("DATA", 1 << 30), ("FSIZE", (2 << 20) + 1)):
        assert ("rlimit", name, most, most) in shown


def test_a_signal_that_it_was_started_to_ignore_is_ignored(basic: World) -> None:
    basic.write(long=LONE.format("sleep 1; echo done > $out/x"))
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = basic.start("build", "-v", "./long:f")
    finally:
        signal.signal(signal.SIGHUP, kept)
    time.sleep(0.5)
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=30)[0].strip() and process.returncode == 0


def test_a_project_may_be_built_by_several_at_once(basic: World) -> None:
    processes = [basic.start("build", "--json", "./:two") for _ in range(4)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len({str(json.loads(output)["results"]) for output in outputs}) == 1
    assert sum(len(json.loads(output)["built"]) for output in outputs) == 3


def test_a_project_of_others_is_not_built(basic: World) -> None:
    ran = basic.run("build", "example.com/other:f")
    assert ran.status == 1


def test_what_programs_print_goes_to_standard_error(world: World) -> None:
    world.write(default='def f():\n    print("seen")\n    return derivation("a", "./b")\n')
    ran = world.run("build", "--just-parse", "--json", "./:f")
    assert "seen\n" in ran.err and ran.json


def test_what_was_not_begun_is_not_said_to_be_impossible(basic: World) -> None:
    text = LONE.format("exit 1") + "def g():\n    return tools.script('g', 'echo > $out/x')\n"
    basic.write(odd=text + "def both():\n    return [f(), g()]\n")
    assert "1 more was not built; --keep-going" in basic.run("build", "-j1", "./odd:both").err
    assert "more" not in basic.run("build", "-j1", "-k", "./odd:both").err
