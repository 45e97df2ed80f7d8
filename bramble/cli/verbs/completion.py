"""`bramble completion bash|zsh|fish`."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
from collections.abc import Callable
from typing import Any

from bramble.cli.completion.answer import NOTHING, Answer, answer
from bramble.cli.completion.grammar import Command, decode, encode
from bramble.cli.completion.line import quoted, split
from bramble.cli.completion.scripts import SCRIPTS
from bramble.cli.environment import Surface, read_cache, read_setting
from bramble.commands.complete import program_stamp, read_kept, write_kept
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the operands of `completion`."""
    parser.add_argument(
        "shell", metavar="SHELL", choices=tuple(SCRIPTS), help="print the functions for bash, zsh or fish"
    )
    # Asked by these functions: words after the program's name, or in bash the line and COMP_WORDBREAKS,
    # each behind a dot.
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", default=(), help=argparse.SUPPRESS)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the functions for a shell, or the answer to one."""
    if not arguments.answer:
        if arguments.words:
            arguments.parser_of("completion").error(f"{arguments.words[0]!r} is an operand too many")
        print(SCRIPTS[arguments.shell], end="")
        return 0
    try:
        words = [word[1:] for word in arguments.words]
        lines = _lines(arguments.shell, words, lambda: _whole(arguments.parser_of))
    except (BrambleError, OSError):
        # The command line is still being typed: errors are reported when the command is run.
        lines = []
    if lines:
        print("\n".join(lines))
    return 0


def _whole(parser_of: Any) -> Command:
    """Return the command line as data: kept from the last time, or found by loading every command."""
    # spec: cli.completion.kept
    cache, stamp = read_cache(os.environ), program_stamp()
    with contextlib.suppress(ValueError, TypeError, KeyError):
        kept = read_kept(cache, stamp)
        if kept is not None:
            return decode(kept)
    # The modules of all commands are loaded here.
    found: Command = importlib.import_module("bramble.cli.completion.described").described(parser_of)
    write_kept(cache, stamp, encode(found))
    return found


def _lines(shell: str, words: list[str], whole: Callable[[], Command]) -> list[str]:
    """Return the answer as lines: what is offered (words, files, directories), then the words."""
    directory, store = os.getcwd(), read_setting(os.environ).store_root
    if shell == "bash":
        line = split(words[0], words[1]) if len(words) == 2 else None
        if line is None:
            return []
        found = answer(line.words[1:], line.current, whole(), directory, store)
        texts = [quoted(one.text, line) for one in found.candidates if one.text.startswith(line.current)]
        return [_kind(found), *(text for text in texts if text is not None)]
    found = answer(words[:-1], words[-1], whole(), directory, store) if words else NOTHING
    return [
        _kind(found),
        *(f"{one.text}\t{one.summary}" for one in found.candidates if one.text.isprintable()),
    ]


def _kind(found: Answer) -> str:
    return found.files or "words"
