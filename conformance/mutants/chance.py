"""Faults by chance: how many single faults of the reference implementation the cases catch.

`python3 -m conformance.mutants --random N --seed S` chooses N faults (`kinds`), the same number for each
package, among the statements that concern the specification: every statement of a package is as likely as
every other one, and so is then every fault of it. What is left out is in `left-out`, with reasons, and faults
that change nothing in `equivalent`. Each fault is put into a copy, and the cases that run its line are run
until one fails.
"""

from __future__ import annotations

import ast
import hashlib
import json
import marshal
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from conformance import chunks, runner
from conformance.casefile import LEVELS, Case, Chunk
from conformance.claims import Rules, claimed_capabilities
from conformance.mutants import kinds
from conformance.mutants.commands import Commands, Imported
from conformance.outcome import FAILED
from conformance.world.session import Implementation

ROOMS = ("starlark", "project", "lang", "derivation", "store", "build", "sandbox", "packages")
PACKAGE, ENTRY = "bramble", "bramble.__main__"
_IMPORTED = tuple(
    f"{PACKAGE}/{room}" for room in (*ROOMS, "cli", "commands", "recall", "serving", "signatures")
)
# The part that other interpreters run, where no lines are recorded; what starts them runs the second file.
_APART, _APART_STARTS = "bramble/sandbox/", "bramble/sandbox/start.py"
# What belongs to the source: an implementation that writes itself as one file needs all of it.
SOURCE = ("LICENSE", "README.md", "bramble", "pyproject.toml", "spec")
CAUGHT, SURVIVED, UNREACHED, EQUIVALENT = "caught", "survived", "unreached", "equivalent"
_HERE = os.path.dirname(os.path.abspath(__file__))
_WORD = re.compile(r"[^\W_]{3,}")
_COMMAND_SECONDS = 90.0  # of a machine that does other things as well; see also forking.CPU_SECONDS


@dataclass(frozen=True)
class Chosen:
    """A fault in a file of the implementation, whose path begins with its package."""

    path: str
    fault: kinds.Fault

    @property
    def room(self) -> str:
        """The part of the implementation that the file belongs to."""
        return self.path.split("/")[1]

    @property
    def name(self) -> str:
        """What the list of equivalent faults calls it: no number of a line."""
        return f"{self.path} {self.fault.inside or '-'} {self.fault.key}"


@dataclass(frozen=True)
class Unit:
    """Cases that are run together: one script, or chunks that share a process."""

    name: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Reached:
    """How long a unit takes, and which lines of which files it runs."""

    seconds: float
    lines: Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class Found:
    """What became of a fault."""

    chosen: Chosen
    shown: str
    status: str
    by: str = ""  # the case that caught it, or the reason why there is nothing to catch
    reaching: int = 0  # units that run the line


def listed(name: str) -> dict[str, str]:
    """Return the lines `KEY: REASON` of a list beside this file."""
    found = {}
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        for line in file:
            key, colon, reason = line.strip().partition(": ")
            if colon and not line.startswith("#"):
                found[key] = reason
    return found


def concerned(source: str, left_out: Mapping[str, str]) -> Iterator[Chosen]:
    """Yield the faults of every package that concern the specification, in order."""
    for room in ROOMS:
        for path in _python_files(source, f"{PACKAGE}/{room}"):
            if any(path == one or (one.endswith("/") and path.startswith(one)) for one in left_out):
                continue
            text = _read(source, path)
            within = list(handlers(text))
            for fault in kinds.faults(text):
                names = [f" except {kind}" for first, last, kind in within if first <= fault.line <= last]
                if any(f"{path} {fault.inside}{name}" in left_out for name in ("", *names)):
                    continue
                if not names_statement(left_out, path, fault):
                    yield Chosen(path, fault)


def names_statement(left_out: Iterable[str], path: str, fault: kinds.Fault) -> bool:
    """Return whether a list names the statement of a fault, whole or by its beginning and an ellipsis."""
    told = f"{path} {fault.inside} {fault.statement}"
    start = f"{path} {fault.inside} "
    listed = [one for one in left_out if one.startswith(start)]
    return any(told == one or one.endswith("…") and told.startswith(one[:-1]) for one in listed)


