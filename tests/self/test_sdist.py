"""The source distribution: the repository, as bytes that no library has a say in."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bramble import __version__
from bramble.errors import BrambleError
from bramble.self.repository import TOP, checkout, read_repository
from bramble.self.sdist import SourceFile, _gzip, _record, sdist

ROOT = Path(__file__).resolve().parents[2]
STEM = f"bramble-{__version__}"


@pytest.fixture(scope="module")
def repository() -> dict[str, SourceFile]:
    assert checkout() == str(ROOT)
    return dict(read_repository(str(ROOT)))


@pytest.fixture
def few(repository: dict[str, SourceFile]) -> dict[str, SourceFile]:
    names = ("pyproject.toml", "README.md", "LICENSE", "bramble/__init__.py", ".ci/run")
    return {name: repository[name] for name in names}


def unpacked(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive.getmembers()}


def test_it_holds_what_git_knows(repository: dict[str, SourceFile]) -> None:
    # spec: self.sdist.files
    if not (ROOT / ".git").exists():
        # Of an unpacked source distribution nothing else knows what belongs to it.
        assert {path.split("/")[0] for path in repository} == set(TOP)
        return
    done = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-s", "-z"], capture_output=True, text=True, check=True
    )
    known = {line.split("\t")[1]: line[:6] == "100755" for line in done.stdout.split("\0") if line}
    new = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-oz", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    there = {path: file.executable for path, file in repository.items() if path not in new}
    assert there == {path: mode for path, mode in known.items() if (ROOT / path).exists()}


def test_a_repository_that_was_used_is_the_same(few: dict[str, SourceFile], tmp_path: Path) -> None:
    # spec: self.sdist.files
    for path, file in few.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(file.data)
    (tmp_path / ".ci/run").chmod(0o700)
    for name in TOP:
        if not (tmp_path / name).exists():
            (tmp_path / name).mkdir()
    before = read_repository(str(tmp_path))
    assert before == few
    for path in ("hello/x", "build/x", "PKG-INFO", "bramble/__pycache__/a.pyc", "spec/.x.swp", "tests/a.py~"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    assert read_repository(str(tmp_path)) == before
    os.symlink("/etc/passwd", tmp_path / "tests/passwd")
    with pytest.raises(BrambleError) as caught:
        read_repository(str(tmp_path))
    assert caught.value.code == "self.odd-source" and "tests/passwd" in caught.value.message


def test_other_programs_read_it(repository: dict[str, SourceFile], tmp_path: Path) -> None:
    # spec: self.sdist
    data = sdist(repository)
    found = unpacked(data)
    files = {name[len(STEM) + 1 :]: member for name, member in found.items() if member.isfile()}
    assert set(files) == {*repository, "PKG-INFO"}
    for path, file in repository.items():
        assert files[path].mode == (0o755 if file.executable else 0o644)
    assert {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m in found.values()} == {(0, 0, 0, "", "")}
    assert list(found) == sorted(
        found, key=lambda name: f"{name}/".encode() if found[name].isdir() else name.encode()
    )
    (tmp_path / "it.tar.gz").write_bytes(data)
    subprocess.run(["tar", "-C", str(tmp_path), "-xzf", str(tmp_path / "it.tar.gz")], check=True)
    for path, file in repository.items():
        assert (tmp_path / STEM / path).read_bytes() == file.data


def test_one_of_an_unpacked_one_is_the_same(repository: dict[str, SourceFile], tmp_path: Path) -> None:
    # spec: self.sdist
    data = sdist(repository)
    subprocess.run(["tar", "-C", str(tmp_path), "-xz"], input=data, check=True)
    program = (
        "import os, sys; os.umask(0); sys.path.insert(0, sys.argv[1])\n"
        "from bramble.self.backend import build_sdist\nprint(build_sdist(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(tmp_path / STEM), str(tmp_path)],
        cwd=tmp_path / STEM,
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "3", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{STEM}.tar.gz\n" and (tmp_path / f"{STEM}.tar.gz").read_bytes() == data


def test_it_needs_the_whole_repository(tmp_path: Path) -> None:
    # spec: self.sdist
    for name in ("bramble", "spec"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    program = (
        "import sys; sys.path.insert(0, '.')\nfrom bramble.self import backend\n"
        "try: backend.build_sdist('.')\nexcept backend.UnsupportedOperation as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "clone" in done.stdout and not list(tmp_path.glob("*.gz"))


@pytest.mark.parametrize("length", [100, 101, 155, 300, 5000])
def test_long_names_are_whole(few: dict[str, SourceFile], length: int) -> None:
    # spec: self.sdist.bytes
    path = ("d" * 40 + "/") * (length // 41)
    path = (
        path + "x" * (length - len(path) - len(STEM) - 1)
        if length - len(path) > len(STEM) + 1
        else path + "x"
    )
    found = unpacked(sdist({**few, path: SourceFile(b"held")}))
    assert found[f"{STEM}/{path}"].size == 4


def test_a_name_that_is_not_ascii_is_utf8(few: dict[str, SourceFile]) -> None:
    # spec: self.sdist.bytes
    assert unpacked(sdist({**few, "ä/ö": SourceFile(b"held")}))[f"{STEM}/ä/ö"].size == 4


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 65535, 65536, 3 * 65535, 1 << 20])
def test_any_size_comes_back(few: dict[str, SourceFile], size: int) -> None:
    # spec: self.sdist.bytes
    data = sdist({**few, "tests/x": SourceFile(bytes(range(256)) * (size // 256) + bytes(size % 256))})
    # No name, no time, nothing of the machine in the header; and gzip's own check of sum and length.
    assert data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert len(gzip.decompress(data)) % 512 == 0
    assert unpacked(data)[f"{STEM}/tests/x"].size == size


@pytest.mark.parametrize("size", [0, 1, 65534, 65535, 65536, 2 * 65535, 2 * 65535 + 1])
def test_the_last_block_is_told_wherever_it_ends(size: int) -> None:
    # spec: self.sdist.bytes
    assert gzip.decompress(_gzip(b"x" * size)) == b"x" * size


@pytest.mark.parametrize("length", [*range(1, 120), *range(980, 1000)])
def test_a_record_counts_its_own_digits(length: int) -> None:
    # spec: self.sdist.bytes
    record = _record(b"path", b"x" * length)
    assert int(record.partition(b" ")[0]) == len(record)
