"""`bramble test`: what `test()` has registered becomes derivations, which are built as all others are.

So a test runs in the sandbox of a build, beside others, with the log of a build; and one that has passed is
known like any result, until something that goes into it changes.
"""

from __future__ import annotations

import functools
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Optional

from bramble.commands.build import (
    BuildChoices,
    BuildResult,
    Event,
    Failed,
    Finished,
    Limits,
    Skipped,
    Started,
    build_evaluated,
)
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.programs import programs_of
from bramble.commands.context.setting import Setting
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation
from bramble.derivation.rules import NAME_LIMIT, check
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place, nearest
from bramble.lang.results import TargetResult, TestRequest
from bramble.project.modules import shown_target
from bramble.record import dataclass, field, replace
from bramble.store.disk import Store

_SHOWN_WORDS = 60  # characters of a command line in the name of a test
_WITHIN_TEST = {"build.failed": "test.failed", "build.killed": "test.failed", "build.timeout": "test.timeout"}
_UNSTARTED = ("sandbox.builder-missing", "sandbox.builder-not-executable")
PASSED, FAILED, NOT_RUN = "passed", "failed", "not-run"


@dataclass(frozen=True)
class Test:
    """A test, and the derivation whose build is its run.

    `name` is for people, and no other test of the command has it. `program` is what it runs; None if
    the build of the derivation itself is the test.
    """

    name: str
    request: TestRequest
    derivation: str  # id
    program: Optional[Derivation]

    @property
    def target(self) -> str:
        """`MODULE:FUNCTION`, whose call registered it."""
        return self.request.target


@dataclass(frozen=True)
class Outcome:
    """What became of a test: `result` is PASSED, FAILED or NOT_RUN."""

    test: Test
    result: str
    cached: bool = False
    seconds: float = 0.0
    error: Optional[BrambleError] = None
    log: bytes = b""  # what a failed one wrote
    own: bool = True  # the failure is its own, and not one of what it needs


@dataclass
class Heard:
    """The results of tests in the events of a build."""

    cached: dict[str, bool] = field(default_factory=dict)  # ids of those that ended well
    seconds: dict[str, float] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    because: dict[str, str] = field(default_factory=dict)  # ids of those that were skipped → what had failed


def registered(evaluated: Evaluated) -> tuple[Test, ...]:
    """Return the tests of an evaluation, each once, in the order of the targets that registered them.

    Of several targets that register one test by calling one another, the one counts that is nearest to
    the call of `test()`. Raises BrambleError of the phase derivation.
    """
    # spec: cli.test
    nearest_of: dict[tuple[OutputRef, tuple[str, ...]], TestRequest] = {}
    for request in evaluated.evaluation.tests:
        key = (request.derivation, request.args)
        before = nearest_of.get(key)
        if before is None or request.depth < before.depth:
            nearest_of[key] = request
    order = {result.target: at for at, result in enumerate(evaluated.evaluation.results)}
    requests = sorted(nearest_of.values(), key=lambda request: order[request.target])
    names: dict[str, int] = {}
    tests = []
    for request in requests:
        name = _name(evaluated, request)
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:
            name = f"{name} ({names[name]})"
        program = _program(evaluated.evaluation.graph, request) if request.args else None
        id = request.derivation.derivation if program is None else program.id
        tests.append(Test(name, request, id, program))
    return tuple(tests)


def _name(evaluated: Evaluated, request: TestRequest) -> str:
    graph = evaluated.evaluation.graph

    def shown(ref: OutputRef) -> str:
        return f"{graph.get(ref.derivation).name}.{ref.output}"

    if request.args:
        words = [Template.parse(word).render(shown) for word in request.args]
        # A quoted text may have several lines; a name has one.
        text = " ".join(" ".join(map(shlex.quote, words)).split())
        text = text if len(text) <= _SHOWN_WORDS else f"{text[: _SHOWN_WORDS - 1]}…"
    else:
        text = graph.get(request.derivation.derivation).name
    return f"{shown_target(evaluated.project, request.target)} {text}"


