"""`bramble explain CODE`."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence

from bramble.cli.environment import Surface
from bramble.cli.render import print_json
from bramble.cli.topics.texts import text
from bramble.commands.explain import Rule, chapters, rule_named, rules_about
from bramble.errors import BrambleError, nearest
from bramble.record import dataclass

_WIDEST = 88
_LISTED = 8  # codes
_SHOWN = 3  # of several rules; the others are named
_ROW = re.compile(r"^    ([a-z]+\.[a-z-]+)(?:  +|\n +)(.*(?:\n {34}.*)*)", re.M)
_SECTION = re.compile(r"^([a-z]+\.[a-z-]+)\n((?:    .*\n)+)((?:  \S.*\n?)+)", re.M)
_SHOWN_CODE = re.compile(r"(?:error\[)?([\w.-]*)\]?:?")


@dataclass(frozen=True)
class Known:
    """What the topics say of a code: its meaning, an example, what to do."""

    meaning: str
    example: str
    remedy: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the operand of `explain`."""
    parser.add_argument("code", metavar="CODE", help="the code in error[…], such as load.cycle")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print meaning, rule, example and remedy of an error code; or a rule of the specification."""
    # spec: cli.explain.code
    shown = _SHOWN_CODE.fullmatch(arguments.code.strip().lower())
    name = shown[1] if shown is not None else arguments.code
    table, texts = known_codes(), chapters()
    if name in table:
        found, rules = table[name], rules_about(name, texts)
    else:
        found, rules = Known("", "", ""), rule_named(name, texts)
    if not rules and name not in table:
        raise _unknown(arguments.code, name, sorted(table))
    if arguments.json:
        print_json(
            {
                "version": 1,
                "code": name if name in table else None,
                "meaning": found.meaning,
                "rules": [{"id": rule.id, "chapter": rule.chapter, "text": rule.blocks} for rule in rules],
                "example": found.example,
                "remedy": found.remedy,
            }
        )
        return 0
    print("\n\n".join(_sections(name, found, rules, min(surface.width - 2, _WIDEST))))
    return 0


def known_codes() -> Mapping[str, Known]:
    """Return all error codes with what the topics say of them."""
    meanings = {code: " ".join(meaning.split()) for code, meaning in _ROW.findall(text("errors"))}
    sections = {code: (example, remedy) for code, example, remedy in _SECTION.findall(text("codes"))}
    return {
        code: Known(meaning, *(textwrap.dedent(part).strip("\n") for part in sections.get(code, ("", ""))))
        for code, meaning in meanings.items()
    }


def _unknown(given: str, name: str, codes: Sequence[str]) -> BrambleError:
    meant = nearest(name, codes)
    lines = [f"did you mean {meant}?"] if meant else []
    begun = [code for code in codes if code.startswith(f"{name.rstrip('.')}.")]
    if begun:
        lines = [
            f"codes with this beginning: {', '.join(begun[:_LISTED])}" + (" …" if begun[_LISTED:] else "")
        ]
    return BrambleError(
        "cli.unknown-code",
        f"there is no error code {given!r}",
        remedy="\n".join([*lines, "all codes: bramble help errors"]),
    )


def _sections(name: str, found: Known, rules: Sequence[Rule], width: int) -> Sequence[str]:
    sections = [_filled(f"{name}: {found.meaning}", width)] if found.meaning else []
    for rule in rules[:_SHOWN]:
        paragraphs = [_filled(block, width, 4) for block in rule.blocks]
        sections += [f"the {f'rule {rule.id}' if rule.id else 'table'} in {rule.chapter}:", *paragraphs]
    if rules[_SHOWN:]:
        more = ", ".join(rule.id for rule in rules[_SHOWN:])
        sections.append(_filled(f"it is also in {more} (bramble explain RULE)", width))
    if found.example:
        sections += ["for example:", textwrap.indent(found.example, "    ")]
    if found.remedy:
        sections += ["what to do:", textwrap.indent(found.remedy, "    ")]
    return sections


def _filled(words: str, width: int, indent: int = 0) -> str:
    # A line is not broken at the hyphens of codes and options.
    filled = textwrap.fill(words, width - indent, break_on_hyphens=False, break_long_words=False)
    return textwrap.indent(filled, " " * indent)
