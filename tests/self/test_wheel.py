"""The wheel: a function of the source, with what installers read in it."""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bramble import __version__
from bramble.errors import BrambleError
from bramble.self.metadata import core_metadata, read_metadata
from bramble.self.tree import source_tree
from bramble.self.wheel import editable_wheel, path_line, wheel, wheel_name

ROOT = Path(__file__).resolve().parents[2]
INFO = f"bramble-{__version__}.dist-info"


@pytest.fixture(scope="module")
def tree() -> dict[str, bytes]:
    return dict(source_tree())


@pytest.fixture(scope="module")
def made(tree: dict[str, bytes]) -> bytes:
    return wheel(tree)


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_whole_source_stands_in_the_package(tree: dict[str, bytes], made: bytes) -> None:
    # spec: self.wheel
    inside = {name: data for name, data in members(made).items() if not name.startswith(f"{INFO}/")}
    assert inside == {
        (path if path.startswith("bramble/") else f"bramble/{path}"): data for path, data in tree.items()
    }
    assert {"bramble/py.typed", "bramble/LICENSE", "bramble/spec/05-store.md"} <= set(inside)


def test_members_are_stored_in_order_with_one_date_and_one_mode(made: bytes) -> None:
    # spec: self.wheel.bytes
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    package = [name for name in names if not name.startswith(INFO)]
    assert package == sorted(package) and names[: len(package)] == package
    about = names[len(package) :]
    assert about == [*sorted(about[:-1]), f"{INFO}/RECORD"]
    assert {(e.compress_type, e.date_time, e.external_attr >> 16, e.create_system) for e in entries} == {
        (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0), 0o100644, 3)
    }


def test_the_record_has_every_member(made: bytes) -> None:
    # spec: self.wheel.info
    found = members(made)
    rows = list(csv.reader(io.StringIO(found[f"{INFO}/RECORD"].decode("utf-8"))))
    assert [row[0] for row in rows] == list(found)
    for path, digest, size in rows[:-1]:
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(found[path]).digest()).decode().rstrip("=")
        assert (digest, size) == (f"sha256={sha256}", str(len(found[path])))
    assert rows[-1][1:] == ["", ""]


def test_the_metadata_says_what_the_project_file_says(tree: dict[str, bytes], made: bytes) -> None:
    # spec: self.wheel.info
    found = members(made)
    said = email.message_from_bytes(found[f"{INFO}/METADATA"])
    assert (said["Metadata-Version"], said["Name"], said["Version"]) == ("2.4", "bramble", __version__)
    assert (said["Requires-Python"], said["License-Expression"], said["License-File"]) == (
        *(">=3.9", "MIT"),
        "LICENSE",
    )
    assert said.get_all("Requires-Dist") == ['pytest; extra == "test"', 'hypothesis; extra == "test"']
    assert said.get_payload(decode=True) == tree["README.md"]
    assert found[f"{INFO}/licenses/LICENSE"] == tree["LICENSE"]
    assert found[f"{INFO}/entry_points.txt"] == b"[console_scripts]\nbramble = bramble.__main__:start\n"
    assert found[f"{INFO}/WHEEL"].decode("ascii").splitlines() == [
        "Wheel-Version: 1.0",
        f"Generator: bramble {__version__}",
        "Root-Is-Purelib: true",
        "Tag: py3-none-any",
    ]
    assert wheel_name(read_metadata(tree)) == f"bramble-{__version__}-py3-none-any.whl"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the interpreter has no reader of its own for TOML")
def test_the_project_file_is_read_as_the_library_reads_it(tree: dict[str, bytes]) -> None:
    # spec: self.wheel.info
    tomllib: Any = __import__("tomllib")
    project = tomllib.loads(tree["pyproject.toml"].decode("utf-8"))["project"]
    metadata = read_metadata(tree)
    assert list(metadata.classifiers) == project["classifiers"] and metadata.summary == project["description"]
    assert dict(metadata.scripts) == project["scripts"]