def _program(graph: DerivationGraph, request: TestRequest) -> Derivation:
    # spec: cli.test.run
    output = request.derivation
    first = Template.parse(request.args[0])
    if not first.parts or not isinstance(first.parts[0], OutputRef):
        inner = request.args[0] if "/" in request.args[0] else f"bin/{request.args[0]}"
        first = Template.parse(f"{output}/{inner}")
    name = f"test-{graph.get(output.derivation).name}"
    while len(name.encode("utf-8", "surrogatepass")) > NAME_LIMIT:
        name = name[:-1]
    made = Derivation(
        name=name,
        builder=first,
        args=tuple(map(Template.parse, request.args[1:])),
        env=(
            ("HOME", Template.parse("/tmp")),
            ("PATH", Template.parse(f"{output}/bin")),
            ("TMPDIR", Template.parse("/tmp")),
        ),
    )
    check(made)
    return made


def selected(tests: Sequence[Test], patterns: Sequence[str]) -> tuple[Test, ...]:
    """Return the tests that one of the patterns fits: a part of the name, or with `*`, `?`, `[` all of it.

    Upper and lower case are not distinguished. Without a pattern it is every test. Raises test.none.
    """
    # spec: cli.test.pattern
    if not patterns:
        return tuple(tests)
    found = tuple(test for test in tests if any(_fits(test.name, pattern) for pattern in patterns))
    if not found:
        meant = nearest(patterns[0], [test.name for test in tests])
        raise BrambleError(
            "test.none",
            f"no test has a name like {' or '.join(patterns)}",
            remedy=f'did you mean "{meant}"?' if meant else "list them with: bramble test --list",
        )
    return found


def _fits(name: str, pattern: str) -> bool:
    name, pattern = name.lower(), pattern.lower()
    if any(character in pattern for character in "*?["):
        return fnmatchcase(name, pattern)
    return pattern in name


def demand_tests(evaluated: Evaluated, tests: Sequence[Test], named: Sequence[str]) -> None:
    """Raise test.none if there is no test, and `named` has targets that name a function."""
    # spec: cli.test
    functions = [word for word in named if ":" in word]
    if not tests and functions and not evaluated.evaluation.errors:
        raise BrambleError(
            "test.none",
            f"{functions[0]} registers no test",
            remedy="call test(derivation, args) in that function, or in one that it calls",
        )


def as_targets(evaluated: Evaluated, tests: Sequence[Test]) -> Evaluated:
    """Return the evaluation as if the tests were all that was asked for: one result for each."""
    evaluation = evaluated.evaluation
    derivations = dict(evaluation.graph.derivations)
    places = dict(evaluation.places)
    results = []
    numbers: dict[str, int] = {}
    for test in tests:
        if test.program is not None:
            derivations[test.derivation] = test.program
            if test.request.place is not None:
                places[test.derivation] = test.request.place
        numbers[test.target] = numbers.get(test.target, 0) + 1
        # The result of a target when it was built is another record.
        target = f"{test.target}#{numbers[test.target]}"
        results.append(TargetResult(target, (OutputRef(test.derivation, _first_output(derivations, test)),)))
    graph = DerivationGraph(derivations).closure(test.derivation for test in tests)
    places = {id: place for id, place in places.items() if id in graph}
    return replace(
        evaluated, evaluation=replace(evaluation, graph=graph, results=tuple(results), places=places)
    )


def _first_output(derivations: Mapping[str, Derivation], test: Test) -> str:
    return derivations[test.derivation].outputs[0]


def run_tests(
    evaluated: Evaluated,
    tests: Sequence[Test],
    heard: Heard,
    setting: Setting,
    choices: BuildChoices,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
    *,
    seconds: Optional[float],
    force: bool,
) -> BuildResult:
    """Build what `as_targets` returned; a test has its own name in events, and its own error.

    A test may take `seconds` (None: as long as a build). With `force` those that have passed run again.
    """
    by_id = {test.derivation: test for test in tests}
    limits = choices.limits._replace(seconds=seconds)
    choices = replace(
        choices,
        may_be_empty=frozenset(test.derivation for test in tests if test.program is not None),
        limits_of=_limits_of(by_id, limits) if seconds is not None else {},
        renew=choices.renew | (frozenset(by_id) if force else frozenset()),
    )

    def told(event: Event) -> None:
        test = by_id.get(getattr(event, "id", ""))
        if test is not None:
            _hear(heard, event)
            event = _renamed(event, test.name)
        on_event(event)

    result = build_evaluated(evaluated, setting, choices, told, cancelled)
    report = result.report.failures
    failures = tuple(
        _as_test_error(by_id.get(one.id), error, result.store, result.report.names)
        for one, error in zip(report, result.failures)
    )
    return replace(result, failures=(*failures, *result.failures[len(report) :]))


