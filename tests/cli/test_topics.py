"""What `bramble help` explains beside the commands is complete: all names stand where one looks for them."""

from __future__ import annotations

import ast
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bramble.cli.environment import read_limits, read_setting, read_surface
from bramble.cli.table import GROUPS, TOPICS, VERBS
from bramble.cli.topics.texts import text
from bramble.cli.verbs.explain import known_codes
from bramble.commands.ls import list_modules
from bramble.lang.loader import PREDECLARED_NAMES
from tests.cli.world import ROOT, World

WIDEST = 82
CODE = re.compile(r"[a-z]+\.[a-z]+(-[a-z]+)*")
# Texts of the code that look like codes of errors and are names of files and modules.
NO_CODES = {
    "build.sh",
    "history.failed",
    "config.gz",
    "config.toml",
    "trust.json",
    "trust.people",
    "trust.reading",
}
ENTRY = re.compile(r"^    (\S+)(?:$|  )", re.M)


def listed(topic: str) -> set[str]:
    return set(ENTRY.findall(text(topic)))


def literals() -> Iterator[str]:
    for path in (ROOT / "bramble").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def codes_of_tables() -> Iterator[str]:
    for path in (ROOT / "spec").glob("*.md"):
        # The last table of a chapter names rules, and codes are all before it.
        rules = re.split(r"^## .*Rules without a case$", path.read_text("utf-8"), flags=re.M)[0]
        for row in re.findall(r"^\| ((?:`[a-z]+\.[a-z-]+`(?:, )?)+) \|.*\|$", rules, re.M):
            yield from re.findall(r"`([^`]+)`", row)


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
def test_a_topic_is_printed_as_it_is_and_fits_a_terminal(topic: str, world: World) -> None:
    done = world.run("help", topic)
    assert (done.status, done.out, done.err) == (0, text(topic), "")
    assert [line for line in done.out.splitlines() if len(line) > WIDEST] == []


def test_a_name_that_is_nearly_right_is_suggested(world: World) -> None:
    assert topic_names(world.run("help").out) == [topic.name for topic in TOPICS]
    for word, meant in (("enviroment", "environment"), ("biuld", "build"), ("host-tools", "host_tools")):
        done = world.run("help", word)
        assert (done.status, done.out) == (2, "")
        assert f"did you mean: bramble help {meant}" in done.err
    assert "did you mean: bramble build" in world.run("biuld").err
    assert "did you mean" not in world.run("help", "zzz").err


def topic_names(page: str) -> list[str]:
    return re.findall(r"^  (\S+)", page.partition("\ntopics:\n")[2], re.M)


def test_every_command_has_a_group_a_summary_and_examples() -> None:
    # The first lines of bramble/cli/table.py say how one is added; tests/cli/test_examples.py runs them.
    for verb in VERBS:
        assert verb.group in GROUPS, f"{verb.name}: a group is one of {list(GROUPS)}"
        assert verb.summary and not verb.summary.endswith("."), verb.name
        assert 2 <= len(verb.examples) <= 3, f"{verb.name}: two or three examples"
        for what, line in verb.examples:
            assert what and "bramble " in line and verb.name in line.split(), f"{verb.name}: {line}"
            assert len(line) < 78 and len(what) < 76, f"{verb.name}: {line} does not fit a terminal"
    names = [verb.name for verb in VERBS]
    assert len(set(names)) == len(names)
    assert not set(names) & {topic.name for topic in TOPICS}


def test_every_error_code_is_listed_and_no_other() -> None:
    known = listed("errors")
    phases = {code.partition(".")[0] for code in known}
    in_code = {word for word in literals() if CODE.fullmatch(word) and word.partition(".")[0] in phases}
    in_spec = {code for code in codes_of_tables() if code.partition(".")[0] in phases}
    wanted = (in_code | in_spec) - NO_CODES
    missing, unknown = sorted(wanted - known), sorted(known - wanted)
    assert not missing, f"bramble/cli/topics/errors.md says nothing of {missing}"
    assert not unknown, f"bramble/cli/topics/errors.md lists {unknown}, which nothing reports"


def codes_of_cases() -> Iterator[str]:
    """Yield the codes that a case of the suite expects."""
    for path in (ROOT / "spec").glob("*.md"):
        for case in re.findall(r"^```(?:case|star)\n(.*?)^```", path.read_text("utf-8"), re.M | re.S):
            yield from re.findall(r"^error ([a-z]+\.[a-z-]+)", case, re.M)
    for path in (ROOT / "conformance/cases").rglob("*.*"):
        text = path.read_text("utf-8", "replace")
        yield from re.findall(r"^error ([a-z]+\.[a-z-]+)", text, re.M)
        for named in re.findall(r"### (.*)", text):
            yield from re.findall(r"[a-z]+\.[a-z-]+", named)


