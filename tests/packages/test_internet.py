"""Packages that a person names where a target stands: what is meant, fetched, asked, kept and run."""

from __future__ import annotations

import os
import platform
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.commands import gc
from bramble.packages.operand import operand
from bramble.project.modules import parse_target
from tests.cli import world
from tests.cli.world import Ran
from tests.packages.published import Published, published, toml

BUILDER = Path(__file__).parents[2] / "conformance" / "fixtures" / f"builder-{platform.machine()}"
MODULE = """
def tool():
    \"\"\"Copies and writes.\"\"\"
    return derivation("tool", "./b", ["mkdir", "$out/bin", "copy", "b", "$out/bin/b"], files(["b"]))
def writes():
    return run(tool(), "b", ["to", "made", "say", "it"], paths=["."])
def climbs():
    return run(tool(), "b", ["to", "../made", "say", "it"], paths=[".."])
def talks():
    return run(tool(), "b", ["say", "it"], network=True)
"""
NAME = "example.test/u/p"


@pytest.fixture(scope="module")
def net() -> Iterator[Published]:
    """A world with a package of two versions, one of them built; nobody stands in a project."""
    base = Path(tempfile.mkdtemp(prefix="bn", dir="/tmp"))
    market = published(base)
    (market.project / "bramble.toml").unlink()
    copies = {"b": BUILDER}
    market.publish(NAME, "1.0.0", copies=copies, default=MODULE)
    market.publish(NAME, "1.1.0", copies=copies, default=MODULE, lib__default="def f():\n    return []\n")
    market.publish(NAME, "2.0.0-rc.1", copies=copies, default=MODULE)
    yield market
    world.remove_store(base)


@pytest.fixture
def here(net: Published) -> Published:
    """The same with an empty working directory and nothing granted."""
    shutil.rmtree(net.project)
    shutil.rmtree(net.base / "home")
    net.project.mkdir()
    (net.base / "home").mkdir()
    return net


def without_repositories(market: Published, *words: str) -> Ran:
    """Run a command while no repository is there."""
    aside = market.base / "aside"
    market.repositories.rename(aside)
    try:
        return market.run(*words)
    finally:
        aside.rename(market.repositories)


def home_of(market: Published, key: str) -> Path:
    return market.store / "var" / "packages" / key


# --- names ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "version", "meant"),
    [
        ("a.test/u/p:f", "", [("a.test/u/p", ""), ("a.test/u", "p")]),
        ("a.test/u/p@1.2.0:f", "1.2.0", [("a.test/u/p", "")]),
        ("a.test/u/p@v1.2.0/x/y:f", "v1.2.0", [("a.test/u/p", "x/y")]),
        ("a.test/u/p@main/...", "main", [("a.test/u/p", "")]),
    ],
)
def test_what_a_name_may_mean(word: str, version: str, meant: list[tuple[str, str]]) -> None:
    found = operand(parse_target(word))
    assert found is not None
    assert (found.version, list(found.meant())) == (version, meant)
    assert found.within(*meant[-1]).function == found.target.function


@pytest.mark.parametrize("word", ["./a.test/p:f", "../a.test:f", "std/c:f", "p/lib:f", "a.test:f", ".a/b:f"])
def test_what_is_no_package(word: str) -> None:
    assert operand(parse_target(word)) is None


@pytest.mark.parametrize(
    "word", ["a.test/-p:f", "a.test/p@:f", f"a.test/{'p' * 300}:f", "a.test/p@1.0.0/-x:f"]
)
def test_what_only_looks_like_one(here: Published, word: str) -> None:
    assert here.run("run", word).codes == ["config.name"]


# --- run -----------------------------------------------------------------------


