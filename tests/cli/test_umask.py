"""Whatever umask a person has: everything works, and nothing that is made can be written to by others."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.cli.world import World

TARGETS = """
load("example.com/p/tools")
def far():
    return derivation("far", "fetch_url", env={"url": "file://TOP/p/d/a.tar"})
def it():
    t = tools.tools()
    return derivation(
        "it",
        t.out + "/bin/sh",
        ["-c", "mkdir $out/bin; cat d/e/text $far/x/y > $out/bin/it; ln -s it $out/bin/l"],
        files(["d/e/text"]),
        {"PATH": t.out + "/bin", "far": far()},
    )
"""


@pytest.mark.parametrize("umask", ["000", "077", "0777"])
def test_a_build_a_collection_and_an_import_leave_nothing_that_others_can_write_to(
    tooled: World, umask: str
) -> None:
    deep = tooled.project / "d" / "e"
    deep.mkdir(parents=True)
    (deep / "text").write_text("text")
    with tarfile.open(tooled.project / "d" / "a.tar", "w") as archive:
        member = tarfile.TarInfo("x/y")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"far\n"))
    tooled.write(default=TARGETS.replace("TOP", str(tooled.base)))

    def under(*words: str, store: str = "s", stdin: bytes = b"") -> bytes:
        line = ["sh", "-c", f'umask {umask}; exec "$@"', "sh", *tooled.command(*words)]
        environment = tooled.environment(BRAMBLE_PATH=f"{tooled.base}/{store}")
        done = subprocess.run(line, cwd=tooled.project, env=environment, input=stdin, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    built = under("build", "./:it").decode().strip()
    under("build", "--check", "./:it")
    exported = under("store", "export", built)
    under("gc")
    under("store", "import", store="t", stdin=exported)
    under("store", "verify", store="t")
    assert Path(built, "bin/it").read_text() == "textfar\n"
    for store in ("s", "t"):
        top = tooled.base / store
        assert stat.S_IMODE(top.stat().st_mode) == 0o755 & ~int(umask, 8) | 0o700
        for directory, names, files in os.walk(top):
            for name in (*names, *files):
                path = os.path.join(directory, name)
                mode = os.lstat(path).st_mode
                assert stat.S_ISLNK(mode) or not mode & 0o022, path
                assert stat.S_ISLNK(mode) or mode & 0o400, path
