"""An evaluation as bytes, for its record: its results can be used again without loading the language.

The bytes are `marshal`'s, of tuples, texts and numbers. They are read by the version of Python that wrote
them, and from a place where nobody else could have written them; so a form that does not fit is treated as
absent.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable
from typing import Any, Optional

from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.template import OutputRef, Template
from bramble.errors import Place
from bramble.lang.results import Evaluation, RunRequest, TargetResult, TestRequest

_UNREADABLE = (ValueError, EOFError, TypeError, IndexError, KeyError)


def encode(evaluation: Evaluation, printed: Iterable[str]) -> bytes:
    """Return the bytes of an evaluation without errors, and of what its programs printed, line by line."""
    sources: dict[Sources, int] = {}
    derivations = [
        (
            key,
            one.name,
            one.builder.text,
            _texts(one.args),
            _pairs(one.env),
            sources.setdefault(one.sources, len(sources)),
            one.outputs,
            one.platform,
            one.network,
            one.target,
            _place(evaluation.places.get(key)),
        )
        for key, one in evaluation.graph.derivations.items()
    ]
    results = [
        (
            one.target,
            _plain(one.roots),
            None if one.run is None else _run(one.run),
            one.docstring,
            _plain(one.needs),
            one.keys,
        )
        for one in evaluation.results
    ]
    tests = [
        (tuple(one.derivation), one.args, one.target, _place(one.place), one.depth)
        for one in evaluation.tests
    ]
    known = [(one.project, one.location, one.files) for one in sources]
    roots = tuple(evaluation.source_roots.items())
    return marshal.dumps((known, derivations, results, tests, roots, evaluation.warnings, tuple(printed)))


def decode(data: bytes) -> Optional[tuple[Evaluation, tuple[str, ...]]]:
    """Return what `encode` was given; None for bytes that it has not made."""
    try:
        known, derivations, results, tests, source_roots, warnings, printed = marshal.loads(data)
        sources = [Sources(*one) for one in known]
        graph: dict[str, Derivation] = {}
        places: dict[str, Place] = {}
        for key, name, builder, args, env, source, outputs, platform, network, target, place in derivations:
            made = Derivation(
                name,
                Template(builder),
                tuple(map(Template, args)),
                tuple([(variable, Template(text)) for variable, text in env]),
                sources[source],
                outputs,
                platform,
                network,
                target,
            )
            # What the id is was worked out when the derivation was made.
            made.__dict__["id"] = key
            graph[key] = made
            if place is not None:
                places[key] = Place(*place)
        evaluation = Evaluation(
            graph=DerivationGraph(graph),
            results=tuple(
                TargetResult(
                    name, _refs(roots), None if run is None else _run_of(*run), doc, _refs(needs), keys
                )
                for name, roots, run, doc, needs, keys in results
            ),
            tests=tuple(
                TestRequest(OutputRef(*ref), args, name, place and Place(*place), depth)
                for ref, args, name, place, depth in tests
            ),
            source_roots=dict(source_roots),
            places=places,
            warnings=warnings,
        )
    except _UNREADABLE:
        return None
    return evaluation, printed


def _texts(templates: Iterable[Template]) -> tuple[str, ...]:
    return tuple([one.text for one in templates])


def _pairs(env: Iterable[tuple[str, Template]]) -> tuple[tuple[str, str], ...]:
    return tuple([(name, value.text) for name, value in env])


def _plain(refs: Iterable[OutputRef]) -> tuple[tuple[str, str], ...]:
    return tuple((ref.derivation, ref.output) for ref in refs)


def _refs(pairs: Iterable[tuple[str, str]]) -> tuple[OutputRef, ...]:
    return tuple(OutputRef(*pair) for pair in pairs)


def _place(place: Optional[Place]) -> Optional[tuple[Any, ...]]:
    return None if place is None else (place.file, place.line, place.column)


def _run(run: RunRequest) -> tuple[Any, ...]:
    paths = (run.args, run.paths, run.read_only_paths, run.hidden_paths)
    return (
        *(tuple(run.derivation), run.cmd, *map(_texts, paths), run.network, _pairs(run.env)),
        *(run.closure_path, _plain(run.needs), run.owner),
    )


def _run_of(
    derivation: Any,
    cmd: str,
    args: Any,
    paths: Any,
    read_only: Any,
    hidden: Any,
    network: bool,
    env: Any,
    closure_path: bool,
    needs: Any,
    owner: str,
) -> RunRequest:
    return RunRequest(
        derivation=OutputRef(*derivation),
        cmd=cmd,
        args=tuple(map(Template, args)),
        paths=tuple(map(Template, paths)),
        read_only_paths=tuple(map(Template, read_only)),
        hidden_paths=tuple(map(Template, hidden)),
        network=network,
        env=tuple((name, Template(text)) for name, text in env),
        closure_path=closure_path,
        needs=_refs(needs),
        owner=owner,
    )
