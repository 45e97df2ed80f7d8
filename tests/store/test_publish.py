from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import RawOutput, Store
from bramble.store.files import sync
from bramble.store.files.spool import Spool
from bramble.store.path import prefix_of_record
from bramble.store.questions.verify import verify
from bramble.store.tree import form as trees
from tests.store.conftest import grown, plant, publish
from tests.store.oracle import Exec, Link, Oracle, Tree

OUT, LIB, BUILD = (digest(text.encode()) for text in ("out", "lib", "build"))


def assert_sound(store: Store) -> None:
    report = verify(store)
    assert report.damages == ()
    assert [name for name in os.listdir(store.directory) if name.startswith(".")] == []
    assert os.listdir(store.var + "/work") == []


def test_the_smallest_output_has_the_pinned_name(store: Store) -> None:
    made = publish(store, {b"hi.txt": b"hi"})["out"]
    assert made.name == "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r"
    assert (made.references, made.size) == ((), 2)
    assert grown(store.object_path(made.name)) == {b"hi.txt": b"hi"}
    assert_sound(store)


def test_an_output_refers_to_itself_to_others_and_to_its_build_directory(store: Store) -> None:
    other = publish(store, {b"f": b"other"})["out"].name
    here = os.fsencode(store.directory)
    tree: Tree = {
        b"text": here + b"/" + OUT.encode() + b"/bin " + here + b"/" + other.encode() + b"/f",
        b"build": b"built in " + here + b"/" + BUILD.encode() + b"/src",
        b"self": Link(here + b"/" + OUT.encode() + b"/text"),
        b"relative": Link(b"../" + other.encode()),
        OUT.encode(): {b"inside": b""},
    }
    made = publish(store, tree, own=OUT, closure=(other,), build_name=BUILD)["out"]
    name = made.name.encode()
    assert made.references == (other,)
    assert made.name == Oracle(here, OUT.encode(), BUILD.encode()).name(tree)
    assert grown(store.object_path(made.name)) == {
        b"text": here + b"/" + name + b"/bin " + here + b"/" + other.encode() + b"/f",
        b"build": b"built in " + here + b"/" + b"x" * 32 + b"/src",
        b"self": Link(here + b"/" + name + b"/text"),
        b"relative": Link(b"../" + other.encode()),
        name: {b"inside": b""},
    }
    assert_sound(store)


def test_the_same_build_has_the_same_name_in_every_store(place: str) -> None:
    names = set()
    for root in (place + "/a", place + "/a/much/longer/root"):
        store = Store.open(root)
        here = os.fsencode(store.directory)
        text = b"%s/%s and %s/%s" % (here, OUT.encode(), here, BUILD.encode())
        names.add(publish(store, {b"f": text}, own=OUT, build_name=BUILD)["out"].name)
        assert_sound(store)
    assert len(names) == 1


def test_everything_in_the_store_is_read_only_and_of_one_time(store: Store) -> None:
    tree: Tree = {b"d": {b"f": b"1", b"x": Exec(b"2")}, b"l": Link(b"f")}
    path = store.object_path(publish(store, tree)["out"].name)
    modes = {}
    for top, directories, files in os.walk(path):
        for name in [".", *directories, *files]:
            status = os.lstat(os.path.join(top, name))
            assert status.st_mtime_ns == trees.MTIME_NS
            modes[name] = stat.S_IMODE(status.st_mode)
    assert (modes["f"], modes["x"], modes["d"], modes["."]) == (0o444, 0o555, 0o555, 0o555)


def test_a_setuid_bit_and_odd_modes_change_nothing(store: Store) -> None:
    plain = publish(store, {b"f": Exec(b"1"), b"g": b"2", b"d": {}})["out"].name
    with store.workspace() as work:
        plant({b"f": Exec(b"1"), b"g": b"2", b"d": {}}, work.path + "/out")
        os.chmod(work.path + "/out/f", 0o6711)
        os.chmod(work.path + "/out/g", 0o060)
        os.chmod(work.path + "/out/d", 0o1000)
        os.chmod(work.path + "/out", 0o3000)
        odd = store.publish([RawOutput("out", work.path + "/out", "")], closure=(), build_name=None)["out"]
    assert odd.name == plain
    assert_sound(store)


def test_unreadable_files_and_directories_are_read_all_the_same(store: Store) -> None:
    with store.workspace() as work:
        plant({b"d": {b"e": {b"f": b"secret"}}}, work.path + "/out")
        for below in ("/out/d/e/f", "/out/d/e", "/out/d", "/out"):
            os.chmod(work.path + below, 0)
        made = store.publish([RawOutput("out", work.path + "/out", "")], closure=(), build_name=None)["out"]
    assert grown(store.object_path(made.name)) == {b"d": {b"e": {b"f": b"secret"}}}
    assert_sound(store)


