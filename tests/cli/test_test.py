"""`bramble test`: what is run, what passes, what is shown, and what is written for a CI."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.cli.world import Ran, World

TESTS = """
load("example.com/p/tools")
def _sh():
    return tools.tools()
def sh(text, *more):
    test(_sh(), ["sh", "-c", text] + list(more))

def good():
    sh("echo fine")
def bad():
    sh("printf 'not \\\\033[31mgood' >&2; exit 3")
def mixed():
    sh("true")
    sh("exit 1")
    sh("echo $1", tools.script("dep", "echo 1 > $out/n"))
def needs_what_fails():
    sh("echo $1", tools.script("broken", "exit 9"))
def built():
    test(tools.script("checks", "echo > $out/passed"))
def not_built():
    test(tools.script("uncheck", "echo seen; exit 2"))
def returned():
    return tools.script("returned", "exit 1")
"""


@pytest.fixture
def tests(tooled: World) -> World:
    tooled.write(default=TESTS)
    return tooled


def last(ran: Ran) -> str:
    return ran.out.splitlines()[-1]


def test_the_last_line_counts_and_the_status_says_whether_all_passed(tests: World) -> None:
    # spec: cli.test.summary, cli.test.errors
    ran = tests.run("test", "./:good", "./:built")
    assert (ran.status, ran.out, ran.codes) == (0, "2 passed, 0 failed\n", [])
    ran = tests.run("test", "./:good", "./:bad")
    assert (ran.status, ran.out, ran.codes) == (1, "1 passed, 1 failed\n", ["test.failed"])
    (error,) = ran.errors
    assert error["at"].startswith("default.bramble:6:") and "exited with status 3" in error["message"]


def test_all_of_a_directory_is_run_though_some_fail(tests: World) -> None:
    # spec: cli.test
    ran = tests.run("test")
    assert last(ran) == "4 passed, 4 failed"
    assert sorted(ran.codes) == ["build.failed", "build.failed", "test.failed", "test.failed"]
    assert "✘ ./:needs_what_fails sh -c 'echo $1' broken.out (what it needs could not be built)" in ran.err
    # What a function returns is built for no test.
    assert "returned" not in ran.err


def test_the_output_of_a_failed_test_is_shown_harmless_and_that_of_others_is_not(tests: World) -> None:
    # spec: cli.test.run
    ran = tests.run("test", "./:good", "./:bad")
    assert "\n  not \\x1b[31mgood\n" in ran.err and "\x1b" not in ran.err
    assert "fine\n" not in ran.err
    assert "echo fine> fine\n" in tests.run("test", "-v", "--force", "./:good").err.replace("'", "")


def test_a_test_of_a_test_that_several_functions_call_is_one(tests: World) -> None:
    # spec: cli.test
    tests.write(calls='load("example.com/p")\ndef all():\n    one()\ndef one():\n    p.good()\n')
    assert tests.run("test", "--list", "./calls", "./:good").out == "./:good sh -c 'echo fine'\n"
    assert tests.run("test", "--list", "./calls").out == "./calls:one sh -c 'echo fine'\n"


def test_what_has_passed_is_known_until_it_changes(tests: World) -> None:
    # spec: cli.test.cached
    def cached(*words: str) -> list[bool]:
        return [one["cached"] for one in tests.run("test", "--json", "./:mixed", *words).json["tests"]]

    assert cached() == [False, False, False]
    assert cached() == [True, False, True]
    assert cached("--force") == [False, False, False]
    default = tests.project / "default.bramble"
    default.write_text(TESTS.replace("echo 1 > $out/n", "echo 2 > $out/n"))
    assert cached() == [True, False, False]
    # Another way to the same output is the same test.
    default.write_text(TESTS.replace("echo 1 > $out/n", "echo 1 >$out/n"))
    assert cached() == [True, False, True]


def test_a_test_may_leave_its_output_empty_and_a_build_may_not(tests: World) -> None:
    # spec: cli.test.run
    assert tests.run("test", "./:good").status == 0
    tests.write(empty='load("example.com/p/tools")\ndef f():\n    test(tools.script("empty", "true"))\n')
    assert tests.run("test", "./empty").codes == ["build.empty-output"]


def test_with_fail_fast_the_rest_is_not_run(tests: World) -> None:
    # spec: cli.test.summary
    ran = tests.run("test", "--fail-fast", "-j1", "./:mixed", "./:bad")
    assert ran.status == 1
    passed, failed, missing = (int(part.split()[0]) for part in last(ran).split(", "))
    assert failed == 1 and missing >= 1 and passed + failed + missing == 4
    assert last(ran).endswith(" not run")


def test_a_time_limit_is_for_tests_and_not_for_what_they_need(tests: World) -> None:
    # spec: cli.test.run
    tests.write(
        slow='load("example.com/p", "sh")\nload("example.com/p/tools")\n'
        'def f():\n    sh("echo $1; sleep 1000", tools.script("dep", "sleep 2; echo > $out/n"))\n'
        'def g():\n    sh("echo $1", tools.script("dep", "sleep 2; echo > $out/n"))\n'
    )
    ran = tests.run("test", "--timeout", "1", "./slow:f")
    assert (ran.status, ran.codes, last(ran)) == (1, ["test.timeout"], "0 passed, 1 failed")
    assert "✔ dep" in ran.err


def test_tests_run_beside_each_other(tests: World) -> None:
    # spec: cli.test.run
    long = [f"7{os.getpid()}1", f"7{os.getpid()}2"]
    calls = "".join(f'    sh("sleep {one}; true")\n' for one in long)
    tests.write(pair=f'load("example.com/p", "sh")\ndef f():\n{calls}')
    process = tests.start("test", "-j2", "./pair", start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not sleeping(long):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"0 passed, 0 failed, 2 not run\n")


def sleeping(long: list[str]) -> bool:
    """Tell whether there is a process `sleep SECONDS` for each of `long`."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.add(path.read_bytes().decode("utf-8", "replace").partition("sleep\0")[2].rstrip("\0"))
    return found.issuperset(long)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["./:bad", "./:built", "./:good"]),
        (("-k", "FINE"), ["./:good"]),
        (("-k", "./:b*"), ["./:bad", "./:built"]),
        (("-k", "checks", "-k", "fine"), ["./:built", "./:good"]),
    ],
)
def test_a_pattern_chooses(tests: World, words: tuple[str, ...], names: list[str]) -> None:
    # spec: cli.test.pattern
    ran = tests.run("test", "--list", *words, "./:bad", "./:built", "./:good")
    assert sorted(line.split()[0] for line in ran.out.splitlines()) == names
    assert not tests.store.exists()


