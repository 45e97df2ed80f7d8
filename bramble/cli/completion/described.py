"""The parsers of the commands, read as data: what help, manual pages and completion say of a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Optional

from bramble.cli.completion.grammar import Command, Operand, Option
from bramble.cli.table import TOPICS, VERBS
from bramble.commands.init import TEMPLATES

ParserOf = Callable[[Optional[str]], Optional[argparse.ArgumentParser]]
_MANY = ("*", "+", argparse.REMAINDER, argparse.PARSER)


def described(parser_of: ParserOf) -> Command:
    """Return the whole command line: `parser_of` gives the parser of a command, of all for None."""
    whole = parser_of(None)
    assert whole is not None
    commands = {}
    for verb in VERBS:
        parser = parser_of(verb.name)
        if parser is not None:
            commands[verb.name] = _command(parser, verb.name, verb.summary)
    return Command("", tuple(map(_option, shown_options(whole))), (), commands)


def inner_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands of a command, by name; none if it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def shown_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the options of a command that its help shows."""
    return [one for one in parser._actions if one.option_strings and one.help != argparse.SUPPRESS]


def takes_value(action: argparse.Action) -> bool:
    """Return whether an option is followed by a value."""
    return action.nargs != 0


def help_of(action: argparse.Action) -> str:
    """Return what help says of an option or an operand."""
    return (action.help or "").replace("%%", "%")


def _command(parser: argparse.ArgumentParser, verb: str, summary: str) -> Command:
    summaries = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {one.dest: one.help or "" for one in action._choices_actions}
    operands = [
        _operand(one, verb)
        for one in parser._actions
        if not one.option_strings and not isinstance(one, argparse._SubParsersAction)
    ]
    return Command(
        summary,
        tuple(_option(one) for one in shown_options(parser)),
        tuple(operands),
        {name: _command(one, verb, summaries.get(name, "")) for name, one in inner_parsers(parser).items()},
    )


def _option(action: argparse.Action) -> Option:
    return Option(
        names=tuple(action.option_strings),
        summary=help_of(action),
        key=action.dest,
        value=_kind(action) if takes_value(action) else None,
        choices=_choices(action, ""),
        again=isinstance(action, argparse._AppendAction),
    )


def _operand(action: argparse.Action, verb: str) -> Operand:
    return Operand(
        key=action.dest,
        kind=_kind(action),
        choices=_choices(action, verb),
        many=action.nargs in _MANY,
        rest=action.nargs == argparse.REMAINDER,
    )


def _kind(action: argparse.Action) -> str:
    return action.metavar if isinstance(action.metavar, str) else ""


def _choices(action: argparse.Action, verb: str) -> dict[str, str]:
    """Return the values that there are, with what each means, where these are a fixed set."""
    if action.choices is not None:
        return {str(choice): "" for choice in action.choices}
    if action.dest == "template":
        return {name: template.summary for name, template in TEMPLATES.items()}
    if (verb, action.dest) == ("help", "name"):
        return {one.name: one.summary for one in (*VERBS, *TOPICS)}
    return {}