def test_hard_links_become_separate_files_and_the_other_name_is_not_touched(store: Store) -> None:
    here = os.fsencode(store.directory) + b"/" + OUT.encode()
    with store.workspace() as work:
        plant({b"a": here}, work.path + "/out")
        os.link(work.path + "/out/a", work.path + "/out/b")
        os.link(work.path + "/out/a", work.path + "/elsewhere")
        os.chmod(work.path + "/elsewhere", 0o640)
        raw = RawOutput("out", work.path + "/out", OUT)
        made = store.publish([raw], closure=(), build_name=None)["out"]
        assert Path(work.path, "elsewhere").read_bytes() == here
        assert stat.S_IMODE(os.stat(work.path + "/elsewhere").st_mode) == 0o640
    path = store.object_path(made.name)
    assert not os.path.samefile(path + "/a", path + "/b")
    assert Path(path, "b").read_bytes().endswith(made.name.encode())
    assert made.name == Oracle(os.fsencode(store.directory), OUT.encode()).name({b"a": here, b"b": here})
    assert_sound(store)


def test_files_that_are_linked_only_to_each_other_are_separate_and_sealed(store: Store) -> None:
    with store.workspace() as work:
        plant({b"a": Exec(b"1"), b"d": {}}, work.path + "/out")
        os.link(work.path + "/out/a", work.path + "/out/d/b")
        made = store.publish([RawOutput("out", work.path + "/out", "")], closure=(), build_name=None)["out"]
    assert grown(store.object_path(made.name)) == {b"a": Exec(b"1"), b"d": {b"b": Exec(b"1")}}
    assert_sound(store)


def test_sparse_and_empty_files_are_files_like_others(store: Store) -> None:
    with store.workspace() as work:
        os.mkdir(work.path + "/out")
        Path(work.path, "out/empty").touch()
        with open(work.path + "/out/sparse", "wb") as file:
            file.truncate(3 << 20)
        raw = RawOutput("out", work.path + "/out", OUT)
        made = store.publish([raw], closure=(), build_name=None)["out"]
    assert made.name == Oracle().name({b"empty": b"", b"sparse": bytes(3 << 20)})


def test_names_that_are_long_or_no_text_are_kept(store: Store) -> None:
    long: Tree = {b"n" * 255: {b"m" * 255: {b"o" * 255: Link(b"t" * 300)}}}
    tree: Tree = {b"\xff\xfe": b"1", "é".encode(): {}, **long}
    made = publish(store, tree, own=OUT)["out"]
    assert made.name == Oracle().name(tree)
    assert grown(store.object_path(made.name)) == tree
    assert_sound(store)


def test_a_tree_deeper_than_any_path_is_walked(store: Store) -> None:
    with store.workspace() as work:
        os.mkdir(work.path + "/out")
        at = os.open(work.path + "/out", os.O_RDONLY)
        for _ in range(300):
            os.mkdir("d" * 40, dir_fd=at)
            below = os.open("d" * 40, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=at))
        os.close(at)
        raw = RawOutput("out", work.path + "/out", OUT)
        made = store.publish([raw], closure=(), build_name=None)["out"]
    tree: Tree = {b"leaf": b""}
    for _ in range(300):
        tree = {b"d" * 40: tree}
    assert made.name == Oracle().name(tree)
    assert_sound(store)


def test_a_tree_that_is_absurdly_deep_is_refused_and_removed(store: Store) -> None:
    with pytest.raises(BrambleError) as caught, store.workspace() as work:
        os.mkdir(work.path + "/out")
        at = os.open(work.path + "/out", os.O_RDONLY)
        for _ in range(200):
            os.mkdir("d" * 250, dir_fd=at)
            below = os.open("d" * 250, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)
        store.publish([RawOutput("out", work.path + "/out", OUT)], closure=(), build_name=None)
    assert caught.value.code == "store.name-too-long"
    assert_sound(store)


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_is_no_file_is_refused_by_name(store: Store, kind: str) -> None:
    if kind == "device" and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    with pytest.raises(BrambleError) as caught, store.workspace() as work:
        os.makedirs(work.path + "/out/d")
        path = work.path + "/out/d/special"
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path)
        else:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        store.publish([RawOutput("out", work.path + "/out", OUT)], closure=(), build_name=None)
    assert caught.value.code == "store.special-file"
    assert '"d/special"' in caught.value.message
    assert store.names() == []
    assert_sound(store)


