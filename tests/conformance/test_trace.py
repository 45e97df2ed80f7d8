"""Traceability: what does not meet is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.book import trace
from conformance.casefile import parse_case_file, parse_star_file

CHAPTER = """# 5. Store

Code: `bramble/store`.

**`store.padding`** A rule. The code is `store.root-too-long`.

**`store.link`** Another rule, which
goes on.

**`store.order`** A third rule:

| a | b |
|---|---|

with an error `eval.fail`.

```text
**`store.example`** is an example.
```

## 5.2 Next

**`store.last`** The last.

## 5.3 Rules without a case

| rule | why no case checks it |
|---|---|
| `store.link` | Nobody can see it. |
"""
ROOM = "Code: `bramble/store`\n\n"
REASON = "\n## Rules without a case\n\n| `store.{}` | y |\n"
CASE = (
    "# A.\nspec: store.padding, store.order, store.last\nlevel: store\n\nfail x\nerror store.root-too-long\n"
)


def problems(
    chapter: str = CHAPTER, case: str = CASE, code: str = "# spec: store.padding\n", name: str = "05-store.md"
) -> list[str]:
    chapters = [trace.parse_chapter(name, chapter)]
    cases = [parse_case_file("c.txt", case, "c")]
    references = [trace.Reference(code.split("spec: ")[1].strip(), "m.py", 1)] if code else []
    return list(trace.trace(chapters, cases, references).problems)


def test_an_informative_page_needs_no_room_and_holds_no_rule() -> None:
    page = "# 0. Introduction\n\nThis page is informative. It says what is where.\n"
    rule = "\n**`store.padding`** A rule.\n"
    assert not [one for one in problems(chapter=page, name="00-introduction.md") if "00-" in one]
    assert "00-introduction.md:5: an informative page holds no rule" in problems(
        chapter=page + rule, name="00-introduction.md"
    )


def test_paragraphs_are_found_with_their_reasons() -> None:
    chapter = trace.parse_chapter("05-store.md", CHAPTER)
    assert [(one.id, one.line, one.untestable) for one in chapter.paragraphs] == [
        ("store.padding", 5, None),
        ("store.link", 7, "Nobody can see it."),
        ("store.order", 10, None),
        ("store.last", 23, None),
    ]
    assert chapter.room


def test_where_everything_meets_there_is_no_problem() -> None:
    assert problems() == []


def replaced(old: str, new: str) -> str:
    assert old in CHAPTER
    return CHAPTER.replace(old, new)


@pytest.mark.parametrize(
    ("chapter", "message"),
    [
        (replaced("Nobody can see it. |", " |"), "store.link has no case, and no reason"),
        (replaced("Rules without a case", "What else"), "store.link has no case, and no reason"),
        (replaced("| `store.link`", "| `store.links`"), "store.links is among the rules without a case"),
        (replaced("`store.last`", "`store.padding`"), "store.padding occurs twice, first at 05-store.md:5"),
        (replaced("`store.last`", "`Store.Last`"), "'Store.Last' is no id"),
        (replaced("Code: `bramble/store`.", "It is nice."), "does not name its code"),
        (replaced("`store.order`", "`store.orders`"), "there is no paragraph store.order"),
        (
            replaced("`store.root-too-long`", "`store.long`"),
            "no chapter defines the error store.root-too-long",
        ),
    ],
)
def test_what_does_not_meet_is_a_problem(chapter: str, message: str) -> None:
    assert any(message in problem for problem in problems(chapter)), problems(chapter)


def test_a_comment_that_names_nothing_is_a_problem() -> None:
    assert problems(code="# spec: store.paddings\n") == ["m.py:1: there is no paragraph store.paddings"]


def test_a_chapter_has_a_number_and_an_id_prefix_of_its_own() -> None:
    assert any("is called NN-name.md" in problem for problem in problems(name="store.md"))
    two = [
        trace.parse_chapter("05-store.md", CHAPTER),
        trace.parse_chapter("06-objects.md", ROOM + "**`store.new`** x\n" + REASON.format("new")),
        trace.parse_chapter("05a-more.md", ROOM + "**`store.more`** x\n" + REASON.format("more")),
    ]
    found = trace.trace(two, [parse_case_file("c.txt", CASE, "c")], []).problems
    assert list(found) == ["06-objects.md:3: the ids of chapter 05 begin with store."]


def test_the_codes_of_chunks_are_looked_for_too() -> None:
    chunks = parse_star_file("l.star", "# A.\n# spec: store.last\n\nx ### eval.nothing\n", "l")
    found = trace.trace([trace.parse_chapter("05-store.md", CHAPTER)], chunks, []).problems
    assert "l.star:4: no chapter defines the error eval.nothing" in found


def test_references_are_found_in_comments_and_docstrings(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        '"""X (spec: cli.errors)."""\nx = 1  # spec: store.padding, store.link\n# spec store.no\n'
    )
    (tmp_path / "m.txt").write_text("# spec: store.text\n")
    assert [(one.id, one.line) for one in trace.references(str(tmp_path))] == [
        ("cli.errors", 1),
        ("store.padding", 2),
        ("store.link", 2),
    ]
