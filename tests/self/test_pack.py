"""The one file is a function of the source, wherever and by whatever it is made."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bramble.errors import BrambleError
from bramble.self.pack import fault_of, pack, read_packed
from bramble.self.payload import archive, read_archive, source_digest
from bramble.self.tree import source_tree, specification
from tests.self.conftest import Box

TOP = Path(__file__).resolve().parents[2]


def test_the_source_is_what_a_person_would_call_so() -> None:
    files = source_tree()
    assert {"LICENSE", "README.md", "pyproject.toml", "bramble/__init__.py"} <= set(files)
    assert {"spec/12-one-file.md", "spec/guide/tutorial.md", "bramble/library/c.bramble"} <= set(files)
    assert {name.split("/")[0] for name in files} == {
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "bramble",
        "spec",
    }
    assert not [name for name in files if "__pycache__" in name or name.endswith(".pyc")]
    assert "12-one-file.md" in specification()


def test_everything_in_the_checkout_that_git_knows_is_in_the_source() -> None:
    """So that no template or table is forgotten for a rule about names."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "bramble", "spec"],
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no checkout of git's")
    assert sorted(set(listed.stdout.split()) - set(source_tree())) == []


@pytest.mark.parametrize(
    "zone, umask, seed, locale",
    [("UTC", 0o022, "0", "C"), ("Pacific/Chatham", 0o077, "7", "C.UTF-8"), ("America/Lima", 0, "3", "xx_XX")],
)
def test_the_bytes_are_the_same_everywhere(
    zone: str, umask: int, seed: str, locale: str, packed: bytes, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    for name in ("bramble", "spec"):
        shutil.copytree(TOP / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(TOP / name, copy)
    (copy / "bramble" / ".hidden").write_text("of an editor")
    (copy / "bramble" / "errors.py~").write_text("of an editor")
    out = tmp_path / "one"
    environ = {"TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": locale, "PATH": os.environ["PATH"]}
    command = ["sh", "-c", f'umask {umask:o}; exec "$0" "$@"', sys.executable]
    subprocess.run([*command, str(copy / "bramble"), "self", "pack", str(out)], env=environ, check=True)
    assert out.read_bytes() == packed
    assert out.stat().st_mode & 0o777 == 0o755


def test_what_is_packed_packs_itself_again(one_file: Path, box: Box, packed: bytes) -> None:
    """From the copy in the cache, from the archive, and from what is laid out."""
    assert box.run([str(one_file), "self", "pack", "again"]).returncode == 0
    assert (box.base / "again").read_bytes() == packed
    assert box.run([str(one_file), "self", "pack", "archive"], XDG_CACHE_HOME="").returncode == 0
    assert (box.base / "archive").read_bytes() == packed
    assert box.run([str(one_file), "self", "extract", "source"]).returncode == 0
    made = box.run(["python3", "-I", "source/bramble", "self", "pack", "laid-out"])
    assert made.returncode == 0, made.stderr
    assert (box.base / "laid-out").read_bytes() == packed


def test_the_prefix_of_record_stands_nowhere_whole(packed: bytes) -> None:
    """Else Bramble in a store would be rewritten when it moves."""
    assert b"/home/bramble/bramble/bramble_store_" + b"padding" not in packed


def test_the_archive_is_a_plain_zip(packed: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        assert file.testzip() is None
        entries = file.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted([*source_tree(), "__main__.py"], key=str.encode)
    assert {(entry.compress_type, entry.date_time[0], entry.external_attr >> 16) for entry in entries} == {
        (zipfile.ZIP_STORED, 1980, 0o100644)
    }


def test_the_digest_is_that_of_the_archive_alone() -> None:
    files = {"a": b"1", "b/c": b"2"}
    assert read_archive(archive(files)) == files
    assert archive(dict(reversed(list(files.items())))) == archive(files)
    assert source_digest(files) != source_digest({**files, "a": b"3"})


def test_a_file_says_what_it_is(packed: bytes) -> None:
    said = read_packed(packed)
    assert said.digest == source_digest(source_tree())
    assert fault_of(packed) == ""


@pytest.mark.parametrize("at", [20, 900, 4000, 100_000, -30])
def test_any_other_byte_is_a_fault(at: int, packed: bytes) -> None:
    changed = bytearray(packed)
    changed[at] ^= 1
    assert fault_of(bytes(changed))


def test_missing_and_added_bytes_are_a_fault(packed: bytes) -> None:
    assert fault_of(packed[:-1]) and fault_of(packed + b"\n") and fault_of(packed[:3000]) and fault_of(b"")


def test_verify_prints_what_the_tools_of_the_machine_print(one_file: Path, box: Box, packed: bytes) -> None:
    done = box.run([str(one_file), "self", "verify"])
    assert done.returncode == 0, done.stderr
    assert f"sha256 {hashlib.sha256(packed).hexdigest()}\n" in done.stdout
    version = box.run([str(one_file), "version"]).stdout
    assert re.search(r"^source ([a-z2-7]{32})$", done.stdout, re.M)[0] in version  # type: ignore[index]
    one_file.with_name("other").write_bytes(packed[:-7])
    other = box.run([str(one_file), "self", "verify", "other"], BRAMBLE_ERROR_FORMAT="json")
    assert (other.returncode, '"self.damaged"' in other.stderr) == (1, True)


def test_verify_of_what_is_no_file_says_so(one_file: Path, box: Box) -> None:
    box.run([str(one_file), "self", "extract", "source"])
    for words in (
        ["python3", "-I", "source/bramble", "self", "verify"],
        [str(one_file), "self", "verify", "no"],
    ):
        done = box.run(words)
        assert done.returncode == 1 and "Traceback" not in done.stderr
    # The command that pip makes is a script, too, and nothing is wrong with it.
    one_file.with_name("command").write_bytes(b"#!/usr/bin/python3\nfrom bramble.__main__ import main\n")
    done = box.run([str(one_file), "self", "verify", "command"])
    assert done.returncode == 1 and "error[self.no-file]" in done.stderr, done.stderr


def test_source_is_laid_out_only_where_nothing_is(one_file: Path, box: Box) -> None:
    (box.base / "full").mkdir()
    (box.base / "full" / "mine").write_text("precious")
    done = box.run([str(one_file), "self", "extract", "full"], BRAMBLE_ERROR_FORMAT="json")
    assert (done.returncode, '"self.not-empty"' in done.stderr) == (1, True)
    assert os.listdir(box.base / "full") == ["mine"]


def tree(top: Path) -> Path:
    for name in ("LICENSE", "README.md", "pyproject.toml", "bramble/__init__.py", "spec/a.md"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    return top / "bramble"


def test_an_installed_package_has_the_same_source(tmp_path: Path) -> None:
    checkout = tree(tmp_path / "checkout")
    package = tree(tmp_path / "site")
    for name in ("LICENSE", "README.md", "pyproject.toml", "spec"):
        (tmp_path / "site" / name).rename(package / name)
    (tmp_path / "site" / "other").mkdir()
    assert source_tree(str(package)) == source_tree(str(checkout))


def test_links_and_odd_names_among_the_source_are_refused(tmp_path: Path) -> None:
    for name, make in (
        ("link.py", lambda path: path.symlink_to("/etc/passwd")),
        ("fifo", os.mkfifo),
        ("ä.py", lambda path: path.write_text("")),
    ):
        package = tree(tmp_path / name.split(".")[0].replace("ä", "a"))
        make(package / name)
        with pytest.raises(BrambleError) as caught:
            source_tree(str(package))
        assert caught.value.code == "self.odd-source"


def test_a_source_that_lacks_something_is_none(tmp_path: Path) -> None:
    package = tree(tmp_path)
    (tmp_path / "LICENSE").unlink()
    with pytest.raises(BrambleError) as caught:
        source_tree(str(package))
    assert caught.value.code == "self.no-source"


def test_an_older_and_a_newer_version_are_both_checked() -> None:
    """`verify` goes by what is in the file, not by what runs."""
    files = {**source_tree(), "bramble/__init__.py": b'__version__ = "9.9"\n', "bramble/new": b"x"}
    assert read_packed(pack(files)).version == "9.9"
    assert fault_of(pack(files)) == ""


def test_tools_for_zips_find_nothing_odd(one_file: Path, packed: bytes) -> None:
    """The offsets count from the beginning of the file, which the directory's own offset shows."""
    end = packed.rindex(b"PK\x05\x06")
    size, offset = (int.from_bytes(packed[end + at : end + at + 4], "little") for at in (12, 16))
    assert (offset + size, packed[offset : offset + 4]) == (end, b"PK\x01\x02")
    unzip = shutil.which("unzip")
    if unzip:
        done = subprocess.run([unzip, "-tqq", str(one_file)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_beginning_that_is_too_long_is_refused() -> None:
    files = source_tree()
    with pytest.raises(ValueError, match="16384"):
        pack({**files, "bramble/self/boot.py": files["bramble/self/boot.py"] * 2})