def test_the_newest_version_is_run_when_that_is_agreed_to(here: Published) -> None:
    # spec: internet.granted
    words = (f"{NAME}:tool", "to", "made", "say", "hello")
    refused = here.run("run", *words)
    assert (refused.status, refused.codes) == (1, ["run.not-granted"])
    assert f"{NAME}@1.1.0" in refused.errors[0]["message"]
    assert "--yes" in refused.errors[0]["remedy"]
    done = here.run("run", "--yes", *words)
    assert (done.status, done.out) == (0, ""), done.err
    assert (here.project / "made").read_text() == "hello\n"
    assert os.listdir(here.project) == ["made"]  # and nothing else: no lock, no project
    # From now on that version is known, and nobody is asked, neither the person nor a repository.
    (here.project / "made").unlink()
    again = without_repositories(here, "run", words[0].replace(":", "@1.1.0:"), *words[1:])
    assert (again.status, again.err) == (0, "")
    assert (here.project / "made").read_text() == "hello\n"
    # Another version is another question.
    assert here.run("run", f"{NAME}@1.0.0:tool", "say", "x").codes == ["run.not-granted"]
    (granted,) = here.run("trust", "list", "--json").json["grants"]
    assert granted["name"] == f"{NAME}@1.1.0"
    assert granted["directory"] in (home_of(here, f"{NAME}@1.1.0") / "bramble.lock").read_text()
    done = here.run("trust", "revoke", f"{NAME}@1.0.0")
    assert done.out == "0 revoked\n" and f"nothing is granted to {NAME}@1.0.0" in done.err
    assert here.run("trust", "revoke", NAME).out == "1 revoked\n"
    assert here.run("run", f"{NAME}@1.1.0:tool", "say", "x").codes == ["run.not-granted"]


def test_yes_is_for_the_program_and_for_nothing_that_it_asks_for(here: Published) -> None:
    done = here.run("run", "--yes", f"{NAME}@1.1.0:talks")
    assert done.codes == ["run.not-granted"] and "network" in done.errors[0]["message"]
    done = here.run("run", "--yes", f"{NAME}@1.1.0:climbs")
    assert done.codes == ["run.not-granted"] and str(here.base) in done.errors[0]["message"]
    assert here.run("run", "--yes", "--network", f"{NAME}@1.1.0:talks").out == "it\n"
    # What it asks for relative to itself it asks for where the person stands.
    assert here.run("run", f"{NAME}@1.1.0:writes").status == 0
    assert (here.project / "made").read_text() == "it\n"


def test_what_decides_builds_here_stays_read_only(here: Published) -> None:
    (here.project / "bramble.toml").write_text(toml("example.test/other", "0.1.0", {}))
    done = here.run("run", "--yes", f"{NAME}@1.1.0:tool", "to", "bramble.toml", "say", "x")
    assert done.status == 125


@pytest.mark.parametrize("where", ["home", ".", "home/.config/bramble", "home/.local/bin", "s/var"])
def test_a_home_is_not_shown(here: Published, where: str) -> None:
    # spec: internet.run.ground
    directory = here.base / where
    directory.mkdir(parents=True, exist_ok=True)
    made = directory / "made"
    done = here.run("run", "--yes", f"{NAME}@1.1.0:tool", "to", str(made), "say", "x", cwd=directory)
    assert not made.exists()
    assert "nothing of" in done.err and "--paths" in done.err
    if where == "home":
        done = here.run(
            "run", "--paths", ".", f"{NAME}@1.1.0:tool", "to", str(made), "say", "x", cwd=directory
        )
        assert done.status == 0 and made.read_text() == "x\n"


def test_it_begins_where_the_person_stands_also_behind_a_link(here: Published) -> None:
    (here.base / "link").unlink(missing_ok=True)
    (here.base / "link").symlink_to(here.project)
    words = ("-C", str(here.base / "link"), "run", "--yes", f"{NAME}@1.1.0:tool", "to", "made", "say", "x")
    assert here.run(*words, cwd=here.base / "home").status == 0
    assert (here.project / "made").read_text() == "x\n"


def test_a_directory_that_cannot_be_written_is_no_obstacle(here: Published) -> None:
    here.project.chmod(0o555)
    done = here.run("run", "--yes", f"{NAME}@1.1.0:tool", "say", "x")
    here.project.chmod(0o755)
    assert (done.status, done.out) == (0, "x\n"), done.err


