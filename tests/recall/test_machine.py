"""A project that changes at random: with the cache every command says what it says without."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.cli.conftest import TOOLS
from tests.cli.world import Ran, World, remove_store
from tests.recall.marked import settle

FILES = st.sampled_from(["src/a", "src/b", "src/deep/c", "src/.hidden", "lib/src/a"])
MODULES = st.sampled_from(["default", "lib/default", "lib/more", "more", "more/default"])
LINKS = st.sampled_from(["src/a", "src/link", "lib/default.bramble", "more.bramble"])
TARGETS = st.sampled_from(["a", "b", "../src/b", "deep/c", "absent", "/etc/hostname", "../lib/more.bramble"])
DIRECTORIES = st.sampled_from(["src", "src/deep", "lib", "more"])
CONTENTS = st.sampled_from(["one\n", "two\n", "three\n"])
# Modules of equal size, and some that are wrong.
BODIES = st.sampled_from(
    [
        'def f():\n    return script("f1", "ls > $out/x", sources = files(["src/**"]))\n',
        'def f():\n    return script("f2", "ls > $out/x", sources = files(["src/**"]))\n',
        'def f():\n    return script("f3", "cat src/a > $out/x", sources = ["src/a"])\n',
        'def g():\n    print(sys.target)\n    return script("g", read("src/a") and "ls > $out/y")\n',
        'load("example.com/p/more", m = "f")\ndef f():\n    return m()\n',
        "def f(:\n",
    ]
)
COMMANDS = (
    ("graph", "--json", "./..."),
    ("build", "--json", "./:f"),
    ("build", "-k", "./..."),
    ("ls", "--json"),
    ("build", "--just-parse", "./lib/..."),
)


def said(ran: Ran) -> tuple[int, str, list[str]]:
    return ran.status, ran.out, ran.codes


class Projects(RuleBasedStateMachine):
    """Files come, change in place, are put back, replaced, linked and removed; then it is asked."""

    @initialize()
    def begin(self) -> None:
        self.world = World(Path(tempfile.mkdtemp(prefix="b", dir="/tmp")))
        self.project = self.world.project
        (self.project / "src" / "deep").mkdir(parents=True)
        (self.project / "src" / "a").write_text("one\n")
        (self.project / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
        self.world.write(tools=TOOLS)
        self.module("default", 'def f():\n    return script("f1", "ls > $out/x")\n')

    def teardown(self) -> None:
        if hasattr(self, "world"):
            remove_store(self.world.base)

    def free(self, path: Path) -> bool:
        """Say whether a file can be made there."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return not path.is_dir() and not path.is_symlink()

    def write(self, path: Path, text: str, how: str) -> None:
        if not self.free(path):
            return
        before = path.stat() if path.exists() else None
        if how == "replaced":
            (self.world.base / "new").write_text(text)
            os.rename(self.world.base / "new", path)
        else:
            path.write_text(text)
        if before is not None and how != "written":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(name=FILES, text=CONTENTS, how=st.sampled_from(["written", "put back", "replaced"]))
    def source(self, name: str, text: str, how: str) -> None:
        self.write(self.project / name, text, how)

    @rule(name=MODULES, body=BODIES, how=st.sampled_from(["written", "put back", "replaced"]))
    def module(self, name: str, body: str, how: str = "written") -> None:
        head = "" if body.startswith("def f(:") else 'load("example.com/p/tools", "script")\n'
        self.write(self.project / f"{name}.bramble", head + body, how)

    @rule(name=LINKS, leads=TARGETS)
    def link(self, name: str, leads: str) -> None:
        path = self.project / name
        if path.is_symlink():
            path.unlink()
        if self.free(path) and not path.exists():
            path.symlink_to(leads)

    @rule(name=st.one_of(FILES, LINKS, MODULES.map("{}.bramble".format)))
    def remove(self, name: str) -> None:
        path = self.project / name
        if path.is_symlink() or path.is_file():
            path.unlink()

    @rule(name=DIRECTORIES)
    def nearer(self, name: str) -> None:
        path = self.project / name / "bramble.toml"
        if path.exists():
            path.unlink()
        elif self.free(path):
            path.write_text('[package]\nname = "example.com/near"\nversion = "0.1.0"\n')

    @rule(name=DIRECTORIES)
    def move_behind_a_link(self, name: str) -> None:
        path, moved = self.project / name, self.project / f"{name}.moved"
        if path.is_dir() and not path.is_symlink() and not moved.exists():
            os.rename(path, moved)
            path.symlink_to(moved.name)

    @rule()
    def wait(self) -> None:
        settle()

    @rule()
    def lose_an_output(self) -> None:
        for name in sorted(self.world.objects())[:1]:
            path = Path(os.path.realpath(self.world.store / "store" / name))
            if path.is_dir():
                path.chmod(0o700)  # to move it somewhere else is to write to it
                os.rename(path, self.world.base / f"lost-{os.urandom(4).hex()}")

    @rule(words=st.sampled_from(COMMANDS), below=st.booleans(), waits=st.booleans())
    def ask(self, words: tuple[str, ...], below: bool, waits: bool) -> None:
        where = self.project / "lib" if below and (self.project / "lib").is_dir() else self.project
        # First what is recorded; so what it says must be what is found out anew.
        self.world.run(*words, cwd=where)
        if waits:
            settle()
            self.world.run(*words, cwd=where)
        kept = self.world.run(*words, cwd=where)
        plain = self.world.run(*words, "--no-cache", cwd=where)
        assert said(kept) == said(plain)
        if kept.status == 0:
            assert kept.err == plain.err

    @invariant()
    def nothing_else_is_written(self) -> None:
        if hasattr(self, "project"):
            assert not list(self.project.glob("**/.*.new"))


TestProjects = Projects.TestCase
TestProjects.settings = settings(
    max_examples=int(os.environ.get("BRAMBLE_TEST_PROJECTS", "6")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
