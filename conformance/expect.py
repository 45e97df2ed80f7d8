"""Carries a case out and says whether what happened is what had to happen.

Each verb does exactly what spec/13-conformance.md says of it and nothing is
repaired on the way: the first thing that is not as expected ends the case.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from conformance import audit, changes, chunks, listing, oracle, signals
from conformance.casefile import Case, Chunk, Script
from conformance.claims import Rules
from conformance.forms import documents
from conformance.outcome import (
    ACCEPTED,
    BROKEN,
    FAILED,
    PASSED,
    UNCLAIMED,
    Broken,
    Edit,
    Mismatch,
    Missing,
    Outcome,
)
from conformance.printed import check_ending, error_fits, errors_shown, printed_errors, shown
from conformance.routes import BadRoutes
from conformance.script import Command, Env, Error, Git, Json, Same, Serve, Signal, Step, Text, Tree, Write
from conformance.words import Word, names_of
from conformance.world.session import Ended, World


@dataclass
class _Progress:
    """What a script knows while it runs."""

    case: Script
    world: World
    rules: Rules
    servers: contextlib.ExitStack
    last: Optional[Ended] = None
    arguments: tuple[str, ...] = ()
    status: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)  # printed by the last command, not yet named
    signals: list[Signal] = field(default_factory=list)  # for the next command
    edits: list[Edit] = field(default_factory=list)
    sections: Mapping[str, str] = field(default_factory=dict)


def carry_out(case: Case, world: World, rules: Rules) -> Outcome:
    """Run one case in a new world and return what became of it."""
    started = time.monotonic()
    outcome = chunks.run_alone(case, world, rules) if isinstance(case, Chunk) else _script(case, world, rules)
    return Outcome(**{**outcome.__dict__, "seconds": time.monotonic() - started})


def _script(case: Script, world: World, rules: Rules) -> Outcome:
    with contextlib.ExitStack() as servers:
        progress = _Progress(case, world, rules, servers)
        progress.sections = {section.name: section.content for section in case.sections}
        step: Optional[Step] = None
        try:
            _place_files(case, world)
            for step in case.steps:
                _do(step, progress)
            step = None
            _check_all_named(progress)
            if case.audit:
                _check_store(progress)
        except (Mismatch, Broken, Missing, listing.BadListing, BadRoutes) as problem:
            return _stopped(case, problem, step, progress)
        status = ACCEPTED if progress.edits else PASSED
        return Outcome(case, status, edits=tuple(progress.edits))


def _stopped(case: Script, problem: Exception, step: Optional[Step], progress: _Progress) -> Outcome:
    status = (
        FAILED if isinstance(problem, Mismatch) else UNCLAIMED if isinstance(problem, Missing) else BROKEN
    )
    return Outcome(
        case,
        status,
        line=step.line if step is not None else case.line,
        phase=step.phase if step is not None else "",
        source=step.source if step is not None else "",
        message=str(problem),
        shown=shown(progress.last) if progress.last is not None else "",
    )


def _place_files(case: Script, world: World) -> None:
    for section in case.sections:
        if not section.name.startswith("@"):
            path = world.path(section.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(section.content)


def _do(step: Step, progress: _Progress) -> None:
    action = step.action
    try:
        if isinstance(action, Command):
            _command(action, progress)
        elif isinstance(action, Signal):
            progress.signals.append(action)
        elif isinstance(action, Error):
            _error(action, progress)
        elif isinstance(action, Json):
            _json(step, action, progress)
        elif isinstance(action, Text):
            _text(step, action, progress)
        elif isinstance(action, Tree):
            _tree(step, action, progress)
        elif isinstance(action, Same):
            _same(action, progress)
        elif isinstance(action, Write):
            fixtures = "fixture" in progress.rules.capabilities
            changes.write(action, progress.world, progress.sections, fixtures=fixtures)
        elif isinstance(action, Env):
            changes.env(action, progress.world)
        elif isinstance(action, Serve):
            changes.serve(action, progress.world, progress.sections, progress.servers)
        elif isinstance(action, Git):
            changes.git(action, progress.world)
        elif action.capability not in progress.rules.capabilities:
            raise Missing(action.capability)
    except Mismatch as problem:
        if not progress.rules.accept or problem.edit is None:
            raise
        progress.edits.append(problem.edit)
    except (OSError, UnicodeError) as problem:
        text = f"{type(problem).__name__}: {problem}"
        # Once a command has run, what is missing is what it should have made.
        raise (Broken(text) if progress.last is None else Mismatch(text)) from problem


def _command(action: Command, progress: _Progress) -> None:
    _check_all_named(progress)
    values = progress.world.values
    arguments = tuple(word.expand(values) for word in action.arguments)
    source = action.standard_input
    wanted, progress.signals = progress.signals, []
    waiting = [signals.prepared(one, progress.world) for one in wanted]
    ended = progress.world.run(
        arguments,
        directory=action.directory,
        standard_input=None if source is None else progress.world.path(source.expand(values)),
        signals=waiting,
    )
    progress.last, progress.arguments, progress.status = ended, arguments, action.status
    if action.standard_output is not None:
        with open(progress.world.path(action.standard_output.expand(values)), "wb") as file:
            file.write(ended.stdout)
    progress.errors = []
    signals.check_sent(wanted, len(waiting), ended.timed_out)
    check_ending(ended, action.status, signalled=bool(wanted))
    progress.errors = list(printed_errors(ended.stderr))
    if action.status == 0 and progress.errors:
        raise Mismatch(f"it succeeded, and yet printed an error: {errors_shown(progress.errors)}")
    if action.status == 0:
        directory = progress.world.path(action.directory or "")
        for problem in audit.of_command(arguments, ended.stdout, directory, values["STORE"]):
            raise Mismatch(problem)
        for problem in documents.of_command(arguments, ended.stdout):
            raise Mismatch(f"the document has another form than spec/schemas says: {problem}")


def _error(action: Error, progress: _Progress) -> None:
    file = None if action.file is None else action.file.expand(progress.world.values)
    for error in progress.errors:
        if error_fits(action, file, error, codes=progress.rules.codes):
            progress.errors.remove(error)
            return
    raise Mismatch(f"no such error; printed: {errors_shown(progress.errors)}")


def _check_all_named(progress: _Progress) -> None:
    # Statuses other than 1 are usage and the programs' own; of a rejection every error counts.
    if progress.status == 1 and progress.errors:
        raise Mismatch(f"errors that the case does not name: {errors_shown(progress.errors)}")


def _check_store(progress: _Progress) -> None:
    for store in progress.world.stores:
        for problem in audit.of_store(store):
            raise Mismatch(f"the store {store} afterwards: {problem}")
        for problem in documents.of_store(store):
            raise Mismatch(f"afterwards a file has another form than spec/schemas says: {problem}")


def _json(step: Step, action: Json, progress: _Progress) -> None:
    values = progress.world.values
    path = [key.expand(values) if isinstance(key, Word) else key for key in action.path]
    found = _find(_document(progress), path)
    name = action.value.only_name()
    if action.absent:
        if found is not _NOTHING:
            raise Mismatch(f"it is there: {json.dumps(found)}")
        return
    if found is _NOTHING:
        raise Mismatch("there is nothing of that name in the document")
    if name is not None and name not in values:
        if not isinstance(found, str):
            raise Mismatch(f"a name can only have a text as its value; this is {json.dumps(found)}")
        values[name] = found
        return
    text = action.value.expand(values)
    expected = _json_value(text[1:] if action.any_order else text)
    equal = _equal_in_any_order(expected, found) if action.any_order else _equal(expected, found)
    if not equal:
        shown = json.dumps(found, ensure_ascii=False, sort_keys=True)
        edit = None
        if not names_of([action.value]):
            plain = (
                found
                if isinstance(found, str) and _json_value(found) == found and "$" not in found
                else shown
            )
            edit = _line_edit(progress.case, step, action.text, ("~" if action.any_order else "") + plain)
        raise Mismatch(f"it is {shown}", edit)


_NOTHING = object()


def _document(progress: _Progress) -> Any:
    if progress.last is None:
        raise Broken("no command has run yet")
    try:
        return json.loads(progress.last.stdout.decode("utf-8"))
    except ValueError as problem:
        raise Mismatch(f"standard output is not a JSON document ({problem})") from None


def _find(document: Any, path: Sequence[Union[str, int]]) -> Any:
    for key in path:
        if key == "#" and isinstance(document, (list, dict)):
            return len(document)
        if isinstance(document, dict) and str(key) in document:
            document = document[str(key)]
        elif isinstance(document, list) and isinstance(key, int) and key < len(document):
            document = document[key]
        else:
            return _NOTHING
    return document


def _json_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _equal(expected: Any, found: Any) -> bool:
    # Texts, since 1 == True == 1.0 in Python.
    return json.dumps(expected, sort_keys=True) == json.dumps(found, sort_keys=True)


def _equal_in_any_order(expected: Any, found: Any) -> bool:
    if not isinstance(expected, list) or not isinstance(found, list):
        return False
    return sorted(json.dumps(one, sort_keys=True) for one in expected) == sorted(
        json.dumps(one, sort_keys=True) for one in found
    )


def _line_edit(case: Script, step: Step, old: str, new: str) -> Optional[Edit]:
    if not step.source.endswith(old):
        return None
    return Edit(case.path, step.line, 1, (step.source[: len(step.source) - len(old)] + new,))


def _section_edit(case: Script, name: str, text: str) -> Edit:
    section = next(section for section in case.sections if section.name == name)
    return Edit(case.path, section.line, section.content.count("\n"), tuple(text.splitlines()))


def _text(step: Step, action: Text, progress: _Progress) -> None:
    found = _subject(action.subject, progress)
    values = progress.world.values
    name = action.expected.only_name()
    if action.how == "empty":
        if found:
            raise Mismatch(f"it is not empty: {_clip(found)}")
    elif action.how == "like":
        expected = progress.sections[str(action.expected)]
        if found != expected.encode():
            text = found.decode("utf-8", "replace")
            edit = _section_edit(progress.case, str(action.expected), text) if text.endswith("\n") else None
            raise Mismatch(f"it is {_clip(found)}", edit)
    elif action.how == "is" and name is not None and name not in values:
        lines = found.decode("utf-8", "surrogateescape").split("\n")
        if len(lines) != 2 or lines[1]:
            raise Mismatch(f"a name can only have one line as its value; this is {_clip(found)}")
        values[name] = lines[0]
    elif action.how == "is":
        expected = action.expected.expand(values)
        if found != os.fsencode(expected) + b"\n":
            one_line = found.count(b"\n") == 1 and found.endswith(b"\n")
            text = found.decode("utf-8", "replace").rstrip("\n").replace("$", "$$")
            plain = one_line and not names_of([action.expected])
            edit = _line_edit(progress.case, step, str(action.expected), text) if plain else None
            raise Mismatch(f"it is {_clip(found)}", edit)
    else:
        expected = action.expected.expand(values)
        _check_presence(action.how, os.fsencode(expected), found)


def _check_presence(how: str, expected: bytes, found: bytes) -> None:
    if how == "line" and expected not in found.split(b"\n"):
        raise Mismatch("there is no such line")
    if how == "holds" and expected not in found:
        raise Mismatch("the text is not there")
    if how == "lacks" and expected in found:
        raise Mismatch("the text is there")


def _subject(subject: Word, progress: _Progress) -> bytes:
    text = subject.expand(progress.world.values)
    if text in ("stdout", "stderr"):
        if progress.last is None:
            raise Broken("no command has run yet")
        return progress.last.stdout if text == "stdout" else progress.last.stderr
    path = progress.world.path(text)
    if not os.path.isfile(path):
        raise Mismatch(f"there is no file {text}")
    with open(path, "rb") as file:
        return file.read()


def _tree(step: Step, action: Tree, progress: _Progress) -> None:
    values = progress.world.values
    path = progress.world.path(action.path.expand(values))
    if action.how == "gone":
        if os.path.lexists(path):
            raise Mismatch("it is there")
        return
    if not os.path.isdir(path):
        raise Mismatch("there is no such directory")
    if action.how == "digest":
        expected, found = action.expected.expand(values), oracle.archive_digest(path)
        if expected != found:
            old = str(action.expected)
            edit = None if names_of([action.expected]) else _line_edit(progress.case, step, old, found)
            raise Mismatch(f"its archive has the digest {found}", edit)
        return
    entries = listing.parse_listing(progress.sections[str(action.expected)], progress.sections)
    wrong = listing.differences(path, entries)
    if wrong:
        rendered = listing.render_listing(listing.read_tree(path))
        raise Mismatch("\n".join(wrong), _section_edit(progress.case, str(action.expected), rendered))


def _same(action: Same, progress: _Progress) -> None:
    values = progress.world.values
    first = progress.world.path(action.first.expand(values))
    second = progress.world.path(action.second.expand(values))
    for path in (first, second):
        if not os.path.lexists(path):
            raise Mismatch(f"there is no {path}")
    if os.path.isdir(first) and os.path.isdir(second):
        wrong = listing.differences(second, listing.read_tree(first))
        if wrong:
            raise Mismatch("\n".join(wrong))
        return
    if os.path.isdir(first) or os.path.isdir(second):
        raise Mismatch("one is a directory, the other is not")
    with open(first, "rb") as one, open(second, "rb") as other:
        if one.read() != other.read():
            raise Mismatch("they differ")


def _clip(data: bytes) -> str:
    return repr(data) if len(data) <= 400 else f"{data[:400]!r}… ({len(data)} bytes)"
