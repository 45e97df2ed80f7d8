"""A graph as a document that any program can write: `graph --json` prints it, `build --graph` takes it.

The key of a node is its id, or, for writers that compute no digests, a
label such as `@lib`, which the templates of such nodes name in the place
of the id. Either way the reader works out every id itself, dependencies first.
What it finds wrong it says with the node and the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional, Union

from bramble.derivation import strictjson
from bramble.derivation.canonical import canonical_bytes
from bramble.derivation.encoding import location_of
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import DEFAULT_OUTPUTS, NO_SOURCES, Derivation, Sources
from bramble.derivation.rules import check
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place
from bramble.record import dataclass, field
from bramble.store.digest import is_digest

VERSION = 1
_LABEL = re.compile(r"@[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,199}")
# spec: derivation.document.labels
_LABELLED = re.compile(r"\{\{ (@[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,199}):([A-Za-z_][A-Za-z0-9_]*) \}\}")
_KEYS = ("Args", "Builder", "Dependencies", "Env", "Name", "Outputs", "Platform", "Sources")
_LONGEST_NUMBER = 15  # digits
_REMEDY = "see `bramble help graphs` for the format, or compare with what `bramble graph --json` prints"


@dataclass(frozen=True)
class Result:
    """The result of one target: `derivations` are ids, in the order in which they are requested."""

    target: str
    derivations: tuple[str, ...]


@dataclass(frozen=True)
class GraphDocument:
    """A graph, its results, and information about it for people."""

    graph: DerivationGraph
    results: tuple[Result, ...]
    places: Mapping[str, Place] = field(default_factory=dict)  # id → what made it
    docs: Mapping[str, str] = field(default_factory=dict)  # target → text

    @property
    def roots(self) -> tuple[str, ...]:
        """The ids that are wanted, each once."""
        return tuple(dict.fromkeys(key for result in self.results for key in result.derivations))


@dataclass(frozen=True)
class Lent:
    """What a document may refer to outside of itself: nothing, unless a builder wrote it."""

    graph: DerivationGraph = field(default_factory=lambda: DerivationGraph({}))
    translate: Optional[Callable[[str], str]] = None  # text → the same with references for paths
    sources: Optional[Sources] = None  # whose files it may use; None: any of the project's


def document_value(document: GraphDocument) -> dict[str, Any]:
    """Return the document as the JSON value that `read_document` reads; sorted where order has no meaning."""
    # spec: derivation.document
    value: dict[str, Any] = {
        "version": VERSION,
        "results": [
            {"target": result.target, "derivations": list(result.derivations)} for result in document.results
        ],
        "graph": {
            key: json.loads(canonical_bytes(document.graph.derivations[key]))
            for key in sorted(document.graph.derivations)
        },
    }
    if document.places:
        value["places"] = {key: _place_value(document.places[key]) for key in sorted(document.places)}
    if document.docs:
        value["docs"] = dict(sorted(document.docs.items()))
    return value


def _place_value(place: Place) -> dict[str, Union[str, int]]:
    parts = (("file", place.file), ("line", place.line), ("column", place.column))
    return {name: part for name, part in parts if part is not None}


def read_document(data: bytes, lent: Lent = Lent()) -> GraphDocument:  # noqa: B008 (it is frozen)
    """Return the graph that `data` describes; every id of it is computed again.

    Raises `graph.*` for what is wrong with the document, and `derivation.*` for a
    derivation that breaks a rule; the message begins with the node and the key.
    """
    with _codes():
        found = strictjson.mapping(strictjson.parse(data, pairs=_object, whole=_whole), "")
        # First, since a document of another version may have other keys. spec: derivation.document.version
        version = found.get("version", VERSION)
        if version != VERSION or isinstance(version, bool):
            raise _wrong("version", "version", f"the version of this graph document is not {VERSION}")
        strictjson.fields(found, "", ("version", "graph"), _OPTIONAL)
        nodes = strictjson.mapping(found["graph"], "graph")
        ids, graph = _Reader(nodes, lent).read()
        return GraphDocument(
            graph=graph,
            results=_results(found["results"], ids) if "results" in found else _sinks(graph),
            places=_places(found.get("places"), ids),
            docs=strictjson.text_mapping(found.get("docs"), "docs"),
        )


_OPTIONAL = ("results", "places", "docs")


@contextmanager
def _codes() -> Iterator[None]:
    """Let what strictjson refuses be an error of the document."""
    try:
        yield
    except BrambleError as error:
        if error.code != "derivation.encoding":
            raise
        raise BrambleError("graph.encoding", error.message, remedy=_REMEDY) from error


def _wrong(code: str, where: str, fact: str, remedy: str = _REMEDY) -> BrambleError:
    return BrambleError(f"graph.{code}", f"{where}: {fact}", remedy=remedy)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # spec: derivation.document.duplicate
        keys = [key for key, _ in pairs]
        again = next(key for number, key in enumerate(keys) if key in keys[:number])
        raise BrambleError("graph.duplicate", f"the key {ascii(again)} occurs twice", remedy=_REMEDY)
    return found


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise strictjson.broken("", f"the number {digits[:20]} is too long")
    return int(digits)


def _number(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise strictjson.broken(where, "a number from 1 is expected")
    return value


def _id_of(value: Any, where: str, ids: Mapping[str, str]) -> str:
    key = strictjson.text(value, where)
    if key not in ids:
        raise _wrong("result", where, f"{ascii(key)} is not a node of the graph")
    return ids[key]


def _results(value: Any, ids: Mapping[str, str]) -> tuple[Result, ...]:
    # spec: derivation.document.results
    results = []
    for number, item in enumerate(strictjson.items(value, "results")):
        where = f"results[{number}]"
        entry = strictjson.fields(item, where, ("target", "derivations"))
        listed = strictjson.items(entry["derivations"], f"{where}.derivations")
        found = [_id_of(key, f"{where}.derivations[{at}]", ids) for at, key in enumerate(listed)]
        results.append(
            Result(strictjson.text(entry["target"], f"{where}.target"), tuple(dict.fromkeys(found)))
        )
    return tuple(results)


def _sinks(graph: DerivationGraph) -> tuple[Result, ...]:
    """Return a result for every derivation that no other one needs, by id."""
    # spec: derivation.document.results
    needed = {key for one in graph.derivations for key in graph.dependencies(one)}
    return tuple(
        Result(graph.get(key).name, (key,)) for key in sorted(graph.derivations) if key not in needed
    )


def _places(value: Any, ids: Mapping[str, str]) -> Mapping[str, Place]:
    places = {}
    for key, item in strictjson.mapping({} if value is None else value, "places").items():
        where = f"places.{key}"
        entry = strictjson.fields(item, where, ("file",), ("line", "column"))
        places[_id_of(key, where, ids)] = Place(
            strictjson.text(entry["file"], f"{where}.file"),
            _number(entry["line"], f"{where}.line") if "line" in entry else None,
            _number(entry["column"], f"{where}.column") if "column" in entry else None,
        )
    return places


class _Reader:
    """The nodes of one document on their way to derivations."""

    def __init__(self, nodes: Mapping[str, Any], lent: Lent) -> None:
        self._nodes = nodes
        self._lent = lent
        # Derivations as in the document, and then with their references replaced.
        self._drafts: dict[str, Derivation] = {}
        self._needs: dict[str, dict[str, None]] = {}
        self._ids: dict[str, str] = {}
        self._graph: dict[str, Derivation] = {}

    def read(self) -> tuple[Mapping[str, str], DerivationGraph]:
        """Return the id of every key, and the graph."""
        for key, value in self._nodes.items():
            self._drafts[key] = self._draft(key, value)
        for key, draft in self._drafts.items():
            self._needs[key] = dict.fromkeys(ref for where, ref in self._references(key, draft))
        for key in self._order():
            made = self._linked(key)
            self._ids[key] = made.id
            self._graph[made.id] = made
        return self._ids, DerivationGraph({key: self._graph[key] for key in sorted(self._graph)})

    def _draft(self, key: str, value: Any) -> Derivation:
        """Return the derivation of a node as it is written. Raises graph.id if its id is another one."""
        where = f"graph.{key}"
        labelled = _is_label(key)
        if not labelled and not is_digest(key):
            raise strictjson.broken(where, "a key is an id, or a label such as @lib")
        required = ("Builder", "Name") if labelled else _KEYS
        found = strictjson.fields(value, where, required, {*_KEYS, "Network", "Target"})
        env = strictjson.text_mapping(found.get("Env"), f"{where}.Env")
        sources, outputs = found.get("Sources"), found.get("Outputs")
        texts = strictjson.texts(found.get("Args"), f"{where}.Args")
        draft = Derivation(
            name=strictjson.text(found["Name"], f"{where}.Name"),
            builder=Template.parse(strictjson.text(found["Builder"], f"{where}.Builder")),
            args=tuple(map(Template.parse, texts)),
            env=tuple((name, Template.parse(env[name])) for name in sorted(env)),
            sources=self._sources(sources, f"{where}.Sources", labelled),
            outputs=strictjson.texts(outputs, f"{where}.Outputs")
            if outputs is not None or not labelled
            else DEFAULT_OUTPUTS,
            platform=strictjson.text(found.get("Platform", ""), f"{where}.Platform"),
            network=strictjson.truth(found.get("Network", False), f"{where}.Network"),
            target=strictjson.text(found.get("Target", ""), f"{where}.Target"),
        )
        # spec: derivation.document.ids
        if not labelled and draft.id != key:
            raise _wrong(
                "id",
                where,
                f'this is the id of another derivation; that of "{draft.name}" is {draft.id}',
                "compute the ids again after a change, or use labels such as @lib",
            )
        if "Dependencies" in found:
            self._check_dependencies(found["Dependencies"], f"{where}.Dependencies", draft, labelled)
        return draft

    def _sources(self, value: Any, where: str, labelled: bool) -> Sources:
        if labelled and value is None:
            return NO_SOURCES
        found = strictjson.fields(
            value, where, ("Files",) if labelled else ("Files", "Location"), ("Location",)
        )
        files = strictjson.texts(found["Files"], f"{where}.Files")
        own = self._lent.sources
        if "Location" in found:
            project, inner = location_of(found["Location"], f"{where}.Location")
        else:
            project, inner = (own.project, own.location) if own is not None and files else ("", "")
        if labelled:
            files = tuple(sorted(set(files)))
        if own is not None and files:
            unseen = sorted(set(files) - set(own.files))
            if project != own.project or unseen:
                raise _wrong(
                    "sources",
                    where,
                    f"{ascii(unseen[0]) if unseen else 'the project'} is not among the sources that "
                    "the builder was given",
                    "add it to the sources of the derivation that writes this graph",
                )
        return Sources(project=project, location=inner, files=files)

    def _check_dependencies(self, value: Any, where: str, draft: Derivation, labelled: bool) -> None:
        listed = []
        for number, item in enumerate(strictjson.items(value, where)):
            entry = strictjson.fields(item, f"{where}[{number}]", ("Hash", "Output"))
            listed.append(
                (
                    strictjson.text(entry["Hash"], f"{where}[{number}].Hash"),
                    strictjson.text(entry["Output"], f"{where}[{number}].Output"),
                )
            )
        meant = {(ref.derivation, ref.output) for ref in draft.dependencies}
        if labelled:
            for _, template in _templates(draft):
                meant.update(_LABELLED.findall(template.text))
        if listed != sorted(meant):
            raise strictjson.broken(
                where, "this is not the sorted list of what Builder, Args and Env refer to"
            )

    def _references(self, key: str, draft: Derivation) -> Iterator[tuple[str, str]]:
        """Yield (where, key) of each node that a node refers to; not of what is lent to the document."""
        for parameter, template in _templates(draft):
            where = f"graph.{key}.{parameter}"
            found = [(ref.derivation, ref.output) for ref in template.references]
            if _is_label(key):
                found += _LABELLED.findall(template.text)
            for other, output in found:
                if other in self._drafts:
                    outputs = self._drafts[other].outputs
                    yield where, other
                elif other in self._lent.graph:
                    outputs = self._lent.graph.get(other).outputs
                else:
                    # spec: derivation.document.references
                    raise _wrong("unknown-reference", where, f"there is no node {other} in this graph")
                if output not in outputs:
                    raise _wrong(
                        "unknown-output",
                        where,
                        f'{other} has no output "{output}"; it has: {", ".join(outputs)}',
                    )

    def _order(self) -> Iterator[str]:
        """Yield the keys, dependencies first. Raises graph.cycle."""
        done: set[str] = set()
        active: dict[str, None] = {}
        for root in self._drafts:
            if root in done:
                continue
            active[root] = None
            stack = [iter(self._needs[root])]
            while stack:
                following = next(stack[-1], None)
                if following is None:
                    stack.pop()
                    key, _ = active.popitem()
                    done.add(key)
                    yield key
                elif following in active:
                    # spec: derivation.document.cycle
                    path = list(active)
                    cycle = [*path[path.index(following) :], following]
                    raise _wrong(
                        "cycle",
                        f"graph.{following}",
                        "nodes depend on one another in a cycle: " + " → ".join(cycle),
                    )
                elif following not in done:
                    active[following] = None
                    stack.append(iter(self._needs[following]))

    def _linked(self, key: str) -> Derivation:
        """Return the derivation of a node whose dependencies have their ids. Raises derivation.*."""
        draft, labelled = self._drafts[key], _is_label(key)
        made = draft._replace(
            builder=self._link(draft.builder, labelled),
            args=tuple([self._link(arg, labelled) for arg in draft.args]),
            env=tuple([(name, self._link(value, labelled)) for name, value in draft.env]),
        )
        try:
            check(made)
        except BrambleError as error:
            where = f"graph.{key}.{error.code.partition('.')[2].capitalize()}"
            raise BrambleError(error.code, f"{where}: {error.message}", remedy=error.remedy) from error
        return made

    def _link(self, template: Template, labelled: bool) -> Template:
        pieces = []
        for part in template.parts:
            if isinstance(part, OutputRef):
                pieces.append(str(OutputRef(self._ids.get(part.derivation, part.derivation), part.output)))
                continue
            if labelled:
                part = _LABELLED.sub(lambda ref: str(OutputRef(self._ids[ref[1]], ref[2])), part)
            pieces.append(part if self._lent.translate is None else self._lent.translate(part))
        return Template.parse("".join(pieces))


def _is_label(key: str) -> bool:
    return _LABEL.fullmatch(key) is not None


def _templates(draft: Derivation) -> Iterator[tuple[str, Template]]:
    """Yield the templates of a derivation, each with the key where it stands."""
    yield "Builder", draft.builder
    for number, arg in enumerate(draft.args):
        yield f"Args[{number}]", arg
    for name, value in draft.env:
        yield f"Env.{name}", value
