"""`bramble why-built TARGET`."""

from __future__ import annotations

import argparse
import os

from bramble.cli.changes import told
from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import BOLD, RED, YELLOW, duration, moment, on_one_line, paint, print_json
from bramble.commands.recorded.why_built import Answer, Reason, why_built, without_secrets

_WORDS = {
    "new": "it was not built before",
    "failed": "it had failed before, and no input has changed",
    "absent": "no input has changed: its result was no longer in the store",
    "unstable": "no input has changed, and the result is different (see build --check)",
}
_UNSTABLE = {
    "host_tools": "the programs of this machine have changed, or the list of them",
    "fetch_url": "the fetched content has changed",
    "fetch_git": "the fetched content has changed",
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
        lines += [f"    {told(change, surface)}" for change in one.changes]
        if one.word:
            lines.append(f"    {paint(_word(one), YELLOW, surface)}")
    return lines


def _word(one: Reason) -> str:
    unstable = one.word == "unstable"
    return _UNSTABLE.get(one.facts.builder, _WORDS["unstable"]) if unstable else _WORDS[one.word]


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
                "changes": [without_secrets(change)._asdict() for change in one.changes],
                "inputs": list(one.inputs),
            }
            for one in answer.reasons
        ],
    }
