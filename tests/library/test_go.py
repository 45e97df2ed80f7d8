"""std/go: the modules of a go.sum, as go wants them from a proxy, and what a program is built with."""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.cli.world import World

# What a build function makes is up to the tools of this machine; who builds, and with which Python, is what
# the tests of the sandbox, of builds and of commands are about.
pytestmark = pytest.mark.once

VERSION = "v1.0.0-RC1"
MODULE = "example.test/Up"
SOURCE = 'package up\n\nimport "unsafe"\n\nvar Size = int(unsafe.Sizeof(0))\n'


def hash_of(files: dict[str, bytes]) -> str:
    """The h1 hash of a go.sum (golang.org/x/mod/sumdb/dirhash): of the names and hashes of all files."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def proxy(directory: Path, source: str = SOURCE) -> str:
    """Write a proxy with one module; return the go.sum that names it."""
    place = directory / "example.test/!up/@v"
    place.mkdir(parents=True, exist_ok=True)
    mod = f"module {MODULE}\n\ngo 1.18\n".encode()
    (place / "v1.0.0-!r!c1.mod").write_bytes(mod)
    files = {f"{MODULE}@{VERSION}/go.mod": mod, f"{MODULE}@{VERSION}/up.go": source.encode()}
    with zipfile.ZipFile(place / "v1.0.0-!r!c1.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return f"{MODULE} {VERSION} {hash_of(files)}\n{MODULE} {VERSION}/go.mod {hash_of({'go.mod': mod})}\n"


def prepare(project: World) -> None:
    (project.project / "bramble.toml").write_text(
        '[package]\nname = "example.com/p"\nversion = "0.1.0"\n[mirror]\n"https://go.test/" = "proxy/"\n'
    )
    (project.project / "go.sum").write_text(proxy(project.project / "proxy"))
    (project.project / "go.mod").write_text(f"module p\n\ngo 1.18\n\nrequire {MODULE} {VERSION}\n")
    (project.project / "main.go").write_text(
        f'package main\n\nimport up "{MODULE}"\n\nfunc main() {{ print(up.Size) }}\n'
    )
    project.write(
        default="""
load("std/go")

def modules():
    return go.modules(read("go.sum"), proxy="https://go.test")

def app(keep_compiler=False):
    sources = files(["go.mod", "go.sum", "main.go"])
    return go.program("app", sources, modules=modules(), keep_compiler=keep_compiler)

def kept():
    return app(keep_compiler=True)

def wrong():
    return go.modules("a b c", proxy="https://go.test")
"""
    )


def test_the_modules_of_a_sum_lie_as_in_a_proxy(project: World) -> None:
    prepare(project)
    done = project.run("build", "--json", "./:modules")
    assert done.status == 0, done.err
    made = Path(done.json["results"][0]["outputs"]["out"]["path"]) / "example.test/!up/@v"
    theirs = project.project / "proxy/example.test/!up/@v"
    for name in ("v1.0.0-!r!c1.mod", "v1.0.0-!r!c1.zip"):
        assert (made / name).read_bytes() == (theirs / name).read_bytes()
    assert (made / "v1.0.0-!r!c1.info").read_text() == f'{{"Version":"{VERSION}"}}'
    assert (
        "https://go.test/example.test/!up/@v/v1.0.0-!r!c1.zip"
        in (project.project / "bramble.lock").read_text()
    )
    assert project.run("build", "./:wrong").codes == ["eval.fail"]


def test_a_program_may_not_need_the_compiler_unless_that_is_allowed(project: World) -> None:
    prepare(project)

    def env(target: str) -> dict[str, str]:
        done = project.run("build", "--just-parse", "--json", target).json
        found: dict[str, str] = done["graph"][done["results"][0]["derivations"][0]]["Env"]
        return found

    assert env("./:app")["disallowed_closure"] in env("./:app")["PATH"]
    assert "disallowed_closure" not in env("./:kept")
    assert env("./:app")["CGO_ENABLED"] == "0" and "-trimpath" in env("./:app")["GOFLAGS"]


@pytest.mark.skipif(
    shutil.which("go", path="/usr/local/bin:/usr/bin") is None, reason="there is no go to copy"
)
def test_a_program_is_built_of_modules_that_its_sum_names(project: World) -> None:
    prepare(project)
    done = project.run("build", "--offline", "--json", "./:app")
    assert done.status == 0, done.err
    assert done.json["results"][0]["outputs"]["out"]["references"] == []
    ran = project.run("run", "./:app", "app")
    assert ran.status == 0 and ran.err.strip().endswith("8"), ran.err
    # The sum is one of another module with this name and version than the proxy has.
    (project.project / "go.sum").write_text(proxy(project.project / "other", SOURCE + "// another\n"))
    refused = project.run("build", "--offline", "./:app")
    assert refused.codes == ["build.failed"] and "checksum mismatch" in refused.err
