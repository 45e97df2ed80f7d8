"""`bramble completion bash|zsh|fish`."""

from __future__ import annotations

import argparse
import os

from bramble.cli.completion.answer import NOTHING, Answer, answer
from bramble.cli.completion.grammar import ParserOf
from bramble.cli.completion.line import quoted, split
from bramble.cli.completion.scripts import SCRIPTS
from bramble.cli.environment import Surface
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the operands of `completion`."""
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="print the functions for this shell")
    # Asked by these functions: words after the program's name, or in bash the line and COMP_WORDBREAKS,
    # each behind a dot.
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the functions for a shell, or the answer to one."""
    if not arguments.answer:
        if arguments.words:
            arguments.parser_of("completion").error(f"{arguments.words[0]!r} is one operand too many")
        print(SCRIPTS[arguments.shell], end="")
        return 0
    try:
        words = [word[1:] for word in arguments.words]
        lines = _lines(arguments.shell, words, arguments.parser_of)
    except (BrambleError, OSError):
        # Somebody is typing: what is wrong is said when the command is given.
        lines = []
    if lines:
        print("\n".join(lines))
    return 0


def _lines(shell: str, words: list[str], parser_of: ParserOf) -> list[str]:
    """Return the answer as lines: what is offered (words, files, directories), then the words."""
    directory = os.getcwd()
    if shell == "bash":
        line = split(words[0], words[1]) if len(words) == 2 else None
        if line is None:
            return []
        found = answer(line.words[1:], line.current, parser_of, directory)
        texts = [quoted(one.text, line) for one in found.candidates if one.text.startswith(line.current)]
        return [_kind(found), *(text for text in texts if text is not None)]
    found = answer(words[:-1], words[-1], parser_of, directory) if words else NOTHING
    return [
        _kind(found),
        *(f"{one.text}\t{one.summary}" for one in found.candidates if one.text.isprintable()),
    ]


def _kind(found: Answer) -> str:
    return found.files or "words"