def handlers(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the first and the last line of each handler of exceptions, and what it handles."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            kind = "" if node.type is None else ast.unparse(node.type)
            yield node.lineno, node.end_lineno or node.lineno, kind


def choose(candidates: Sequence[Chosen], count: int, seed: str) -> list[Chosen]:
    """Return `count` of the candidates, spread evenly over the packages."""
    chance = random.Random(seed)
    statements: dict[str, dict[tuple[str, int], list[Chosen]]] = {room: {} for room in ROOMS}
    for one in candidates:
        statements[one.room].setdefault((one.path, one.fault.first), []).append(one)
    found: list[Chosen] = []
    while len(found) < count and any(statements.values()):
        for room in ROOMS:
            if statements[room] and len(found) < count:
                where = chance.choice(sorted(statements[room]))
                found.append(chance.choice(statements[room].pop(where)))
    return found


def units(cases: Sequence[Case], rules: Rules) -> list[Unit]:
    """Return the cases as they are run: chunks in groups, scripts alone."""
    shared = [case for case in cases if isinstance(case, Chunk)]
    groups: list[tuple[Case, ...]] = [tuple(group) for group in chunks.batches(shared)]
    groups += [(case,) for case in cases if not isinstance(case, Chunk)]
    found = []
    for group in groups:
        told = [repr(replace(case, path="", line=0)) for case in group]
        digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]
        found.append(Unit(f"{group[0].id} {len(group)} {digest}", group))
    return found


class Laboratory:
    """A copy of the implementation, into which one fault at a time is put."""

    def __init__(self, source: str, rules: Rules) -> None:
        self._rules = rules
        self._source = source
        self.copy = tempfile.mkdtemp(prefix="bm-")
        for name in SOURCE:
            put = shutil.copytree if os.path.isdir(os.path.join(source, name)) else shutil.copy
            put(os.path.join(source, name), os.path.join(self.copy, name))
        self._right = Imported(self.copy, ENTRY, _IMPORTED)

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *kinds_of_error: object) -> None:
        self._right.__exit__(*kinds_of_error)
        shutil.rmtree(self.copy, ignore_errors=True)

    def reached(self, wanted: Sequence[Unit], known: dict[str, Reached], say: Callable[[str], None]) -> None:
        """Add to `known` what the units reach that are not in it; one that does not pass reaches nothing."""
        for unit in wanted:
            if unit.name in known:
                continue
            with tempfile.TemporaryDirectory() as into, self._right.with_fault(lines=into) as commands:
                started = time.monotonic()
                failing = self._first_failing(unit, commands)
                seconds = time.monotonic() - started
                lines: dict[str, set[int]] = {}
                for name in os.listdir(into):
                    for line in _read(into, name).splitlines():
                        path, _, number = line.rpartition(":")
                        lines.setdefault(path, set()).add(int(number))
            if failing is not None:
                say(f"does not pass: {failing}")
                lines = {}
            known[unit.name] = Reached(seconds, {path: frozenset(one) for path, one in lines.items()})

    def first_failing(self, chosen: Chosen, order: Sequence[Unit]) -> Optional[str]:
        """Return the first case that fails, twice, with this fault, None if all pass."""
        path = os.path.join(self.copy, chosen.path)
        text = _read(self._source, chosen.path)
        tree = kinds.mutated(text, chosen.fault.number)
        forked = bool(chosen.fault.inside) and chosen.fault.kind != "default"
        # Where a file of the program has just changed, nothing that was evaluated is remembered: faults in
        # that would be seen by no case. So it is only written for processes that read it again.
        if not forked or chosen.path.startswith(_APART):
            _write(path, ast.unparse(tree))
        code = os.path.join(self.copy, "fault")
        with open(code, "wb") as file:
            file.write(marshal.dumps(compile(tree, path, "exec")))
        try:
            if forked:
                with self._right.with_fault(code=code) as commands:
                    return self._first_of(order, commands)
            with Imported(self.copy, ENTRY, _IMPORTED) as imported, imported.with_fault() as commands:
                return self._first_of(order, commands)
        finally:
            if _read(self.copy, chosen.path) != text:
                _write(path, text)

    def _first_of(self, order: Sequence[Unit], commands: Commands) -> Optional[str]:
        for unit in order:
            failing = self._first_failing(unit, commands)
            if failing is None:
                continue
            # One that fails by chance, such as by its time, says nothing. Chunks do not depend on time.
            if isinstance(unit.cases[0], Chunk) or self._first_failing(unit, commands) is not None:
                return failing
        return None

    def _first_failing(self, unit: Unit, commands: Commands) -> Optional[str]:
        outcomes = runner.run(
            unit.cases,
            Implementation((PACKAGE,), (("PYTHONPATH", self.copy),), _COMMAND_SECONDS, commands.carry_out),
            self._rules,
            levels=LEVELS,
            jobs=1,
            fail_fast=True,
        )
        return next((one.case.id for one in outcomes if one.status == FAILED), None)


