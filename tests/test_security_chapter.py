"""Every promise of the chapter on security names rules that exist, and tests that exist and are run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "spec" / "11-security.md"


def rows() -> list[tuple[str, list[str], list[str]]]:
    found = []
    for line in CHAPTER.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 3 and cells[0] not in ("promise", "---"):
            found.append((cells[0], re.findall(r"`([^`]+)`", cells[1]), re.findall(r"`([^`]+)`", cells[2])))
    return found


def test_every_promise_has_rules_and_tests() -> None:
    assert len(rows()) > 25
    assert [promise for promise, rules, tests in rows() if not rules or not tests] == []


def test_the_rules_exist() -> None:
    known = set()
    for chapter in ROOT.glob("spec/*.md"):
        known |= set(re.findall(r"^\*\*`([a-z0-9.-]+)`\*\*", chapter.read_text(encoding="utf-8"), re.M))
    named = {rule for _, rules, _ in rows() for rule in rules}
    named |= set(re.findall(r"`([a-z]+\.[a-z.-]+)`", CHAPTER.read_text(encoding="utf-8")))
    assert sorted(rule for rule in named - known if rule not in ("bramble.toml", "bramble.lock")) == []


def test_the_tests_exist() -> None:
    named = {test for _, _, tests in rows() for test in tests}
    assert sorted(test for test in named if not (ROOT / test).is_file()) == []
    assert all("def test_" in (ROOT / test).read_text(encoding="utf-8") for test in named)
