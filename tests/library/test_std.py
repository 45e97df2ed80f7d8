"""std: what small builds are made of."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.cli.world import World
from tests.lang.worlds import World as LangWorld

# What a build function makes is up to the tools of this machine; who builds, and with which Python, is what
# the tests of the sandbox, of builds and of commands are about.
pytestmark = pytest.mark.once

DEFAULT = """
load("std")

def joined():
    one = std.write("hello", "echo one", to="bin/hello", executable=True)
    two = std.write("hello", "echo two", to="bin/hello", executable=True)
    more = std.write("a b", "space $out 'x'")
    return std.join(one, two, more)

def listed():
    return std.script("listed", "env > $out/env; umask > $out/umask", env={"MINE": "1"})

def dependent():
    return std.script("dependent", "hello > $out/said", deps=[joined()], tools=std.tools("sh", name="sh"))

def source():
    return std.script("source", "cat a.txt > $out/copy", sources=files(["a.txt"]))
"""


def outputs(world: World, *targets: str) -> list[Path]:
    done = world.run("build", "--json", *targets)
    assert done.status == 0, done.err
    return [Path(result["outputs"]["out"]["path"]) for result in done.json["results"]]


def test_scripts_and_written_files(project: World) -> None:
    project.write(default=DEFAULT)
    (project.project / "a.txt").write_text("a")
    targets = ("./:joined", "./:listed", "./:dependent", "./:source")
    joined, listed, dependent, source = outputs(project, *targets)
    assert (joined / "bin/hello").read_text() == "echo one", "of two files with one path the first is taken"
    assert os.access(joined / "bin/hello", os.X_OK)
    assert (joined / "a b").read_text() == "space $out 'x'"
    assert (source / "copy").read_text() == "a"
    variables = dict(line.split("=", 1) for line in (listed / "env").read_text().splitlines())
    assert variables["MINE"] == "1" and variables["TZ"] == "UTC" and variables["LC_ALL"] == "C"
    assert variables["SOURCE_DATE_EPOCH"] == "315532800"
    assert (listed / "umask").read_text() == "0022\n"
    # hello is a script without a first line: the shell itself runs it.
    assert (dependent / "said").read_text() == "one\n"


def test_downloads(project: World) -> None:
    (project.project / "f.txt").write_text("hi")
    (project.project / "bramble.toml").write_text(
        '[package]\nname = "example.com/p"\nversion = "0.1.0"\n[mirror]\n"https://files.test/" = "./"\n'
    )
    digest = hashlib.sha256(b"hi").hexdigest()
    project.write(
        default=f"""
load("std")

def f():
    urls = ["https://files.test/gone/f.txt", "https://files.test/f.txt?x"]
    return std.fetch(urls, sha256="{digest}", name="g", executable=True)

def wrong():
    return std.fetch("https://files.test/f.txt", sha512="0" * 128)

def none():
    return std.fetch([])
"""
    )
    done = project.run("build", "--offline", "--json", "./:f")
    assert done.status == 0, done.err
    path = Path(done.json["results"][0]["outputs"]["out"]["path"]) / "g"
    assert path.read_text() == "hi" and os.access(path, os.X_OK)
    assert not (project.project / "bramble.lock").exists(), "a download with a checksum needs no pin"
    assert project.run("build", "--offline", "./:wrong").codes == ["fetch.checksum-mismatch"]
    assert project.run("build", "./:none").codes == ["eval.fail"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            'std.script("x", "", deps=[forgets()])',
            "deps[0] is None: does the function that makes it `return` it?",
        ),
        (
            'std.script("x", "", deps=[made])',
            "deps[0] is the function made, and not what it returns: write made()",
        ),
        ('std.script("x", "", deps=made())', "deps is a derivation: write deps=[…]"),
        ('std.script("x", "", deps=[[made()]])', "deps[0] is a list; it has to be a derivation"),
        ('std.script("x", "", tools=made)', "tools is the function made,"),
        ('std.script("x", "", tools="sleep")', 'tools is the string "sleep"; it has to be a derivation'),
        ('std.script("x", "", sources="a.c")', 'sources is the string "a.c": write files([…])'),
        ('std.check("x", "", sources=[made()])', "sources[0] is a derivation;"),
        ("std.join(made(), forgets())", "join[1] is None:"),
        ("std.path(1)", "path[0] is an int;"),
        ('c.program("x", ["a.c"], deps=made())', "deps is a derivation: write deps=[…]"),
        ('c.make("x", ".")', 'src is the string "."; write files([…]), or give a derivation'),
        (
            'c.program("x", ["a.c"], libs="m")',
            'the string "m" stands where a list of words has to: write ["m"]',
        ),
        ('c.make("x", made(), make="V=1")', 'write ["V=1"]'),
        ('c.make("x", forgets())', "src is None:"),
        ('c.make("x", made(), patches=made())', "patches is a derivation: write patches=[…]"),
        ('python.app("x", packages=made())', "packages is a derivation: write packages=[…]"),
        ('python.app("x", packages=[forgets()])', "packages[0] is None:"),
        ('node.app("x", "main.js", {})', 'sources is the string "main.js": write files([…])'),
        ('go.program("x", made)', "src is the function made,"),
        ('rust.program("x", made(), {}, deps="y")', 'deps is the string "y": write deps=[…]'),
    ],
)
def test_what_is_no_derivation_or_file_is_refused_by_the_name_of_its_parameter(
    tmp_path: Path, call: str, said: str
) -> None:
    loads = "".join(f'load("std{module}")\n' for module in ("", "/c", "/go", "/node", "/python", "/rust"))
    made = 'def made():\n    return std.write("a", "b")\ndef forgets():\n    made()\n'
    error = LangWorld(tmp_path, default=f"{loads}{made}def f():\n    return {call}\n").error("./:f")
    assert error.code == "eval.fail" and said in error.message


def test_a_check_that_fails_without_a_word_says_its_status(project: World) -> None:
    project.write(
        default="""
load("std")

def silent():
    return std.check("silent", "test 1 = 1\\n(exit 7)\\ntrue")

def good():
    return std.check("good", "true")
"""
    )
    failed = project.run("build", "./:silent")
    assert failed.codes == ["build.failed"] and "ended with status 7" in failed.err
    assert outputs(project, "./:good")[0].joinpath("passed").read_text() == "passed\n"