def order_of(
    chosen: Chosen,
    wanted: Sequence[Unit],
    known: Mapping[str, Reached],
    users: Sequence[str],
    words: Mapping[str, frozenset[str]],
) -> list[Unit]:
    """Return the units that reach a fault, those first that find it soonest, as far as one can guess.

    No guess is always good, so they take turns: the cheapest, those that write the words of the statement,
    those of the chapter, and those that run most of the file. `users` are the files that import the one with
    the fault: what stands outside of functions is reached by whatever runs a function of these. `words` are
    those that each unit writes.
    """
    fault = chosen.fault
    span = frozenset(range(fault.first, fault.last + 1))
    found = []
    for unit in wanted:
        reached = known.get(unit.name, Reached(0, {}))
        own = reached.lines.get(chosen.path, frozenset())
        apart = chosen.path.startswith(_APART) and _APART_STARTS in reached.lines
        if fault.inside and not (own & span or apart):
            continue
        if not fault.inside and not (own or apart or any(path in reached.lines for path in users)):
            continue
        elsewhere = apart and not own & span and not _is_about(unit, chosen.room)
        cost = reached.seconds / (1 + len(own))
        found.append((not own & span, elsewhere, cost, unit.name, len(own), unit))
    cheapest = [(one[-1], one[-2]) for one in sorted(found, key=lambda one: one[:4])]
    told = frozenset(_WORD.findall(f"{fault.inside} {fault.statement}".lower()))
    writing = Counter(word for unit, _ in cheapest for word in told & words[unit.name])
    weights = {unit.name: sum(1 / writing[word] for word in told & words[unit.name]) for unit, _ in cheapest}
    guesses = (
        cheapest,
        sorted(cheapest, key=lambda one: -weights[one[0].name]),
        sorted(cheapest, key=lambda one: not _is_about(one[0], chosen.room)),
        sorted(cheapest, key=lambda one: -one[1]),
    )
    turns = {unit.name: unit for one in zip(*guesses) for unit, _ in one}
    return list(turns.values())


def words_of(unit: Unit) -> frozenset[str]:
    """Return the words that stand in the cases of a unit, in small letters."""
    return frozenset(_WORD.findall(" ".join(map(repr, unit.cases)).lower()))


def _is_about(unit: Unit, room: str) -> bool:
    """Return whether a case of the unit is of the chapter that this package is."""
    return any(rule.startswith(room + ".") for case in unit.cases for rule in case.spec)


def users_of(path: str, source: str) -> list[str]:
    """Return the files of the implementation whose text imports the module of this path."""
    module = path[: -len(".py")].replace("/", ".").replace(".__init__", "")
    above, _, last = module.rpartition(".")
    found = []
    for one in _python_files(source, PACKAGE):
        text = _read(source, one)
        whole = f"{module} import" in text or f"import {module}" in text
        if whole or (f"from {above} import" in text and last in text):
            found.append(one)
    return found


def investigate(
    wanted: Sequence[Chosen],
    source: str,
    cases: Sequence[Case],
    equivalent: Mapping[str, str],
    *,
    map_file: Optional[str] = None,
    most: Optional[int] = None,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Found]:
    """Yield what becomes of each fault; at most `most` units are run with it."""
    rules = Rules(claimed_capabilities([]), seed="mutants")
    wanted_units = units(cases, rules)
    words = {unit.name: words_of(unit) for unit in wanted_units}
    known = _load_map(map_file)
    with Laboratory(source, rules) as laboratory:
        try:
            laboratory.reached(wanted_units, known, say)
        finally:
            _keep_map(map_file, known)
        for chosen in wanted:
            text = _read(source, chosen.path)
            shown = kinds.shown(text, chosen.fault.number)
            if chosen.name in equivalent:
                yield Found(chosen, shown, EQUIVALENT, equivalent[chosen.name])
                continue
            users = [] if chosen.fault.inside else users_of(chosen.path, source)
            order = order_of(chosen, wanted_units, known, users, words)
            failing = laboratory.first_failing(chosen, order[:most]) if order else None
            status = CAUGHT if failing else SURVIVED if order else UNREACHED
            yield Found(chosen, shown, status, failing or "", len(order))


