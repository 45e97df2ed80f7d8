"""What the word that is being written on a command line may become."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import NamedTuple

from bramble.cli.completion.grammar import (
    ParserOf,
    Standing,
    inner_parsers,
    kind,
    shown_options,
    standing,
    summaries,
    takes_value,
)
from bramble.cli.table import TOPICS, VERBS
from bramble.commands.complete import Candidate, targets
from bramble.commands.init import TEMPLATES

# What the operands and values that help calls so may be; of all others nothing is known.
_BY_METAVAR = {
    "TARGET": "targets",
    "OBJECT": "targets",
    "DIR": "directories",
    "FILE": "files",
    "PATH": "files",
    "ARGUMENT": "files",
}
# Values that have a name of their own: (command, where argparse keeps it).
_BY_NAME = {
    ("init", "template"): "templates",
    ("help", "name"): "subjects",
    ("ls", "path"): "directories",
}


class Answer(NamedTuple):
    """What a shell is to offer: `candidates`, or names of files that it finds itself."""

    candidates: tuple[Candidate, ...]
    files: str = ""  # "files" or "directories"


NOTHING = Answer(())


def answer(words: Sequence[str], current: str, parser_of: ParserOf, directory: str) -> Answer:
    """Return what `current` may become after `words`, which begin after the program's name.

    `directory` is where the shell stands; `parser_of` as for `standing`. Candidates are
    whole words, in order; what a project says stands in them as it is.
    """
    # spec: cli.completion
    here = standing(words, parser_of)
    if here is None:
        return NOTHING
    if here.directory is not None:
        directory = os.path.normpath(os.path.join(directory, here.directory))
    if here.awaited is not None:
        return _values(here.awaited, current, here, directory)
    if here.options and current.startswith("-"):
        name, equals, value = current.partition("=")
        for action in shown_options(here.parser) if equals else ():
            if name in action.option_strings and takes_value(action):
                found = _values(action, value, here, directory)
                return Answer(tuple(Candidate(f"{name}={one.text}", one.summary) for one in found.candidates))
        return Answer(tuple(_options(here, current)))
    if here.verb is None:
        return _chosen({verb.name: verb.summary for verb in VERBS}, current)
    if here.operand is None:
        return NOTHING
    if (here.verb, here.operand.dest) == ("help", "inner"):
        return _chosen(_inner(words[words.index("help") + 1 :], parser_of), current)
    return _values(here.operand, current, here, directory)


def _options(here: Standing, current: str) -> list[Candidate]:
    found = []
    for action in shown_options(here.parser):
        again = isinstance(action, argparse._AppendAction) or action.dest not in here.given
        # One spelling of an option is enough; a letter is completed when nothing is written yet.
        names = [name for name in action.option_strings if name.startswith(current)]
        longest = [name for name in names if name.startswith("--")] or names
        if again and longest:
            found.append(Candidate(longest[-1], _help_of(action)))
    return found


def _inner(words: Sequence[str], parser_of: ParserOf) -> dict[str, str]:
    """Return the commands of the command that `words` name, one below the other."""
    parser = parser_of(words[0])
    for word in words[1:]:
        parser = inner_parsers(parser).get(word) if parser is not None else None
    return summaries(parser) if parser is not None else {}


def _values(action: argparse.Action, current: str, here: Standing, directory: str) -> Answer:
    if isinstance(action, argparse._SubParsersAction):
        return _chosen(summaries(here.parser), current)
    if action.choices is not None:
        return _chosen({str(choice): "" for choice in action.choices}, current)
    sort = _BY_NAME.get((here.verb or "", action.dest)) or _BY_METAVAR.get(kind(action), "")
    if sort in ("files", "directories"):
        return Answer((), sort)
    if sort == "targets":
        return Answer(tuple(targets(current, directory)))
    if sort == "templates":
        return _chosen({name: template.summary for name, template in TEMPLATES.items()}, current)
    if sort == "subjects":
        return _chosen({one.name: one.summary for one in (*VERBS, *TOPICS)}, current)
    return NOTHING


def _chosen(names: dict[str, str], current: str) -> Answer:
    return Answer(tuple(Candidate(name, names[name]) for name in names if name.startswith(current)))


def _help_of(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")
