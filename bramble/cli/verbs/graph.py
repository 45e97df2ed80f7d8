"""`bramble graph [options] TARGET…`."""

from __future__ import annotations

import argparse

from bramble.cli.building import evaluate_words
from bramble.cli.environment import Surface
from bramble.cli.evaluating import add_evaluation_options, evaluation_setting
from bramble.cli.render import harmless, on_one_line, print_json
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.graphs.graph import Line, document_of, dot, graph_value, tree


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `graph`."""
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="./path:function, ./path or ./path/...")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the graph as `build --graph` takes it")
    form.add_argument("--dot", action="store_true", help="print the graph for Graphviz")
    parser.add_argument("--ids", action="store_true", help="in the tree: print ids, too")
    add_evaluation_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Evaluate, build nothing, and print the graph."""
    evaluated = evaluate_words(
        arguments.targets, evaluation_setting(arguments), reads=arguments.recording.reads
    )
    if arguments.json:
        print_json(graph_value(evaluated))
    elif arguments.dot:
        for line in dot(document_of(evaluated)):
            print(harmless(line))
    else:
        _print_tree(evaluated, arguments.ids)
    arguments.recording.changed_nothing()
    return 0


def _print_tree(evaluated: Evaluated, ids: bool) -> None:
    # spec: cli.graph.tree
    graph = evaluated.evaluation.graph
    for result in evaluated.evaluation.results:
        print(on_one_line(result.target))
        for root in dict.fromkeys(ref.derivation for ref in result.roots):
            for line in tree(graph, root):
                print(_line(line, ids))


def _line(line: Line, ids: bool) -> str:
    derivation = line.derivation
    words = [derivation.name]
    if line.outputs and derivation.outputs != ("out",):
        words[0] += f" ({', '.join(line.outputs)})"
    if derivation.builtin:
        words.append(f"[{derivation.builtin}]")
    if derivation.platform:
        words.append(f"on {derivation.platform}")
    if derivation.target:
        words.append(f"for {derivation.target}")
    if ids:
        words.append(derivation.id)
    if line.again:
        words.append("…")
    return line.guide + on_one_line(" ".join(words))