def test_the_bytes_depend_on_nothing_but_the_source(made: bytes, tmp_path: Path) -> None:
    # spec: self.wheel.bytes
    program = (
        "import os, sys; os.umask(0o077); sys.path.insert(0, sys.argv[1])\n"
        "from bramble.self.tree import source_tree\nfrom bramble.self.wheel import wheel\n"
        "import hashlib; print(hashlib.sha256(wheel(source_tree())).hexdigest())"
    )
    for seed, zone, language in (("1", "Pacific/Kiritimati", "C"), ("7", "America/New_York", "tr_TR.UTF-8")):
        done = subprocess.run(
            [sys.executable, "-c", program, str(ROOT)],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == hashlib.sha256(made).hexdigest()


def test_the_order_of_the_tree_does_not_matter(tree: dict[str, bytes], made: bytes) -> None:
    # spec: self.wheel.bytes
    assert wheel(dict(reversed(list(tree.items())))) == made
    assert wheel({**tree, "bramble/new.py": b""}) != made


def test_an_editable_wheel_holds_a_line_with_the_path(tree: dict[str, bytes]) -> None:
    # spec: self.wheel.editable
    found = members(editable_wheel(tree, "/home/me/clone"))
    assert found[f"__editable__.bramble-{__version__}.pth"] == b"/home/me/clone\n"
    assert [name for name in found if not name.startswith(INFO)] == [
        f"__editable__.bramble-{__version__}.pth"
    ]


@pytest.mark.parametrize(
    "directory", ["/a b/c", "/tmp/käse", "/tmp/x\ny", "/tmp/\udcff", "/tmp/end ", "/tmp/it's", '/tmp/"\\n']
)
def test_any_path_becomes_one_line_that_python_understands(directory: str, tmp_path: Path) -> None:
    # spec: self.wheel.editable
    line = path_line(directory)
    assert line.count(b"\n") == 1 and line.isascii()
    (tmp_path / "it.pth").write_bytes(line)
    program = "import os, site, sys\nsite.addpackage(sys.argv[1], 'it.pth', None)\nprint(ascii(sys.path[-1]))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    # A plain line is taken only where it leads to a directory.
    if line.startswith(b"import "):
        assert done.stdout == f"{ascii(directory)}\n"


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("pyproject.toml", b'dynamic = ["version"]', b'version = "1"', "dynamic"),
        ("pyproject.toml", b"dependencies = []", b'dependencies = ["x"]', "dependencies"),
        ("pyproject.toml", b'name = "bramble"', b'name = "Bram ble"', "Bram ble"),
        ("pyproject.toml", b'license = "MIT"', b'license = { text = "MIT" }', "project.license"),
        ("pyproject.toml", b'readme = "README.md"', b'readme = "NONE.md"', "NONE.md"),
        ("pyproject.toml", b'license-files = ["LICENSE"]', b'license-files = ["NONE"]', "NONE"),
        ("pyproject.toml", b"description = ", b'description = "a\\nb"\nx = ', "project.description"),
        ("bramble/__init__.py", b"__version__ = ", b"version = ", "__version__"),
        ("README.md", b"Bramble", b"\xff", "UTF-8"),
    ],
)
def test_what_the_metadata_lacks_is_an_error(
    tree: dict[str, bytes], path: str, old: bytes, new: bytes, said: str
) -> None:
    # spec: self.wheel.info
    assert old in tree[path]
    with pytest.raises(BrambleError) as caught:
        wheel({**tree, path: tree[path].replace(old, new, 1)})
    assert caught.value.code == "self.metadata" and said in caught.value.message


def test_metadata_ends_with_the_readme(tree: dict[str, bytes]) -> None:
    head, _, body = core_metadata(read_metadata(tree)).partition(b"\n\n")
    assert b"\n\n" not in head and body == tree["README.md"]
