from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.objects import archive
from bramble.store.tree.plain import archive_digest
from tests.store import oracle

VECTORS = json.loads((Path(__file__).parent / "archive_vectors.json").read_text())

component = (
    st.binary(min_size=1, max_size=130)
    .map(lambda data: data.replace(b"/", b"_").replace(b"\0", b"-"))
    .filter(lambda data: data not in (b".", b".."))
)
member_name = st.lists(component, min_size=1, max_size=4).map(lambda parts: b"/" + b"/".join(parts))


def archive_of(entries: list[dict[str, str]]) -> bytes:
    parts = []
    for entry in sorted(entries, key=lambda entry: entry["path"].encode().split(b"/")):
        name = b"/" + entry["path"].encode()
        if entry["type"] == "directory":
            parts.append(archive.header(name + b"/", archive.DIRECTORY, int(entry["mode"], 8)).data)
        elif entry["type"] == "symlink":
            target = entry["target"].encode()
            parts.append(archive.header(name, archive.SYMLINK, archive.SYMLINK_MODE, 0, target).data)
        else:
            data = base64.b64decode(entry["base64"]) if "base64" in entry else entry["text"].encode()
            head = archive.header(name, archive.FILE, int(entry["mode"], 8), len(data))
            parts += [head.data, data, bytes(archive.padding(len(data)))]
    return b"".join([*parts, archive.END])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_the_archives_of_the_original_have_their_digests(vector: dict[str, object]) -> None:
    assert digest(archive_of(vector["entries"])) == vector["hash"]  # type: ignore[arg-type]


@given(member_name, st.sampled_from([b"0", b"5", b"2"]), st.binary(max_size=300), st.integers(0, 0o7777))
def test_pythons_own_reader_finds_in_a_header_what_was_put_there(
    name: bytes, kind: bytes, target: bytes, mode: int
) -> None:
    target = target.replace(b"\0", b"-") if kind == archive.SYMLINK else b""
    name = name + b"/" if kind == archive.DIRECTORY else name
    data = archive.header(name, kind, mode, 0, target).data
    with tarfile.open(fileobj=io.BytesIO(data + archive.END), encoding="utf-8") as tar:
        (member,) = tar.getmembers()
    assert member.name.encode("utf-8", "surrogateescape") == name.rstrip(b"/")
    assert member.linkname.encode("utf-8", "surrogateescape") == target
    assert member.mode == mode
    assert member.type == kind
    assert (member.uid, member.gid, member.mtime, member.uname, member.gname) == (0, 0, 0, "", "")


@given(member_name, st.sampled_from([b"0", b"5", b"2"]), st.binary(max_size=120), st.integers(0, 8**12))
def test_a_header_is_what_the_chapter_says(name: bytes, kind: bytes, target: bytes, size: int) -> None:
    target = target if kind == archive.SYMLINK else b""
    size = size if kind == archive.FILE else 0
    name = name + b"/" if kind == archive.DIRECTORY else name
    made = archive.header(name, kind, 0o644, size, target)
    data, places = oracle.header(name, 0o644, size, kind, target)
    assert made.data == data
    assert len(made.data) % archive.BLOCK == 0
    for position in (0, len(name) // 2, len(name) - 1):
        in_prefix = "split" in places and position < places["split"]
        assert made.name_at(position) == position + places["prefix" if in_prefix else "name"] or (
            # The slash at which a name is split stands nowhere.
            "split" in places and position == places["split"] - 1
        )
    assert made.target_at == places["target"]


@given(member_name, st.binary(max_size=200).map(lambda data: data.replace(b"\0", b"-")))
def test_whole_names_stand_where_the_header_says(name: bytes, target: bytes) -> None:
    made = archive.header(name, archive.SYMLINK, archive.SYMLINK_MODE, 0, target)
    assert made.data[made.target_at : made.target_at + len(target)] == target
    for position in range(len(name)):
        if position != made.tail_from - 1:
            at = made.name_at(position)
            assert made.data[at : at + 1] == name[position : position + 1]


def test_a_file_of_eight_gibibytes_has_its_size_in_a_record() -> None:
    largest = archive.header(b"/f", archive.FILE, 0o644, archive.LARGEST_OCTAL)
    assert len(largest.data) == 512
    beyond = archive.header(b"/f", archive.FILE, 0o644, archive.LARGEST_OCTAL + 1)
    assert b"19 size=8589934592\n" in beyond.data
    assert tarfile.TarInfo.frombuf(beyond.data[-512:], "utf-8", "strict").size == 0


def test_padding_fills_the_last_block() -> None:
    assert [archive.padding(size) for size in (0, 1, 511, 512, 513)] == [0, 511, 1, 0, 511]


def test_a_link_target_that_is_cut_at_slashes_is_cut_as_go_cuts_it() -> None:
    # archive/tar ends the field at the first of the slashes and leaves the others behind the end.
    target = b"t" * 98 + b"//" + b"t"
    made = archive.header(b"/l", archive.SYMLINK, archive.SYMLINK_MODE, 0, target)
    assert made.data[-512:][157:257] == b"t" * 98 + b"\0/"


def grow(entries: list[dict[str, str]], top: Path) -> None:
    for entry in entries:
        path = top / entry["path"]
        if entry["type"] == "symlink":
            path.symlink_to(entry["target"])
            continue
        if entry["type"] == "directory":
            path.mkdir()
        else:
            text = base64.b64decode(entry["base64"]) if "base64" in entry else entry["text"].encode()
            path.write_bytes(text)
        path.chmod(int(entry["mode"], 8))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_directories_on_disk_have_the_digests_of_their_archives(
    vector: dict[str, object], tmp_path: Path
) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    grow(vector["entries"], top)  # type: ignore[arg-type]
    assert archive_digest(str(top)) == vector["hash"]
    (tmp_path / "link").symlink_to(top)
    assert archive_digest(str(tmp_path / "link")) == vector["hash"]


def test_the_archive_of_what_is_no_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    for name in ("f", "none"):
        with pytest.raises(BrambleError) as caught:
            archive_digest(str(tmp_path / name))
        assert caught.value.code == "store.not-a-directory"
