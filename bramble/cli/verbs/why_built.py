"""`bramble why-built TARGET`."""

from __future__ import annotations

import argparse
import os
from typing import Optional

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import BOLD, RED, YELLOW, duration, moment, on_one_line, paint, print_json
from bramble.commands.why_built import Answer, Change, Reason, why_built

_LONGEST = 72  # characters of a word of a recipe that are shown
_CONTEXT = 20  # characters before a difference in a long one
_WORDS = {
    "new": "it was not built before",
    "failed": "it had failed before, and nothing that goes into it has changed",
    "absent": "nothing that goes into it has changed: what it had come to was not in the store any more",
    "unstable": "nothing that goes into it has changed, and it came out differently (see build --check)",
}
_UNSTABLE = {
    "host_tools": "the programs of this machine have changed, or which of them are there",
    "fetch_url": "what was fetched is not what it was",
    "fetch_git": "what was fetched is not what it was",
}
_KINDS = {
    "builder": "the builder",
    "outputs": "the list of outputs",
    "argument": "argument",
    "variable": "the variable",
    "setting": "the",
    "source": "the source",
    "input": "the output of",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `why-built`."""
    parser.add_argument("target", metavar="TARGET", help="./path:function, as it was built")
    parser.add_argument("--of", default="", metavar="NAME", help="ask about a derivation that TARGET needs")
    parser.add_argument("--json", action="store_true", help="print the reasons as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print what was another one than before, down to what was changed."""
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    answers = why_built(arguments.target, arguments.of, setting)
    if arguments.json:
        print_json({"version": 1, "answers": [_as_json(answer) for answer in answers]})
    else:
        print("\n\n".join("\n".join(_lines(answer, surface)) for answer in answers))
    return 0


def _lines(answer: Answer, surface: Surface) -> list[str]:
    name = paint(on_one_line(answer.facts.name), BOLD, surface)
    ended = (
        paint(f"failed ({on_one_line(answer.ended.code)})", RED, surface)
        if answer.ended.code
        else "was built"
    )
    took = duration(answer.ended.milliseconds / 1000)
    line = f"{name} {ended} in build {answer.build.number}, {moment(answer.build.began / 1000)}, in {took}"
    if answer.before is None:
        return [line, "  no earlier build of it is recorded"]
    lines = [f"{line}; compared with build {answer.before.number}, {moment(answer.before.began / 1000)}:"]
    for one in answer.reasons:
        where = f"  {on_one_line(one.facts.place)}" if one.facts.place else ""
        lines.append(f"  {paint(on_one_line(one.facts.name), BOLD, surface)}{where}")
        lines += [f"    {_told(change, surface)}" for change in one.changes]
        if one.word:
            lines.append(f"    {paint(_word(one), YELLOW, surface)}")
    return lines


def _word(one: Reason) -> str:
    unstable = one.word == "unstable"
    return _UNSTABLE.get(one.facts.builder, _WORDS["unstable"]) if unstable else _WORDS[one.word]


def _told(change: Change, surface: Surface) -> str:
    """Return a change in words; those that are nobody's consequence stand out."""
    what = f" {on_one_line(change.what)}" if change.what else ""
    subject = f"{_KINDS[change.kind]}{what}"
    if change.kind == "source" and not change.what:
        return paint("the sources have changed (which of them is not recorded)", YELLOW, surface)
    if change.kind == "input":
        return f"{subject} is another one: {_short(change.before)} → {_short(change.after)}"
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
        text = f"{subject} is gone" + ("" if change.kind == "source" else f": {_quoted(change.before)}")
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


def _as_json(answer: Answer) -> dict[str, object]:
    return {
        "name": answer.facts.name,
        "derivation": answer.facts.id,
        "build": answer.build.number,
        "error": answer.ended.code or None,
        "seconds": answer.ended.milliseconds / 1000,
        "compared_with": None if answer.before is None else answer.before.number,
        "reasons": [
            {
                "name": one.facts.name,
                "derivation": one.facts.id,
                "at": one.facts.place or None,
                "word": one.word or None,
                "changes": [change._asdict() for change in one.changes],
                "inputs": list(one.inputs),
            }
            for one in answer.reasons
        ],
    }
