"""`bramble lock`, as a person uses it: several at once, read-only projects, failures half way."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable

import pytest

from tests.cli.world import World

FETCH = """
def fetch(name):
    return derivation(name, "fetch_url", env={"url": "https://example.test/" + name})
"""


@pytest.fixture
def mirrored(world: World) -> Iterator[World]:
    """A world with a mirror of example.test in the directory `files`."""
    (world.project / "files").mkdir()
    for name in "abcdef":
        (world.project / "files" / name).write_text(name)
    table = world.base / "mirror.toml"
    table.write_text(f'[mirror]\n"https://example.test/" = "{world.project}/files"\n')
    world.environ["BRAMBLE_MIRROR"] = str(table)
    yield world


def lock_of(world: World) -> Path:
    return world.project / "bramble.lock"


def functions(names: str) -> str:
    return FETCH + "".join(f"def {name}():\n    return fetch({name!r})\n" for name in names)


def test_a_project_without_downloads_needs_no_store_and_gets_no_file(world: World) -> None:
    # spec: cli.lock
    world.write(default="def f():\n    return None\n")
    done = world.run("lock")
    assert (done.status, done.out, lock_of(world).exists(), world.store.exists()) == (0, "", False, False)
    assert world.run("lock", "--check").status == 0
    assert world.run("lock", "--prune").status == 0
    assert not world.store.exists()


def test_a_check_makes_no_store(mirrored: World) -> None:
    # spec: cli.lock.check
    mirrored.write(default=functions("a"))
    done = mirrored.run("lock", "--check")
    assert (done.status, done.codes) == (1, ["lock.outdated"])
    assert done.out == "missing   fetch_url https://example.test/a  (default.bramble:3:22)\n"
    assert not mirrored.store.exists() and not lock_of(mirrored).exists()


def test_several_at_once_come_to_one_sorted_lock(mirrored: World) -> None:
    # spec: project.lock.update
    mirrored.write(default=functions("abcdef"))
    several = [mirrored.start("lock", "-q", "--update") for _ in range(3)]
    for one in several:
        out, err = one.communicate(timeout=100)
        assert (one.returncode, err) == (0, b"")
    text = lock_of(mirrored).read_text()
    assert text == "[URLHashes]\n" + "".join(sorted(text.splitlines(True)[1:]))
    assert len(text.splitlines()) == 7
    assert mirrored.run("lock", "--check").status == 0


def test_an_update_that_fails_half_way_keeps_every_pin(mirrored: World) -> None:
    # spec: cli.lock.update
    mirrored.write(default=functions("abc"))
    assert mirrored.run("lock").status == 0
    before = lock_of(mirrored).read_text()
    (mirrored.project / "files" / "b").unlink()
    (mirrored.project / "files" / "c").write_text("other")
    done = mirrored.run("lock", "--update", "--offline")
    assert (done.status, set(done.codes)) == (1, {"fetch.offline"})
    assert [line.partition(" = ")[0] for line in done.out.splitlines()] == [
        "~ fetch_url https://example.test/c"
    ]
    after = lock_of(mirrored).read_text()
    assert [new == old for new, old in zip(after.splitlines(), before.splitlines())] == [
        True,
        True,
        True,
        False,
    ]
    # What is pinned still is in the store, and builds.
    assert mirrored.run("build", "./:b", "--offline").status == 0


def test_nothing_is_downloaded_for_a_lock_that_cannot_be_written(mirrored: World) -> None:
    # spec: project.lock.atomic
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    mirrored.write(default=functions("a"))
    mirrored.project.chmod(0o555)
    try:
        done = mirrored.run("lock")
        assert (done.status, done.codes, mirrored.store.exists()) == (1, ["lock.unwritable"], False)
    finally:
        mirrored.project.chmod(0o755)
    assert mirrored.run("lock").status == 0
    mirrored.project.chmod(0o555)
    try:
        assert mirrored.run("lock").status == 0
    finally:
        mirrored.project.chmod(0o755)


@pytest.mark.parametrize("target", ["../outside.lock", "/etc/hostname", "bramble.lock", "files"])
def test_a_lock_that_is_a_link_out_of_the_project_is_not_followed(mirrored: World, target: str) -> None:
    # spec: project.access
    mirrored.write(default=functions("a"))
    lock_of(mirrored).symlink_to(target)
    done = mirrored.run("lock")
    assert (done.status, done.codes) == (1, ["lock.unreadable"])
    assert lock_of(mirrored).is_symlink() and not (mirrored.base / "outside.lock").exists()


def test_an_unfinished_merge_is_called_by_its_name_and_stays(mirrored: World) -> None:
    # spec: project.toml
    mirrored.write(default=functions("a"))
    text = "[URLHashes]\n<<<<<<< HEAD\n=======\n>>>>>>> other\n"
    lock_of(mirrored).write_text(text)
    for words in (("lock",), ("lock", "--check"), ("lock", "--update"), ("lock", "--prune")):
        done = mirrored.run(*words)
        assert (done.status, done.codes) == (1, ["lock.syntax"])
        assert "merge conflict" in done.err
    assert lock_of(mirrored).read_text() == text


def test_a_function_for_another_platform_only_is_named_beside_what_is_unused(mirrored: World) -> None:
    # spec: cli.lock.platforms
    other = "arm64" if os.uname().machine == "x86_64" else "amd64"
    mirrored.write(
        default=FETCH
        + f"""
