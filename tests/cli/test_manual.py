"""Manual pages: of every command, shown as they were meant, written where they belong."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bramble.cli.manual import text
from bramble.cli.table import TOPICS, VERBS
from tests.cli.world import World

FORMATTER = ["groff", "-man", "-Tutf8", "-P-c", "-ww", "-rLL=200n"]
needs_groff = pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")


def shown(page: Path) -> str:
    """Return what a reader sees of a page, which has no mistakes."""
    done = subprocess.run([*FORMATTER, str(page)], capture_output=True, text=True, check=True)
    assert done.stderr == "", page
    return re.sub(r".\x08", "", done.stdout)


@needs_groff
def test_every_command_has_a_page_that_says_what_its_help_says(world: World) -> None:
    # spec: cli.man
    written = world.run("man", "pages", "--json").json["files"]
    names = ["bramble.1", *(f"bramble-{verb.name}.1" for verb in VERBS)]
    assert written == [str(world.project / "pages" / name) for name in names]
    whole = shown(Path(written[0]))
    for entry in (*VERBS, *TOPICS):
        assert entry.name in whole and entry.summary in whole
    for verb in VERBS:
        page = shown(world.project / "pages" / f"bramble-{verb.name}.1")
        assert f"bramble-{verb.name} - {verb.summary}" in page
        for _what, line in verb.examples:
            assert line in page
        for option in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", world.run("help", verb.name).out, re.M):
            assert option in page, (verb.name, option)


@needs_groff
def test_a_text_is_shown_as_it_is(tmp_path: Path) -> None:
    for line in (r".TH \fB\n", "'br", r"a \e \\ $(x) `y` ^ ~ -- \"", "größe … ./:x", "- -", ".", "'"):
        page = tmp_path / "x.1"
        page.write_text(f'.TH X 1 "" "" ""\n.SH NAME\n.nf\n{text(line)}\n')
        assert line in shown(page), line


def test_pages_are_replaced_and_links_are_not_followed(world: World) -> None:
    # spec: cli.man
    pages = world.project / "deep" / "pages"
    assert world.run("man", "deep/pages").status == 0
    (world.project / "other").write_text("mine")
    (pages / "bramble.1").unlink()
    (pages / "bramble.1").symlink_to("../../other")
    assert world.run("-C", "deep", "man", "pages").codes == ["cli.unwritable"]
    assert (world.project / "other").read_text() == "mine"
    (pages / "bramble.1").unlink()
    (pages / "bramble.1").write_text("old")
    assert world.run("-C", "deep", "man", "pages").status == 0
    assert (pages / "bramble.1").read_text().startswith(".TH BRAMBLE 1 ")


def test_where_no_page_can_be_written_is_an_error(world: World) -> None:
    # spec: cli.man
    (world.project / "file").write_text("")
    for where in ("file", "file/below", "/proc/none"):
        assert world.run("man", where).codes == ["cli.unwritable"]
