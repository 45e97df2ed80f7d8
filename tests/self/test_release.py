"""`bramble self release`: the same files from everywhere, and never other ones in their place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble import __version__
from bramble.commands.self import release
from bramble.commands.self.release import CHECK, SIGN, write_release
from bramble.errors import BrambleError
from bramble.self.release import sums
from bramble.self.repository import TOP, read_repository

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["SHA256SUMS", "bramble", f"bramble-{__version__}-py3-none-any.whl", f"bramble-{__version__}.tar.gz"]


def run(
    top: Path, *words: str, cwd: Path, umask: int = 0o022, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-B", str(top / "bramble"), *words],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environ},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.umask(umask) and None,
    )


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = tmp_path_factory.mktemp("release")
    done = run(ROOT, "self", "release", "out", cwd=base)
    assert done.returncode == 0, done.stderr
    assert SIGN in done.stdout and CHECK in done.stdout
    yield base / "out"


def contents(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mode & 0o777, path.read_bytes()) for path in directory.iterdir()}


def test_a_release_is_three_files_and_their_sums(released: Path) -> None:
    # spec: self.release
    found = contents(released)
    assert sorted(found) == NAMES
    assert {name: mode for name, (mode, _) in found.items()} == {
        name: 0o755 if name == "bramble" else 0o644 for name in NAMES
    }
    lines = [f"{hashlib.sha256(found[name][1]).hexdigest()}  {name}" for name in NAMES[1:]]
    assert found["SHA256SUMS"][1].decode("ascii") == "\n".join(lines) + "\n"
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=released, check=True)
    assert sums({"b": "2", "a": "1"}) == b"1  a\n2  b\n"


def test_a_copy_elsewhere_makes_the_same_bytes(released: Path, tmp_path: Path) -> None:
    # spec: self.release
    top = tmp_path / "somewhere else"
    for path, file in read_repository(str(ROOT)).items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(file.data)
        os.chmod(top / path, 0o700 if file.executable else 0o600)
    environ = {"PYTHONHASHSEED": "5", "TZ": "Asia/Kolkata", "LC_ALL": "C"}
    other = run(top, "self", "release", "--json", "other", cwd=tmp_path, umask=0o077, **environ)
    assert other.returncode == 0, other.stderr
    assert contents(tmp_path / "other") == contents(released)
    told = json.loads(other.stdout)
    assert [file["name"] for file in told["files"]] == [*NAMES[1:], NAMES[0]]
    # No git, no word of it.
    assert told["committed"] is None and other.stderr == ""
    for file in told["files"]:
        assert file["sha256"] == hashlib.sha256((released / file["name"]).read_bytes()).hexdigest()


def test_what_is_there_already_is_left_alone(released: Path, tmp_path: Path) -> None:
    # spec: self.release.kept
    out = tmp_path / "out"
    shutil.copytree(released, out)
    (out / "bramble").unlink()
    (out / "notes.md").write_text("mine")
    before = {name: (out / name).stat().st_mtime_ns for name in NAMES if name != "bramble"}
    write_release(str(out))
    assert contents(out)["bramble"] == contents(released)["bramble"]
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before
    assert (out / "notes.md").read_text() == "mine"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["other", "link", "longer", "directory"])
def test_what_differs_is_never_overwritten(released: Path, tmp_path: Path, name: str, how: str) -> None:
    # spec: self.release.kept
    out = tmp_path / "out"
    out.mkdir()
    if how == "link":
        (out / name).symlink_to(released / name)
    elif how == "directory":
        (out / name).mkdir()
    else:
        (out / name).write_bytes((released / name).read_bytes() + b"x" if how == "longer" else b"mine")
    with pytest.raises(BrambleError) as caught:
        write_release(str(out))
    assert caught.value.code == "self.release-differs" and name in caught.value.message
    assert os.listdir(out) == [name]


def test_without_the_whole_repository_there_is_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: self.release
    monkeypatch.setattr(release, "checkout", lambda: None)
    with pytest.raises(BrambleError) as caught:
        write_release(str(tmp_path / "out"))
    assert caught.value.code == "self.no-checkout" and not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BrambleError) as caught:
        write_release(str(tmp_path / "file" / "out"))
    assert caught.value.code == "cli.unwritable"


def test_changes_that_are_not_committed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: self.release.uncommitted
    def git(*words: str) -> None:
        own = ("-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *own, "-C", str(tmp_path), *words], check=True, capture_output=True)

    for name in TOP:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "everything")
    assert release._uncommitted(str(tmp_path)) is False
    (tmp_path / "hello").write_text("no part of the source")
    assert release._uncommitted(str(tmp_path)) is False
    (tmp_path / "bramble/new.py").write_text("")
    assert release._uncommitted(str(tmp_path)) is True
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert release._uncommitted(str(tmp_path)) is True
    monkeypatch.setattr(release, "_GIT_PATH", "/nowhere")
    assert release._uncommitted(str(tmp_path)) is None


def test_the_signature_is_made_and_checked_as_it_is_told(released: Path, tmp_path: Path) -> None:
    # spec: self.release.signature
    if shutil.which("ssh-keygen") is None:
        pytest.skip("this machine has no ssh-keygen, which Bramble names and does not run")
    out = tmp_path / "out"
    shutil.copytree(released, out)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(out / "KEY")], check=True)
    (out / "SIGNERS").write_text(f"NAME {(out / 'KEY.pub').read_text()}")
    subprocess.run(["sh", "-ec", SIGN], cwd=out, check=True, capture_output=True)
    subprocess.run(["sh", "-ec", CHECK], cwd=out, check=True, capture_output=True)
    (out / "SHA256SUMS").write_text("0" * 64 + "  bramble\n")
    assert subprocess.run(["sh", "-ec", CHECK], cwd=out, capture_output=True, check=False).returncode