def test_every_error_code_has_a_case_or_a_reason() -> None:
    # spec: cli.errors.codes
    chapter = (ROOT / "spec/09-command-line.md").read_text("utf-8")
    rows = chapter.partition("**`cli.errors.codes`**")[2].partition("\n## ")[0]
    excused = re.findall(r"`([a-z]+\.[a-z-]+)`", re.sub(r"(?m)^(\|[^|]*\|).*", r"\1", rows))
    known, cased = listed("errors"), set(codes_of_cases())
    assert len(known) > 200 and len(known & cased) > 180
    assert sorted(known - cased - set(excused)) == [], "give these a case, or a reason in cli.errors.codes"
    assert sorted(set(excused) & cased) == [], "these have a case: take them out of cli.errors.codes"
    assert sorted(set(excused) - known) == [] and len(excused) == len(set(excused))


def test_every_error_code_has_an_example_and_a_remedy() -> None:
    # spec: cli.explain.code
    explained = known_codes()
    assert set(explained) == listed("errors")
    for code, known in explained.items():
        where = f"bramble/cli/topics/codes.md says too little of {code}"
        assert known.meaning and known.example and known.remedy, where
    sections = re.findall(r"^([a-z]+\.[a-z-]+)$", text("codes"), re.M)
    assert len(sections) == len(set(sections)) == len(explained)
    assert [line for line in text("codes").splitlines() if len(line) > WIDEST] == []


class Terminal(io.RawIOBase):
    def isatty(self) -> bool:
        return True

    def writable(self) -> bool:
        return True


class Recording(Mapping[str, str]):
    """An environment that keeps what was asked for."""

    def __init__(self, **values: str) -> None:
        self.values_given = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_given)

    def __len__(self) -> int:
        return len(self.values_given)


def test_every_variable_that_is_read_is_listed_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(Terminal()))
    environ = Recording(TERM="xterm")
    read_surface(environ)
    read_setting(environ)
    read_limits(environ)
    page = text("environment").partition("## Variables of the command")[2].partition("##")[0]
    named = {name for line in re.findall(r"^    (\S.*?)(?:  |$)", page, re.M) for name in line.split()}
    assert {name for name in environ.asked if not name.endswith("_PROXY")} == named


READERS = (
    r"(?:read_(?:surface|setting|limits|cache|inherited|handed_on)|user_cache)\(\s*|"
    r"(?:answered|Recording)\(words, "
)


def test_the_environment_is_read_in_one_place() -> None:
    for path in (ROOT / "bramble").rglob("*.py"):
        code = path.read_text("utf-8")
        if path.match("self/boot.py") or path.match("self/main.py"):
            continue  # it runs before there is a command line, and finds the rest of Bramble
        passed = len(re.findall(rf"(?:{READERS})os\.environ\b", code))
        assert code.count("os.environ") == passed and "os.getenv" not in code, path


def test_variables_that_builders_read_are_listed() -> None:
    pages = text("builders") + text("environment")
    read = set()
    for path in (ROOT / "bramble/build").rglob("*.py"):
        read |= set(re.findall(r"""\benv(?:\.get\(|\[)"([a-z0-9_]+)\"""", path.read_text("utf-8")))
    assert {"url", "hash", "strip", "files"} <= read
    assert sorted(name for name in read if not re.search(rf"^    {name}\b", pages, re.M)) == []


def test_every_limit_that_can_be_set_is_listed(world: World) -> None:
    page = world.run("build", "--help").out
    options = set(re.findall(r"^  (?:-j N, )?(--[a-z-]+) (?:SECONDS|SIZE|N)\b", page, re.M))
    options -= {"--jobs", "--rounds"}
    assert {"--timeout", "--memory", "--eval-steps"} <= options
    assert options == set(re.findall(r"^    (--[a-z-]+) (?:SECONDS|SIZE|N) ", text("sandbox"), re.M))


def test_all_that_a_file_knows_and_the_library_has_is_listed(tmp_path: Path) -> None:
    headings = set(re.findall(r"[a-z]+", " ".join(re.findall(r"^## (.*)$", text("builtins"), re.M))))
    assert headings == {*PREDECLARED_NAMES, "load"}
    environ = {"HOME": str(tmp_path), "BRAMBLE_PATH": str(tmp_path / "s")}
    os.makedirs(tmp_path / "s")
    modules, errors = list_modules("std", read_setting(environ))
    page = text("library")
    assert not errors
    for module in modules:
        lines = page.partition(f'load("{module.name}")')[2].partition("load(")[0]
        assert lines, module.name
        names = [function.name for function in module.functions]
        missing = [name for name in names if not re.search(rf"\b{name}\b", lines)]
        assert not missing, f"bramble/cli/topics/library.md lacks {missing} of {module.name}"
