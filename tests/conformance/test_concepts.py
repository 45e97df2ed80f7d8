"""Chapters 0 and 1: every value of the example is what it is said to be, and every term leads to its rule."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from conformance.book.trace import parse_chapter
from tests.conformance.support import TOP

# It reads texts.
pytestmark = pytest.mark.once

SPEC = Path(TOP) / "spec"
INTRODUCTION = (SPEC / "00-introduction.md").read_text("utf-8")
CONCEPTS = (SPEC / "01-concepts.md").read_text("utf-8")
_LINK = re.compile(r"\]\(([^()\s]+)\)")


def digest(data: bytes) -> str:
    return base64.b32encode(hashlib.sha256(data).digest()[:20]).decode().lower()


def the_json(of: str) -> bytes:
    """Return the one line of JSON that a block of the example shows broken after commas."""
    block = INTRODUCTION.partition(of)[2].partition("```\n")[2].partition("```")[0]
    return block.replace("\n", "").encode()


def test_the_values_of_the_example_follow_from_one_another() -> None:
    # spec: derivation.id, derivation.store.digest
    written = the_json("**The derivation and its id**")
    steps = dict(re.findall(r"^\| (SHA-256|its first 20 bytes|in base32) \| `(\w+)` \|$", INTRODUCTION, re.M))
    assert f"{len(written)} bytes" in INTRODUCTION
    assert steps["SHA-256"] == hashlib.sha256(written).hexdigest()
    assert steps["its first 20 bytes"] == steps["SHA-256"][:40]
    assert steps["in base32"] == digest(written) == "symb7phaxhqm4g4tiaanmrwdgx3lw4ya"
    resolved = the_json("**Resolve**")
    assert f"{len(resolved)} bytes" in INTRODUCTION
    assert f"Its digest is `{digest(resolved)}`" in INTRODUCTION
    elsewhere = digest(resolved.replace(b"linux-amd64", b"linux-arm64"))
    assert f"`{elsewhere}`" in INTRODUCTION


def test_the_header_that_the_example_shows_gives_the_name_of_the_object() -> None:
    # spec: objects.archive.header, objects.identity.name
    rows = re.findall(r"^\| (\d+) \| [a-z, ]+ \| `([^`]+)`( and a blank)? \|$", INTRODUCTION, re.M)
    assert len(rows) == 9
    header = bytearray(512)
    for offset, text, blank in rows:
        data = text.replace("·", "\0").encode() + (b" " if blank else b"")
        header[int(offset) : int(offset) + len(data)] = data
    archive = bytes(header) + b"hi" + bytes(510) + bytes(1024)
    assert f"Its archive has {len(archive)} bytes" in INTRODUCTION
    assert f"digest of the archive: `{digest(archive)}`" in INTRODUCTION


def glossary() -> list[tuple[str, str, str]]:
    table = CONCEPTS.partition("## 1.9 Glossary")[2]
    rows = re.findall(r"^\| (.+?) \| (.+) \| (.+?) \|$", table, re.M)[1:]
    assert len(rows) == table.count("\n| ") - 1 > 80
    return rows


def test_the_glossary_is_sorted_and_names_rules_of_the_chapters_that_it_links() -> None:
    terms = [term.lower() for term, _, _ in glossary()]
    assert terms == sorted(set(terms))
    owner = {
        paragraph.id: path.name
        for path in SPEC.glob("*.md")
        for paragraph in parse_chapter(path.name, path.read_text("utf-8")).paragraphs
    }
    for term, _, ruled in glossary():
        rules = re.findall(r"`([^`]+)`", ruled)
        assert rules and set(_LINK.findall(ruled)) >= {owner.get(rule) for rule in rules}, (term, ruled)


def test_chapter_1_names_only_rules_that_exist() -> None:
    known = {
        paragraph.id
        for path in SPEC.glob("*.md")
        for paragraph in parse_chapter(path.name, path.read_text("utf-8")).paragraphs
    }
    for table in ("## 1.3 Results", "## 1.8 Documents"):
        rows = re.findall(r"^\|.*\| ((?:`[^`]+`(?:, )?)+) \|$", CONCEPTS.partition(table)[2], re.M)
        named = {rule for row in rows for rule in re.findall(r"`([^`]+)`", row)}
        assert named and named <= known


@pytest.mark.parametrize("path", sorted(SPEC.glob("[01]*.md")), ids=lambda path: path.name)
def test_grammars_have_the_notation_of_chapter_1(path: Path) -> None:
    for block in re.findall(r"^```ebnf\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S):
        bare = re.sub(r"\"[^\"]*\"|'[^']*'|\(\*.*?\*\)", '""', block)
        assert not re.search(r"[,;.:?+<>]", bare), block
        for line in bare.splitlines():
            assert re.match(r"[A-Za-z_]+ *= |  ", line), line
        for opening, closing in ("()", "[]", "{}"):
            assert bare.count(opening) == bare.count(closing), block


@pytest.mark.parametrize("chapter", sorted(SPEC.glob("*.md")), ids=lambda path: path.name)
def test_a_line_has_at_most_a_hundred_characters(chapter: Path) -> None:
    """Tables and what stands between fences cannot be broken."""
    long, fenced = [], False
    for number, line in enumerate(chapter.read_text("utf-8").splitlines(), 1):
        fenced ^= line.startswith("```")
        if len(line) > 100 and not fenced and not line.startswith("|"):
            long.append(number)
    assert long == []