def seen_as(user: str, found: Found, map_file: Optional[str], most: Optional[int]) -> Found:
    """Run the cases with a fault again as another user, and return what becomes of it.

    What a sandbox of root is made of is not what that of an ordinary user is made of, and cases hold for
    both. The user must be able to read this program and the implementation.
    """
    with tempfile.TemporaryDirectory(prefix="bm-") as home:
        owner = pwd.getpwnam(user)
        os.chown(home, owner.pw_uid, owner.pw_gid)
        # It keeps its own account of what the cases reach, and begins with ours.
        kept = os.path.join(home, "map")
        if map_file is not None and os.path.exists(map_file):
            shutil.copy(map_file, kept)
        words = [sys.executable, "-m", "conformance.mutants", "--only", found.chosen.name, "--map", kept]
        words += [] if most is None else ["--most", str(most)]
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=os.path.dirname(os.path.dirname(_HERE)),
            env={"PATH": os.defpath, "HOME": home, "LC_ALL": "C.UTF-8", "TMPDIR": "/tmp"},
            user=owner.pw_uid,
            group=owner.pw_gid,
            extra_groups=[],
            text=True,
            check=False,
        )
    lines = done.stdout.splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith(f"{CAUGHT} ")), None)
    return found if at is None else replace(found, status=CAUGHT, by=f"{lines[at + 2].strip()} (as {user})")


def table(found: Sequence[Found]) -> str:
    """Return how many faults of each package were caught."""
    lines = ["room         faults  caught  survived  unreached  equivalent  caught of the others"]
    for room in (*ROOMS, "all"):
        counts = Counter(one.status for one in found if room in (one.chosen.room, "all"))
        total = sum(counts.values())
        others = total - counts[EQUIVALENT]
        share = f"{100 * counts[CAUGHT] / others:.1f}%" if others else "-"
        lines.append(
            f"{room:<11} {total:>7} {counts[CAUGHT]:>7} {counts[SURVIVED]:>9} {counts[UNREACHED]:>10}"
            f" {counts[EQUIVALENT]:>11}  {share:>10}"
        )
    return "\n".join(lines)


def main(
    count: int,
    seed: str,
    source: str,
    *,
    map_file: Optional[str],
    most: Optional[int] = None,
    only: Sequence[str] = (),
    rooms: Sequence[str] = ROOMS,
    also_as: Optional[str] = None,
) -> int:
    """Choose and investigate; print a line for each fault and a table; return 1 where not all are caught.

    What the cases do not catch is run again as the user `also_as`, where one is given.
    """
    candidates = list(concerned(source, listed("left-out")))
    chosen = choose([one for one in candidates if one.room in rooms], count, seed)
    if only:
        chosen = [one for one in candidates if one.name in only]
    found = []
    for one in investigate(
        chosen,
        source,
        runner.load(),
        listed("equivalent"),
        map_file=map_file,
        most=most,
        say=lambda line: print(line, flush=True),
    ):
        if also_as is not None and one.status in (SURVIVED, UNREACHED):
            one = seen_as(also_as, one, map_file, most)
        found.append(one)
        at = f"{one.chosen.path}:{one.chosen.fault.line}"
        fault = one.chosen.fault
        print(f"{one.status:<10} {at} {fault.inside or '-'} {fault.key} [{fault.kind}]")
        print(f"           {one.shown[:300]}")
        print(
            f"           {one.by or f'{one.reaching} of the cases and groups of cases reach it'}", flush=True
        )
    print(table(found))
    return 0 if found and all(one.status in (CAUGHT, EQUIVALENT) for one in found) else 1


def _load_map(path: Optional[str]) -> dict[str, Reached]:
    if path is None or not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    return {
        name: Reached(one["seconds"], {path: frozenset(lines) for path, lines in one["lines"].items()})
        for name, one in document.items()
    }


def _keep_map(path: Optional[str], known: Mapping[str, Reached]) -> None:
    if path is None:
        return
    document = {
        name: {"seconds": one.seconds, "lines": {path: sorted(lines) for path, lines in one.lines.items()}}
        for name, one in known.items()
    }
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(document, file)
    os.replace(path + ".new", path)


def _python_files(source: str, below: str) -> Iterator[str]:
    for top, names, files in os.walk(os.path.join(source, below)):
        names.sort()
        for file in sorted(files):
            if file.endswith(".py"):
                yield os.path.relpath(os.path.join(top, file), source)


def _read(directory: str, path: str) -> str:
    with open(os.path.join(directory, path), encoding="utf-8") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    """Write a file of the implementation, and forget what Python has compiled of it."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    directory, name = os.path.split(path)
    kept = os.path.join(directory, "__pycache__")
    for one in os.listdir(kept) if os.path.isdir(kept) else ():
        if one.startswith(name[:-3] + "."):
            os.unlink(os.path.join(kept, one))