def test_links_are_never_followed(store: Store, place: str) -> None:
    os.mkdir(place + "/outside")
    Path(place, "outside/secret").write_text("secret")
    tree: Tree = {b"l": Link(os.fsencode(place) + b"/outside"), b"loop": Link(b"loop"), b"up": Link(b"..")}
    made = publish(store, tree)["out"]
    assert made.size == 0
    assert grown(store.object_path(made.name)) == tree
    assert stat.S_IMODE(os.stat(place + "/outside").st_mode) == 0o755


@pytest.mark.parametrize("left", ["nothing", "file", "link"])
def test_an_output_that_is_no_directory_is_told(store: Store, left: str) -> None:
    with pytest.raises(BrambleError) as caught, store.workspace() as work:
        if left == "file":
            Path(work.path, "out").write_text("")
        elif left == "link":
            os.symlink("/etc", work.path + "/out")
        store.publish([RawOutput("out", work.path + "/out", OUT)], closure=(), build_name=None)
    missing = left == "nothing"
    assert caught.value.code == ("store.output-missing" if missing else "store.output-not-directory")


def test_a_file_that_changes_while_it_is_read_is_noticed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.read

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        if data == b"before":
            path = os.readlink(f"/proc/self/fd/{fd}")
            with open(path, "wb") as file:
                file.write(b"after!")
        return data

    with pytest.raises(BrambleError) as caught, store.workspace() as work:
        plant({b"f": b"before"}, work.path + "/out")
        monkeypatch.setattr(os, "read", read)
        store.publish([RawOutput("out", work.path + "/out", OUT)], closure=(), build_name=None)
    assert caught.value.code == "store.changed-while-read"
    assert store.names() == []


def test_outputs_may_refer_to_each_other_in_one_direction(store: Store) -> None:
    here = os.fsencode(store.directory)
    lib: Tree = {b"so": here + b"/" + LIB.encode() + b"/so"}
    out: Tree = {b"bin": here + b"/" + LIB.encode() + b"/so " + here + b"/" + OUT.encode(), LIB.encode(): b""}
    made = publish(store, {"out": (OUT, out), "lib": (LIB, lib)})
    lib_name = made["lib"].name.encode()
    assert list(made) == ["out", "lib"]
    assert made["out"].references == (made["lib"].name,)
    assert made["lib"].references == ()
    assert made["lib"].name == Oracle(here, LIB.encode()).name(lib)
    assert made["out"].name == Oracle(here, OUT.encode(), finals={LIB.encode(): lib_name}).name(out)
    assert grown(store.object_path(made["out"].name)) == {
        b"bin": here + b"/" + lib_name + b"/so " + here + b"/" + made["out"].name.encode(),
        lib_name: b"",
    }
    assert_sound(store)


def test_a_chain_of_outputs_is_published_from_its_end(store: Store) -> None:
    names = [digest(b"%d" % number) for number in range(6)]
    trees_: dict[str, tuple[str, Tree]] = {}
    for number, name in enumerate(names):
        below = names[number + 1].encode() if number < 5 else b""
        trees_[f"o{number}"] = (name, {b"f": b"holds " + below})
    made = publish(store, trees_)
    for number in range(5):
        assert made[f"o{number}"].references == (made[f"o{number + 1}"].name,)
    assert_sound(store)


def test_a_circle_among_outputs_is_refused_with_the_files_that_hold_it(store: Store) -> None:
    here = os.fsencode(store.directory)
    out: Tree = {b"a": b"", b"bin": {b"run": here + b"/" + LIB.encode()}}
    lib: Tree = {b"so": b"../" + OUT.encode()}
    third: Tree = {b"f": LIB.encode()}
    with pytest.raises(BrambleError) as caught:
        publish(store, {"third": (BUILD, third), "out": (OUT, out), "lib": (LIB, lib)})
    assert caught.value.code == "store.output-cycle"
    assert '"bin/run" in "out" holds the path of "lib"' in caught.value.detail
    assert '"so" in "lib" holds the path of "out"' in caught.value.detail
    assert "third" not in caught.value.message
    assert store.names() == []
    assert_sound(store)


def test_equal_outputs_are_one_object(store: Store) -> None:
    made = publish(store, {"out": (OUT, {b"f": b"1"}), "lib": (LIB, {b"f": b"1"})})
    assert made["out"].name == made["lib"].name
    assert store.names() == [made["out"].name]
    assert_sound(store)


