"""The table of commands as text: the overview of `bramble help`, usage lines and examples."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from bramble.cli.table import GROUPS, TOPICS, VERBS, Topic, Verb

_NUMBER_MARKS = {"?": "[{}]", "*": "[{}…]", "+": "{}…", argparse.REMAINDER: "[{}…]", argparse.PARSER: "{} …"}


def overview() -> str:
    """Return the commands by group, the topics, and how to read on."""
    blocks = []
    for key, title in GROUPS.items():
        verbs = [verb for verb in VERBS if verb.group == key]
        if verbs:
            blocks.append(f"{title}:\n" + _rows(verbs))
    # A command that was given no group is listed all the same.
    rest = [verb for verb in VERBS if verb.group not in GROUPS]
    if rest:
        blocks.append("commands:\n" + _rows(rest))
    blocks.append("topics:\n" + _rows(TOPICS))
    blocks.append("`bramble help NAME` explains a command or a topic.")
    return "\n\n".join(blocks)


def examples(verb: Verb) -> str:
    """Return the examples of a command as lines that can be pasted into a shell; "" if it has none."""
    if not verb.examples:
        return ""
    lines = "\n\n".join(f"  # {what}\n  {line}" for what, line in verb.examples)
    return f"examples:\n{lines}"


def usage(program: str, actions: Iterable[argparse.Action]) -> str:
    """Return how a command is called, in one line: `PROGRAM [options] OPERAND…`."""
    return " ".join([program, "[options]", *operands(actions)])


def operands(actions: Iterable[argparse.Action]) -> list[str]:
    """Return the operands of a command as usage lines have them: `TARGET…`, `[DIR]`."""
    found = []
    for action in actions:
        if action.option_strings or action.help == argparse.SUPPRESS:
            continue
        name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        mark = _NUMBER_MARKS.get(action.nargs, "{}") if isinstance(action.nargs, str) else "{}"
        found.append(mark.format(name))
    return found


def _rows(entries: Sequence[Verb | Topic]) -> str:
    width = max(len(entry.name) for entry in (*VERBS, *TOPICS))
    return "\n".join(f"  {entry.name:<{width}}  {entry.summary}" for entry in entries)
