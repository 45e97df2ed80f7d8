"""`vendor`: what is in the directory, who checks it, and a build with nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bramble.packages.vendor import MANIFEST, Manifest, encode, is_manifest, is_own, steps
from tests.cli.world import remove_store
from tests.packages.published import Published, published, toml
from tests.recall.marked import settle, wait_for_the_program

SUM = hashlib.sha256(b"stated\n").hexdigest()
ARCH = {"aarch64": "arm64"}.get(os.uname().machine, "amd64")
GRAPH = {"@g": {"Name": "g", "Builder": "fetch_url", "Env": {"url": "https://files.test/generated"}}}
PROJECT = f"""
load("example.test/diamond")
load("example.test/u/mono/sub")
load("example.test/rev")
load("example.test/near")

def fetch(name, **more):
    return derivation(name, "fetch_url", env=dict(url="https://files.test/" + name, **more))

def tools():
    return derivation("tools", "host_tools", env={{"tools": "sh cat"}})

def both(name, *inputs):
    t = tools()
    return derivation(name, t.out + "/bin/sh", ["-c", "cat $in > $out/f"],
        env={{"PATH": t.out + "/bin", "in": " ".join(inputs)}})

def app():
    git = derivation("git", "fetch_git", env={{"url": "https://example.test/a", "reference": "v1.0.0"}})
    words = diamond.v + sub.v + rev.v + near.v
    stated = fetch("stated", sha256="{SUM}")
    return both("app-" + words, fetch("pinned").out + "/pinned", stated.out + "/stated",
        git.out + "/default.bramble")

def elsewhere():
    return fetch(sys.arch)

def generated():
    t = tools()
    wrote = derivation("wrote", "derivation_output", [t.out + "/bin/sh", "-c", "cat graph > $out/graph.json"],
        env={{"PATH": t.out + "/bin"}}, sources=files(["graph"]))
    return both("all", wrote.out + "/generated")

def tested():
    t = tools()
    test(both("of-test", fetch("tested").out + "/tested"), [t.out + "/bin/sh", "-c", "true"])
