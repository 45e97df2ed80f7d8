"""Texts of tools: whose script it is, and which paths in it change."""

from __future__ import annotations

import pytest

from bramble.build.tools.families.listed import LISTED, gather, needed
from bramble.build.tools.kit import moved
from bramble.build.tools.machine import script_words, tree
from tests.build.tools.machines import Recorded

MOVES = (
    ("/usr/bin/m4", "/s/bin/m4"),
    ("/usr/share/autoconf", "/s/share/autoconf"),
    ("/usr/share/auto", "/s/a"),
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"M4='/usr/bin/m4'", b"M4='/s/bin/m4'"),
        (b"/usr/bin/m4", b"/s/bin/m4"),
        (b"/usr/bin/m4x /usr/bin/m4-x /usr/bin/m4.1", b"/usr/bin/m4x /usr/bin/m4-x /usr/bin/m4.1"),
        (b"see /usr/bin/m4.", b"see /s/bin/m4."),
        (b"x/usr/bin/m4 ./usr/bin/m4", b"x/usr/bin/m4 ./usr/bin/m4"),
        (b"/usr/share/autoconf/x", b"/s/share/autoconf/x"),
        (b"/usr/share/auto/x", b"/s/a/x"),
        (b"\xff/usr/bin/m4\xff", b"\xff/s/bin/m4\xff"),
    ],
)
def test_a_path_is_replaced_whole_and_never_a_part_of_one(before: bytes, after: bytes) -> None:
    assert moved(before, MOVES) == after


def test_without_moves_a_text_stays() -> None:
    assert moved(b"/usr/bin/m4", ()) == b"/usr/bin/m4"


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"#!/bin/sh\n", ("/bin/sh",)),
        (b"#! /usr/bin/perl -w\nx", ("/usr/bin/perl", "-w")),
        (b"#!/usr/bin/env node\n", ("node",)),
        (b"#!/usr/bin/env -S python3 -I\n", ("python3", "-I")),
        (b"#!\n", ()),
        (b"\x7fELF", ()),
    ],
)
def test_the_interpreter_of_a_script_is_read_from_its_first_line(head: bytes, words: tuple[str, ...]) -> None:
    assert script_words(head) == words


def test_what_a_program_of_the_table_calls_comes_along() -> None:
    assert needed({"bison": "/usr/bin/bison"}) == ("m4",)
    assert needed({"sh": "/bin/sh"}) == ()
    names = [name for one in LISTED for name in one.names]
    assert len(names) == len(set(names))


def test_a_program_of_the_table_brings_its_data_and_is_told_where_they_are() -> None:
    machine = Recorded(
        {
            "/usr/bin/bison": "\x7fELF",
            "/usr/share/bison/m4sugar/m4sugar.m4": "",
            "/usr/share/bison/README": "-> m4sugar/m4sugar.m4",
            "/usr/share/other": "",
        }
    )
    contents = gather(machine, {"bison": "/usr/bin/bison"})
    assert {take.place for take in contents.takes} == {
        "libexec/wrapped/bison",
        "share/bison/README",
        "share/bison/m4sugar/m4sugar.m4",
    }
    (wrapper,) = contents.wrappers
    assert (wrapper.place, dict(wrapper.env)["BISON_PKGDATADIR"]) == ("bin/bison", "{out}/share/bison")
    assert contents.places == {"/usr/bin/bison": "bin/bison"}


def test_a_variable_takes_the_first_place_that_is_there() -> None:
    machine = Recorded({"/usr/bin/git": "", "/usr/libexec/git-core/git-add": ""})
    (wrapper,) = gather(machine, {"git": "/usr/bin/git"}).wrappers
    assert dict(wrapper.env)["GIT_EXEC_PATH"] == "{out}/libexec/git-core"


def test_a_tree_follows_links_once_and_leaves_out_what_leads_nowhere() -> None:
    machine = Recorded(
        {
            "/opt/go/src": "-> ../share/go",
            "/opt/go/up": "-> .",
            "/opt/go/lost": "-> nowhere",
            "/opt/go/bin/go": "",
            "/opt/share/go/fmt.go": "",
        }
    )
    assert tree(machine, "/opt/go") == ("/opt/go/bin/go", "/opt/go/src/fmt.go")
