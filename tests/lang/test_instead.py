"""What other languages do has an error that says what to write here; the mistakes stand in the chapter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lang.worlds import World

CHAPTER = Path(__file__).parents[2] / "spec/14b-starlark-errors.md"
ROW = re.compile(r"^\| `(.+)` \| `(\w+\.\S+)` \| `(.+)` \|$", re.M)


def rows() -> list[tuple[str, str, str]]:
    text = CHAPTER.read_text("utf-8").partition("**`starlark.error.instead`**")[2].partition("```case")[0]
    found = ROW.findall(text.replace("\\|", "|"))
    assert len(found) == text.count("\n| `") > 50
    return found


@pytest.mark.parametrize(("mistake", "code", "says"), rows())
def test_a_habit_is_answered(tmp_path: Path, mistake: str, code: str, says: str) -> None:
    # spec: starlark.error.instead
    error = World(tmp_path, default=f"{mistake}\n").error("./:f")
    assert error.code == code
    assert error.remedy is not None and says in error.remedy, error.remedy
    assert error.place is not None and error.place.line in (1, 2)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ('x = [f"a{b} {c.d}"]', 'there are no f-strings: write "a{} {}".format(b, c.d)'),
        ("x = foo(rf'{y}')", "there are no f-strings: write '{}'.format(y)"),
        ('x = f"{y!r}"', 'there are no f-strings: write "{}".format(…)'),
        ('x = f"{{}}{y}"', 'there are no f-strings: write "{}".format(…)'),
        ("x = open('a')", 'write read("file"), which returns the text of a source file'),
        ('x = glob(["*.c"])', 'write files(["*.c"])'),
        ("x = {}.iteritems()", None),
        ("x = 1 + ", None),
        ("x = [1, 2\ny = 3", None),
        ("x = undefined_name_of_mine", None),
        ("x = sorted", "none"),
    ],
)
def test_what_is_no_habit_gets_no_advice(tmp_path: Path, line: str, remedy: str | None) -> None:
    world = World(tmp_path, default=f"{line}\n")
    if remedy == "none":
        assert world.error("./:f").code == "load.unknown-function"
        return
    assert world.error("./:f").remedy == remedy
