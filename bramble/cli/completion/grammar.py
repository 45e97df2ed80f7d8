"""The command line as data, and where on it a word stands.

What a shell asks must be answered at once. To load the modules of a command only to
find out its options takes longer than everything else, so the data is kept between two questions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from bramble.record import NamedTuple


class Option(NamedTuple):
    """An option that help shows."""

    names: tuple[str, ...]  # `-k`, `--keep-going`
    summary: str
    key: str  # the same for options of which one replaces the other
    value: Optional[
        str
    ]  # the name of the value in help texts (SIZE, DIR …); None if the option takes no value
    choices: Mapping[str, str]  # value → its meaning; empty if the values are not a fixed set
    again: bool  # may be given several times


class Operand(NamedTuple):
    """Positional arguments of a command."""

    key: str
    kind: str  # what help calls it: TARGET, FILE …
    choices: Mapping[str, str]
    many: bool  # takes all that follow
    rest: bool  # what follows belongs to another program, options too


class Command(NamedTuple):
    """A command with its commands; the whole command line is one, too."""

    summary: str
    options: tuple[Option, ...]
    operands: tuple[Operand, ...]
    commands: Mapping[str, Command]

    def option(self, word: str) -> tuple[Optional[Option], Optional[str]]:
        """Return the option that a word is, and the value that the same word gives it."""
        name, equals, value = word.partition("=")
        for option in self.options:
            if word in option.names:
                return option, None
            if equals and name in option.names:
                return option, value
            if not word.startswith("--") and word[:2] in option.names and option.value is not None:
                return option, word[2:]
        return None, None


class Standing(NamedTuple):
    """What comes before the word that is being written."""

    command: Command  # the innermost
    verb: Optional[str]  # None before a command
    directory: Optional[str]  # what -C says
    awaited: Optional[Option]  # the option whose value the word is
    operand: Optional[Operand]  # the operand that the word is, if it is not an option
    options: bool  # an option may stand here
    given: frozenset[str]  # keys of the options that were given


def standing(words: Sequence[str], whole: Command) -> Optional[Standing]:
    """Return where the word after `words` stands; None if no command is known.

    `words` begin after the name of the program.
    """
    command = whole
    verb: Optional[str] = None
    directory: Optional[str] = None
    awaited: Optional[Option] = None
    position, options = 0, True
    given: set[str] = set()
    for word in words:
        if awaited is not None:
            directory = word if command is whole and "-C" in awaited.names else directory
            awaited = None
        elif options and word == "--":
            options = False
        elif options and word.startswith("-") and word != "-":
            option, value = command.option(word)
            if option is None:
                continue
            given.add(option.key)
            if option.value is not None and value is None:
                awaited = option
            elif command is whole and "-C" in option.names:
                directory = value
        elif command.commands:
            if word not in command.commands:
                return None
            verb, command, position = verb or word, command.commands[word], 0
            given.clear()
        elif position < len(command.operands) and not command.operands[position].many:
            position += 1
            options = options and not any(one.rest for one in command.operands[position : position + 1])
        elif any(one.rest for one in command.operands[position : position + 1]):
            options = False
    operand = command.operands[position] if position < len(command.operands) else None
    return Standing(
        command, verb, directory, awaited, operand if awaited is None else None, options, frozenset(given)
    )


def encode(command: Command) -> bytes:
    """Return a command as bytes, which `decode` reads again."""
    return json.dumps(command, separators=(",", ":")).encode("ascii")


def decode(data: bytes) -> Command:
    """Return what `encode` was given. Raises ValueError, TypeError, KeyError for anything else."""
    return _command(json.loads(data))


def _command(value: Any) -> Command:
    summary, options, operands, commands = value
    return Command(
        summary,
        tuple(Option(tuple(names), *rest) for names, *rest in options),
        tuple(Operand(*one) for one in operands),
        {name: _command(inner) for name, inner in commands.items()},
    )
