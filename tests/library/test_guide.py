"""The pages of the guide: what they say is done, and what they show comes."""

from __future__ import annotations

import shutil
import sys

import pytest
from _pytest.mark import ParameterSet

from tests.cli.world import ROOT, World
from tests.library import guide, upstream

# What a build function makes is up to the tools of this machine; who builds, and with which Python, is what
# the tests of the sandbox, of builds and of commands are about.
pytestmark = pytest.mark.once


def with_tools(page: str, *tools: str) -> ParameterSet:
    """A page that is followed where these programs are among those that can be copied."""
    missing = [tool for tool in tools if shutil.which(tool, path="/usr/local/bin:/usr/bin:/bin") is None]
    return pytest.param(
        page, marks=pytest.mark.skipif(bool(missing), reason=f"there is no {missing} to copy")
    )


PAGES = (
    *("tutorial", "c", "cookbook", "lock", "graphs", "python"),
    with_tools("node", "node"),
    with_tools("cmake", "cmake", "ninja"),
    with_tools("meson", "meson", "ninja"),
    with_tools("rust", "rustc", "cargo"),
)

BY_HAND = ("go",)  # tests/real/guide.py: the compiler of Go is large, and compiles its library anew


@pytest.fixture
def desk(shared: World) -> World:
    """The shared store, and an empty directory in which a command `bramble` is found."""
    shutil.rmtree(shared.project, ignore_errors=True)
    shared.project.mkdir()
    command = shared.base / "bin/bramble"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -uI {ROOT}/bramble "$@"\n')
    command.chmod(0o755)
    return shared


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says(page: str, desk: World) -> None:
    environ = desk.environment()
    del environ["BRAMBLE_ERROR_FORMAT"], environ["PYTHONPATH"]
    environ["PATH"] = f"{desk.base}/bin:{environ['PATH']}"
    # Everything that pages download is answered by files that are made here.
    upstream.publish(desk.base / "upstream")
    mirror = desk.base / "mirror.toml"
    mirror.write_text('[mirror]\n"https://example.com/" = "upstream"\n')
    environ["BRAMBLE_MIRROR"] = str(mirror)
    (desk.base / "home").mkdir(exist_ok=True)
    guide.follow(ROOT / f"spec/guide/{page}.md", desk.project, environ)


@pytest.mark.parametrize(
    ("shown", "printed", "right"),
    [
        (
            "✔ a - 1.2s\n✔ b - 3.0ms\nx\n",
            "! unix copies programs of this machine\n✔ b - 1m02s\n✔ a - 3s\nx\n",
            True,
        ),
        ("✔ a - 1.2s\n", "✔ a (cached)\n", False),
        ("✔ a - 1.2s\nx\n", "x\n✔ a - 1.2s\n", False),
        ("✔ gcc - 1.2s\nx\n", "x\n", True),
        ("! gcc copies programs of this machine\n", "\n", False),
        ("a\n…\nb\n", "a\n1\n2\nb\n", True),
        ("a\n…\nb\n", "a\n1\n2\n", False),
        ("a\n", "a\nb\n", False),
        ("/home/you/bramble/store/" + "a" * 32 + "/bin\n", "/tmp/x/store/" + "b" * 32 + "/bin\n", True),
        ("/home/you/bramble/store/" + "a" * 32 + "/bin\n", "/tmp/x/store/" + "b" * 32 + "/lib\n", False),
        ("7.2 MiB   7 B  a\n", "70.2 MiB  12 B  a\n", True),
        ("7.2 MiB   7 B  a\n", "7.2 MiB  7 B  b\n", False),
    ],
)
def test_what_counts_as_shown(shown: str, printed: str, right: bool) -> None:
    assert guide.matches(shown, printed) is right


def test_a_page_that_does_nothing_with_a_block_or_shows_what_nothing_prints_is_wrong(desk: World) -> None:
    for number, text in enumerate(("```c\nint x;\n```\n", "```text\nx\n```\n", "```sh\nfalse\n```\n")):
        page = desk.project / f"{number}.md"
        page.write_text(text)
        with pytest.raises(AssertionError):
            guide.follow(page, desk.project, {"PATH": "/usr/bin:/bin"})


def test_every_page_is_followed_or_has_nothing_to_follow() -> None:
    for page in (ROOT / "spec/guide").glob("*.md"):
        named = {page if isinstance(page, str) else page.values[0] for page in PAGES}
        assert page.stem in named.union(BY_HAND) or not list(guide.read_page(page.read_text("utf-8"))), page