"""


def prepared(base: Path) -> Published:
    """Return a world with packages and downloads of each kind, and a project that needs them all."""
    world = published(base)
    world.publish("example.test/a", "1.0.0", default='v = "a1"\n')
    world.publish("example.test/a", "1.1.0", default='v = "a2"\n')
    for name, needed in (("b", "1.0.0"), ("c", "1.1.0")):
        world.publish(f"example.test/{name}", "1.0.0", {"example.test/a": needed},
            default='load("example.test/a")\nv = a.v\n')  # fmt: skip
    world.publish("example.test/diamond", "1.0.0", {f"example.test/{name}": "1.0.0" for name in "bc"},
        default='load("example.test/b")\nload("example.test/c")\nv = b.v + c.v\n')  # fmt: skip
    world.publish("example.test/u/mono", "1.0.0", directory="sub", default='v = "sub"\n')
    commit = world.publish("example.test/rev", "1.0.0", default='v = "rev"\n')
    world.needs(
        diamond="1.0.0", rev=f'{{ rev = "{commit}" }}', near='{ path = "near" }', **{"u/mono/sub": "1.0.0"}
    )
    (world.project / "near").mkdir()
    (world.project / "near" / "bramble.toml").write_text(toml("example.test/near", "1.0.0", {}))
    world.write(default=PROJECT, near__default='v = "near"\n')
    (world.project / "graph").write_text(json.dumps({"version": 1, "graph": GRAPH}))
    served = base / "files"
    served.mkdir()
    for name in ("pinned", "stated", "tested", "generated", "amd64", "arm64"):
        (served / name).write_text(f"{name}\n")
    with open(base / "mirror.toml", "a", encoding="utf-8") as out:
        out.write(f'"https://files.test/" = "{served}"\n')
    return world


@pytest.fixture(scope="module")
def source() -> Iterator[Published]:
    """A world that has vendored its project into `v`; no test changes it."""
    world = prepared(Path(tempfile.mkdtemp(prefix="bw", dir="/tmp")))
    assert world.run("build", "./:generated").status == 0
    done = world.run("vendor", "v")
    assert done.status == 0, done.err
    yield world
    remove_store(world.base)


@pytest.fixture
def clone(source: Published) -> Iterator[Published]:
    """The project and its vendor directory on a machine that has nothing else."""
    world = Published(Path(tempfile.mkdtemp(prefix="bx", dir="/tmp")))
    shutil.copytree(source.project, world.project)
    (world.base / "home").mkdir()
    yield world
    remove_store(world.base)


def content(directory: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {
        str(path.relative_to(directory)): (path.stat().st_mode & 0o777, path.read_bytes()) for path in files
    }


def stamps(directory: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in directory.rglob("*")}


def object_of(world: Published, key: str) -> Path:
    files = json.loads((world.project / "v" / MANIFEST).read_text())["files"]
    (path,) = (path for path, keys in files.items() if key in keys)
    return world.project / "v" / str(path)


def test_a_build_starts_from_the_directory_and_needs_nothing_else(clone: Published) -> None:
    # spec: vendor.what, vendor.packages
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(clone.base / "home"), "BRAMBLE_PATH": str(clone.store)}
    for words in (["build", "--locked", "./..."], ["test"]):
        done = subprocess.run(
            # In a network without even a loopback interface that is up.
            ["unshare", "-rn", "v/bramble", "--vendor", "v", *words],
            cwd=clone.project, env=environ, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "✔ ./:tested" in done.stderr or "1 passed" in done.stdout
    found = clone.run("build", "--json", "--vendor", "v", "./:app")
    assert found.codes == ["cli.unknown-option"], "it goes before the command"
    found = clone.run("build", "--json", "./:app", BRAMBLE_OFFLINE="1")
    assert found.status == 0 and found.json["built"] == []
    (app,) = Path(found.json["results"][0]["outputs"]["out"]["path"]).iterdir()
    assert app.read_text() == 'pinned\nstated\nv = "a1"\n'
    assert found.json["results"][0]["name"] == "app-a2a2subrevnear"


def test_what_is_in_it_and_what_cannot_be(source: Published) -> None:
    # spec: vendor.absent
    files = json.loads((source.project / "v" / MANIFEST).read_text())["files"]
    keys = sorted(key for keys in files.values() for key in keys)
    downloads = ["amd64", "arm64", "generated", "pinned", "stated", "tested"]
    names = ["a@1.0.0", "a@1.1.0", "b@1.0.0", "c@1.0.0", "diamond@1.0.0", "u/mono/sub@1.0.0"]
    rev = next(key for key in keys if " rev=" in key)
    assert keys == sorted(
        [
            *(f"example.test/{name}" for name in names),
            rev,
            "fetch_git https://example.test/a@v1.0.0",
            *(f"fetch_url https://files.test/{name}" for name in downloads),
        ]
    )
    done = source.run("vendor", "--json", "--dry-run", "v")
    assert done.json["absent"] == ['"tools", which is copied from the machine that builds']
    assert done.err.startswith('warning: not in v: "tools"')
    assert not [path for path in (source.project / "v").rglob(".bramble-*")]


def test_the_same_project_gives_the_same_bytes_everywhere(clone: Published, source: Published) -> None:
    # spec: vendor.layout, vendor.incremental
    before = stamps(clone.project / "v")
    done = clone.run("--vendor", "v", "vendor", "--offline", "--json", "v")
    assert (done.status, done.json["added"], done.json["removed"]) == (0, [], []), done.err
    assert stamps(clone.project / "v") == before
    done = clone.run("--vendor", "v", "vendor", "--offline", "../w")
    assert done.status == 0, done.err
    assert content(clone.base / "w") == content(source.project / "v")


def test_only_what_is_its_own_is_changed(clone: Published) -> None:
    # spec: vendor.own
    v = clone.project / "v"
    before = content(v)
    (v / "NOTES").write_text("ours\n")
    (v / "objects" / "ours").write_text("ours\n")
    (v / "objects" / ("a" * 32)).write_text("once needed\n")
    (v / "objects" / ".bramble-1").write_text("half\n")
    damaged = object_of(clone, "fetch_url https://files.test/pinned")
    missing = object_of(clone, "example.test/b@1.0.0")
    assert clone.run("--vendor", "v", "vendor", "../w").status == 0
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    missing.unlink()
    (v / "bramble").chmod(0o644)
    foreseen = clone.run("--vendor", "v", "vendor", "--dry-run", "--json", "v")
    assert foreseen.status == 0, foreseen.err
    assert foreseen.json["added"] == sorted(
        ["bramble", *(f"objects/{one.name}" for one in (damaged, missing))]
    )
    assert foreseen.json["removed"] == ["objects/.bramble-1", "objects/" + "a" * 32]
    done = clone.run("--vendor", "v", "vendor", "--json", "v")
    assert (done.json["added"], done.json["removed"]) == (foreseen.json["added"], foreseen.json["removed"])
    ours = {name: (0o644, b"ours\n") for name in ("NOTES", "objects/ours")}
    assert content(v) == {**before, **ours}
    for wrong in ("{}", "[]", '{"version": 2}', "no JSON", "[" * 100_000):
        (v / MANIFEST).write_text(wrong)
        assert clone.run("vendor", "--offline", "v").codes == ["vendor.occupied"]
        assert (v / MANIFEST).read_text() == wrong
    assert clone.run("vendor", ".").codes == ["vendor.occupied"]
    shutil.rmtree(v)
    v.symlink_to("near")
    assert clone.run("vendor", "--offline", "v").status == 1
    assert clone.run("vendor").status == 2


def damages(path: Path) -> Iterator[str]:
    """Change a file in one way after the other; yield what was done to it."""
    right = path.read_bytes()
    for what, wrong in (
        ("cut", right[:-1]),
        ("longer", right + bytes(512)),
        ("another byte", right[:-2] + bytes([right[-2] ^ 1]) + right[-1:]),
        ("empty", b""),
        ("text", b"no archive\n"),
        # A name that leads out of the object.
        ("a way out", b"/../../evil".ljust(11, b"\0") + right[11:]),
    ):
        path.write_bytes(wrong)
        yield what
    path.unlink()
    os.mkfifo(path)
    yield "FIFO"
    path.unlink()
    path.mkdir()
    yield "directory"
    path.rmdir()
    path.symlink_to("/dev/zero")
    yield "endless"
    path.unlink()
    path.symlink_to(path.name)
    yield "a link to itself"
    path.unlink()
    path.write_bytes(right)


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("example.test/diamond@1.0.0", "./:elsewhere"),
        (f"fetch_url https://files.test/{ARCH}", "./:elsewhere"),
        ("fetch_url https://files.test/stated", "./:app"),
    ],
)
def test_nothing_in_it_is_believed(clone: Published, key: str, target: str) -> None:
    # spec: vendor.damaged
    path = object_of(clone, key)
    name = path.name.rpartition("-")[2]
    for what in damages(path):
        done = clone.run("--vendor", "v", "build", "--offline", target)
        assert (done.status, done.codes) == (1, ["vendor.damaged"]), (what, done.err)
        assert name in done.err and path.name not in clone.objects(), what
    # The wrong file, whole: both digests are said.
    other = object_of(clone, "example.test/c@1.0.0")
    if path.parent.name == "objects":
        path.write_bytes(other.read_bytes())
        done = clone.run("--vendor", "v", "build", "--offline", target)
        assert done.codes == ["vendor.damaged"] and name in done.err and other.name in done.err
    assert {left.name for left in (clone.store / "var").rglob("*") if "evil" in left.name} == set()


def test_what_is_not_in_it_is_looked_for_further_on(clone: Published, source: Published) -> None:
    # spec: vendor.order, vendor.packages
    package, download = (
        object_of(clone, key) for key in ("example.test/b@1.0.0", f"fetch_url https://files.test/{ARCH}")
    )
    package.unlink()
    done = clone.run("--vendor", "v", "build", "--offline", "./:elsewhere")
    assert (done.status, done.codes) == (1, ["fetch.offline"]), done.err
    download.unlink()
    done = clone.run("--vendor", "v", "build", "--json", "./:elsewhere", **source.environ)
    assert done.status == 0, done.err
    assert "fetching example.test/b@1.0.0\n" in done.err and done.err.count("fetching") == 1
    # What the lock does not name has no name there either.
    lock = clone.project / "bramble.lock"
    lock.write_text("".join(line for line in lock.open() if "diamond" not in line))
    remove_store(clone.store)
    assert clone.run("--vendor", "v", "build", "--locked", "./:elsewhere").codes == ["lock.locked"]
    done = clone.run("--vendor", "v", "build", "./:elsewhere", **source.environ)
    assert done.status == 0 and "fetching example.test/diamond@1.0.0\n" in done.err


def test_what_cannot_be_downloaded_changes_nothing(clone: Published) -> None:
    # spec: vendor.absent
    before = stamps(clone.project / "v")
    for more in ("", ', sha256="' + "0" * 64 + '"'):
        clone.write(default=PROJECT + f'\ndef new():\n    return fetch("new"{more})\n')
        for directory in ("v", "w"):
            done = clone.run("--vendor", "v", "vendor", "--offline", directory)
            assert (done.status, done.codes) == (1, ["fetch.offline"]), done.err
    assert stamps(clone.project / "v") == before and not (clone.project / "w").exists()


def test_a_build_with_nothing_to_do_does_not_look_there(clone: Published) -> None:
    # spec: vendor.order
    config = clone.project / "bramble.toml"
    config.write_text(config.read_text() + '[vendor]\npath = "v"\n')
    first = clone.run("build", "--offline", "--json", "./:elsewhere")
    assert first.status == 0, first.err
    shutil.rmtree(clone.project / "v")
    wait_for_the_program()
    settle()
    again = clone.run("build", "--offline", "--json", "./:elsewhere")
    assert (again.status, again.json["built"], again.err.count("taking")) == (0, [], 0)
    answers = clone.base / "home/.cache/bramble/answers"
    (record,) = answers.iterdir()
    assert f"{clone.project}/v".encode() not in record.read_bytes()


def test_a_directory_of_the_project_leads_nowhere_else(clone: Published) -> None:
    # spec: vendor.which, project.config.vendor
    config = clone.project / "bramble.toml"
    config.write_text(config.read_text() + '[vendor]\npath = "v"\n')
    private = clone.base / "private"
    (clone.project / "v").rename(private)
    private.chmod(0o700)
    (clone.project / "v").symlink_to(private)
    if os.geteuid() == 0:
        # A directory of the world is everybody's to enter.
        clone.base.chmod(0o755)
    assert clone.run("vendor", "--offline").codes == ["cli.unwritable"]
    assert clone.run("build", "--offline", "./:elsewhere").codes == ["fetch.out-of-reach"]
    assert clone.run("--vendor", "v", "build", "--offline", "./:elsewhere").status == 0


def test_whoever_is_killed_while_writing_leaves_nothing_in_the_way(
    clone: Published, source: Published
) -> None:
    # spec: vendor.write.order
    w = clone.base / "w"
    for pause in (0.0, 0.01):
        process = clone.start("--vendor", "v", "vendor", "../w")
        until = time.monotonic() + 60
        while not (w / "objects").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for path in w.rglob("*"):
            if path.is_file() and not path.name.startswith(".bramble-") and path.name != MANIFEST:
                same = source.project / "v" / path.relative_to(w)
                assert path.read_bytes() == same.read_bytes(), path
    both = [clone.start("--vendor", "v", "vendor", "../w") for _ in range(2)]
    assert [one.communicate()[0] is not None and one.returncode for one in both] == [0, 0]
    assert content(w) == content(source.project / "v")


def test_it_can_be_kept_in_git_whatever_that_does_to_texts(clone: Published) -> None:
    # spec: vendor.layout
    clone.git("init", "-q", cwd=clone.project)
    clone.git("-c", "core.autocrlf=true", "add", "v", cwd=clone.project)
    clone.git("commit", "-qm", "x", cwd=clone.project)
    clone.git("-c", "core.autocrlf=true", "clone", "-q", str(clone.project), str(clone.base / "c"))
    assert content(clone.base / "c" / "v") == content(clone.project / "v")


NAMES = some.sampled_from([f"objects/{letter * 32}" for letter in "abcdef"])


@given(some.sets(NAMES), some.dictionaries(NAMES | some.just("objects/ours"), some.booleans()))
def test_steps_make_what_is_there_what_is_wanted(wanted: set[str], present: dict[str, bool]) -> None:
    todo = steps(wanted, present)
    after = {**present, **dict.fromkeys(todo.written, True)}
    for path in todo.removed:
        del after[path]
    assert {path for path, right in after.items() if is_own(path) and right} == wanted
    assert after.get("objects/ours") == present.get("objects/ours")
    assert not set(todo.written) & {path for path in wanted if present.get(path)}


def test_a_manifest_has_a_line_for_each_file() -> None:
    # spec: vendor.manifest
    files = {f"objects/{letter * 32}": ("x@1.0.0", 'fetch_url https://é/"') for letter in "ba"}
    data = encode(Manifest("1", "00", files))
    assert is_manifest(data) and json.loads(data)["files"] == {
        path: list(keys) for path, keys in files.items()
    }
    assert [line[3:10] for line in data.decode("ascii").splitlines() if "objects" in line] == ["objects"] * 2
    assert (
        is_manifest(encode(Manifest("", "", {}))) and json.loads(encode(Manifest("", "", {})))["files"] == {}
    )


@pytest.mark.skipif(sys.platform != "linux", reason="Bramble is for Linux")
@pytest.mark.parametrize(
    "path", ["../x", "objects/../" + "a" * 32, "objects/", "objects", "a" * 32, "README"]
)
def test_other_names_are_not_its_own(path: str) -> None:
    assert not is_own(path)
