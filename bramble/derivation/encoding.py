"""Derivations and graphs as JSON, both ways: the door for any front end.

A program in any language may write a graph; `graph_from_json` trusts nothing of
it. Ids are computed again, and every rule of the chapter is checked.
"""

from __future__ import annotations

from typing import Any, Optional

from bramble.derivation import strictjson
from bramble.derivation.canonical import canonical_bytes, derivation_id
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.resolve import (
    OutputPaths,
    ResolvedDependency,
    ResolvedDerivation,
    SourceObject,
)
from bramble.derivation.rules import check
from bramble.derivation.strictjson import broken
from bramble.derivation.template import Template
from bramble.errors import BrambleError
from bramble.store.digest import is_digest
from bramble.store.path import prefix_of_record

__all__ = [
    "canonical_bytes",
    "decode_derivation",
    "decode_resolved",
    "derivation_id",
    "graph_from_json",
    "graph_to_json",
]

_KEYS = ("Args", "Builder", "Dependencies", "Env", "Name", "Outputs", "Platform", "Sources")
_RESOLVED_KEYS = (
    *("Args", "Builder", "Env", "Dependencies", "Name"),
    *("OutputNames", "Outputs", "Platform", "Source"),
)


def graph_to_json(graph: DerivationGraph) -> str:
    """Return `{ID: derivation, …}` sorted by id; every derivation in its canonical bytes."""
    # spec: derivation.graph.json
    made = sorted(graph.derivations.items())
    return "{" + ",".join([f'"{key}":{canonical_bytes(one).decode("utf-8")}' for key, one in made]) + "}"


def graph_from_json(data: bytes) -> DerivationGraph:
    """Return the graph that `data` describes, sorted by id; spaces and the order of keys are free.

    Raises derivation.encoding for what is not such a document, and the errors
    of `check` and of `DerivationGraph.check`.
    """
    document = strictjson.mapping(strictjson.parse(data), "the graph")
    graph = DerivationGraph({key: _derivation(document[key], key, key) for key in sorted(document)})
    graph.check()
    return graph


def decode_derivation(data: bytes, *, expected: Optional[str] = None) -> Derivation:
    """Return the derivation whose canonical JSON is `data` (spaces and the order of keys are free).

    Raises derivation.encoding, also if its id is not the `expected` one.
    """
    return _derivation(strictjson.parse(data), "the derivation", expected)


def _derivation(value: Any, where: str, expected: Optional[str]) -> Derivation:
    found = strictjson.fields(value, where, _KEYS, ("Network", "Target"))
    env = strictjson.text_mapping(found["Env"], f"{where}.Env")
    derivation = Derivation(
        name=strictjson.text(found["Name"], f"{where}.Name"),
        builder=Template.parse(strictjson.text(found["Builder"], f"{where}.Builder")),
        args=tuple([Template.parse(arg) for arg in strictjson.texts(found["Args"], f"{where}.Args")]),
        env=tuple([(key, Template.parse(env[key])) for key in sorted(env)]),
        sources=_sources(found["Sources"], f"{where}.Sources"),
        outputs=strictjson.texts(found["Outputs"], f"{where}.Outputs"),
        platform=strictjson.text(found["Platform"], f"{where}.Platform"),
        network=strictjson.truth(found.get("Network", False), f"{where}.Network"),
        target=strictjson.text(found.get("Target", ""), f"{where}.Target"),
    )
    try:
        check(derivation)
    except BrambleError as error:
        raise BrambleError(error.code, f"{where}: {error.message}", remedy=error.remedy) from error
    _check_dependencies(found["Dependencies"], f"{where}.Dependencies", derivation)
    if expected is not None and derivation.id != expected:
        raise broken(where, f"the id of this derivation is {derivation.id}")
    return derivation


def _check_dependencies(value: Any, where: str, derivation: Derivation) -> None:
    """Refuse a list of dependencies that is not what the templates name."""
    listed = []
    for number, item in enumerate(strictjson.items(value, where)):
        entry = strictjson.fields(item, f"{where}[{number}]", ("Hash", "Output"))
        listed.append(
            (
                strictjson.text(entry["Hash"], f"{where}[{number}].Hash"),
                strictjson.text(entry["Output"], f"{where}[{number}].Output"),
            )
        )
    if listed != [(ref.derivation, ref.output) for ref in derivation.dependencies]:
        raise broken(where, "this is not the sorted list of what Builder, Args and Env refer to")


