"""Every command has a group, a summary and examples, and the examples do what they say.

The examples of `bramble/cli/table.py` are run as they stand, by a shell, in the order of the table, in a
project made by `bramble init` whose `./:hello_world` is built. What one needs besides is in the tables here.
"""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.cli.table import GROUPS, VERBS, Verb
from tests.cli.world import ROOT, World, remove_store

# They are texts: what the commands do for whom is tested where each of them is.
pytestmark = pytest.mark.once

# A package with two versions, of two MAJORs, in the project's own mirror, and one beside the project.
PACKAGES = """
    git init -q lib && cd lib
    for version in 1.0.0 2.0.0; do
        printf '[package]\\nname = "example.com/lib"\\nversion = "%s"\\n' $version >bramble.toml
        printf '[dependencies]\\n"example.com/base" = "1.0.0"\\n' >>bramble.toml
        git add -A
        git -c user.name=x -c user.email=x@example.com commit -qm x && git tag v$version
    done
    cd .. && git init -q base && cd base
    printf '[package]\\nname = "example.com/base"\\nversion = "1.0.0"\\n' >bramble.toml
    git add -A
    git -c user.name=x -c user.email=x@example.com commit -qm x && git tag v1.0.0
    cd .. && mkdir -p ../tools
    printf '[package]\\nname = "example.com/tools"\\nversion = "1.0.0"\\n' >../tools/bramble.toml
    echo '[mirror]' >>bramble.toml
    for name in lib base; do printf '"https://example.com/%s" = "%s"\\n' $name $name >>bramble.toml; done
    bramble add example.com/lib@1.0.0"""

# A package with a version, at a place that the person's own mirror knows.
PUBLISHED = """
    sed -i 's,^name = .*,name = "example.com/tool",; s,^version = .*,version = "1.0.0",' bramble.toml
    git init -q && git add -A
    git -c user.name=x -c user.email=x@example.com commit -qm x && git tag v1.0.0
    ln -sfn "$PWD" ../tool"""

# A registry of this machine, signed by hand, and trust in it.
REGISTRY = """
    mkdir -p r "$HOME/.config/bramble"
    echo "example.com/words 1.0.0 $(printf %040d 0) $(printf %032d 0 | tr 0 a)" >r/index
    printf 'bramble registry 1\\nexample\\n%s\\n%s\\n' \\
        "$(wc -c <r/index)" "$(sha256sum r/index | cut -d ' ' -f 1)" >head
    ssh-keygen -q -t ed25519 -N '' -f key
    { cat head; ssh-keygen -Y sign -n bramble-registry -f key <head; } >r/index.signed
    printf '[registries]\\n"file://%s/r" = "%s"\\n' "$PWD" "$(cat key.pub)" \\
        >"$HOME/.config/bramble/config.toml" """

# Lines for a shell that come before the examples of a command: files to read, builds to look at.
BEFORE = {
    "run": "mkdir -p out",
    "shell": "echo exit 1 >build.sh; ! bramble build ./:hello_world",
    "why-built": "echo : >>build.sh; bramble build ./:hello_world",
    **dict.fromkeys(("publish", "registry"), PUBLISHED),
    **dict.fromkeys(("add", "remove", "update", "outdated", "deps", "show"), PACKAGES),
    "search": REGISTRY,
    "star": """
        echo 'assert.eq(1 + 2, 3)' >sums.star
        printf 'def f():\\n    n = 3\\n    while n > 0:\\n        n -= 1\\nf()\\n' >count.star""",
}
# A command that goes on until it is ended, by SIGTERM, after it has said this.
ENDED = {"registry": "serving "}
# What a person types into the example of a command that talks with the terminal.
TYPED = {"shell": "exit\n"}


@pytest.fixture(scope="module")
def desk() -> Iterator[World]:
    """A world with a store in which hello_world is built, and the command `bramble` in the PATH."""
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    world = World(base)
    (base / "bin").mkdir()
    command = base / "bin" / "bramble"
    python = f"{shlex.quote(sys.executable)} -I {shlex.quote(str(ROOT / 'bramble'))}"
    command.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    command.chmod(0o755)
    world.environ["PATH"] = f"{base / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    world.environ["BRAMBLE_ERROR_FORMAT"] = ""
    make_project(world, base / "p")
    (base / "mirror.toml").write_text(f'[mirror]\n"https://example.com/tool" = "{base / "tool"}"\n')
    world.environ["BRAMBLE_MIRROR"] = str(base / "mirror.toml")
    yield world
    remove_store(base)


def make_project(world: World, directory: Path) -> None:
    assert world.run("init", str(directory), cwd=world.base).status == 0
    assert world.run("build", "./:hello_world", cwd=directory).status == 0


def follow(world: World, directory: Path, line: str, typed: str) -> tuple[int, str]:
    """Run a line in a shell, on a terminal when something is to be typed. Return its status and its words."""
    words = ["bash", "-e", "-o", "pipefail", "-c", line]
    if not typed:
        done = subprocess.run(
            words,
            cwd=directory,
            env=world.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        words,
        cwd=directory,
        env=world.environment(TERM="xterm"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    os.write(leader, typed.encode())
    said = b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                said += os.read(leader, 65536)
            except OSError:  # EIO: all have closed their side
                break
        elif process.poll() is not None:
            break
    os.close(leader)
    return process.wait(10), said.decode("utf-8", "replace")


def ended(world: World, directory: Path, line: str, after: str) -> tuple[int, str]:
    """Run a line in a shell, and end it when it has said something. Return its status and its words."""
    process = subprocess.Popen(
        ["bash", "-c", line],
        cwd=directory,
        env=world.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while after not in said and (more := process.stdout.readline()):
        said += more
    process.terminate()
    said += process.communicate(timeout=60)[0]
    return process.returncode, said


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_examples_of_a_command_do_what_they_say(verb: Verb, desk: World) -> None:
    # spec: cli.help.examples
    directory = desk.base / f"p-{verb.name}"
    make_project(desk, directory)
    if verb.name in BEFORE:
        status, said = follow(desk, directory, BEFORE[verb.name], "")
        assert status == 0, said
    for what, line in verb.examples:
        if " serve " in line:
            status, said = ended(desk, directory, line, ENDED[verb.name])
        else:
            status, said = follow(desk, directory, line, TYPED.get(verb.name, ""))
        assert status == 0, f"{what}: {line}\n{said}"
        assert "Traceback" not in said


def test_a_help_text_shows_the_examples(desk: World) -> None:
    # spec: cli.help.examples
    for verb in VERBS:
        page = desk.run("help", verb.name).out
        assert page == desk.run(verb.name, "--help").out
        assert page.startswith(f"usage: bramble {verb.name} [options]")
        for what, line in verb.examples:
            assert f"  # {what}\n  {line}\n" in page
        for line in page.splitlines():
            options = [word.split()[0] for word in line.split(", ") if word.strip().startswith("--")]
            assert len(set(options)) == len(options), f"{line}: an option is there twice"


def test_commands_are_listed_in_groups(desk: World) -> None:
    page = desk.run("help").out
    assert page == desk.run().out == desk.run("--help").out
    for verb in VERBS:
        assert f"  {verb.name:<11}" in page.partition(f"\n{GROUPS[verb.group]}:\n")[2].partition("\n\n")[0]


def test_the_version_is_told_in_three_ways(desk: World) -> None:
    # spec: cli.version
    # The command may say more in further lines.
    told = {desk.run(way).out.partition("\n")[0] for way in ("--version", "-V", "version")}
    assert told == {f"bramble {desk.run('version', '--json').json['bramble']}"}