def test_an_object_that_is_there_already_is_kept(store: Store) -> None:
    first = publish(store, {b"f": b"1"})["out"]
    inode = os.stat(store.object_path(first.name)).st_ino
    assert publish(store, {b"f": b"1"})["out"] == first
    assert os.stat(store.object_path(first.name)).st_ino == inode
    assert_sound(store)


def test_references_that_only_the_second_build_knew_are_added(store: Store) -> None:
    other = publish(store, {b"f": b"1"})["out"].name
    tree: Tree = {b"f": b"see " + other.encode()}
    assert publish(store, tree)["out"].references == ()
    assert publish(store, tree, closure=(other,))["out"].references == (other,)
    assert publish(store, tree)["out"].references == (other,)
    assert Store.open(store.root).references(publish(store, tree)["out"].name) == (other,)


def test_the_prefix_of_record_in_a_content_is_left_as_it_is(store: Store) -> None:
    text = prefix_of_record().encode() + b"/" + OUT.encode()
    made = publish(store, {b"f": text})["out"]
    assert grown(store.object_path(made.name)) == {b"f": text}
    assert made.name == Oracle(os.fsencode(store.directory)).name({b"f": text})


def test_a_store_at_the_prefix_of_record_gives_the_same_names(place: str) -> None:
    if os.geteuid() != 0 or os.path.exists("/home/bramble"):
        pytest.skip("needs to make /home/bramble")
    root = "/home/bramble/" + "bramble"
    try:
        there = Store.open(root)
        assert there.directory == prefix_of_record()
        here = Store.open(place + "/s")
        names = set()
        for store in (here, there):
            path = os.fsencode(store.directory)
            tree: Tree = {b"f": b"%s/%s %s/%s" % (path, OUT.encode(), path, BUILD.encode())}
            names.add(publish(store, tree, own=OUT, build_name=BUILD)["out"].name)
            assert_sound(store)
        assert len(names) == 1
    finally:
        subprocess.run(["rm", "-rf", "/home/bramble"], check=True)


def test_a_full_disk_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sync, "_syncfs", full)
    with pytest.raises(BrambleError) as caught:
        publish(store, {b"f": b"1", b"d": {b"g": b"2"}})
    assert caught.value.code == "store.disk-full"
    monkeypatch.undo()
    assert store.names() == []
    assert_sound(store)


def test_many_places_to_change_take_little_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bramble.store.files.spool.IN_MEMORY", 10)
    monkeypatch.setattr(Spool.__init__, "__defaults__", (10,))
    tree: Tree = {b"%d" % n: OUT.encode() * 9 for n in range(40)}
    made = publish(store, tree, own=OUT)["out"]
    assert made.name == Oracle(own=OUT.encode()).name(tree)
    assert set(grown(store.object_path(made.name)).values()) == {made.name.encode() * 9}
    assert_sound(store)


needles = [OUT.encode(), LIB.encode(), b"@", b"@/" + OUT.encode(), b"@/" + BUILD.encode()]
parts = st.sampled_from([*needles, b"/", b"xy"])
contents = st.lists(parts, max_size=5).map(b"".join)
bases = st.sampled_from([b"a", b"b", b"c" * 40, OUT.encode(), LIB.encode() + b".so"])
nodes = st.one_of(contents, contents.map(Exec), contents.map(lambda text: Link(text or b".")))
trees_of = st.recursive(
    st.dictionaries(bases, nodes, max_size=3),
    lambda inner: st.dictionaries(bases, st.one_of(nodes, inner), max_size=3),
    max_leaves=8,
)


def at(tree: Tree, path: bytes) -> Tree:
    there: Tree = {}
    for base, node in tree.items():
        if isinstance(node, dict):
            there[base] = at(node, path)
        else:
            kind = type(node)
            there[base] = kind(bytes(node[0] if isinstance(node, tuple) else node).replace(b"@", path))
    return there


@settings(max_examples=25, deadline=None)
@given(tree=trees_of)
def test_any_output_has_the_same_name_everywhere_and_verifies(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree
) -> None:
    names = set()
    for root in ("/tmp/b-x", "/tmp/b-quite-another-place"):
        store = Store.open(f"{root}-{os.getpid()}")
        try:
            here = os.fsencode(store.directory)
            outputs = {"out": (OUT, at(tree, here)), "lib": (LIB, at({b"f": b"@/x"}, here))}
            made = publish(store, outputs, build_name=BUILD)
            names.add((made["out"].name, made["lib"].name))
            assert_sound(store)
        finally:
            store.close()
            subprocess.run(["chmod", "-R", "u+w", store.root], check=True)
            subprocess.run(["rm", "-rf", store.root], check=True)
    assert len(names) == 1
