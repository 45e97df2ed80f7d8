"""`bramble explain`: the rule, an example and the remedy, from wherever the specification lies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bramble.cli.verbs.explain import known_codes
from bramble.commands.explain import chapters, rule_named, rules_about
from tests.cli.world import ROOT, World

TEXTS = {
    "02-a.md": "# A\n\n**`a.one`** The first `x.bad`\nrule.\n\nMore of it.\n\n## Next\n`x.bad`\n",
    "03-b.md": "**`a.two`** A table:\n\n| code | what |\n|---|---|\n| `x.bad` | it is `bad` \\| worse |\n\n"
    "```case\n# `x.other`\n```\n**`a.three`** Also `x.bad`.\n",
}


def test_paragraphs_that_name_a_code_come_first_in_text_and_then_in_tables() -> None:
    rules = rules_about("x.bad", TEXTS)
    assert [(rule.id, rule.chapter) for rule in rules] == [
        ("a.one", "02-a.md"),
        ("a.three", "03-b.md"),
        ("a.two", "03-b.md"),
    ]
    assert rules[0].blocks == ("The first `x.bad` rule.", "More of it.")
    assert rules[2].blocks == ("A table:", "`x.bad`: it is `bad` | worse")
    assert rules_about("x.other", TEXTS) == []
    assert [rule.blocks for rule in rule_named("a.three", TEXTS)] == [("Also `x.bad`.",)]
    assert rule_named("a.four", TEXTS) == []
    head = {"04-c.md": "# C\n\n| `x.bad` | head |\n\n**`a.five`** Text.\n\n| `x.last` | row |\n"}
    assert [(rule.id, rule.blocks) for rule in rules_about("x.bad", head)] == [("", ("`x.bad`: head",))]
    assert [rule.id for rule in rules_about("x.last", head)] == ["a.five"]


def test_a_paragraph_whose_id_is_the_code_comes_first() -> None:
    text = "**`a.one`** See `x.bad`.\n\n**`x.bad`** The rule.\n"
    assert [rule.id for rule in rules_about("x.bad", {"04-d.md": text})] == ["x.bad", "a.one"]


def test_a_paragraph_goes_on_after_a_grammar_and_links_are_read_as_text() -> None:
    text = (
        "# D\n\n**`a.six`** As in [section 1.1](01-a.md#11-b), `f[0](x)`:\n\n"
        "```ebnf\n# x\na = b\n```\n\n*Why.* More:\n\n- one\n  thing\n- two\n\n```case\nx\n```\nNo.\n"
    )
    blocks = rule_named("a.six", {"04-d.md": text})[0].blocks
    assert blocks == ("As in section 1.1, `f[0](x)`:", "Why: More:", "- one thing", "- two")


def test_a_code_is_explained_as_it_is_shown(world: World) -> None:
    # spec: cli.explain.code
    world.environ["BRAMBLE_ERROR_FORMAT"] = ""
    ran = world.run("explain", "error[load.cycle]:")
    assert ran.status == 0 and ran.err == ""
    for part in (
        "load.cycle: modules load one another in a cycle\n",
        "the rule dialect.load.cycle in 03-dialect.md:\n",
        "Modules that load one another in a",
        'load("example.com/p/b")',
        "Move what both need into a module of its own.",
    ):
        assert part in ran.out
    assert max(map(len, ran.out.splitlines())) <= 88
    assert world.run("explain", "LOAD.CYCLE").out == ran.out


def test_a_phase_names_its_codes_and_what_was_typed_is_quoted(world: World) -> None:
    ran = world.run("explain", "Store")
    assert "'Store'" in ran.errors[0]["message"]
    assert "codes with this beginning: store.altered, " in ran.errors[0]["remedy"] and ", …" not in ran.err


@pytest.mark.parametrize(("word", "meant"), [("load.cycel", "load.cycle"), ("lod.cycle", "load.cycle")])
def test_an_unknown_code_names_a_near_one(world: World, word: str, meant: str) -> None:
    ran = world.run("explain", word)
    assert (ran.status, ran.codes) == (1, ["cli.unknown-code"])
    assert f"did you mean {meant}?" in ran.errors[0]["remedy"]
    assert "did you mean" not in world.run("explain", "\x1b[31mzzzzzzz").err


# It reads texts.
@pytest.mark.once
def test_every_code_is_named_by_a_rule() -> None:
    texts = chapters()
    assert [code for code in known_codes() if not rules_about(code, texts)] == []


@pytest.mark.parametrize("place", ["bramble/spec", "spec", None])
def test_rules_are_read_where_they_lie(tmp_path: Path, place: str | None) -> None:
    # spec: cli.explain.rule
    shutil.copytree(ROOT / "bramble", tmp_path / "lib/python3/site-packages/bramble")
    home = tmp_path / "lib/python3/site-packages"
    if place is None:
        (home / "spec").mkdir()
        (home / "spec/other.md").write_text("not ours")
    else:
        shutil.copytree(ROOT / "spec", home / place)
    if place == "bramble/spec":
        # An installed package has its whole source within it (spec: self.source).
        shutil.copy(ROOT / "pyproject.toml", home / "bramble")
    done = subprocess.run(
        [sys.executable, "-I", str(home / "bramble"), "explain", "load.cycle"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ("the rule dialect.load.cycle" in done.stdout) == (place is not None)
    assert "what to do:" in done.stdout


def test_a_full_output_is_one_line(world: World) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            world.command("explain", "load.cycle"),
            env=world.environment(BRAMBLE_ERROR_FORMAT=""),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1 and done.stderr.startswith("error[cli.output]: ")
