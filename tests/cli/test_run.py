from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.cli.world import World

LINKS = 'load("example.com/p/tools")\ndef f():\n    return tools.script("f", "{}")\n'
REPOSITORY = str(Path(__file__).resolve().parents[2])

PROGRAMS = """
load("example.com/p/tools")
def programs():
    return tools.tools()
def shown():
    return run(tools.tools(), "cat", args=["./a.txt"])
def confined():
    fixed, secret = ["./data/fixed"], ["./data/secret"]
    return run(tools.tools(), "sh", paths=["./data"], read_only_paths=fixed, hidden_paths=secret)
def several():
    return [tools.tools(), tools.script("x", "echo > $out/x")]
def nothing():
    return None
def python():
    return derivation("python", builder="host_tools", env={"tools": "python3"})
"""


@pytest.fixture
def programs(tooled: World) -> World:
    tooled.write(default=PROGRAMS)
    (tooled.project / "a.txt").write_text("text of the project\n")
    for directory in ("data/fixed", "data/secret"):
        (tooled.project / directory).mkdir(parents=True)
        (tooled.project / directory / "file").write_text(directory)
    return tooled


def sh(world: World, script: str, *options: str) -> tuple[int, str]:
    ran = world.run("run", *options, "./:programs", "sh", "-c", script)
    return ran.status, ran.out


def test_the_project_can_be_read_and_written_and_nothing_else(programs: World) -> None:
    outside = programs.base / "outside"
    outside.write_text("private")
    assert sh(programs, "cat a.txt; echo new > b.txt") == (0, "text of the project\n")
    assert (programs.project / "b.txt").read_text() == "new\n"
    assert sh(programs, f"cat {outside}; cat /etc/shadow; cat ~/.profile")[1] == ""
    top = sh(programs, "for f in /*; do echo $f; done")[1].split()
    # The programs have a sh, which is shown where scripts look for it.
    assert top == ["/bin", "/dev", "/etc", "/proc", "/tmp"]


def test_the_store_is_read_only(programs: World) -> None:
    status, _ = sh(programs, 'd="${PATH%/bin}"; echo x > $d/new || rm -r $d')
    assert status != 0
    assert programs.run("store", "verify").status == 0


def test_a_store_within_the_project_cannot_be_changed(programs: World) -> None:
    inside = programs.project / "s"
    script = f"cd {inside}; cat var/location; echo x > x; echo x > var/x; for d in */; do echo x > $d/x; done"
    ran = programs.run("run", "./:programs", "sh", "-c", script, BRAMBLE_PATH=str(inside))
    assert ran.out == ""
    assert not list(programs.project.rglob("x"))
    assert programs.run("store", "verify", BRAMBLE_PATH=str(inside)).status == 0


def test_the_status_of_the_program_is_passed_on(programs: World) -> None:
    assert sh(programs, "exit 42")[0] == 42
    assert sh(programs, "kill -TERM $$")[0] == 128 + 15


def test_the_arguments_of_run_come_before_those_of_the_command_line(programs: World) -> None:
    (programs.project / "b.txt").write_text("second\n")
    ran = programs.run("run", "./:shown", "./b.txt")
    assert (ran.status, ran.out) == (0, "text of the project\nsecond\n")


def test_options_behind_the_target_are_the_programs(programs: World) -> None:
    ran = programs.run("run", "./:programs", "cat", "--help")
    assert ran.status == 0 and "concatenate" in ran.out.lower()


def test_standard_input_reaches_the_program(programs: World) -> None:
    ran = programs.run("run", "./:programs", "cat", stdin=b"through\n")
    assert ran.out == "through\n"


def test_paths_take_the_place_of_the_project(programs: World) -> None:
    script = (
        "cat a.txt; cat data/fixed/file; cat data/secret/file; echo x > data/new; echo x > data/fixed/new"
    )
    ran = programs.run("run", "./:confined", "-c", "cd " + str(programs.project) + "; " + script)
    assert ran.out == "data/fixed"
    assert (programs.project / "data" / "new").exists()
    assert not (programs.project / "data" / "fixed" / "new").exists()


