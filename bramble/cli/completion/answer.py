"""What the word that is being written on a command line may become."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from bramble.cli.completion.grammar import Command, Standing, standing
from bramble.cli.topics.texts import text
from bramble.commands.complete import Candidate, dependencies, targets
from bramble.record import NamedTuple

# What the operands and values that help calls so may be; of all others nothing is known.
_BY_KIND = {
    "TARGET": "targets",
    "OBJECT": "targets",
    "A": "targets",
    "B": "targets",
    "DEPENDENCY": "dependencies",
    "CODE": "codes",
    "DIR": "directories",
    "FILE": "files",
    "PATH": "files",
    "ARGUMENT": "files",
}
# A line of the topic that lists them: the code, and the first words of what it means.
_CODE = re.compile(r"^    ([a-z]+\.[a-z-]+) +(.*)$", re.M)


class Answer(NamedTuple):
    """What a shell is to offer: `candidates`, or names of files that it finds itself."""

    candidates: tuple[Candidate, ...]
    files: str = ""  # "files" or "directories"


NOTHING = Answer(())


def answer(words: Sequence[str], current: str, whole: Command, directory: str, store: str = "") -> Answer:
    """Return what `current` may become after `words`, which begin after the program's name.

    `whole` is the command line, `directory` where the shell stands, `store` the root of the store. Candidates
    are whole words, in order; text from a project is in them unchanged.
    """
    # spec: cli.completion
    here = standing(words, whole)
    if here is None:
        return NOTHING
    if here.directory is not None:
        directory = os.path.normpath(os.path.join(directory, here.directory))
    if here.awaited is not None:
        return _values(here.awaited.value or "", here.awaited.choices, current, directory, store)
    if here.options and current.startswith("-"):
        name, equals, value = current.partition("=")
        option, _ = here.command.option(name) if equals else (None, None)
        if option is None or option.value is None:
            return Answer(tuple(_options(here, current)))
        found = _values(option.value, option.choices, value, directory, store)
        return Answer(tuple(Candidate(f"{name}={one.text}", one.summary) for one in found.candidates))
    if here.command.commands:
        return _commands(here.command, current)
    if here.operand is None:
        return NOTHING
    if (here.verb, here.operand.key) == ("help", "inner"):
        return _commands(_named(words[words.index("help") + 1 :], whole), current)
    if here.verb in ("ls", "docs") and here.operand.kind == "PATH":
        return Answer((), "directories")
    return _values(here.operand.kind, here.operand.choices, current, directory, store)


def _named(names: Sequence[str], command: Command) -> Command:
    """Return the command that is called so, each name one of a command of the one before it."""
    for name in names:
        command = command.commands.get(name, Command("", (), (), {}))
    return command


def _options(here: Standing, current: str) -> list[Candidate]:
    found = []
    for option in here.command.options:
        # One spelling of an option is enough: the long one, if what is written begins it.
        names = [name for name in option.names if name.startswith(current)]
        longest = [name for name in names if name.startswith("--")] or names
        if longest and (option.again or option.key not in here.given):
            found.append(Candidate(longest[-1], option.summary))
    return found


def _values(kind: str, choices: Mapping[str, str], current: str, directory: str, store: str) -> Answer:
    if choices:
        return _chosen(choices, current)
    sort = _BY_KIND.get(kind, "")
    if sort in ("files", "directories"):
        return Answer((), sort)
    if sort == "targets":
        return Answer(tuple(targets(current, directory, store)))
    if sort == "dependencies":
        return Answer(tuple(dependencies(current, directory)))
    if sort == "codes":
        return _chosen(dict(_CODE.findall(text("errors"))), current)
    return NOTHING


def _commands(command: Command, current: str) -> Answer:
    return _chosen({name: inner.summary for name, inner in command.commands.items()}, current)


def _chosen(names: Mapping[str, str], current: str) -> Answer:
    return Answer(tuple(Candidate(name, names[name]) for name in names if name.startswith(current)))
