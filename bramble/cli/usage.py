"""A command line that cannot be understood: what is wrong with it, and what was probably meant."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Sequence
from typing import Any, Optional

from bramble.errors import BrambleError, nearest

_ARGPARSE_SAYS = (
    (re.compile(r"argument (.+): expected one argument"), r"\1 needs a value"),
    (re.compile(r"argument (.+): expected at least one argument"), r"\1 is missing"),
    (re.compile(r"argument (.+): ignored explicit argument (.+)"), r"\1 takes no value: \2"),
    (re.compile(r"argument (.+?): (.*)"), r"\1: \2"),
    (re.compile(r"the following arguments are required: (.+)"), r"\1 is missing"),
)


def unknown_command(program: str, name: str, names: Collection[str]) -> BrambleError:
    """Return the error for a word that is not a command of `program` (`bramble`, `bramble store`)."""
    # spec: cli.usage
    command = "no command" if program == "bramble" else f"no command of {program}"
    return _error(
        "cli.unknown-command", program, f"{name!r} is {command}", _meant(program, name, names), names=names
    )


def unknown_subject(name: str, names: Collection[str]) -> BrambleError:
    """Return the error for what `bramble help` cannot explain."""
    # spec: cli.help
    fact = f"{name!r} is neither a command nor a topic"
    if re.fullmatch(r"[a-z]+\.[a-z-]+", name):
        return _error(
            "cli.unknown-command", "bramble", fact, f"to read about an error: bramble explain {name}"
        )
    return _error("cli.unknown-command", "bramble", fact, _meant("bramble help", name, names))


def unrecognised(
    parser: argparse.ArgumentParser, words: Sequence[str], outer: Collection[str]
) -> BrambleError:
    """Return the error for words of a command line that are left over.

    `outer` are the options that are written before the command.
    """
    options = [word for word in words if word.startswith("-") and word != "-"]
    if not options:
        return _error("cli.usage", parser.prog, f"{words[0]!r} is an operand too many", "omit it")
    name = options[0].partition("=")[0]
    known = [option for action in parser._actions for option in action.option_strings]
    fact = f"{parser.prog} has no option {name}"
    if name in outer:
        verb = parser.prog.partition(" ")[2]
        return _error(
            "cli.unknown-option", parser.prog, fact, f"it goes before the command: bramble {name} … {verb}"
        )
    # One letter is like every other.
    close = nearest(name, known) if name.startswith("--") else None
    return _error("cli.unknown-option", parser.prog, fact, f"did you mean {close}?" if close else None)


def not_a_choice(parser: argparse.ArgumentParser, action: argparse.Action, value: Any) -> BrambleError:
    """Return the error for a value that is not one of the possible ones."""
    choices = [str(choice) for choice in action.choices or ()]
    if not action.option_strings:
        return unknown_command(parser.prog, str(value), choices)
    name = action.option_strings[-1]
    close = nearest(str(value), choices)
    remedy = f"did you mean {close}?" if close else f"it is one of: {', '.join(choices)}"
    return _error("cli.usage", parser.prog, f"{name} cannot be {str(value)!r}", remedy)


def misused(parser: argparse.ArgumentParser, message: str) -> BrambleError:
    """Return the error for what argparse says is wrong."""
    for pattern, fact in _ARGPARSE_SAYS:
        found = pattern.fullmatch(message)
        if found is not None:
            message = found.expand(fact)
            break
    # What follows the words that are wanted may be left out.
    message = message.replace(", ARGUMENT is missing", " is missing")
    wanted = next((a for a in parser._actions if a.choices and message == f"{a.metavar} is missing"), None)
    remedy = None if wanted is None else f"it is one of: {', '.join(map(str, wanted.choices or ()))}"
    return _error("cli.usage", parser.prog, message, remedy)


def _meant(program: str, name: str, names: Collection[str]) -> Optional[str]:
    close = nearest(name, names)
    if close is None:
        beginning = [known for known in sorted(names) if len(name) > 1 and known.startswith(name)]
        close = beginning[0] if len(beginning) == 1 else None
    return f"did you mean: {program} {close}" if close else None


def _error(
    code: str, program: str, fact: str, remedy: Optional[str], *, names: Collection[str] = ()
) -> BrambleError:
    verb = program.split()[1:2]
    lines = [remedy] if remedy else []
    if verb and names and not remedy:
        lines.append(f"it is one of: {', '.join(names)}")
    lines.append(f"see: {' '.join(['bramble', 'help', *verb])}")
    return BrambleError(code, fact, remedy="\n".join(lines))
