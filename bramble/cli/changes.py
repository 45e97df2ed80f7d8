"""What is another one than before, in words."""

from __future__ import annotations

import os
from typing import Optional

from bramble.cli.environment import Surface
from bramble.cli.render import YELLOW, on_one_line, paint
from bramble.commands.recorded.why_built import Change, without_secrets

_LONGEST = 72  # characters of a word of a recipe that are shown
_CONTEXT = 20  # characters before a difference in a long one
_KINDS = {
    "builder": "the builder",
    "outputs": "the list of outputs",
    "argument": "argument",
    "variable": "the variable",
    "setting": "the",
    "source": "the source",
    "input": "the output of",
}


def told(change: Change, surface: Surface) -> str:
    """Return a change in words; those that are nobody's consequence stand out."""
    change = without_secrets(change)
    what = f" {on_one_line(change.what)}" if change.what else ""
    subject = f"{_KINDS[change.kind]}{what}"
    if change.kind == "source" and not change.what:
        return paint("the sources have changed (which of them is not recorded)", YELLOW, surface)
    if change.kind == "input":
        return f"{subject} is different: {_short(change.before)} → {_short(change.after)}"
    if change.line:
        subject += f", line {change.line}"
    if change.kind == "source" and None not in (change.before, change.after):
        digests = len(change.before or "") == 32
        text = f"{subject} " + (
            "has changed" if digests else f"was {change.before} and is {change.after} now"
        )
    elif change.before is None:
        text = f"{subject} is new" + ("" if change.kind == "source" else f": {_quoted(change.after)}")
    elif change.after is None:
        text = f"{subject} was removed" + ("" if change.kind == "source" else f": {_quoted(change.before)}")
    elif change.before == change.after:
        text = f"{subject} has changed in a secret part of a URL"
    else:
        before, after = _near_the_difference(change.before, change.after)
        text = f"{subject}: {_quoted(before)} → {_quoted(after)}"
    return paint(text, YELLOW, surface)


def _near_the_difference(before: str, after: str) -> tuple[str, str]:
    """Return two texts without what they begin with alike, where that would fill the line."""
    alike = len(os.path.commonprefix([before, after])) - _CONTEXT
    if alike <= 1 or max(len(before), len(after)) <= _LONGEST:
        return before, after
    return f"…{before[alike:]}", f"…{after[alike:]}"


def _quoted(text: Optional[str]) -> str:
    shown = on_one_line(text or "")
    return '"' + (shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…") + '"'


def _short(name: Optional[str]) -> str:
    return f"{name[:8]}…" if name else "none"
