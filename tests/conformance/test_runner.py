"""The command: what it chooses, what it reports, and the two statuses with which it ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance import report, runner
from conformance.casefile import parse_case_file
from conformance.outcome import Outcome
from conformance.world.session import CannotRun, implementation
from tests.conformance.support import FAKE, TOP

# The runner itself: with the oldest Python and the newest it runs the whole suite.
pytestmark = pytest.mark.once

PASSING = "# It says hi.\nspec: store.padding\nlevel: {level}\n{more}\nrun say hi\ntext stdout is hi\n"
FAILING = "# It says ho.\nspec: store.padding\nlevel: {level}\n{more}\nrun say hi\ntext stdout is ho\n"


class Suite:
    """A suite of its own in a temporary directory, run by the real command."""

    smoke = False

    def __init__(self, top: Path) -> None:
        self.top = top
        self.cases = top / "conformance" / "cases"
        self.spec = top / "spec"
        self.spec.mkdir()

    def add(self, name: str, text: str, level: str = "store", more: str = "") -> None:
        path = self.cases / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{level}", level).replace("{more}", more + "\n" if more else ""))

    def run(self, *arguments: str, impl: str = " ".join(FAKE)) -> subprocess.CompletedProcess[str]:
        program = (
            "import conformance.runner as r, conformance.places as p, conformance.__main__ as m, sys;"
            f"p.SPEC={str(self.spec)!r};"
            f"r.load.__defaults__=({str(self.cases)!r}, p.SPEC);"
            # Only the tests of the first cases have an implementation that could pass them.
            f"m.smoke = m.smoke if {self.smoke} else lambda seed: {{}};"
            "sys.exit(m.main(sys.argv[1:]))"
        )
        return subprocess.run(
            [sys.executable, "-c", program, *(("--impl", impl) if impl else ()), *arguments],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def test_a_suite_that_passes_ends_with_0(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    done = suite.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        "store     1 passed\ntotal     1 passed\n"
        "suite [0-9.]+, specification not here, seed [0-9a-f]{8}\n"
        "language - · evaluate - · store 1/1 · build - · exchange -\n",
        done.stdout,
    )


def test_one_failure_among_many_ends_with_1_and_is_shown(suite: Suite) -> None:
    for number in range(5):
        suite.add(f"store/a{number}.txt", PASSING)
    suite.add("store/b.txt", FAILING)
    done = suite.run("-j", "3")
    assert done.returncode == 1
    assert "FAILED store/b\n  It says ho.\n  store.padding\n" in done.stdout
    assert "expected  text stdout is ho\n    got       it is b'hi\\n'\n" in done.stdout
    assert "total     5 passed, 1 failed\n" in done.stdout
    assert done.stdout.endswith("store 5/6 · build - · exchange -\n")


def test_the_status_is_never_a_count(suite: Suite) -> None:
    for number in range(3):
        suite.add(f"store/b{number}.txt", FAILING)
    assert suite.run().returncode == 1


def test_what_is_not_claimed_is_not_passed(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("build/b.txt", PASSING, level="build")
    suite.add("build/c.txt", PASSING, level="store", more="need: host-tools")
    done = suite.run("--level", "store", "--without", "host-tools", "-v")
    assert done.returncode == 0
    assert "not claimed  build/b: it needs the level build" in done.stdout
    assert "not claimed  build/c: it needs host-tools" in done.stdout
    assert "total     1 passed, 2 not claimed\n" in done.stdout


def test_a_run_that_claims_nothing_has_shown_nothing(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    done = suite.run("--level", "language")
    assert done.returncode == 1 and "1 not claimed" in done.stdout


def test_a_mistake_in_any_case_stops_everything(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("store/b.txt", PASSING.replace("run say", "runn say"))
    suite.add("store/c.txt", PASSING.replace("spec:", "specs:"))
    done = suite.run("store/a")
    assert done.returncode == 1 and done.stdout == ""
    assert "unknown verb 'runn'" in done.stderr and "unknown header key 'specs'" in done.stderr


def test_a_file_that_would_never_run_stops_everything(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("store/b.text", PASSING)
    done = suite.run()
    assert done.returncode == 1 and "a .txt, a .table or a .star file" in done.stderr


def test_no_cases_are_no_success(suite: Suite) -> None:
    suite.cases.mkdir(parents=True)
    done = suite.run()
    assert done.returncode == 1 and "there are no cases" in done.stderr


def test_a_name_that_means_no_case_is_an_error(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    done = suite.run("store/b")
    assert done.returncode == 1 and "no case is called store/b" in done.stderr


@pytest.mark.parametrize(
    "name", ["store/a", "store", "store/", "{cases}/store/a.txt", "{cases}/store", "{cases}"]
)
def test_cases_are_chosen_by_id_by_beginning_and_by_path(suite: Suite, name: str) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("stored/b.txt", FAILING)
    done = suite.run(name.replace("{cases}", str(suite.cases)))
    expected = 1 if name == "{cases}" else 0
    assert done.returncode == expected, done.stdout


def test_an_expected_failure_is_none(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("store/b.txt", FAILING)
    listed = suite.top / "known"
    listed.write_text("# known gaps\nstore/b  # not yet\n")
    done = suite.run("--expect-fail", str(listed))
    assert done.returncode == 0 and "1 passed, 1 expected failure" in done.stdout


def test_an_expected_failure_that_passes_is_a_failure(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    listed = suite.top / "known"
    listed.write_text("store/a\n")
    done = suite.run("--expect-fail", str(listed))
    assert done.returncode == 1 and "unexpected pass: store/a" in done.stdout


def test_an_expected_failure_that_does_not_exist_is_a_failure(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    listed = suite.top / "known"
    listed.write_text("store/gone\n")
    done = suite.run("--expect-fail", str(listed))
    assert done.returncode == 1 and "no case of this run is called store/gone" in done.stdout


def test_accepting_rewrites_what_is_expected_and_does_not_call_it_passed(suite: Suite) -> None:
    text = (
        "# It says many things.\nspec: store.padding\nlevel: store\n\n"
        'run raw \'{"a": [1], "d": "x"}\'\njson a [2]\njson d wrong\njson a [1]\n'
        "run say hi\ntext stdout is ho\ntext stdout like @long\n"
        "write t tree @made\ntree t @wanted\ntree t 5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r\n"
        '-- @long --\nother\nlines\n-- @made --\nfile 0644 a text "1"\n-- @wanted --\nfile 0644 b\n'
    )
    suite.add("store/a.txt", text)
    done = suite.run("--accept")
    assert done.returncode == 1
    assert "accepted     store/a: 6 expectations rewritten" in done.stdout
    rewritten = (suite.cases / "store/a.txt").read_text()
    assert "json a [1]\njson d x\njson a [1]\n" in rewritten
    assert "text stdout is hi\n" in rewritten
    assert (
        '-- @long --\nhi\n-- @made --\nfile 0644 a text "1"\n-- @wanted --\nfile 0644 a text "1"\n'
        in rewritten
    )
    done = suite.run()
    assert done.returncode == 0, done.stdout


def test_accepting_does_not_touch_statuses_errors_and_names(suite: Suite) -> None:
    for number, script in enumerate(
        (
            "run exit 1\n",
            "fail errors eval.fail f:1\nerror eval.key\n",
            "run say a\ntext stdout is $v\nrun say b\ntext stdout is $v\n",
        )
    ):
        suite.add(f"store/a{number}.txt", "# A.\nspec: store.padding\nlevel: store\n\n" + script)
    before = sorted(path.read_text() for path in suite.cases.rglob("*.txt"))
    done = suite.run("--accept")
    assert done.returncode == 1 and "3 failed" in done.stdout
    assert sorted(path.read_text() for path in suite.cases.rglob("*.txt")) == before


def test_the_report_is_a_document_too(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("store/b.txt", FAILING)
    document = json.loads(suite.run("--json").stdout)
    assert (document["version"], document["good"]) == (1, False)
    assert document["counts"]["store"]["passed"] == 1
    assert [(case["id"], case["status"]) for case in document["cases"]] == [
        ("store/a", "passed"),
        ("store/b", "failed"),
    ]
    assert document["cases"][1]["at"].endswith("store/b.txt:6")


def test_a_failure_shows_the_rule_and_the_command_that_runs_it_alone(suite: Suite) -> None:
    (suite.spec / "05-store.md").write_text("# 5. Store\n\n**`store.padding`** The rule.\nIt goes on.\n")
    suite.add("store/b.txt", FAILING)
    done = suite.run("--seed", "abc", "--env", "A=b c", "--without", "git", "--codes", "off")
    assert "  store.padding\n    > The rule.\n    > It goes on.\n" in done.stdout
    alone = "--seed abc --env 'A=b c' --without git --codes off store/b\n"
    assert f"  alone: python3 -m conformance --impl {shlex.quote(' '.join(FAKE))} {alone}" in done.stdout


def test_a_list_has_what_would_be_run(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("build/b.txt", PASSING, level="build")
    suite.add("build/c.txt", PASSING, level="build", more="need: host-tools")
    assert suite.run("--list", impl="").stdout.count("\n") == 3
    done = suite.run("--list", "--level", "build", "--without", "host-tools", impl="")
    assert done.stdout == "build/b  build  It says hi.\n"
    assert suite.run("--list", "--only", "store", impl="").stdout == "store/a  store  It says hi.\n"


def test_cases_can_be_had_as_json(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING + "-- f --\nx\n")
    suite.add(
        "l/b.star", "# Sums.\n# spec: starlark.int\n\nx = 1\n---\n# allow: while\n1 // 0 ### eval.zero:3\n"
    )
    document = json.loads(suite.run("--dump", impl="").stdout)
    assert document["version"] == 1
    first, second, script = document["cases"]
    assert (first["id"][:4], first["source"], first["errors"]) == ("l/b:", "x = 1\n", [])
    assert second["errors"] == [{"line": 2, "column": 3, "code": "eval.zero"}]
    assert second["allow"] == ["while"]
    assert script["steps"] == [{"line": 5, "step": "run say hi"}, {"line": 6, "step": "text stdout is hi"}]
    assert script["files"] == {"f": "x\n"}


def test_after_the_first_failure_nothing_begins(suite: Suite) -> None:
    suite.add("store/a.txt", FAILING)
    for number in range(3):
        suite.add(f"store/b{number}.txt", PASSING)
    done = suite.run("--fail-fast", "-j", "1")
    assert done.returncode == 1
    assert "total     1 failed, 3 not run\n" in done.stdout


def test_without_codes_only_phase_and_line_of_an_error_are_compared(suite: Suite) -> None:
    text = "# A.\nspec: store.padding\nlevel: store\n\nfail errors {} f:1:2\nerror eval.key at f:1:1\n"
    suite.add("store/a.txt", text.replace("{}", "eval.type"))
    assert suite.run().returncode == 1
    assert suite.run("--codes", "off").returncode == 0
    suite.add("store/a.txt", text.replace("{}", "resolve.type"))
    assert suite.run("--codes", "off").returncode == 1
    suite.add("store/a.txt", text.replace("{}", "eval.type").replace("f:1:2", "f:2:2"))
    assert suite.run("--codes", "off").returncode == 1


def test_claims_stand_in_a_file_and_the_command_line_holds_over_them(suite: Suite, tmp_path: Path) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("store/b.txt", FAILING)
    suite.add("build/c.txt", PASSING, level="build", more="need: git")
    (tmp_path / "known").write_text("store/b\n")
    claims = tmp_path / "claims"
    claims.write_text(
        f"# What it does.\n\nimpl: {' '.join(FAKE)}\n"
        "level: store, build\nwithout: git, host-tools\nexpect-fail: known\n"
    )
    done = suite.run("--claims", str(claims), impl="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "total     1 passed, 1 expected failure, 1 not claimed\n" in done.stdout
    done = suite.run("--claims", str(claims), "--level", "build", impl="")
    assert "total     3 not claimed\n" in done.stdout


@pytest.mark.parametrize("line", ["levels: store", "level", "level:", "json: yes"])
def test_a_claim_that_is_none_is_named_with_its_place(suite: Suite, tmp_path: Path, line: str) -> None:
    suite.add("store/a.txt", PASSING)
    (tmp_path / "claims").write_text(f"\n{line}\n")
    done = suite.run("--claims", str(tmp_path / "claims"))
    assert done.returncode == 1 and f"{tmp_path}/claims:2: expected KEY: VALUE" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_no_time_is_no_limit_of_time(suite: Suite, seconds: str) -> None:
    suite.add("store/a.txt", PASSING)
    done = suite.run("--timeout", seconds)
    assert (done.returncode, done.stderr) == (1, "conformance: --timeout is more than 0 seconds\n")


@pytest.mark.parametrize("option", ["--claims", "--expect-fail"])
def test_a_file_that_is_not_there_is_named(suite: Suite, tmp_path: Path, option: str) -> None:
    suite.add("store/a.txt", PASSING)
    done = suite.run(option, str(tmp_path / "none"))
    assert done.stderr == f"conformance: {option}: {tmp_path}/none: No such file or directory\n"


def test_what_fails_can_be_looked_at_afterwards(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("store/b.txt", FAILING + "-- f --\nx\n")
    # A short path, as stores need one.
    with tempfile.TemporaryDirectory(prefix="bk-") as place:
        done = suite.run("--keep", "--tmp", place)
        (kept,) = re.findall("  kept: (.*)\n", done.stdout)
        assert (Path(kept) / "work" / "f").read_text() == "x\n"
        assert len(list(Path(kept).parent.iterdir())) == 1


def test_the_first_case_of_a_level_decides_whether_others_are_run(suite: Suite) -> None:
    suite.smoke = True
    suite.add("store/a.txt", PASSING)
    suite.add("build/b.txt", PASSING, level="build", more="need: host-tools")
    done = suite.run("--without", "host-tools")
    assert done.returncode == 1
    assert "FAILED smoke/store\n" in done.stdout and "smoke/build" not in done.stdout
    assert "total     1 not claimed, 1 failed, 1 not run\n" in done.stdout


def test_a_report_for_other_programs(suite: Suite, tmp_path: Path) -> None:
    suite.add("store/a.txt", PASSING)
    suite.add("store/b.txt", FAILING.replace("says ho", "says <ho> & \x0b #1"))
    suite.add("build/c.txt", PASSING, level="build", more="need: git")
    done = suite.run("--tap", "--without", "git", "--junit", str(tmp_path / "j.xml"))
    assert done.stdout.startswith(
        "TAP version 13\n1..3\nok 1 - build/c It says hi. # SKIP not claimed\nok 2 - store/a It says hi.\n"
        "not ok 3 - store/b It says <ho> & \x0b \\#1.\n# it is b'hi"
    )
    suites = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert [(one.get("name"), one.get("tests"), one.get("failures")) for one in suites] == [
        ("store", "2", "1"),
        ("build", "1", "0"),
    ]
    failed = suites[0][1]
    assert (failed.get("classname"), failed.get("name")) == ("store/b", "It says <ho> & \ufffd #1.")
    assert "it is b'hi" in str(failed[0].get("message"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--level", "all"),
        ("--level", ""),
        ("--without", "hosttools"),
        ("--nonsense",),
        ("-j", "0"),
        ("--env", "X"),
        ("--codes", "some"),
        ("--claims", "/nowhere"),
        ("--junit", "/nowhere/j.xml"),
    ],
)
def test_a_command_line_that_is_wrong_ends_with_1(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.add("store/a.txt", PASSING)
    done = suite.run(*arguments)
    assert done.returncode == 1 and done.stderr.startswith("conformance: ") and done.stdout == ""


def test_an_implementation_is_named_and_exists(suite: Suite) -> None:
    suite.add("store/a.txt", PASSING)
    assert "--impl COMMAND" in suite.run(impl="").stderr
    done = suite.run(impl="there-is-no-such-program")
    assert done.returncode == 1 and "no program" in done.stderr


def test_python3_is_the_interpreter_of_the_suite_and_paths_are_made_absolute() -> None:
    found = implementation("python3 -m x ./tool ../y 'a b'", [("A", "b")], 1.0)
    assert found.command == (
        sys.executable, "-m", "x", os.path.abspath("./tool"), os.path.abspath("../y"), "a b",
    )  # fmt: skip
    with pytest.raises(CannotRun):
        implementation("", [], 1.0)


def test_a_broken_case_is_not_an_expected_failure() -> None:
    case = parse_case_file("c.txt", PASSING.format(level="store", more=""), "c")
    verdict = report.judge([Outcome(case, "broken")], {"c"})
    assert not verdict.good and verdict.statuses == {"c": "broken"}


def test_the_repository_has_cases_and_all_can_be_read() -> None:
    cases = runner.load()
    assert len({case.id for case in cases}) == len(cases) > 20