def test_a_program_that_is_revoked_is_not_run_from_its_record(here: Published) -> None:
    # spec: internet.again
    program = [path.stat().st_ctime for path in Path(gc.__file__).parents[1].rglob("*.py")]
    if max(program) > time.time() - 15:
        pytest.skip("with a program that has just been changed nothing is recorded")
    words = ("run", f"{NAME}@1.1.0:tool", "say", "x")
    assert here.run(words[0], "--yes", *words[1:]).status == 0
    time.sleep(0.1)  # what has just been changed is not recorded
    assert [here.run(*words).out for _ in range(3)] == ["x\n"] * 3
    answers = here.base / "home" / ".cache" / "bramble" / "answers"
    assert any(b"run " in path.read_bytes() for path in answers.iterdir() if path.is_file())
    here.run("trust", "revoke", NAME)
    assert here.run(*words).codes == ["run.not-granted"]


def ask(market: Published, answer: bytes, *words: str) -> tuple[int, str]:
    """Run on a terminal, answer the question, return status and all that was seen."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        market.command(*words), cwd=market.project, env=market.environment(TERM="xterm"),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen, answered = b"", False
    while True:
        ready, _, _ = select.select([master], [], [], 30)
        assert ready, seen
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        seen += piece
        if not answered and b"anything else: no" in seen:
            answered = True
            time.sleep(0.05)
            os.write(master, answer)
    os.close(master)
    return process.wait(30), seen.decode()


def test_on_a_terminal_a_person_is_asked_and_remembered(here: Published) -> None:
    # spec: internet.granted
    words = ("run", f"{NAME}@1.1.0:tool", "say", "ran")
    status, seen = ask(here, b"n\n", *words)
    assert status == 1 and "run.not-granted" in seen
    lock = (home_of(here, f"{NAME}@1.1.0") / "bramble.lock").read_text()
    digest, commit = (line.split('"')[3] for line in reversed(lock.split("\n")) if f'"{NAME}@' in line)
    for said in (f"{NAME}@1.1.0", digest, commit, str(here.project), "no network"):
        assert said in seen
    status, seen = ask(here, b"y\n", *words)
    assert status == 0 and "\nran" in seen
    assert here.run(*words).codes == ["run.not-granted"]  # that was for once
    assert ask(here, b"a\n", *words)[0] == 0
    assert here.run(*words).out == "ran\n"


# --- what is meant -------------------------------------------------------------


def test_modules_and_versions(here: Published) -> None:
    # spec: internet.form, internet.form.module
    def target(word: str) -> str:
        done = here.run("graph", "--json", word)
        assert done.status == 0, done.err
        return str(done.json["results"][0]["target"])

    assert target(f"{NAME}/lib:f") == f"{NAME}/lib:f"
    assert target(f"{NAME}@1.1.0/lib:f") == f"{NAME}/lib:f"
    assert target(f"{NAME}@v1.1.0/lib/...") == f"{NAME}/lib:f"
    here.publish("example.test/wrong", "1.0.0", default="def f():\n    return 1 // 0\n")
    (error,) = here.run("graph", "example.test/wrong:f").errors
    assert error["at"] == "example.test/wrong/default.bramble:2:14"
    assert here.run("graph", f"{NAME}@1.0.0/lib:f").codes == ["load.unknown-module"]
    assert here.run("graph", f"{NAME}@1.3.0:f").codes == ["packages.unknown-version"]
    assert here.run("graph", f"{NAME}@mian:f").codes == ["packages.unknown-revision"]
    assert here.run("graph", "example.test/none:f").codes == ["packages.unknown"]
    commit = here.git("rev-parse", "v1.0.0", cwd=here.repository(NAME))
    assert here.run("ls", "--json", f"{NAME}@{commit[:8]}").json["modules"][0]["name"] == NAME
    assert home_of(here, f"{NAME}@{commit}").is_dir()
    # A branch is asked for each time, a commit is known.
    assert without_repositories(here, "ls", f"{NAME}@{commit}").status == 0
    assert without_repositories(here, "ls", f"{NAME}@main").codes == ["packages.unknown"]


def test_a_package_in_a_directory_comes_before_a_module(net: Published, here: Published) -> None:
    net.publish("example.test/mono", "1.0.0", sub="def top():\n    return []\n")
    assert "top" in here.run("graph", "--json", "example.test/mono/sub:top").out
    net.publish("example.test/mono", "0.1.0", directory="sub", default="def own():\n    return []\n")
    done = here.run("graph", "--json", "example.test/mono/sub:own")
    assert done.json["results"][0]["target"] == "example.test/mono/sub:own", done.err
    assert here.run("graph", "example.test/mono@1.0.0/sub:top").status == 0


def test_offline_the_newest_that_is_here_is_meant(here: Published) -> None:
    # spec: internet.offline
    assert here.run("ls", f"{NAME}@1.0.0").status == 0
    done = here.run("ls", "--offline", "--json", NAME)
    assert done.status == 0 and "asking" not in done.err
    failed = without_repositories(here, "ls", NAME)
    assert failed.codes == ["packages.unknown"]
    assert f"{NAME}@1.1.0 is in the store" in failed.errors[0]["remedy"]
    assert here.run("ls", "--offline", "example.test/never").codes == ["fetch.offline"]


def test_in_a_project_its_own_version_is_meant(here: Published) -> None:
    # spec: internet.in-project
    (here.project / "bramble.toml").write_text(toml("example.test/app", "0.1.0", {NAME: "1.0.0"}))
    assert "asking" not in here.run("run", f"{NAME}:tool", "say", "x").err
    assert f'"{NAME}@1.0.0"' in here.lock
    before = here.lock
    done = here.run("graph", "example.test/other:f")
    assert done.codes == ["load.unknown-package"] and "example.test/other@latest" in done.errors[0]["remedy"]
    assert "@latest" in here.run("ls", "example.test/other").errors[0]["remedy"]
    assert here.run("run", f"{NAME}@1.1.0:tool", "say", "x").codes == ["run.not-granted"]
    assert here.lock == before


def test_ls_and_build_print_what_they_print_of_a_project(here: Published) -> None:
    found = here.run("ls", NAME).out
    assert (
        f"Module: {NAME}" in found and '"""Copies and writes."""' in found and f"Module: {NAME}/lib" in found
    )
    assert here.run("ls", f"{NAME}@1.1.0/none").codes == ["cli.no-directory"]
    done = here.run("build", "--json", f"{NAME}@1.1.0:tool")
    assert done.json["results"][0]["target"] == f"{NAME}:tool"
    assert here.run("shell", f"{NAME}@1.1.0:tool", "--of", "tool", "-c", "x").codes == ["shell.no-shell"]
    assert here.run("test", f"{NAME}@1.1.0:tool").codes == ["test.none"]


def test_what_was_used_before_is_offered(here: Published) -> None:
    # spec: internet.completion
    assert here.run("ls", f"{NAME}@1.1.0").status == 0

    def offered(word: str) -> list[str]:
        done = here.run("completion", "--answer", "zsh", ".run", f".{word}")
        assert (done.status, done.err) == (0, "")
        return [line.partition("\t")[0] for line in done.out.splitlines()[1:]]

    assert f"{NAME}@1.1.0:" in offered("example.test/u/") and offered("exam") == []
    functions = ["tool", "writes", "climbs", "talks"]
    assert offered(f"{NAME}@1.1.0:") == [f"{NAME}@1.1.0:{function}" for function in functions]
    assert offered(f"{NAME}@1.1.0/lib:") == [f"{NAME}@1.1.0/lib:f"]
    assert offered(f"{NAME}@../x:") == offered(f"{NAME}@9.9.9:") == offered(f"{NAME}@1.1.0/../x:") == []


def test_what_was_built_of_it_is_recorded(here: Published) -> None:
    # spec: internet.commands
    here.publish(
        "example.test/fails", "1.0.0", copies={"b": BUILDER},
        lib="def f():\n    return derivation('f', './b', ['say', 'hello', 'exit', '3'], files(['b']))\n",
    )  # fmt: skip
    done = here.run("build", "example.test/fails@1.0.0/lib:f")
    assert done.codes == ["build.failed"]
    assert "bramble shell --failed example.test/fails@1.0.0/lib:f" in done.errors[0]["remedy"]
    for word in ("example.test/fails@1.0.0/lib:f", "example.test/fails@latest/lib:f"):
        assert "hello" in here.run("log", word).out
    assert here.run("why-built", "example.test/fails@1.0.0/lib:f").codes != ["config.no-project"]
    assert here.run("log", f"{NAME}@9.0.0:f").codes == ["packages.unknown-version"]
    assert here.run("log", "./:f").codes == ["config.no-project"]


# --- what is kept --------------------------------------------------------------


def test_two_at_once(here: Published) -> None:
    if here.store.exists():
        world.remove_store(here.store)
    processes = [here.start("run", "--yes", f"{NAME}:tool", "say", str(number)) for number in range(3)]
    said = [process.communicate(timeout=60) for process in processes]
    assert [out for out, _ in said] == [b"0\n", b"1\n", b"2\n"], said


def test_interrupted_while_the_repository_is_asked(here: Published) -> None:
    here.publish("example.test/slow", "1.0.0")
    tools = here.base / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "git").write_text("#!/bin/sh\nsleep 60\n")
    (tools / "git").chmod(0o755)
    path = here.environ.get("PATH")
    here.environ["PATH"] = f"{tools}:/usr/bin:/bin"
    process = here.start("run", "example.test/slow:f", start_new_session=True)
    del here.environ["PATH"]
    if path:
        here.environ["PATH"] = path
    assert process.stderr is not None
    process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    assert process.wait(20) == 130
    assert time.monotonic() - began < 10
    assert not home_of(here, "example.test/slow@1.0.0").exists()


def test_a_collection_keeps_it_for_a_while(here: Published) -> None:
    # spec: internet.kept
    assert here.run("run", "--yes", f"{NAME}@1.1.0:tool", "say", "x").status == 0
    home = home_of(here, f"{NAME}@1.1.0")
    sources = (home / "bramble.lock").read_text().split('"')[-2]
    (result,) = here.run("build", "--json", f"{NAME}@1.1.0:tool").json["results"]
    assert here.run("gc").status == 0
    assert {sources, result["outputs"]["out"]["name"]} <= here.objects() and home.is_dir()
    for record in (here.store / "var" / "projects").iterdir():
        past = record.stat().st_mtime - gc.KEEP_VISITED - 60
        os.utime(record, (past, past))
    assert str(home) in here.run("gc", "--json", "--dry-run").json["forgotten"]
    assert home.is_dir()
    assert str(home) in here.run("gc", "--json").json["forgotten"]
    assert not home.exists() and not here.objects()
    # With its home it is known no more, and what was agreed to is still agreed to.
    assert here.run("run", f"{NAME}@1.1.0:tool", "say", "x").out == "x\n"


# --- what is not to be trusted -------------------------------------------------


def test_a_tag_that_was_moved_is_seen_where_the_version_was_used(here: Published) -> None:
    here.publish("example.test/moved", "1.0.0", default="def f():\n    return []\n")
    assert here.run("graph", "example.test/moved:f").status == 0
    lock = home_of(here, "example.test/moved@1.0.0") / "bramble.lock"
    first = lock.read_text()
    other = here.publish("example.test/moved", "1.0.0", default="def f():\n    return [1]\n")
    assert here.run("graph", "example.test/moved:f").status == 0 and lock.read_text() == first
    # Its sources are gone, and the lock leads to the new ones: they are not what they were.
    commit = first.split('"')[3]
    lock.write_text(first.replace(commit, other))
    sources = Path(os.path.realpath(here.store / "store")) / first.split('"')[-2]
    sources.chmod(0o755)
    world.remove_store(sources)
    assert here.run("graph", "example.test/moved:f").codes == ["packages.digest"]


def test_its_own_lock_counts_and_lies_in_it_are_found(here: Published) -> None:
    # spec: internet.lock
    here.publish("example.test/dep", "1.0.0", default="x = 1\n")
    lock = here.base / "lock"
    lock.write_text(f'[Dependencies]\n"example.test/dep@1.0.0" = "{"a" * 32}"\n')
    here.publish(
        "example.test/liar", "1.0.0", {"example.test/dep": "1.0.0"},
        copies={"bramble.lock": lock}, default='load("example.test/dep")\ndef f():\n    return []\n',
    )  # fmt: skip
    assert here.run("graph", "example.test/liar:f").codes == ["packages.digest"]
    lock.write_text("x\n")
    here.publish("example.test/liar", "1.1.0", copies={"bramble.lock": lock})
    done = here.run("graph", "example.test/liar:f")
    assert done.codes == ["lock.syntax"] and done.errors[0]["at"].startswith(
        "example.test/liar/bramble.lock:1"
    )


def test_nothing_outside_of_its_tree_is_read(here: Published) -> None:
    # spec: internet.evaluation
    secret = here.base / "home" / "secret"
    secret.write_text("x = 1\n")
    way, up = here.base / "way", here.base / "up"
    for link, to in ((way, str(secret)), (up, "..")):
        link.unlink(missing_ok=True)
        link.symlink_to(to)
    module = (
        'load(s = "example.test/leak/{}")\ndef f():\n    return derivation("d", "b", [], files(["{}"]))\n'
    )
    copies = {"way.bramble": way, "way": way, "up": up}
    here.publish("example.test/leak", "1.0.0", copies=copies, default=module.format("way", "*.toml"))
    here.publish(
        "example.test/leak",
        "1.1.0",
        copies=copies,
        default='def f():\n    return derivation("d", "b", [], files(["way"]))\n',
    )
    here.publish(
        "example.test/leak",
        "1.2.0",
        copies=copies,
        default='def f():\n    return derivation("d", "b", [], files(["up/*"]))\n',
    )
    here.publish(
        "example.test/leak",
        "1.3.0",
        {"example.test/x": '{ path = "../x" }'},
        default="def f():\n    return []\n",
    )
    found = [here.run("graph", f"example.test/leak@1.{n}.0:f").codes for n in range(4)]
    assert found == [
        ["load.outside"], ["load.source-outside"], ["load.source-outside"], ["config.dependency"]
    ]  # fmt: skip


def test_no_file_of_this_machine_is_fetched(here: Published) -> None:
    # spec: internet.evaluation
    (here.base / "public").write_text("x\n")
    path = here.repository("example.test/reads")
    here.publish(
        "example.test/reads", "1.0.0",
        default="def fetch(url):\n    return derivation('f', 'fetch_url', env={'url': url})\n"
        f"def a():\n    return fetch('file://{here.base}/public')\n"
        "def b():\n    return fetch('https://mirrored.test/public')\n"
        "def c():\n    return derivation('g', 'fetch_git', env="
        f"{{'url': 'file://{path}', 'reference': 'main'}})\n",
    )  # fmt: skip
    config = path / "bramble.toml"
    config.write_text(
        config.read_text() + f'[mirror]\n"https://mirrored.test/public" = "{here.base}/public"\n'
    )
    here.git("commit", "-qam", "x", cwd=path)
    commit = here.git("rev-parse", "HEAD", cwd=path)
    for function in "abc":
        done = here.run("build", f"example.test/reads@{commit}:{function}")
        assert done.codes == ["fetch.out-of-reach"], done.err
    # In a project of the person's own it is as anywhere: what everybody may read can be read.
    shutil.copytree(path, here.project, dirs_exist_ok=True)
    assert here.run("build", "./:a").status == 0


def test_a_program_without_end_is_ended(here: Published) -> None:
    here.publish(
        "example.test/bomb", "1.0.0", default="def f():\n    x = [1]\n    [x.extend(x) for _ in range(100)]\n"
    )
    done = here.run("graph", "--eval-memory", "300M", "example.test/bomb:f")
    assert done.codes == ["eval.limit"]


def test_what_it_prints_has_an_end(here: Published) -> None:
    # spec: dialect.print
    here.publish(
        "example.test/chatty",
        "1.0.0",
        default="def f():\n    for i in range(40):\n        print('x' * 1000000)\n",
    )
    found = here.run("graph", "example.test/chatty:f")
    assert found.status == 0 and found.err.endswith("further output of print is not shown\n")
    assert 1 << 23 < len(found.err) < (1 << 24) + 1000


def test_what_it_says_of_itself_does_nothing_to_a_terminal(here: Published) -> None:
    here.publish("example.test/loud", "1.0.0", default='def f():\n    """\x1b]0;x\x07\x1b[2J"""\n')
    found = here.run("ls", "example.test/loud")
    assert found.status == 0 and "\x1b" not in found.out and "\x07" not in found.out
