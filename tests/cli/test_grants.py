"""A project gets its own directory; whatever else its run() asks for, the person grants, or nobody does."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.commands.context.consent import Asked, Item, check_granted
from bramble.errors import BrambleError
from bramble.project.config import ProjectConfig
from bramble.project.project import Project
from tests.cli.world import World, remove_store

MODULE = """
load("example.com/p/tools")
load("example.com/lib")
def reads():
    return run(tools.tools(), "sh", ["-c", "cat {outside}/secret"], read_only_paths=["{outside}"])
def climbs():
    return run(tools.tools(), "sh", ["-c", "echo ran"], paths=["../outside"])
def linked():
    return run(tools.tools(), "sh", ["-c", "echo ran"], paths=["./way"])
def talks():
    return run(tools.tools(), "sh", ["-c", "echo ran"], network=True)
def own():
    return run(tools.tools(), "sh", ["-c", "echo ran"], paths=["./data"])
def foreign():
    return lib.given(tools.tools())
def tool():
    return tools.tools()
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """A world with a store in which the tools are copied once for all tests."""
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    yield World(base)
    remove_store(base)


@pytest.fixture
def world(shared: World) -> World:
    for path in shared.base.iterdir():
        if path.is_dir() and not path.is_symlink() and path != shared.store:
            remove_store(path)
        elif path != shared.store:
            path.unlink()
    shared.project.mkdir()
    (shared.project / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
    return shared


@pytest.fixture
def asking(tooled: World) -> World:
    outside = tooled.base / "outside"
    for directory in (outside, tooled.project / "data", tooled.base / "home", tooled.base / "lib"):
        directory.mkdir()
    (outside / "secret").write_text("private\n")
    (tooled.project / "way").symlink_to("../outside")
    (tooled.base / "lib" / "bramble.toml").write_text(
        '[package]\nname = "example.com/lib"\nversion = "1.0.0"\n'
    )
    (tooled.base / "lib" / "default.bramble").write_text(
        'def given(d):\n    return run(d, "sh", ["-c", "echo ran"], paths=["./data"])\n'
    )
    with (tooled.project / "bramble.toml").open("a") as file:
        file.write('[dependencies]\n"example.com/lib" = { path = "../lib" }\n')
    tooled.write(default=MODULE.replace("{outside}", str(outside)))
    return tooled


REQUESTS = {
    "./:reads": [("read", "outside")],
    "./:climbs": [("write", "outside")],
    "./:linked": [("write", "outside")],
    "./:talks": [("network", "")],
    "./:foreign": [("write", "p/data")],
}


def trust_file(world: World) -> Path:
    return world.base / "home" / ".config" / "bramble" / "trust.json"


def test_without_a_terminal_a_request_is_an_error_that_says_how_to_grant_it(asking: World) -> None:
    before = asking.objects()
    for target, items in REQUESTS.items():
        ran = asking.run("run", target)
        assert (ran.status, ran.codes, ran.out) == (1, ["run.not-granted"], ""), target
        error = ran.errors[0]
        assert f"bramble trust grant {target}" in error["remedy"]
        for kind, path in items:
            assert (str(asking.base / path) if path else "network") in error["message"]
            assert ("--network" if kind == "network" else str(asking.base / path)) in error["remedy"]
    assert asking.objects() == before  # and nothing was built for it


def test_the_own_directory_is_no_request(asking: World) -> None:
    ran = asking.run("run", "./:own")
    assert (ran.status, ran.out) == (0, "ran\n"), ran.err


def test_options_grant_what_they_name(asking: World) -> None:
    assert asking.run("run", "--network", "./:talks").out == "ran\n"
    outside = str(asking.base / "outside")
    assert asking.run("run", "--read_only_paths", outside, "./:reads").out == "private\n"
    assert asking.run("run", "--network", "./:reads").codes == ["run.not-granted"]


def test_a_grant_is_remembered_for_exactly_this_request_of_this_project(asking: World) -> None:
    assert asking.run("trust", "grant", "./:reads").status == 0
    assert asking.run("run", "./:reads").out == "private\n"
    assert asking.run("run", "./:climbs").codes == ["run.not-granted"]  # to write is more than to read
    text = (asking.project / "default.bramble").read_text()
    more = text.replace("read_only_paths=", "network=True, read_only_paths=")
    (asking.project / "default.bramble").write_text(more)
    assert asking.run("run", "./:reads").codes == ["run.not-granted"]
    (asking.project / "default.bramble").write_text(text)
    (granted,) = asking.run("trust", "list", "--json").json["grants"]
    outside = str(asking.base / "outside")
    assert granted == {
        "directory": str(asking.project),
        "name": "example.com/p",
        "package": "",
        "requests": [{"kind": "read", "path": outside}],
    }
    assert asking.run("trust", "revoke").out == "1 revoked\n"
    assert asking.run("run", "./:reads").codes == ["run.not-granted"]
    # Another project in the same place has other grants.
    asking.run("trust", "grant", "./:talks")
    config = asking.project / "bramble.toml"
    config.write_text(config.read_text().replace("example.com/p", "example.com/q"))
    default = asking.project / "default.bramble"
    default.write_text(text.replace("example.com/p/", "example.com/q/"))
    assert asking.run("run", "./:talks").codes == ["run.not-granted"]


def test_the_file_of_grants_is_the_persons_own(asking: World) -> None:
    before = os.umask(0)
    try:
        asking.run("trust", "grant", "./:talks")
    finally:
        os.umask(before)
    file = trust_file(asking)
    assert [file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777] == [0o600, 0o700]
    for path, mode in ((file, 0o622), (file.parent, 0o722)):
        kept = path.stat().st_mode & 0o777
        path.chmod(mode)
        assert asking.run("run", "./:talks").codes == ["trust.unsafe"]
        path.chmod(kept)
    elsewhere = asking.base / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert asking.run("run", "./:talks").codes == ["trust.unsafe"]
    file.unlink()
    for text in ("{}", '{"grants": [{"directory": 1}]}', "[" * 100_000, '{"grants": [{"requests": []}]}'):
        file.write_text(text)
        file.chmod(0o600)
        assert asking.run("run", "./:talks").codes == ["trust.damaged"]
    assert asking.run("run", "./:own").status == 0  # which asks for nothing


def test_explain_shows_what_is_asked_for(asking: World) -> None:
    shown = asking.run("run", "--explain", "--json", "./:talks")
    (request,) = shown.json["requests"]
    assert (shown.status, request["kind"], request["granted"]) == (0, "network", False)
    assert "not granted" in asking.run("run", "--explain", "./:talks").out
    asking.run("trust", "grant", "./:talks")
    assert asking.run("run", "--explain", "--json", "./:talks").json["requests"][0]["granted"] is True


def on_a_terminal(world: World, answer: str, *words: str, early: bytes = b"") -> str:
    child, terminal = pty.fork()
    if not child:
        os.chdir(world.project)
        command = world.command(*words)
        os.execve(command[0], command, {**world.environment(), "TERM": "dumb"})
    said = b""
    asked = False
    os.write(terminal, early)
    while select.select([terminal], [], [], 60)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        said += piece
        if b"anything else" in said and not asked:
            asked = True
            os.write(terminal, answer.encode() + b"\n")
    os.close(terminal)
    os.waitpid(child, 0)
    return said.decode("utf-8", "replace")


def test_a_terminal_is_asked(asking: World) -> None:
    for answer, runs, again in (("", 0, 0), ("n", 0, 0), ("y", 1, 0), ("a", 1, 1)):
        said = on_a_terminal(asking, answer, "run", "./:talks")
        assert "to use the network" in said
        assert ("\nran" in said) == bool(runs) and ("run.not-granted" in said) != bool(runs)
        assert asking.run("run", "./:talks").out == "ran\n" * again


def test_a_question_can_be_seen_and_not_be_mistaken(asking: World) -> None:
    odd = "/nowhere/x\n  nothing\u200b\u202e\t; $(touch x)"
    text = (asking.project / "default.bramble").read_text() + (
        f"def odd():\n    return run(tools.tools(), 'sh', [], read_only_paths=[{json.dumps(odd)}])\n"
        "def many():\n    return run(tools.tools(), 'sh', [], network=True,"
        " paths=['/nowhere/%d' % i for i in range(40)])\n"
        "def long():\n    return run(tools.tools(), 'sh', [], network=True,"
        " paths=['/nowhere/' + 'x/' * 3000])\n"
    )
    (asking.project / "default.bramble").write_text(text)
    said = on_a_terminal(asking, "n", "run", "./:odd")
    assert "  to read /nowhere/x\\u{a}  nothing\\u{200b}\\u{202e}\\u{9}; $(touch x)\r\n" in said
    # What is offered to be copied into a shell is words there, and nothing else.
    (line, *_) = asking.run("run", "./:odd").errors[0]["remedy"].split(" ./:odd")
    assert shlex.split(line)[-1] == odd
    for target in ("./:many", "./:long"):
        said = on_a_terminal(asking, "y", "run", target)
        assert "run.not-granted" in said and "allow it?" not in said
    # Keys that were pressed before are no answer.
    assert "run.not-granted" in on_a_terminal(asking, "n", "run", "./:talks", early=b"y\n")


GUARDED = (
    *("bramble.toml", "bramble.lock", "default.bramble", "deep/er/x.bramble"),
    *(".git/config", "deep/.git/config", "v/bramble-vendor.json", "v/bramble"),
)


@pytest.fixture
def repository(asking: World) -> World:
    for name in GUARDED:
        path = asking.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text("" if name != "bramble.lock" else "[URLHashes]\n")
    (asking.project / "inside").symlink_to(".")
    # It is a work tree of its own now, and what is beside it is not its own.
    assert asking.run("trust", "grant", "--path", "../lib").status == 0
    return asking


def spoil(world: World, *options: str) -> set[str]:
    """Let a program do what it can to each guarded file; return the names of those that changed."""
    before = {name: (world.project / name).read_bytes() for name in GUARDED}
    each = " ".join(f"{world.project}/{name} {world.project}/inside/{name}" for name in GUARDED)
    script = (
        f"for f in {each}; do echo '#' >> $f; rm -f $f; done; echo x > {world.project}/.git/hook; echo ran"
    )
    ran = world.run("run", *options, "./:tool", "sh", "-c", script)
    assert ran.out == "ran\n", ran.err
    now = {n: (world.project / n).read_bytes() if (world.project / n).exists() else b"gone" for n in GUARDED}
    return {name for name in GUARDED if now[name] != before[name]}


def test_what_decides_the_next_build_is_read_only_for_a_program(repository: World) -> None:
    assert spoil(repository) == set()
    assert not (repository.project / ".git" / "hook").exists()
    assert spoil(repository, "--paths", "inside") == set()
    assert spoil(repository, "--paths", "..") == set()
    assert spoil(repository, "--paths", ".", "--paths", "bramble.lock") == {"bramble.lock"}
    assert spoil(repository, "--unprotected") == set(GUARDED)


def test_what_a_link_or_a_git_file_stands_for_is_guarded(asking: World) -> None:
    stand_ins = ("lock", "text", "store.git/hooks", "store.git/config")
    (asking.project / "store.git" / "hooks").mkdir(parents=True)
    for name in ("lock", "text", "store.git/config"):
        (asking.project / name).write_text("")
    (asking.project / "bramble.lock").symlink_to("lock")
    (asking.project / "deep").mkdir()
    (asking.project / "deep" / "m.bramble").symlink_to("../text")
    (asking.project / ".git").write_text("gitdir: store.git\n")
    assert asking.run("trust", "grant", "--path", "../lib").status == 0
    script = "".join(f"echo x > {asking.project}/{name}; " for name in (*stand_ins, "store.git/hooks/h"))
    ran = asking.run("run", "./:tool", "sh", "-c", script + "echo ran")
    assert ran.out == "ran\n", ran.err
    assert not (asking.project / "store.git" / "hooks" / "h").exists()
    assert not any((asking.project / name).read_bytes() for name in ("lock", "text", "store.git/config"))


def test_what_a_mount_cannot_hold_is_reported(repository: World) -> None:
    script = "echo > new.bramble; mkdir sub; echo > sub/bramble.toml; mv deep deeper"
    ran = repository.run("run", "./:tool", "sh", "-c", script)
    for name in ("new.bramble", "sub/bramble.toml"):
        assert f"{repository.project}/{name} was made, changed or removed" in ran.err
    silent = repository.run("run", "./:tool", "sh", "-c", "echo > other")
    assert "made, changed" not in silent.err


def test_a_path_that_leads_elsewhere_since_it_was_granted_is_refused() -> None:
    granted, project = (
        Asked("/p", "p", "", (Item("read", "/outside"),)),
        Project("/p", ProjectConfig("p", "0")),
    )
    check_granted(granted, project, "write", "/p/data")
    check_granted(granted, project, "read", "/outside")
    for kind, real in (("write", "/outside"), ("read", "/outside/x"), ("write", "/home/x/.ssh")):
        with pytest.raises(BrambleError) as caught:
            check_granted(granted, project, kind, real)
        assert caught.value.code == "run.not-granted"
    with pytest.raises(BrambleError):
        check_granted(Asked("/p", "p", "lib", (Item("write", "/p/data"),)), project, "write", "/p/other")
