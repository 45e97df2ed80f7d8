"""Whole commands: what is said again is what would be said, and whatever changes is seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bramble.cli.environment import read_setting, read_surface
from bramble.cli.invocation import question_of
from tests.cli.world import ROOT, World
from tests.recall.marked import mark, recorded, records, settle, was_answered

MODULE = """
load("example.com/p/tools", "script")

def f():
    "Joins its sources."
    return script("f", "cat src/* > $out/all", sources = files(["src/**"]))

def lists():
    return script("l", "ls " + " ".join(files(["src/*"])) + " > $out/x", sources = files(["src/*"]))
"""
BUILD = ("build", "./:f")


@pytest.fixture
def project(tooled: World) -> World:
    tooled.write(default=MODULE, sub__default="def g():\n    pass\n")
    (tooled.project / "src").mkdir()
    (tooled.project / "src" / "a").write_text("one\n")
    (tooled.project / "src" / "link").symlink_to("a")
    assert tooled.run(*BUILD).status == 0
    return tooled


def rewrite(path: Path, text: str, *, keep_times: bool = True) -> None:
    """Change a file in its place, and let it have the size and the time that it had."""
    before = path.stat()
    assert len(text) == before.st_size
    path.write_text(text)
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_module(world: World) -> None:
    path = world.project / "default.bramble"
    rewrite(path, path.read_text().replace('"f"', '"F"'))


def edit_tools(world: World) -> None:
    path = world.project / "tools.bramble"
    rewrite(path, path.read_text().replace("rm ln", "ln rm"))


def edit_source(world: World) -> None:
    rewrite(world.project / "src" / "a", "two\n")


def replace_source(world: World) -> None:
    (world.project / "new").write_text("two\n")
    status = (world.project / "src" / "a").stat()
    os.utime(world.project / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.rename(world.project / "new", world.project / "src" / "a")


def new_source(world: World) -> None:
    (world.project / "src" / "b").write_text("b\n")


def no_source(world: World) -> None:
    (world.project / "src" / "link").unlink()


def relink_source(world: World) -> None:
    (world.project / "src" / "link").unlink()
    (world.project / "src" / "link").symlink_to("../bramble.toml")


def executable_source(world: World) -> None:
    (world.project / "src" / "a").chmod(0o755)


def second_file_of_a_module(world: World) -> None:
    (world.project / "tools").mkdir()
    (world.project / "tools" / "default.bramble").write_text("x = 1\n")


def damaged_lock(world: World) -> None:
    (world.project / "bramble.lock").write_text("<<<<<<<\n")


def other_configuration(world: World) -> None:
    with (world.project / "bramble.toml").open("a") as file:
        file.write('[dependencies]\n"example.com/q" = { path = "absent" }\n')


def object_of(world: World) -> Path:
    return Path(os.path.realpath(world.run(*BUILD, "--no-cache").out.strip()))


def no_output(world: World) -> None:
    path = object_of(world)
    path.chmod(0o700)
    shutil.rmtree(path)


def collected(world: World) -> None:
    for path in (world.store / "var" / "projects").iterdir():
        path.unlink()
    assert world.run("gc", "--json").status == 0


def forgotten_results(world: World) -> None:
    for path in (world.store / "var" / "realisations").iterdir():
        path.unlink()


def unregistered(world: World) -> None:
    for path in (world.store / "var" / "projects").iterdir():
        path.unlink()


def store_open_to_all(world: World) -> None:
    world.store.chmod(0o777)


def object_open_to_all(world: World) -> None:
    object_of(world).chmod(0o777)


CHANGES: list[Callable[[World], None]] = [
    *(edit_module, edit_tools, edit_source, replace_source, new_source, no_source, relink_source),
    *(executable_source, second_file_of_a_module, damaged_lock, other_configuration, no_output, collected),
    *(forgotten_results, unregistered, store_open_to_all, object_open_to_all),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
def test_whatever_a_build_stands_on_is_looked_at(project: World, change: Callable[[World], None]) -> None:
    recorded(project, *BUILD)
    settle()
    change(project)
    now = project.run(*BUILD)
    assert not was_answered(now)
    plain = project.run(*BUILD, "--no-cache")
    assert (now.status, now.out, now.codes) == (plain.status, plain.out, plain.codes)


def test_what_does_not_matter_does_not_matter(project: World) -> None:
    recorded(project, *BUILD)
    (project.project / "README").write_text("read me\n")
    (project.project / "sub" / "default.bramble").write_text("broken(\n")
    (project.project / "src" / "a").read_bytes()
    assert project.run("graph", "./tools:tools").status == 0
    assert was_answered(project.run(*BUILD))


def test_an_edit_in_the_same_tick_is_seen(project: World) -> None:
    # As fast as a program can: nothing is recorded of what may change again without a trace.
    for number in range(6):
        (project.project / "src" / "a").write_text(f"{number}\n")
        said = project.run(*BUILD)
        assert said.status == 0 and f"{number}\n" in Path(said.out.strip(), "all").read_text()
        mark(project)


@pytest.mark.parametrize("name", ["default.bramble", "bramble.toml"])
def test_a_file_that_was_touched_and_put_back_is_looked_at_again(project: World, name: str) -> None:
    first = recorded(project, *BUILD)
    touch_and_put_back(project.project / name)
    settle()
    again = project.run(*BUILD)
    assert not was_answered(again) and again.out == first.out
    mark(project)
    assert was_answered(project.run(*BUILD))


def touch_and_put_back(path: Path) -> None:
    status = path.stat()
    os.utime(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_of_a_source_that_was_touched_only_the_bytes_are_looked_at(project: World) -> None:
    recorded(project, *BUILD)
    path = project.project / "src" / "a"
    (record,) = records(project)
    for touched in (touch_and_put_back, os.utime, lambda it: it.write_text(it.read_text())):
        before = record.read_bytes()
        touched(path)
        settle()
        assert was_answered(project.run(*BUILD))
        # Its stamp of now stands in the record, and an edit that keeps what can be kept is another one.
        assert record.read_bytes() != before
        noted = record.read_bytes()
        assert was_answered(project.run(*BUILD)) and record.read_bytes() == noted
    edit_source(project)
    now = project.run(*BUILD)
    assert not was_answered(now) and "two\n" in Path(now.out.strip(), "all").read_text()


def test_a_source_that_is_changed_back_is_the_first(project: World) -> None:
    first = recorded(project, *BUILD)
    path = project.project / "src" / "a"
    for text in ("two\n", "six\n"):
        path.write_text(text)
        assert text in Path(project.run(*BUILD).out.strip(), "all").read_text()
    path.write_text("one\n")
    # What the project is registered with came to something else meanwhile.
    again = project.run(*BUILD)
    assert not was_answered(again) and again.out == first.out


def test_a_source_that_others_touch_meanwhile_is_the_same_for_both(project: World) -> None:
    first = recorded(project, *BUILD)
    for _ in range(3):
        os.utime(project.project / "src" / "a")
        both = [project.start(*BUILD) for _ in range(2)]
        for one in both:
            out, _ = one.communicate(timeout=60)
            assert one.returncode == 0 and out.endswith(first.out.encode())


def test_a_file_from_the_future_costs_time_and_no_more(project: World) -> None:
    path = project.project / "src" / "a"
    os.utime(path, (time.time() + 10**6,) * 2)
    for _ in range(3):
        settle()
        assert project.run(*BUILD).status == 0
    assert not records(project)


def test_what_comes_into_a_directory_behind_a_link_is_found(project: World) -> None:
    project.write(real__one='def f(): return derivation("f", "./x")\n')
    (project.project / "link").symlink_to("real")
    words = ("graph", "./link/...")
    recorded(project, *words)
    project.write(real__two='def g(): return derivation("g", "./x")\n')
    settle()
    ran = project.run(*words)
    assert ran.out.splitlines()[::2] == ["example.com/p/link/one:f", "example.com/p/link/two:g"]


@pytest.mark.parametrize("nearer", ["sub/deep", "sub"])
def test_a_nearer_project_is_found(project: World, nearer: str) -> None:
    words, below = ("graph", "../../:f"), project.project / "sub" / "deep"
    below.mkdir()
    recorded(project, *words, cwd=below)
    configuration = project.project / nearer / "bramble.toml"
    configuration.write_text('[package]\nname = "example.com/q"\nversion = "0.1.0"\n')
    assert project.run(*words, cwd=below).codes == ["load.outside"]


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_another_place_is_another_question(project: World, how: str) -> None:
    recorded(project, *BUILD)
    there = project.base / "q"
    if how == "copied":
        shutil.copytree(project.project, there, symlinks=True)
    else:
        os.rename(project.project, there)
    settle()
    rewrite(there / "src" / "a", "two\n")
    said = project.run(*BUILD, cwd=there)
    assert not was_answered(said) and "two\n" in Path(said.out.strip(), "all").read_text()


def test_another_project_in_the_same_place_is_seen(project: World) -> None:
    recorded(project, *BUILD)
    shutil.copytree(project.project, project.base / "q", symlinks=True)
    rewrite(project.base / "q" / "src" / "a", "two\n")
    os.rename(project.project, project.base / "old")
    os.rename(project.base / "q", project.project)
    assert not was_answered(project.run(*BUILD))


def test_options_and_variables_are_part_of_the_question(project: World) -> None:
    words = (*BUILD, "--target", "x")
    assert project.run(*words).status == 0  # which registers a result
    recorded(project, *BUILD)
    assert not was_answered(project.run(*words))
    assert not was_answered(project.run("build", "--json", "./:f"))
    assert not was_answered(project.run(*BUILD, BRAMBLE_ERROR_FORMAT=""))
    assert not was_answered(project.run(*BUILD, BRAMBLE_MIRROR=str(project.base / "absent")))
    assert not was_answered(project.run(*BUILD, "--no-cache"))
    assert was_answered(project.run(*BUILD, EDITOR="ed"))


@pytest.mark.parametrize("more", ["--check", "--refresh", "--dry-run", "--explain", "--keep-failed"])
def test_options_that_ask_for_more_are_never_answered(project: World, more: str) -> None:
    recorded(project, *BUILD)
    before = len(records(project))
    for _ in range(2):
        settle()
        assert project.run(*BUILD, more).status == 0
        mark(project)
    assert len(records(project)) == before and not was_answered(project.run(*BUILD, more))


def test_a_link_that_was_asked_for_is_made_again(project: World) -> None:
    words = (*BUILD, "--out-link", "result")
    for _ in range(3):
        settle()
        assert project.run(*words).status == 0
        os.unlink(project.project / "result")


def test_a_mirror_that_cannot_be_read_any_more_is_an_error(project: World) -> None:
    table = project.base / "mirror.toml"
    table.write_text("[mirror]\n")
    project.environ["BRAMBLE_MIRROR"] = str(table)
    recorded(project, *BUILD)
    table.write_text("[mirrors]\n")
    assert project.run(*BUILD).codes == ["fetch.mirror"]


def test_a_program_of_the_machine_that_changes_is_copied_again(world: World) -> None:
    tools = world.base / "bin"
    tools.mkdir()
    (tools / "hello").write_text("#!/bin/sh\necho one\n")
    (tools / "hello").chmod(0o755)
    world.environ["BRAMBLE_HOST_TOOLS"] = str(tools)
    world.write(
        default=f"""