def _renamed(event: Any, name: str) -> Event:
    renamed: Event = event._replace(name=name)
    return renamed


def _limits_of(ids: Iterable[str], limits: Limits) -> Mapping[str, Limits]:
    return dict.fromkeys(ids, limits)


def _hear(heard: Heard, event: Event) -> None:
    if isinstance(event, Started):
        heard.began[event.id] = time.monotonic()
    elif isinstance(event, Finished):
        heard.cached[event.id] = event.cached
        heard.seconds[event.id] = event.seconds
    elif isinstance(event, Skipped):
        heard.because[event.id] = event.because
    elif isinstance(event, Failed):
        now = time.monotonic()
        heard.logs[event.id] = event.log
        heard.seconds[event.id] = now - heard.began.get(event.id, now)


def _as_test_error(
    test: Optional[Test], error: BrambleError, store: Store, names: Mapping[OutputRef, str]
) -> BrambleError:
    """Return the error of a build as one of the test whose run that was."""
    # spec: cli.test.errors
    if test is None or test.program is None:
        return error
    place, word = test.request.place, test.request.args[0]
    if error.code in _UNSTARTED and test.request.derivation in names:
        home = store.object_path(names[test.request.derivation])
        return BrambleError(
            "test.no-program",
            f"{test.name}: the output has no program {word!r} that can run here",
            place=place,
            remedy=programs_of(home, word),
        )
    code = _WITHIN_TEST.get(error.code)
    if code is None:
        return error
    fact = error.message.partition(" its builder ")[2] or error.message.partition('" ')[2]
    return BrambleError(code, f"{test.name}: it {fact}", place=place, remedy=error.remedy)


def outcomes(tests: Sequence[Test], heard: Heard, result: BuildResult) -> tuple[Outcome, ...]:
    """Return the outcome of each test, in their order.

    A test is FAILED, too, when something that it needs could not be built. It is NOT_RUN when the run
    ended before its turn came.
    """
    errors = {one.id: error for one, error in zip(result.report.failures, result.failures)}
    return tuple(_outcome(test, heard, errors, result) for test in tests)


def _outcome(test: Test, heard: Heard, errors: Mapping[str, BrambleError], result: BuildResult) -> Outcome:
    id = test.derivation
    if id in heard.cached:
        return Outcome(test, PASSED, heard.cached[id], heard.seconds[id])
    if id in errors:
        return Outcome(test, FAILED, False, heard.seconds.get(id, 0.0), errors[id], heard.logs.get(id, b""))
    because = heard.because.get(id, "")
    if because in errors:
        return Outcome(test, FAILED, error=errors[because], own=False)
    return Outcome(test, NOT_RUN)


def summary(found: Sequence[Outcome]) -> str:
    """Return the last line of a run: `3 passed, 1 failed`, and what was not run, if anything."""
    # spec: cli.test.summary
    count = functools.partial(_count, found)
    rest = f", {count(NOT_RUN)} not run" if count(NOT_RUN) else ""
    return f"{count(PASSED)} passed, {count(FAILED)} failed{rest}"


def _count(found: Iterable[Outcome], result: str) -> int:
    return sum(outcome.result == result for outcome in found)


def test_json(test: Test) -> dict[str, object]:
    """Return what `test --list --json` prints of a test."""
    place: Optional[Place] = test.request.place
    return {
        "test": test.name,
        "target": test.target,
        "args": list(test.request.args),
        "derivation": test.derivation,
        "at": None if place is None else str(place),
    }


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """Return what `test --json` prints of a test that was run."""
    # spec: cli.test.json
    return {
        **test_json(outcome.test),
        "outcome": outcome.result,
        "cached": outcome.cached,
        "seconds": round(outcome.seconds, 6),
        "error": None if outcome.error is None else outcome.error.to_json(),
        "log": outcome.log.decode("utf-8", "backslashreplace"),
    }
