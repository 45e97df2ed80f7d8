"""Where on a command line a word stands, by the parsers that read command lines: what may stand there."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

ParserOf = Callable[[Optional[str]], Optional[argparse.ArgumentParser]]
_MANY = ("*", "+", argparse.REMAINDER, argparse.PARSER)


class Standing(NamedTuple):
    """What comes before the word that is being written."""

    parser: argparse.ArgumentParser  # of the innermost command
    verb: Optional[str]  # None before a command
    directory: Optional[str]  # what -C says
    awaited: Optional[argparse.Action]  # the option whose value the word is
    operand: Optional[argparse.Action]  # the operand that the word is, if it is no option
    options: bool  # an option may stand here
    given: frozenset[str]  # options that were given, as they are called in the parser (`dest`)


def standing(words: Sequence[str], parser_of: ParserOf) -> Optional[Standing]:
    """Return where the word after `words` stands; None where no command is known.

    `words` begin after the name of the program. `parser_of` returns the parser
    of a command by its name, that of the whole command line for None.
    """
    parser = parser_of(None)
    if parser is None:
        return None
    verb: Optional[str] = None
    directory: Optional[str] = None
    position, awaited, options = 0, None, True
    given: set[str] = set()
    for word in words:
        if awaited is not None:
            directory = word if verb is None and awaited.dest == "directory" else directory
            awaited = None
            continue
        if options and word.startswith("-") and word not in ("-", "--"):
            action, value = _option(parser, word)
            if action is not None:
                given.add(action.dest)
                if value is None and takes_value(action):
                    awaited = action
                elif verb is None and action.dest == "directory":
                    directory = value
            continue
        if options and word == "--":
            options = False
            continue
        if verb is None:
            deeper = parser_of(word)
            if deeper is None:
                return None
            verb, parser, position = word, deeper, 0
            given.clear()
            continue
        operand = _operand(parser, position)
        if operand is None:
            continue
        if isinstance(operand, argparse._SubParsersAction):
            if word not in operand.choices:
                return None
            parser, position = operand.choices[word], 0
            given.clear()
        elif operand.nargs == argparse.REMAINDER:
            options = False
        elif operand.nargs not in _MANY:
            position += 1
            following = _operand(parser, position)
            # What follows belongs to another program, as the arguments of `run`.
            options = options and not (following is not None and following.nargs == argparse.REMAINDER)
    operand = None if awaited is not None else _operand(parser, position)
    return Standing(parser, verb, directory, awaited, operand, options, frozenset(given))


def inner_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands of a command, by name; none if it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def summaries(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return what help says of each command of a command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {one.dest: one.help or "" for one in action._choices_actions}
    return {}


def shown_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the options of a command that its help shows."""
    return [one for one in parser._actions if one.option_strings and one.help != argparse.SUPPRESS]


def takes_value(action: argparse.Action) -> bool:
    """Return whether an option is followed by a value."""
    return action.nargs != 0


def kind(action: argparse.Action) -> str:
    """Return what the values of an operand or an option are called in help: TARGET, DIR, FILE …; or ""."""
    return action.metavar if isinstance(action.metavar, str) else ""


def _operand(parser: argparse.ArgumentParser, position: int) -> Optional[argparse.Action]:
    operands = [one for one in parser._actions if not one.option_strings]
    return operands[position] if position < len(operands) else None


def _option(parser: argparse.ArgumentParser, word: str) -> tuple[Optional[argparse.Action], Optional[str]]:
    """Return the option that a word is, and the value that the same word gives it."""
    name, equals, value = word.partition("=")
    for action in parser._actions:
        if word in action.option_strings:
            return action, None
        if equals and name in action.option_strings:
            return action, value
        if not word.startswith("--") and word[:2] in action.option_strings and takes_value(action):
            return action, word[2:]
    return None, None