def f():
    return derivation("f", "host_tools", env={{"tools": "sh {tools}/hello"}})
"""
    )
    assert world.run(*BUILD).status == 0
    first = recorded(world, *BUILD)
    settle()
    rewrite(tools / "hello", "#!/bin/sh\necho two\n", keep_times=False)
    said = world.run(*BUILD)
    assert not was_answered(said) and said.out != first.out


def test_warnings_and_what_programs_print_are_said_again(world: World) -> None:
    world.write(default='print("hello")\ndef f():\n    """F."""\n    print("from f")\n')
    with (world.project / "bramble.toml").open("a") as file:
        file.write("[pakage]\n")
    for words in (
        ("build",),
        ("graph", "./:f"),
        ("ls",),
        ("ls", "--json"),
        ("build", "--just-parse", "./:f"),
    ):
        recorded(world, *words)


def test_what_was_waited_for_is_not_said_again(project: World) -> None:
    recorded(project, "graph", "./:f")
    text = (project.project / "default.bramble").read_text()
    (project.project / "default.bramble").write_text('print("waiting: process 1")\n' + text)
    for _ in range(3):
        settle()
        assert not was_answered(project.run("graph", "./:f"))


def test_tests_that_have_passed_are_not_looked_at_again(project: World) -> None:
    path = project.project / "default.bramble"
    path.write_text(
        path.read_text()
        + """
