"""std/rust: the crates of a lock as a directory of vendored ones, and a program that is linked by std/c."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.cli.world import World

# What a build function makes is up to the tools of this machine; who builds, and with which Python, is what
# the tests of the sandbox, of builds and of commands are about.
pytestmark = pytest.mark.once

LOCK = """version = 3

[[package]]
name = "app"
version = "0.1.0"

[[package]]
name = "small"
version = "1.2.0"
source = "registry+https://index.test/crates"
checksum = "%s"
"""
DEFAULT = """
load("std/rust")

def vendored(registry="https://crates.test/{name}-{version}.crate"):
    return rust.vendor(toml.decode(read("Cargo.lock")), registry)

def nowhere():
    return vendored("")

def other():
    return rust.vendor({"package": [{"name": "a", "version": "1", "source": "git+https://git.test/a"}]})

def app():
    lock = {"package": [{"name": "app", "version": "0.1.0"}]}
    return rust.program("app", files(["app/**"]), lock, directory="app", tests=True)
"""


def prepare(project: World) -> None:
    crates = project.project / "crates"
    crates.mkdir()
    with tarfile.open(crates / "small-1.2.0.crate", "w:gz") as archive:
        member = tarfile.TarInfo("small-1.2.0/src/lib.rs")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"//"))
    digest = hashlib.sha256((crates / "small-1.2.0.crate").read_bytes()).hexdigest()
    (project.project / "Cargo.lock").write_text(LOCK % digest)
    (project.project / "bramble.toml").write_text(
        '[package]\nname = "example.com/p"\nversion = "0.1.0"\n[mirror]\n"https://crates.test/" = "crates/"\n'
    )
    project.write(default=DEFAULT)


def test_the_crates_of_a_lock_are_laid_out_as_vendored(project: World) -> None:
    prepare(project)
    done = project.run("build", "--offline", "--json", "./:vendored")
    assert done.status == 0, done.err
    made = Path(done.json["results"][0]["outputs"]["out"]["path"]) / "small-1.2.0"
    assert (made / "src/lib.rs").read_text() == "//"
    checksum = json.loads((made / ".cargo-checksum.json").read_text())
    assert checksum["files"] == {} and checksum["package"] in (project.project / "Cargo.lock").read_text()
    assert not (project.project / "bramble.lock").exists(), "Cargo.lock has the checksums"
    assert project.run("build", "./:nowhere").codes == ["eval.fail"]
    assert project.run("build", "./:other").codes == ["eval.fail"]


@pytest.mark.skipif(
    not all(shutil.which(name, path="/usr/local/bin:/usr/bin") for name in ("rustc", "cargo", "g++")),
    reason="there is no Rust to copy",
)
def test_a_program_is_built_and_tested(project: World) -> None:
    prepare(project)
    (project.project / "app/src").mkdir(parents=True)
    manifest = '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2018"\n'
    (project.project / "app/Cargo.toml").write_text(manifest)
    (project.project / "app/Cargo.lock").write_text(LOCK.rpartition("\n[[package]]")[0])
    program = 'fn main() { println!("{}", file!()) }\n#[test]\nfn t() { assert_eq!(1 + 1, 2) }\n'
    (project.project / "app/src/main.rs").write_text(program)
    done = project.run("build", "--offline", "--json", "./:app")
    assert done.status == 0, done.err
    assert len(done.json["results"][0]["outputs"]["out"]["references"]) == 1, "the runtime of gcc"
    assert project.run("run", "./:app", "app").out == "src/main.rs\n"
    (project.project / "app/src/main.rs").write_text(program.replace("2)", "3)"))
    assert project.run("build", "--offline", "./:app").codes == ["build.failed"]
