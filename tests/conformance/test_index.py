"""What is made of the chapters by program, and the references between documents."""

from __future__ import annotations

import pytest

from conformance.book import index

CHAPTERS = {
    "05-store.md": """# 5. The store

Code: `bramble/store`.

## 5.1 Place & rights

**`store.padding`** The path (of 49 bytes, e. g. here) is padded: it is `x.y`. More of it, or
`store.bad` for a root that is too long.

```text
**`store.example`** is no rule, and [this](nothing.md) is no link.
| code | no table |
```

**`store.other`** Without a stop

| variable | meaning |
|---|---|
| `STORE` | where it is |

## 5.2 Codes

| code | meaning |
|---|---|
| `store.bad`, `store.worse` | it is `a \\| b` |

| file | meaning |
|---|---|
| `var/x` | a record |
"""
}
ADVICE = """# Errors

Text before.

store.bad
    an example
  Choose another
  root.
store.worse
  Nothing helps.
"""


def test_rules_have_their_section_and_their_first_sentence() -> None:
    page = index.pages(CHAPTERS, {})["index-rules.md"]
    assert [line for line in page.splitlines() if line.startswith("| [")] == [
        "| [`store.other`](05-store.md#51-place--rights) | 5.1 | Without a stop. |",
        "| [`store.padding`](05-store.md#51-place--rights) | 5.1 "
        "| The path (of 49 bytes, e. g. here) is padded: it is `x.y`. |",
    ]
    assert "All 2 rules" in page and page.split("\n")[2].startswith("This page is informative.")


def test_codes_have_their_meaning_the_rules_that_name_them_and_a_remedy() -> None:
    page = index.pages(CHAPTERS, index.remedies(ADVICE))["index-codes.md"]
    assert [line for line in page.splitlines() if line.startswith("| `")] == [
        "| `store.bad` | it is `a \\| b` | [5.2](05-store.md#52-codes) | "
        "[`store.padding`](05-store.md#51-place--rights) | Choose another root. |",
        "| `store.worse` | it is `a \\| b` | [5.2](05-store.md#52-codes) |  | Nothing helps. |",
    ]


def test_a_table_in_a_rule_names_the_rule_and_does_not_say_what_a_code_means() -> None:
    rows = "| code | meaning |\n|---|---|\n| `store.worse` | here |\n"
    table = f"**`store.rule`** These are errors:\n\n{rows}\n## 5.2"
    chapters = {name: text.replace("## 5.2", table, 1) for name, text in CHAPTERS.items()}
    page = index.pages(chapters, {})["index-codes.md"]
    assert [line for line in page.splitlines() if line.startswith("| `store.worse`")] == [
        "| `store.worse` | it is `a \\| b` | [5.2](05-store.md#52-codes) | "
        "[`store.rule`](05-store.md#51-place--rights) |  |"
    ]


def test_files_and_variables_are_those_of_the_tables() -> None:
    page = index.pages(CHAPTERS, {})["index-files.md"]
    assert "| `var/x` | a record | [5.2](05-store.md#52-codes) |" in page
    assert "| `STORE` | where it is | [5.1](05-store.md#51-place--rights) |" in page
    assert page.count("| `") == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# A\n\n[x](b.md)\n", "a.md: there is no b.md"),
        ("# A\n\n[x](#c)\n", "a.md: a.md has no section c"),
        ("# A\n\n[x](d/e.md#f)\n", "a.md: d/e.md has no section f"),
        ("# A\n\n[x](d/e.md#e-1)\n\n[y](#a) [z](https://example.test/q) `[w](v.md)`\n", ""),
    ],
)
def test_links_that_lead_nowhere_are_named(text: str, problem: str) -> None:
    documents = {"a.md": text, "d/e.md": "# E 1\n"}
    assert list(index.dead_links(documents)) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("See `store.paddin`.", "05-store.md: store.paddin is neither a rule nor a code (5.3 More)"),
        ("See section 5.9.", "05-store.md: there is no section 5.9 (5.3 More)"),
        ("See section 5.2, `store.worse`, `store.padding`, `store.json`, `other.thing`.", ""),
    ],
)
def test_names_of_nothing_are_named(text: str, problem: str) -> None:
    chapters = {"05-store.md": CHAPTERS["05-store.md"] + f"\n## 5.3 More\n\n{text}\n"}
    assert list(index.dead_names(chapters)) == ([problem] if problem else [])


def test_the_pages_of_this_specification_are_those_of_its_chapters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # spec: conformance.index
    status = index.main(["--check"])
    assert (status, capsys.readouterr().out) == (0, "0 problems\n")