def checks():
    test(script("checked", "grep one src/a > $out/x || cat src/a > $out/x", sources = files(["src/*"])))
"""
    )
    assert project.run("test").status == 0
    recorded(project, "test")
    settle()
    edit_source(project)
    ran = project.run("test")
    assert ran.status == 0 and not was_answered(ran)


@pytest.mark.parametrize("more", [("--force",), ("--junit", "report.xml"), ("--list",)])
def test_tests_that_are_asked_for_more_are(project: World, more: tuple[str, ...]) -> None:
    for _ in range(3):
        settle()
        project.run("test", *more)
    assert not records(project)


def test_a_damaged_record_is_passed_over(project: World) -> None:
    first = recorded(project, *BUILD)
    for path in records(project):
        os.truncate(path, path.stat().st_size - 1)
    assert project.run(*BUILD).out == first.out


def test_a_cache_of_somebody_else_is_not_asked(project: World) -> None:
    recorded(project, *BUILD)
    (project.base / "home" / ".cache" / "bramble").chmod(0o777)
    assert not was_answered(project.run(*BUILD))


def test_a_project_that_is_only_read_is_like_any_other(project: World) -> None:
    paths = [project.project, *project.project.rglob("*")]
    modes = {path: path.lstat().st_mode & 0o777 for path in paths if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    recorded(project, *BUILD)
    for path, mode in modes.items():
        path.chmod(mode)
    # Another mode is another stamp.
    assert not was_answered(project.run(*BUILD))


def test_a_cache_that_is_only_read_is_still_asked(project: World) -> None:
    first = recorded(project, *BUILD)
    for path in (project.base / "home" / ".cache" / "bramble").iterdir():
        path.chmod(0o555)
    assert was_answered(project.run(*BUILD))
    said = project.run(*BUILD, "-q")
    assert (said.status, said.out) == (0, first.out)


def test_two_that_ask_at_once_get_the_same(project: World) -> None:
    settle()
    for _ in range(3):
        several = [project.start(*BUILD) for _ in range(4)]
        said = {process.communicate(timeout=120) for process in several}
        assert len(said) == 1 and all(process.returncode == 0 for process in several)


def test_doctor_says_whether_there_is_a_cache(project: World) -> None:
    recorded(project, *BUILD)

    def found() -> str:
        findings = project.run("doctor", "--json").json["findings"]
        return " ".join(one["fact"] for one in findings if one["topic"] == "cache")

    cache = project.base / "home" / ".cache" / "bramble"
    assert found().startswith(f"{cache}, ") and found().endswith(" MiB")
    (cache / "answers").chmod(0o777)
    assert f"{cache}/answers cannot be used" in found()


def test_what_is_not_written_is_an_error(project: World) -> None:
    recorded(project, "ls")
    command = f"exec {sys.executable} -m bramble ls > /dev/full"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=project.project, env=project.environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and '"cli.output"' in done.stderr


def test_a_program_that_changes_answers_nothing(project: World) -> None:
    copy = project.base / "program"
    shutil.copytree(ROOT / "bramble", copy / "bramble", ignore=shutil.ignore_patterns("__pycache__"))
    reads = copy / "bramble" / "recall" / "reads.py"
    reads.write_text(reads.read_text().replace("_OF_STARTING = 10 *", "_OF_STARTING = 0 *"))
    project.environ["PYTHONPATH"] = str(copy)
    settle()
    recorded(project, "ls")
    assert was_answered(project.run("ls"))
    render = copy / "bramble" / "commands" / "ls.py"
    render.write_text(render.read_text() + "\n")
    assert not was_answered(project.run("ls"))


# --- the question -----------------------------------------------------------------------------------------

# What is read where something has to be built, fetched or typed, and decides nothing where that is not so.
ELSEWHERE = {
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSH_AUTH_SOCK", "SSH_ASKPASS", "GIT_ASKPASS"),
}


class Watched(dict[str, str]):
    """An environment that remembers what is asked of it."""

    def __init__(self) -> None:
        super().__init__(HOME="/h")
        self.asked: set[str] = set()

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
        self.asked.add(key)
        return super().get(key, default)  # type: ignore[arg-type]


def test_every_variable_that_is_read_is_part_of_the_question() -> None:
    watched = Watched()
    read_surface(watched)
    read_setting(watched)
    assert {"BRAMBLE_PATH", "HOME", "CLICOLOR_FORCE", "XDG_CACHE_HOME"} <= watched.asked
    plain = question_of(["ls"], {"HOME": "/h"})
    for name in watched.asked - ELSEWHERE:
        assert question_of(["ls"], {"HOME": "/h", name: "/other"}) != plain, name


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (sys, "version", "4.0"),
        (sys, "base_prefix", "/elsewhere"),
        (os, "geteuid", lambda: 4321),
        (os, "getegid", lambda: 4321),
        (os, "getgroups", lambda: [4321]),
        (os, "getcwd", lambda: "/elsewhere"),
        (os, "isatty", lambda number: number == 2),
        (sys, "getfilesystemencoding", lambda: "latin-1"),
    ],
)
def test_so_are_the_python_the_user_the_place_and_the_streams(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object
) -> None:
    plain = question_of(["ls"], {"HOME": "/h"})
    monkeypatch.setattr(module, name, value)
    assert question_of(["ls"], {"HOME": "/h"}) != plain


def test_words_are_told_apart() -> None:
    home = {"HOME": "/h"}
    assert question_of(["a", "b"], home) != question_of(["a b"], home) != question_of(["b", "a"], home)
    assert question_of(["X"], {**home, "LANG": "C"}) != question_of(["LANG=C", "X"], home)


def test_where_the_list_of_users_decides_nothing_is_asked() -> None:
    assert question_of(["ls"], {"XDG_CACHE_HOME": "/c"}) is None
    assert question_of(["ls"], {"HOME": "/h", "BRAMBLE_STORE_OF": "ann"}) is None
    assert question_of(["--store-of=ann", "ls"], {"HOME": "/h"}) is None


def test_a_process_without_streams_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert question_of(["ls"], {"HOME": "/h"}) is None