@pytest.mark.parametrize(
    ("words", "status", "codes"),
    [
        (("-k", "none"), 1, ["test.none"]),
        (("./:returned",), 1, ["test.none"]),
        (("./:nothing",), 1, ["load.unknown-function"]),
        (("./none",), 1, ["load.unknown-module"]),
        ((":good",), 1, ["load.target"]),
        (("--junit", "no/such/report.xml"), 1, ["cli.unwritable"]),
        (("--junit", "."), 1, ["cli.unwritable"]),
        (("--junit",), 2, ["cli.usage"]),
        (("--timeout", "soon"), 2, ["cli.usage"]),
        (("--check",), 2, ["cli.unknown-option"]),
        (("-k",), 2, ["cli.usage"]),
    ],
)
def test_mistakes_are_errors_before_anything_runs(
    tests: World, words: tuple[str, ...], status: int, codes: list[str]
) -> None:
    ran = tests.run("test", *words)
    assert (ran.status, ran.codes, ran.out) == (status, codes, "")
    assert not tests.store.exists()


def test_a_pattern_that_is_nearly_right_is_told(tests: World) -> None:
    (error,) = tests.run("test", "-k", "./:good sh -c 'echo fime'", "./:good").errors
    assert error["remedy"] == "did you mean \"./:good sh -c 'echo fine'\"?"


def test_where_there_are_no_tests_that_is_said(tooled: World) -> None:
    # spec: cli.test
    ran = tooled.run("test")
    assert (ran.status, ran.out) == (0, "0 passed, 0 failed\n")
    assert "there are no tests" in ran.err and "see: bramble help builtins" in ran.err


def test_what_cannot_be_evaluated_fails_the_run_and_not_the_other_tests(tests: World) -> None:
    # spec: cli.test.errors
    tests.write(wrong="def f():\n    test(1)\n", syntax="def f(:\n")
    ran = tests.run("test", "-k", "fine")
    assert (ran.status, ran.codes, last(ran)) == (
        1,
        ["syntax.unexpected", "eval.argument"],
        "1 passed, 0 failed",
    )
    assert [error["error"] for error in tests.run("test", "--json", "-k", "fine").json["errors"]] == ran.codes