def test_the_command_line_outweighs_the_fields(programs: World) -> None:
    ran = programs.run(
        "run", "--hidden_paths", "data", "./:programs", "sh", "-c", "cat data/fixed/file; cat a.txt"
    )
    assert ran.out == "text of the project\n"
    ran = programs.run(
        "run",
        "--read-only-paths",
        ".",
        "--paths",
        "data",
        "./:programs",
        "sh",
        "-c",
        "echo x > c; echo y > data/c",
    )
    assert not (programs.project / "c").exists() and (programs.project / "data" / "c").exists()


def test_the_environment_of_the_caller_stays_outside(programs: World) -> None:
    programs.environ["SECRET"] = "password"
    status, out = sh(programs, "set")
    assert status == 0 and "password" not in out
    assert "HOME='/tmp'" in out


def test_there_is_no_network_unless_it_is_given(programs: World) -> None:
    listing = "cat /proc/net/dev"
    with_none = sh(programs, listing)[1]
    assert [line.split(":")[0].strip() for line in with_none.splitlines()[2:]] == ["lo"]
    host = {name for _, name in socket.if_nameindex()}
    given = sh(programs, listing, "--network")[1]
    assert {line.split(":")[0].strip() for line in given.splitlines()[2:]} == host


@pytest.mark.parametrize(("options", "status"), [((), 1), (("--nesting",), 0)])
def test_a_sandbox_can_make_sandboxes_when_it_was_asked_for_with_nesting(
    programs: World, options: tuple[str, ...], status: int
) -> None:
    inner = (
        f"import sys; sys.path.insert(0, {REPOSITORY!r}); from bramble.__main__ import start; "
        "sys.argv[1:] = ['doctor', '--json']; sys.exit(start())"
    )
    visible = ("--paths", ".", "--read_only_paths", REPOSITORY)
    ran = programs.run("run", *options, *visible, "./:python", "python3", "-c", inner)
    assert ran.status == status, ran.err
    assert ("--nesting" in ran.out) == (status == 1)


REFUSALS = {
    ("./:programs",): "run.no-command",
    ("./:programs", "nope"): "run.no-program",
    ("./:programs", "../../../../bin/sh"): "run.no-program",
    ("./:several", "sh"): "run.several",
    ("./:nothing", "sh"): "run.nothing",
    ("./...", "sh"): "run.several",
    (".", "sh"): "run.several",
    ("--paths", "nowhere", "./:programs", "sh"): "run.no-path",
}


@pytest.mark.parametrize("words", REFUSALS)
def test_what_cannot_be_run_is_refused(programs: World, words: tuple[str, ...]) -> None:
    ran = programs.run("run", *words)
    assert (ran.status, ran.codes) == (1, [REFUSALS[words]])
    assert ran.errors[0]["remedy"]


LOSES = """
def shells():
    return derivation("shells", builder="host_tools", env={"tools": "sh mkdir chmod"})
def script():
    bin = shells().out + "/bin"
    make = 'mkdir $out/bin; cd $out/bin; echo "#!' + bin + '/sh\\nexit 7" > f; chmod +x f'
    return derivation("script", builder=bin + "/sh", args=["-c", make], env={"PATH": bin})
"""


def test_an_object_that_lost_a_file_is_not_blamed_on_the_sandbox(world: World) -> None:
    world.write(default=LOSES)
    assert world.run("run", "./:script", "f").status == 7
    shells = world.run("build", "--json", "./:shells").json["results"][0]["outputs"]["out"]["path"]
    os.chmod(f"{shells}/bin", 0o755)
    os.remove(f"{shells}/bin/sh")
    ran = world.run("run", "./:script", "f")
    assert ran.codes == ["sandbox.builder-missing"]
    assert "bramble store verify --repair" in ran.errors[0]["remedy"]
    assert world.run("store", "verify", "--repair").status == 0
    assert world.run("run", "./:script", "f").status == 7