def _sources(value: Any, where: str) -> Sources:
    found = strictjson.fields(value, where, ("Files", "Location"))
    project, location = location_of(found["Location"], f"{where}.Location")
    return Sources(
        project=project,
        location=location,
        files=strictjson.texts(found["Files"], f"{where}.Files"),
    )


def location_of(value: Any, where: str) -> tuple[str, str]:
    """Return the project ("" for the own one) and the directory in it that a Location means.

    Raises BrambleError as `broken` does for what is no text, and for a `//` without a project before it.
    """
    # spec: derivation.sources.project
    location = strictjson.text(value, where)
    project, separator, inner = location.partition("//")
    if separator and not project:
        raise broken(where, f"{ascii(location)} has no project before //")
    return (project, inner) if separator else ("", location)


def decode_resolved(data: bytes) -> tuple[ResolvedDerivation, Optional[OutputPaths]]:
    """Return the store derivation in `data` and the results for its outputs (None: not built).

    Raises derivation.encoding unless `data` is exactly what `encode` writes.
    """
    found = strictjson.fields(
        strictjson.parse(data), "the store derivation", _RESOLVED_KEYS, ("Network", "Target")
    )
    env = strictjson.text_mapping(found["Env"], "Env")
    resolved = ResolvedDerivation(
        name=strictjson.text(found["Name"], "Name"),
        builder=strictjson.text(found["Builder"], "Builder"),
        args=strictjson.texts(found["Args"], "Args"),
        env=tuple([(key, env[key]) for key in sorted(env)]),
        dependencies=_resolved_dependencies(found["Dependencies"]),
        outputs=strictjson.texts(found["OutputNames"], "OutputNames"),
        source=_source(found["Source"]),
        platform=strictjson.text(found["Platform"], "Platform"),
        network=strictjson.truth(found.get("Network", False), "Network"),
        target=strictjson.text(found.get("Target", ""), "Target"),
    )
    outputs = _outputs(found["Outputs"], resolved.outputs)
    if resolved.encode(outputs) != data:
        # The digest is taken over these bytes: another spelling of them is another file.
        raise broken("the store derivation", "these are not the canonical bytes of this derivation")
    return resolved, outputs


def _object_name(value: Any, where: str) -> str:
    name = strictjson.text(value, where)
    if not is_digest(name):
        raise broken(where, f"{ascii(name)} is not the name of a store object")
    return name


def _resolved_dependencies(value: Any) -> tuple[ResolvedDependency, ...]:
    listed = []
    for number, item in enumerate(strictjson.items(value, "Dependencies")):
        where = f"Dependencies[{number}]"
        entry = strictjson.fields(item, where, ("Filename", "OutputName", "Output"))
        listed.append(
            ResolvedDependency(
                output=_object_name(entry["Output"], f"{where}.Output"),
                output_name=strictjson.text(entry["OutputName"], f"{where}.OutputName"),
                filename=strictjson.text(entry["Filename"], f"{where}.Filename"),
            )
        )
    if listed != sorted(set(listed)):
        raise broken("Dependencies", "the dependencies are not sorted, each once")
    return tuple(listed)


def _source(value: Any) -> Optional[SourceObject]:
    found = strictjson.fields(value, "Source", ("RelativeBuildPath", "Path"))
    start = strictjson.text(found["RelativeBuildPath"], "Source.RelativeBuildPath")
    path = strictjson.text(found["Path"], "Source.Path")
    if not path:
        return None
    prefix = prefix_of_record() + "/"
    if not path.startswith(prefix):
        raise broken("Source.Path", "the path does not begin with the prefix of record")
    return SourceObject(_object_name(path[len(prefix) :], "Source.Path"), start)


def _outputs(value: Any, names: tuple[str, ...]) -> Optional[OutputPaths]:
    if value is None:
        return None
    listed = strictjson.items(value, "Outputs")
    if len(listed) != len(names):
        raise broken("Outputs", f"{len(names)} outputs are named, and {len(listed)} are listed")
    outputs = {}
    for number, (name, item) in enumerate(zip(names, listed)):
        where = f"Outputs[{number}]"
        entry = strictjson.fields(item, where, ("Path", "Dependencies"))
        references = [
            _object_name(reference, f"{where}.Dependencies")
            for reference in strictjson.items(entry["Dependencies"], f"{where}.Dependencies")
        ]
        outputs[name] = (_object_name(entry["Path"], f"{where}.Path"), tuple(references))
    return outputs