def here():
    if sys.arch == "{other}":
        fail("not here")
    return fetch("a")

def both():
    print(sys.arch)
    return fetch("b" if sys.arch == "{other}" else "c")
"""
    )
    done = mirrored.run("lock")
    assert (done.status, len(done.out.splitlines())) == (0, 3)
    assert done.err.count("\n") == 4 and f"{other}\n" not in done.err, "printed for this machine only"
    with lock_of(mirrored).open("a") as file:
        file.write(f'  "old" = "{"a" * 32}"\n')
    done = mirrored.run("lock", "--check")
    assert f"linux-{other}: example.com/p:here" in done.err
    assert (done.status, done.out) == (1, "unused    old\n")


def test_what_a_generated_graph_downloads_is_not_unused(mirrored: World) -> None:
    # spec: project.lock.fits
    mirrored.write(default=functions("a"))
    assert mirrored.run("lock").status == 0
    pin = "b" * 32
    with lock_of(mirrored).open("a") as file:
        file.write(f'  "fetch_url https://example.test/x?a&b" = "{pin}"\n')
        file.write(f'  "fetch_git https://example.test/r@main submodules=true" = "{pin}"\n')
        file.write(f'  "fetch_url https://example.test/old" = "{pin}"\n')
        graph = '{"url":"https://example.test/x?a\\\\u0026b"},{"url":"https://example.test/r"}'.replace(
            '"', '\\"'
        )
        file.write(f'["some generator"]\n"graph" = "{graph}"\n')
    done = mirrored.run("lock", "--check", "--json")
    assert done.json["unused"] == ["fetch_url https://example.test/old"]


def test_targets_are_looked_at_besides_the_project(mirrored: World) -> None:
    # spec: cli.lock
    mirrored.write(default=functions("a"))
    inner = mirrored.project / "dep"
    inner.mkdir()
    (inner / "bramble.toml").write_text('[package]\nname = "example.com/dep"\nversion = "0.1.0"\n')
    (inner / "default.bramble").write_text(functions("b"))
    config = (mirrored.project / "bramble.toml").read_text()
    (mirrored.project / "bramble.toml").write_text(
        config + '[dependencies]\n"example.com/dep" = {path = "dep", version = "0.1.0"}\n'
    )
    done = mirrored.run("lock", "--json", "example.com/dep:b")
    assert done.status == 0, done.err
    assert list(done.json["added"]) == [
        "fetch_url https://example.test/a",
        "fetch_url https://example.test/b",
    ]
    assert mirrored.run("lock", "--check", "example.com/dep:b").status == 0
    assert mirrored.run("lock", "--check").out == "unused    fetch_url https://example.test/b\n"


def test_what_others_do_to_the_lock_during_a_download_is_kept_or_refused(mirrored: World) -> None:
    # spec: cli.lock.update, project.lock.update
    meanwhile: list[Callable[[], object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                meanwhile.pop()()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"something")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/slow"
        slow = f'def slow():\n    return derivation("slow", "fetch_url", env={{"url": "{url}"}})\n'
        mirrored.write(default=functions("ab") + slow)
        # Another one locks the rest while this one downloads.
        meanwhile[:] = [lambda: (mirrored.write(default=functions("ab")), mirrored.run("lock"))]
        done = mirrored.run("lock", "-j1")
        assert done.status == 0, done.err
        assert len(lock_of(mirrored).read_text().splitlines()) == 4
        mirrored.write(default=functions("ab") + slow)
        text = lock_of(mirrored).read_text()
        pin = next(line for line in text.splitlines() if url in line).split('"')[3]
        changed = text.replace(pin, "a" * 32) + "# by hand\n"
        meanwhile[:] = [lambda: lock_of(mirrored).write_text(changed)]
        done = mirrored.run("lock", "--update", url)
        assert (done.status, done.codes, done.out) == (1, ["lock.conflict"], "")
        assert pin in done.errors[0]["message"] and "a" * 32 in done.errors[0]["message"]
        assert lock_of(mirrored).read_text() == changed
        server.shutdown()
