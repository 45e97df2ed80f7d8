"""The second build of a check: its inputs under another store path, and what is said of a difference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.build.checking import elsewhere
from bramble.build.checking.compare import differences, explain
from bramble.store.disk import RawOutput, Store
from bramble.store.files.remove import remove_tree
from tests.store.conftest import place as place


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    store = Store.open(place + "/s")
    yield store
    store.close()


def plant(store: Store, name: str, files: dict[str, bytes]) -> str:
    top = f"{store.var}/work/{name}"
    for path, data in files.items():
        os.makedirs(os.path.dirname(f"{top}/{path}"), exist_ok=True)
        with open(f"{top}/{path}", "wb") as file:
            file.write(data)
    return store.publish([RawOutput("out", top, "")], closure=(), build_name=None)["out"].name


def test_inputs_are_shown_with_the_other_path_and_shared_where_that_does_not_matter(store: Store) -> None:
    here = os.fsencode(store.directory)
    other = elsewhere.other_directory(store.directory)
    assert len(other) == len(store.directory) == 49 and other != store.directory
    assert elsewhere.other_directory(other) != other
    big = b"x" * ((1 << 20) - 20) + here + b"/y" + b"z" * 100
    plain = plant(store, "plain", {"f": b"1"})
    moved = plant(store, "moved", {"d/big": big, "d/small": b"2"})
    found = elsewhere.copy_inputs(store.directory, other, [plain, moved], f"{store.var}/work/copies")
    assert found[plain] == store.object_path(plain)
    assert Path(found[moved], "d/big").read_bytes() == big.replace(here, other.encode())
    for path in ("d/small", "d/big", "d"):
        one, two = os.stat(f"{found[moved]}/{path}"), os.stat(f"{store.object_path(moved)}/{path}")
        assert (one.st_mode, one.st_mtime_ns) == (two.st_mode, two.st_mtime_ns)
    assert os.path.samefile(f"{found[moved]}/d/small", f"{store.object_path(moved)}/d/small")
    remove_tree(f"{store.var}/work/copies")
    assert Path(store.object_path(moved), "d/small").read_bytes() == b"2"
    assert os.stat(f"{store.object_path(moved)}/d/small").st_mode & 0o777 == 0o444


def test_what_comes_out_has_this_path_again(tmp_path: Path) -> None:
    old, new = b"/check/" + b"o" * 42, b"/here/" + b"n" * 43
    big = b"x" * ((1 << 20) - 20) + old + b"/y" + old + b"z" * (1 << 20) + old
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "big").write_bytes(big)
    (tmp_path / "d" / "closed").write_bytes(old)
    (tmp_path / "d" / "closed").chmod(0o055)
    (tmp_path / "l").symlink_to(os.fsdecode(old) + "/t")
    elsewhere.bring_back(str(tmp_path), os.fsdecode(new), os.fsdecode(old))
    assert (tmp_path / "d" / "big").read_bytes() == big.replace(old, new)
    assert (tmp_path / "d" / "closed").stat().st_mode & 0o777 == 0o055
    (tmp_path / "d" / "closed").chmod(0o644)
    assert (tmp_path / "d" / "closed").read_bytes() == new
    assert os.readlink(tmp_path / "l") == os.fsdecode(new) + "/t"


ELF = b"\x7fELF" + bytes(60)


@pytest.mark.parametrize(
    ("file", "first", "second", "offset", "suspect"),
    [
        ("a.gz", b"\x1f\x8b\x08\0\x01\0\0\0x", b"\x1f\x8b\x08\0\x02\0\0\0x", 4, "gzip -n"),
        ("a.pyc", b"abcd" + bytes(4) + b"1234", b"abcd" + bytes(4) + b"1235", 11, "byte code"),
        ("a.pyc", b"abcd\3\0\0\0" + b"1234", b"abcd\3\0\0\0" + b"1235", 11, "the hash of the source"),
        ("liba.a", b"!<arch>\nx/ 17", b"!<arch>\nx/ 18", 12, "ar D"),
        ("p", ELF + b"GNU\0" + b"\x01" * 20, ELF + b"GNU\0" + b"\x02" * 20, 68, "build id"),
        ("t", b"at 12:30:01.", b"at 12:30:02.", 10, "SOURCE_DATE_EPOCH"),
        ("o", b"keys: ab", b"keys: ba", 6, "order"),
        ("x", b"y" * (1 << 20) + b"1", b"y" * (1 << 20) + b"2", 1 << 20, ""),
        ("s", b"short", b"shorter", 5, ""),
    ],
    # Not made of the bytes: the id of a test becomes a variable of its processes.
    ids=["gzip", "byte code", "hash of a source", "archive", "build id", "time", "order", "large", "longer"],
)
def test_a_difference_is_shown_with_its_usual_cause(
    store: Store, file: str, first: bytes, second: bytes, offset: int, suspect: str
) -> None:
    one, two = (
        plant(store, "one", {file: first, "same": b"1"}),
        plant(store, "two", {file: second, "same": b"1"}),
    )
    assert differences(store, one, two) == (file,)
    lines = explain(store, one, two, file)
    assert lines[0] == f"  from byte {offset} on"
    assert repr(first[offset : offset + 24])[2:-1] in lines[1]
    assert repr(second[offset : offset + 24])[2:-1] in lines[2]
    assert (suspect in lines[-1]) if suspect else len(lines) == 3


def test_a_file_that_is_missing_is_said_to_be(store: Store) -> None:
    one, two = plant(store, "one", {"a": b"1"}), plant(store, "two", {"b": b"1"})
    assert differences(store, one, two) == ("a", "b")
    assert explain(store, one, two, "a") == ("  is only in the first",)
    assert explain(store, one, two, "b") == ("  is only in the second",)
