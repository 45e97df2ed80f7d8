"""`bramble graph`, and the graphs of other programs: between what is evaluated and a graph document."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional

from bramble.commands.context.evaluation import Evaluated, packages_of
from bramble.commands.context.setting import Setting
from bramble.derivation.document import GraphDocument, Result, document_value, read_document
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.lang.results import Evaluation, TargetResult
from bramble.project.config import ProjectConfig
from bramble.project.project import Project, find_project
from bramble.record import dataclass
from bramble.starlark.syntax.outline import clean_docstring

NAMELESS = "graph"  # what a directory without a bramble.toml is called
LARGEST = 1 << 30  # bytes of a document


@dataclass(frozen=True)
class Line:
    """One line of the tree: `guide` draws the branches, `again` says that what is below stands further up."""

    guide: str
    derivation: Derivation
    outputs: tuple[str, ...]  # that the line above names; () for a target's own
    again: bool


def document_of(evaluated: Evaluated) -> GraphDocument:
    """Return what the targets returned as a document; tests and their derivations are not in it."""
    # spec: cli.graph
    evaluation = evaluated.evaluation
    results = tuple(
        Result(result.target, tuple(dict.fromkeys(ref.derivation for ref in result.roots)))
        for result in evaluation.results
    )
    wanted = [key for result in results for key in result.derivations]
    graph = evaluation.graph.closure(dict.fromkeys(wanted))
    return GraphDocument(
        graph=graph,
        results=results,
        places={key: evaluation.places[key] for key in graph.derivations if key in evaluation.places},
        docs={
            result.target: clean_docstring(result.docstring)
            for result in evaluation.results
            if result.docstring
        },
    )


def graph_value(evaluated: Evaluated) -> dict[str, Any]:
    """Return what `graph --json` prints (spec: derivation.document)."""
    return document_value(document_of(evaluated))


def submitted(
    data: bytes, setting: Setting, root: Optional[str], on_line: Callable[[str], None]
) -> Evaluated:
    """Return the graph that another program wrote as if it had been evaluated.

    Sources are relative to the directory `root` (None: to the project around the
    working directory, and to the working directory itself if there is none). `on_line` is called with
    which sources of packages are fetched and locked. Raises `graph.*`, `derivation.*` and config.*.
    """
    # spec: cli.build.graph
    if len(data) > LARGEST:
        raise BrambleError(
            "graph.encoding", f"the graph has more than {LARGEST >> 20} MiB", remedy="submit it in parts"
        )
    document = read_document(data)
    project = _project(setting.cwd, root)
    packages = packages_of(project, setting, on_line)
    evaluation = Evaluation(
        graph=document.graph,
        results=tuple(
            TargetResult(
                result.target,
                tuple(document.graph.get(key).default_output for key in result.derivations),
                docstring=document.docs.get(result.target, ""),
            )
            for result in document.results
        ),
        tests=(),
        source_roots={"": project.root, **packages.directories},
        places=document.places,
        warnings=project.config.warnings,
    )
    return Evaluated(project, packages, evaluation)


def _project(cwd: str, root: Optional[str]) -> Project:
    start = os.path.realpath(cwd if root is None else os.path.join(cwd, root))
    if not os.path.isdir(start):
        raise BrambleError(
            "graph.root", f"{start} is not a directory", remedy="name the directory that contains the sources"
        )
    try:
        project = find_project(start)
    except BrambleError as error:
        if error.code != "config.no-project":
            raise
        return Project(start, ProjectConfig(NAMELESS, "0"))
    # A named directory is the root, whatever contains it.
    return project if root is None or project.root == start else Project(start, ProjectConfig(NAMELESS, "0"))


def tree(graph: DerivationGraph, root: str) -> Iterator[Line]:
    """Yield the lines of what `root` needs, depth first; what was shown already is not gone into again."""
    shown = {root}
    yield Line("", graph.get(root), (), again=False)
    stack = [("", iter(_needs(graph, root)))]
    while stack:
        indent, needs = stack[-1]
        found = next(needs, None)
        if found is None:
            stack.pop()
            continue
        key, outputs, last = found
        below = _needs(graph, key)
        again = key in shown and bool(below)
        yield Line(indent + ("└─ " if last else "├─ "), graph.get(key), outputs, again)
        if key not in shown:
            shown.add(key)
            stack.append((indent + ("   " if last else "│  "), iter(below)))


def _needs(graph: DerivationGraph, key: str) -> Sequence[tuple[str, tuple[str, ...], bool]]:
    """Return (id, outputs named, whether it is the last) of each dependency, by name."""
    named: dict[str, list[str]] = {}
    for ref in graph.get(key).dependencies:
        named.setdefault(ref.derivation, []).append(ref.output)
    order = sorted(named, key=lambda one: (graph.get(one).name, one))
    return [(one, tuple(named[one]), one == order[-1]) for one in order]


def dot(document: GraphDocument) -> Iterator[str]:
    """Yield the lines of the graph in the language of Graphviz; an edge goes to what is needed."""
    # spec: cli.graph.dot
    yield "digraph bramble {"
    yield "  node [shape=box]"
    roots = set(document.roots)
    for key, derivation in document.graph.derivations.items():
        style = ", style=bold" if key in roots else ""
        yield f"  {_quoted(key)} [label={_quoted(derivation.name)}{style}]"
    for key, derivation in document.graph.derivations.items():
        for ref in derivation.dependencies:
            yield f"  {_quoted(key)} -> {_quoted(ref.derivation)}{_output(document.graph, ref)}"
    yield "}"


def _output(graph: DerivationGraph, ref: OutputRef) -> str:
    plain = graph.get(ref.derivation).outputs == ("out",)
    return "" if plain else f" [label={_quoted(ref.output)}]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
