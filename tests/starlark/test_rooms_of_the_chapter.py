"""Chapter 14 says below each heading where its rules stand in code, and they do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = [
    TOP / "spec" / name for name in ("14-starlark.md", "14a-starlark-library.md", "14b-starlark-errors.md")
]
FLOORS = "(?:syntax|runtime|compile|reference)(?:/[a-z_]+)*"
PLACE = re.compile(rf"`({FLOORS}|[a-z]+(?=:))(?::([A-Za-z_.]+))?`")

pytestmark = pytest.mark.skipif(not PAGES[0].exists(), reason="the specification is not beside this package")


def sections(page: Path) -> dict[str, str]:
    """Return the text of each section by its heading."""
    parts = re.split(r"^## (.*)$", page.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def rooms(text: str) -> str:
    """Return the paragraph that says where a section's rules stand, or ""."""
    first = text.strip().split("\n\n")[0].replace("\n", " ")
    return first if first.startswith("Code: ") else ""


def names_of(tree: ast.Module) -> set[str]:
    """Return the functions, classes, methods and constants of a module."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def is_there(place: str, name: str) -> bool:
    path = TOP / "bramble" / "starlark" / place
    if path.is_dir():
        return not name
    source = path.with_suffix(".py")
    return source.exists() and (not name or name in names_of(ast.parse(source.read_text())))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_section_says_where_its_rules_stand_and_they_do(page: Path) -> None:
    wrong = []
    for heading, text in sections(page).items():
        if heading.endswith("Rules without a case"):
            continue
        places = PLACE.findall(rooms(text))
        if not places:
            wrong.append(f"{heading}: no rooms")
        wrong += [f"{heading}: {place}:{name}" for place, name in places if not is_there(place, name)]
    assert wrong == []


def test_a_name_that_is_not_there_is_seen() -> None:
    assert is_there("reference/values", "change") and is_there("syntax", "")
    assert not is_there("reference/values", "changes") and not is_there("reference/value", "change")
    assert not is_there("syntax", "change") and is_there("syntax/scan", "Scanner.next_line")
