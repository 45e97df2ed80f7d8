"""Manual pages: the parsers of the commands and the table of commands in the language of man(7)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from bramble.cli.completion.described import ParserOf, help_of, inner_parsers, shown_options, takes_value
from bramble.cli.listing import operands
from bramble.cli.table import GROUPS, TOPICS, VERBS, Verb

# groff_char(7): as they stand, these would be shown as other characters, or be read as commands.
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
_STATUS = (
    ("0", "success"),
    ("1", "it failed; an error says why"),
    ("2", "the command line cannot be understood"),
    ("70", "internal error, which is a bug in Bramble"),
    ("130", "interrupted by Ctrl-C"),
)


def pages(parser_of: ParserOf, version: str) -> dict[str, str]:
    """Return the manual pages by their file names: `bramble.1`, and `bramble-VERB.1` for each command."""
    # spec: cli.man
    made = {"bramble.1": _overview(parser_of(None), version)}
    for verb in VERBS:
        parser = parser_of(verb.name)
        if parser is not None:
            made[f"bramble-{verb.name}.1"] = _page(verb, parser, version)
    return made


def text(words: str) -> str:
    """Return a text escaped for roff, on a separate line or within one."""
    shown = "".join(
        _SPECIAL.get(letter) or (letter if letter.isascii() else rf"\[u{ord(letter):04X}]")
        for letter in " ".join(words.split())
    )
    return rf"\&{shown}" if shown.startswith(".") else shown


def _overview(parser: argparse.ArgumentParser | None, version: str) -> str:
    lines = [*_head("bramble", "a functional build system and package manager", version)]
    lines += [".SH SYNOPSIS", rf"\fBbramble\fR [options] \fICOMMAND\fR {text('…')}"]
    if parser is not None:
        lines += [".SH OPTIONS", *_options(parser)]
    lines.append(".SH COMMANDS")
    for key, title in GROUPS.items():
        verbs = [verb for verb in VERBS if verb.group == key]
        lines += [f".SS {text(title)}"] if verbs else []
        for verb in verbs:
            lines += [".TP", _reference(f"bramble-{verb.name}"), text(verb.summary)]
    lines += [".SH TOPICS", rf"\fBbramble help\fR \fITOPIC\fR {text('prints a text on one of these.')}"]
    for topic in TOPICS:
        lines += [".TP", rf"\fB{text(topic.name)}\fR", text(topic.summary)]
    lines.append(".SH EXIT STATUS")
    for status, meaning in _STATUS:
        lines += [".TP", rf"\fB{status}\fR", text(meaning)]
    lines += [
        ".SH ENVIRONMENT",
        r"\fBbramble help environment\fR lists the variables and the files that are read.",
    ]
    lines += [".SH SEE ALSO", ",\n".join(_reference(f"bramble-{verb.name}") for verb in VERBS)]
    return "\n".join(lines) + "\n"


def _page(verb: Verb, parser: argparse.ArgumentParser, version: str) -> str:
    lines = [*_head(f"bramble-{verb.name}", verb.summary, version), ".SH SYNOPSIS", _synopsis(parser)]
    lines += [".SH DESCRIPTION", text(_sentence(parser.description or verb.summary)), *_operands(parser)]
    lines += [".SH OPTIONS", *_options(parser)]
    inner = [*_inner(parser)]
    if inner:
        lines += [".SH COMMANDS", *inner]
    if verb.examples:
        lines.append(".SH EXAMPLES")
    for what, line in verb.examples:
        lines += [".PP", text(_sentence(what)), ".PP", ".RS 4", ".nf", text(line), ".fi", ".RE"]
    lines += [".SH SEE ALSO", _reference("bramble")]
    return "\n".join(lines) + "\n"


def _head(name: str, summary: str, version: str) -> list[str]:
    # No date: the same version gives the same bytes.
    title = text(name.upper())
    return [
        f'.TH {title} 1 "" "Bramble {text(version)}" "Bramble"',
        # Nothing is divided, and no blanks are put in: the lines are options and names.
        ".nh",
        ".ad l",
        ".SH NAME",
        rf"{text(name)} \- {text(summary)}",
    ]


def _synopsis(parser: argparse.ArgumentParser) -> str:
    words = " ".join(operands(parser._actions))
    return (
        rf"\fB{text(parser.prog)}\fR [options] \fI{text(words)}\fR"
        if words
        else rf"\fB{text(parser.prog)}\fR [options]"
    )


def _operands(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        hidden = action.option_strings or action.help in (None, argparse.SUPPRESS)
        if not hidden and not isinstance(action, argparse._SubParsersAction):
            yield from (".TP", rf"\fI{text(_name(action))}\fR", text(_help(action)))


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    shown = shown_options(parser)
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action in shown]
        if not actions:
            continue
        if group.title and group.title not in ("options", "optional arguments"):
            yield f".SS {text(group.title)}"
        for action in actions:
            value = rf" \fI{text(_name(action))}\fR" if takes_value(action) else ""
            names = ", ".join(rf"\fB{text(name)}\fR" for name in action.option_strings)
            yield from (".TP", f"{names}{value}", text(_help(action)))


def _inner(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield what a page says of the commands of a command, those of these included."""
    for deeper in inner_parsers(parser).values():
        yield from (".PP", _synopsis(deeper), ".RS 4", text(_sentence(deeper.description or "")))
        yield from (*_operands(deeper), *_options(deeper), ".RE", *_inner(deeper))


def _name(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    choices: Sequence[object] = [*(action.choices or ())]
    return "|".join(str(choice) for choice in choices) if choices else action.dest.upper()


def _help(action: argparse.Action) -> str:
    return help_of(action) or "see above"


def _reference(name: str) -> str:
    return rf"\fB{text(name)}\fR(1)"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""