def test_the_root_of_the_machine_cannot_be_given_and_the_error_says_so(programs: World) -> None:
    ran = programs.run("run", "--paths", "/", "./:programs", "sh", "-c", "ls")
    assert ran.codes == ["sandbox.mount"]
    assert "root" in ran.errors[0]["message"] and "normal form" not in ran.errors[0]["message"]


def test_a_missing_program_suggests_the_nearest(programs: World) -> None:
    assert "cat" in programs.run("run", "./:programs", "cta").errors[0]["remedy"]


def test_the_sandbox_can_be_explained(programs: World) -> None:
    ran = programs.run("run", "--explain", "./:programs", "sh")
    assert ran.status == 0 and str(programs.project) in ran.out
    steps = programs.run("run", "--explain", "--json", "./:programs", "sh").json["steps"]
    assert {"who", "action", "arguments", "text"} <= set(steps[0])


def test_a_path_named_twice_is_as_strict_as_the_stricter(programs: World) -> None:
    script = "cat a.txt; echo x > x || echo no"
    said = (0, "text of the project\nno\n")
    assert sh(programs, script, "--read_only_paths", ".") == said
    assert sh(programs, script, "--paths", ".", "--paths", ".", "--read_only_paths", ".") == said
    # A store in the project is in a directory that can be written, and stays as it is.
    store = str(programs.project / "s")
    script = "cat a.txt; echo x > s/x || echo no"
    inside = programs.run("run", "./:programs", "sh", "-c", script, BRAMBLE_PATH=store)
    assert (inside.status, inside.out) == said, inside.err


def test_a_link_in_the_output_that_leads_nowhere_is_in_nobodys_way(programs: World) -> None:
    script = "mkdir $out $out/bin; ln -s loop $out/bin/loop; ln -s gone $out/bin/dangling"
    programs.write(odd=LINKS.format(script))
    for words in (("./odd:f",), ("./odd:f", "loop"), ("./odd:f", "nope")):
        ran = programs.run("run", *words)
        assert (ran.status, len(ran.codes)) == (1, 1) and ran.codes[0].startswith("run.")


def test_what_is_no_program_is_not_proposed(programs: World) -> None:
    script = "mkdir -p $out/bin/directory; echo > $out/bin/text"
    programs.write(odd=f'load("example.com/p/tools")\ndef f(): return tools.script("f", "{script}")\n')
    text, directory = (programs.run("run", "./odd:f", word).errors[0] for word in ("text", "directory"))
    assert (text["error"], directory["error"]) == ("run.no-program", "run.no-program")
    assert "chmod +x" in text["remedy"] and "directory" not in directory["remedy"]


def test_the_log_of_a_build_that_fails_is_shown_once(programs: World) -> None:
    programs.write(
        fails="""
load("example.com/p/tools")
def f():
    return run(tools.script("f", "echo seen-in-the-log; exit 1"), "f")
"""
    )
    for options in ((), ("-v",), ("-q",)):
        ran = programs.run("run", *options, "./fails:f", BRAMBLE_ERROR_FORMAT="text")
        assert ran.status == 1 and ran.err.count("seen-in-the-log") == 1


def test_what_a_run_value_refers_to_is_kept_with_what_is_run(programs: World) -> None:
    # spec: cli.run.references
    programs.write(
        refers="""
load("example.com/p/tools")
def conf():
    return tools.script("conf", "mkdir $out/etc; echo set > $out/etc/conf")
def f():
    return run(tools.tools(), "cat", [conf().out + "/etc/conf"])
def writes():
    script = "echo changed > $CONF/etc/conf; cat $CONF/etc/conf"
    return run(tools.tools(), "sh", ["-c", script], paths=[conf().out], env={"CONF": conf()})
"""
    )
    assert programs.run("run", "./refers:f").out == "set\n"
    assert programs.run("gc").status == 0
    again = programs.run("run", "./refers:f")
    assert again.out == "set\n" and "✔ conf" not in again.err
    assert programs.run("run", "./refers:writes").out == "set\n"
