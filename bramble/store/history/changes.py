"""Why something was built: what differs between what went in now and what went in before. Pure.

A derivation is built when something that goes into it is another one than before: a word of its recipe, a
source, or an output of another derivation. In the last case that one has its own reasons, and they are
followed down to what a user, or the machine, has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Optional

from bramble.record import NamedTuple
from bramble.store.history.model import Facts, SourceFile

_REFERENCE = re.compile(r"\{\{ ([a-z2-7]{32}):([A-Za-z_][A-Za-z0-9_]*) \}\}")
_KINDS = {"": "a file", "x": "an executable file", "l": "a link"}


class Change(NamedTuple):
    """One thing that went in and is another one than before.

    `kind` is `builder`, `argument`, `variable`, `outputs`, `setting`, `source` or `input`. `what` names
    it: the number of an argument from 1, a variable, a file, an output (`lib`, `lib.dev`).
    `before` and `after` are None if there was, or is, none. `line` is where two texts of
    several lines first differ, from 1; then `before` and `after` are those lines.
    """

    kind: str
    what: str
    before: Optional[str]
    after: Optional[str]
    line: int = 0


class Reason(NamedTuple):
    """Why one derivation was built.

    `word` is the reason if there is no change: `new`, `failed` (it failed before), `unstable` (equal inputs
    had another result), `absent` (equal inputs, but the result was not in the store any more),
    else "". `inputs` are the ids of the derivations whose outputs are other ones than before.
    """

    facts: Facts
    word: str
    changes: tuple[Change, ...]
    inputs: tuple[str, ...]


def reasons(id: str, now: Mapping[str, Facts], before: Mapping[str, Facts]) -> list[Reason]:
    """Return why the derivation `id` was built, and why those were whose outputs are a reason for that.

    `now` are the facts of its build, `before` those of the one before. `id` comes first, and each
    before its inputs, once.
    """
    # spec: cli.why-built.changes
    comparison = Comparison(now, before)
    found: dict[str, Reason] = {}
    left = [id]
    while left:
        key = left.pop()
        if key not in found and key in now:
            found[key] = comparison.reason(key, asked=key == id)
            left.extend(found[key].inputs)
    # What a derivation needs comes before it among the facts of a build.
    position = {key: at for at, key in enumerate(now)}
    return [found[key] for key in sorted(found, key=lambda key: (key != id, -position[key]))]


class Comparison:
    """The facts of a build beside those of one before, matched once for however many questions."""

    def __init__(self, now: Mapping[str, Facts], before: Mapping[str, Facts]) -> None:
        self._now = now
        self._before = before
        self._former = match(now, before)

    def reason(self, id: str, *, asked: bool) -> Reason:
        """Return why one derivation was built; `asked` says that somebody wonders about this one."""
        facts = self._now[id]
        former = self._before.get(self._former.get(id, ""))
        if former is None:
            return Reason(facts, "new", (), ())
        changes, inputs = self._changes(facts, former)
        word = ""
        if not changes:
            failed = any(not name for _, name in former.outputs)
            word = "failed" if failed else "absent" if asked else "unstable"
        return Reason(facts, word, changes, inputs)

    def _changes(self, facts: Facts, former: Facts) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        changes = [*self._recipe(facts, former), *_sources(facts, former)]
        changed: list[str] = []
        came = {(self._former.get(id, ""), output): id for id, output in facts.inputs}
        for id, output in former.inputs:
            # Those that are new or gone show in the recipe.
            new_id = came.get((id, output))
            if new_id is not None:
                old, new = _object(self._before, id, output), _object(self._now, new_id, output)
                if old != new:
                    changes.append(
                        Change("input", _label(self._now, new_id, output), old or None, new or None)
                    )
                    changed.append(new_id)
        return tuple(changes), tuple(dict.fromkeys(changed))

    def _recipe(self, facts: Facts, former: Facts) -> Iterator[Change]:
        """Yield what differs in the words of two recipes, with names in the place of ids."""

        def old(text: str) -> str:
            return _named(text, self._before)

        def new(text: str) -> str:
            return _named(text, self._now)

        yield from _pair("builder", "", old(former.builder), new(facts.builder))
        for at in range(max(len(former.args), len(facts.args))):
            was = old(former.args[at]) if at < len(former.args) else None
            came = new(facts.args[at]) if at < len(facts.args) else None
            yield from _pair("argument", str(at + 1), was, came)
        for kind, one, other in (
            ("variable", former.env, facts.env),
            ("setting", former.rest, facts.rest),
        ):
            wases, comes = dict(one), dict(other)
            for name in sorted({*wases, *comes}):
                was = old(wases[name]) if name in wases else None
                came = new(comes[name]) if name in comes else None
                yield from _pair(kind, name, was, came)
        names = [" ".join(name for name, _ in outputs) for outputs in (former.outputs, facts.outputs)]
        yield from _pair("outputs", "", names[0], names[1])


def match(now: Mapping[str, Facts], before: Mapping[str, Facts]) -> dict[str, str]:
    """Return for derivations of one build those of another that are the same to a user: id → id.

    That is the one with the same id; else, of those with the same name that have no counterpart
    with the same id, the one that was made at the same place; else they are taken in order.
    """
    found = {id: id for id in now if id in before}
    left: dict[str, list[Facts]] = {}
    for id, facts in before.items():
        if id not in found:
            left.setdefault(facts.name, []).append(facts)
    fresh = [facts for id, facts in now.items() if id not in found]
    for same_place in (True, False):
        for facts in fresh:
            candidates = left.get(facts.name, [])
            for former in candidates:
                if facts.id not in found and (not same_place or former.place == facts.place):
                    found[facts.id] = former.id
                    candidates.remove(former)
                    break
    return found


def _pair(kind: str, what: str, was: Optional[str], came: Optional[str]) -> Iterator[Change]:
    if was == came:
        return
    line = 0
    if was is not None and came is not None and "\n" in was + came:
        one, other = was.split("\n"), came.split("\n")
        line = next((at for at, two in enumerate(zip(one, other)) if two[0] != two[1]), -1) + 1
        line = line or min(len(one), len(other)) + 1
        was, came = (lines[line - 1] if line <= len(lines) else None for lines in (one, other))
    yield Change(kind, what, was, came, line)


def _sources(facts: Facts, former: Facts) -> Iterator[Change]:
    if facts.source == former.source:
        return
    old = {file.path: file for file in former.files}
    new = {file.path: file for file in facts.files}
    if not (new or not facts.source) or not (old or not former.source):
        yield Change("source", "", former.source or None, facts.source or None)
        return
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path):
            was, came = old.get(path), new.get(path)
            yield Change("source", path, _content(was, came), _content(came, was))


def _content(file: Optional[SourceFile], other: Optional[SourceFile]) -> Optional[str]:
    """Return what is compared of a file: its content, or its kind if only that has changed."""
    if file is None:
        return None
    alike = other is not None and other.digest == file.digest
    return _KINDS[file.kind] if alike else file.digest


def _named(text: str, facts: Mapping[str, Facts]) -> str:
    def name(found: re.Match[str]) -> str:
        known = facts.get(found[1])
        return found[0] if known is None else "{{ " + known.name + ":" + found[2] + " }}"

    return _REFERENCE.sub(name, text)


def _object(facts: Mapping[str, Facts], id: str, output: str) -> str:
    return dict(facts[id].outputs).get(output, "") if id in facts else ""


def _label(facts: Mapping[str, Facts], id: str, output: str) -> str:
    name = facts[id].name if id in facts else id
    return name if output == "out" else f"{name}.{output}"
