"""What is said of a program that is right and perhaps not meant so."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lang.worlds import World


def test_a_pattern_that_nothing_matches_is_said_once(tmp_path: Path) -> None:
    # spec: dialect.files.unmatched
    text = (
        "def f():\n"
        '    for i in range(2):\n        files(["*.c", "src/**", "d/*"])\n'
        '    files(["*.rs"], allow_empty=True)\n'
        '    files(["*.rs"], [], True, True)\n'
        '    files(["*.bramble"], ["*.bramble"])\n'
    )
    world = World(tmp_path, default=text)
    (tmp_path / "d/inner").mkdir(parents=True)
    found = world.evaluate("./:f").warnings
    assert [re.sub("; pass allow.*", "", line) for line in found] == [
        'default.bramble:3:14: no file matches "*.c"',
        'default.bramble:3:14: no file matches "src/**"',
    ]
