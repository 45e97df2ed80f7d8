"""Graphs that grow: what a builder `derivation_output` wrote takes the place of the derivation that it built.

Growing goes in rounds. In each the generators that wait for no other one are
looked up or built, what they wrote is read and checked, and the graph is made
again with it. Everything but the building is in this module, and pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from bramble.derivation.document import GraphDocument, Lent
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import DEFAULT_OUTPUTS, GENERATOR, Derivation
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.store.digest import DIGEST_LENGTH


@dataclass(frozen=True)
class Generated:
    """What a generator wrote: derivations, which may refer to what it needed, and which one is wanted."""

    root: str
    graph: DerivationGraph  # without what it refers to of the graph around it


@dataclass(frozen=True)
class Grown:
    """A graph in which generated graphs have the places of their generators."""

    graph: DerivationGraph
    ids: Mapping[str, str]  # id before → id now, of every derivation that has another one now


def waiting(graph: DerivationGraph, roots: Iterable[str]) -> tuple[str, ...]:
    """Return the generators that `roots` need and that need no other generator themselves, in order."""
    # spec: build.generated.rounds
    pending: set[str] = set()  # generators, and what needs one
    found = []
    for key in graph.order(roots):
        blocked = any(needed in pending for needed in graph.dependencies(key))
        generates = graph.get(key).builtin == GENERATOR
        if generates and not blocked:
            found.append(key)
        if generates or blocked:
            pending.add(key)
    return tuple(found)


def lent_to(graph: DerivationGraph, generator: str, objects: Mapping[OutputRef, str], directory: str) -> Lent:
    """Return what the graph of a generator may use: what the generator needed, and its sources.

    `objects` are the names of outputs in the store, `directory` the store's: so
    paths that the builder saw are understood as references. With "" they are text.
    """
    # spec: build.generated.inputs
    derivation = graph.get(generator)
    below = graph.order([generator])[:-1]
    direct = set(derivation.dependencies)
    refs: dict[str, OutputRef] = {}
    for ref in sorted(objects, key=lambda ref: (ref not in direct, ref)):
        if ref.derivation in below:
            refs.setdefault(objects[ref], ref)
    return Lent(
        DerivationGraph({key: graph.get(key) for key in below}),
        _translator(refs, directory, derivation.name) if directory else None,
        derivation.sources,
    )


def _translator(refs: Mapping[str, OutputRef], directory: str, name: str) -> Callable[[str], str]:
    path = re.compile(re.escape(directory) + "/([a-z2-7]{%d})" % DIGEST_LENGTH)  # noqa: UP031

    def reference(found: re.Match[str]) -> str:
        if found[1] not in refs:
            raise BrambleError(
                "graph.unseen-path",
                f'{found[0]} is named, which is not an input of the builder of "{name}"',
                remedy="name outputs that it was given by args or env; not its own output, since "
                "the graph is also used when the builder does not run",
            )
        return str(refs[found[1]])

    return lambda text: path.sub(reference, text) if directory in text else text


def generated(document: GraphDocument, name: str) -> Generated:
    """Return the graph that the generator `name` wrote, if it keeps the two rules of such graphs.

    Raises graph.recursive, graph.several and graph.outputs.
    """
    # spec: build.generated.recursive
    for derivation in document.graph.derivations.values():
        if derivation.builtin == GENERATOR:
            raise BrambleError(
                "graph.recursive",
                f'"{derivation.name}" in the graph that "{name}" wrote uses {GENERATOR} itself',
                remedy="let one builder write the whole graph",
            )
    # spec: build.generated.one
    roots = document.roots
    if len(roots) != 1:
        named = ", ".join(document.graph.get(root).name for root in roots[:5])
        raise BrambleError(
            "graph.several",
            f'the graph that "{name}" wrote has {len(roots)} results' + (f": {named}" if named else ""),
            remedy="one derivation must replace the generator: add one that needs all of them",
        )
    wanted = document.graph.get(roots[0])
    if wanted.outputs != DEFAULT_OUTPUTS:
        raise BrambleError(
            "graph.outputs",
            f'"{wanted.name}", which would replace "{name}", has the outputs {", ".join(wanted.outputs)}',
            remedy='give it the one output "out", as the generator has it',
        )
    return Generated(roots[0], document.graph)


def graft(graph: DerivationGraph, found: Mapping[str, Generated]) -> Grown:
    """Return the graph in which whatever referred to a generator refers to the root of what that wrote.

    `found` are generators by id. Derivations that change have another id.
    """
    # spec: build.generated.replaced
    ids: dict[str, str] = {}
    made: dict[str, Derivation] = {}
    for key in graph.order():
        derivation = graph.get(key)
        if key in found:
            made.update(found[key].graph.derivations)
            ids[key] = found[key].root
            continue
        if any(ref.derivation in ids for ref in derivation.dependencies):
            derivation = _renamed(derivation, ids)
            ids[key] = derivation.id
        made[derivation.id] = derivation
    return Grown(DerivationGraph(made), ids)


def _renamed(derivation: Derivation, ids: Mapping[str, str]) -> Derivation:
    def follow(template: Template) -> Template:
        return Template(template.render(now))

    def now(ref: OutputRef) -> str:
        return str(OutputRef(ids.get(ref.derivation, ref.derivation), ref.output))

    return derivation._replace(
        builder=follow(derivation.builder),
        args=tuple(map(follow, derivation.args)),
        env=tuple((name, follow(value)) for name, value in derivation.env),
    )