def test_a_missing_program_is_told_with_those_that_are_there(tests: World) -> None:
    # spec: cli.test.errors
    tests.write(
        lost='load("example.com/p/tools")\n'
        'def near():\n    test(tools.tools(), ["slep"])\n'
        'def far():\n    test(tools.script("none", "echo > $out/x"), ["prog"])\n'
        'def text():\n    test(tools.script("text", "mkdir $out/bin; echo hi > $out/bin/t"), ["t"])\n'
    )
    (near,) = tests.run("test", "./lost:near").errors
    assert (near["error"], near["remedy"]) == ("test.no-program", "did you mean sleep?")
    assert near["at"].startswith("lost.bramble:3:")
    (far,) = tests.run("test", "./lost:far").errors
    assert far["error"] == "test.no-program" and "no bin directory" in far["remedy"]
    assert tests.run("test", "./lost:text").codes == ["test.no-program"]


def test_the_report_as_json(tests: World) -> None:
    # spec: cli.test.json
    ran = tests.run("test", "--json", "./:good", "./:bad", "./:needs_what_fails")
    report = ran.json
    assert (report["version"], report["passed"], report["failed"], report["not_run"]) == (1, 1, 2, 0)
    good, bad, needs = report["tests"]
    assert good["test"] == "./:good sh -c 'echo fine'" and good["args"] == ["sh", "-c", "echo fine"]
    assert good["target"] == "example.com/p:good" and good["seconds"] > 0 and good["error"] is None
    assert bad["outcome"] == "failed" and bad["log"] == "not \x1b[31mgood" and bad["seconds"] > 0
    assert bad["error"]["error"] == "test.failed" and needs["error"]["error"] == "build.failed"
    assert ran.err.endswith("1 passed, 2 failed\n")


def test_the_report_as_junit(tests: World) -> None:
    # spec: cli.test.junit
    path = tests.project / "r.xml"
    path.symlink_to("elsewhere")
    words = ("test", "--junit", "r.xml", "./:good", "./:bad", "./:needs_what_fails")
    assert tests.run(*words).codes == ["cli.unwritable"] and not (tests.project / "elsewhere").exists()
    path.unlink()
    assert tests.run(*words).status == 1
    suite = ElementTree.parse(path).getroot()[0]
    assert (suite.get("name"), suite.get("tests")) == ("example.com/p", "3")
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "0")
    good, bad, needs = suite
    assert (good.get("classname"), good.get("name")) == ("example.com/p", "good sh -c 'echo fine'")
    assert (good.get("file"), good.get("line"), len(good)) == ("default.bramble", "6", 0)
    (failure,) = bad
    assert (failure.tag, failure.get("type")) == ("failure", "test.failed")
    # A character that XML does not have is written out.
    assert failure.text == "not \\x1b[31mgood"
    assert needs[0].tag == "error"
    assert [name for name in os.listdir(tests.project) if "xml" in name] == ["r.xml"]


def test_results_of_tests_are_not_those_of_their_targets(tests: World) -> None:
    tests.write(
        both='load("example.com/p", "good")\nload("example.com/p/tools")\n'
        "def f():\n    good()\n    return tools.tools()\n"
    )
    path = tests.run("build", "./both:f").out.strip()
    assert tests.run("test", "./both:f").status == 0
    assert os.path.realpath(tests.run("store", "path", "./both:f").out.strip()) == os.path.realpath(path)


def test_no_report_and_no_trace_goes_through_a_link_out_of_the_project(tooled: World) -> None:
    # spec: project.access.write
    outside = tooled.base / "outside"
    outside.mkdir()
    (tooled.project / "sub").symlink_to(outside)
    tooled.write(default='load("example.com/p/tools")\ndef f():\n    test(tools.tools())\n')
    for words in (("test", "--junit", "sub/r"), ("build", "--trace", "sub/t", "./...")):
        assert tooled.run(*words).codes == ["cli.unwritable"]
    assert list(outside.iterdir()) == []
    # A directory outside that a person names as such is the person's word.
    assert tooled.run("test", "--junit", str(outside / "r")).status == 0
