"""`bramble build [options] TARGET…`."""

from __future__ import annotations

import argparse
import functools
import importlib
from collections.abc import Sequence
from typing import Any, Optional, Union

from bramble.cli.building import (
    Build,
    add_build_options,
    build_shown,
    evaluate_words,
    print_passed_over,
    setting_of,
)
from bramble.cli.environment import Surface
from bramble.cli.render import harmless, on_one_line, print_json, say
from bramble.commands.build import BuildResult, BuiltTarget, Hidden, result_lines
from bramble.commands.context.evaluation import Evaluated, parsed_graph, refuse_other_projects
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.record import NamedTuple


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `build`."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="./path:function, ./path or ./path/..., or of a package: NAME@VERSION:function (default: ./...)",
    )
    parser.add_argument(
        "--graph", metavar="FILE", help="build the graph in FILE (-: standard input) and no targets"
    )
    parser.add_argument(
        "--update",
        action="append",
        default=[],
        metavar="TARGET",
        help="build TARGET as well, and run again the derivation_output builders that it needs",
    )
    parser.add_argument("--root", metavar="DIR", help="with --graph: sources are below DIR")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be built and why; build nothing"
    )
    parser.add_argument(
        "--out-link", metavar="NAME", help="make NAME a link to what is built, and keep that in the store"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--just-parse", action="store_true", help="evaluate only: build nothing")
    parser.add_argument(
        "--explain", action="store_true", help="print the sandbox of the build, and do not build"
    )
    add_build_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Evaluate, build, and print where the outputs are."""
    setting = setting_of(arguments)
    try:
        done = _build(arguments, surface, setting)
    except BrambleError as error:
        # spec: cli.build.json
        if arguments.json and not (arguments.just_parse or arguments.explain or arguments.dry_run):
            print_json(_document(None, (error, *error.others)))
        raise
    if isinstance(done, int):
        return done
    evaluated, result, status, linking, links = done
    if arguments.json:
        print_json(_document(result, evaluated.evaluation.errors))
    elif status == 0 or result.targets:
        _print_result(evaluated, result)
    if links is not None and not result.cancelled:
        linking.make_links(links, result)
    elif status == 0 and _only_looked(arguments) and not result.built:
        # Loaded where there may be something to record.
        witnesses: Any = importlib.import_module("bramble.commands.context.witnesses")
        reads = arguments.recording.reads
        arguments.recording.changed_nothing(witnesses.note_build(reads, evaluated, result, setting))
    return status


class _Done(NamedTuple):
    """A build that came to an end: what was evaluated, its result and exit status, and the links to make."""

    evaluated: Evaluated
    result: BuildResult
    status: int
    linking: Any
    links: Any


def _build(arguments: argparse.Namespace, surface: Surface, setting: Setting) -> Union[int, _Done]:
    """Evaluate and build; where something else was asked for print that, and return the exit status."""
    if arguments.graph is not None:
        given: Any = importlib.import_module("bramble.cli.submitting")
        evaluated = given.submitted_graph(arguments, setting)
    else:
        words = [*arguments.targets, *arguments.update] or ["./..."]
        evaluated = evaluate_words(
            words, setting, keep_going=arguments.keep_going, reads=arguments.recording.reads
        )
        refuse_other_projects(evaluated)
    if arguments.just_parse:
        _print_graph(evaluated, arguments.json)
        if arguments.graph is None:
            arguments.recording.changed_nothing()
        return print_passed_over(evaluated, surface)
    if arguments.explain:
        # What explains is loaded for that alone: with nothing to build, loading modules is most of the time.
        module: Any = importlib.import_module("bramble.cli.explaining")
        status: int = module.explain(evaluated, setting, arguments, surface)
        return status
    if arguments.dry_run:
        planning: Any = importlib.import_module("bramble.cli.planning")
        foreseen: int = planning.plan(evaluated, setting, arguments, surface)
        return print_passed_over(evaluated, surface) or foreseen
    evaluation = evaluated.evaluation
    nothing = not any(result.roots for result in evaluation.results) and not evaluation.errors
    if nothing and not arguments.quiet:
        say(_nothing(arguments, bool(evaluation.tests)))
    # As above: loaded for that alone.
    linking: Any = importlib.import_module("bramble.commands.out_link") if arguments.out_link else None
    links = linking.planned_links(evaluated, arguments.out_link, setting.cwd) if linking else None
    build: Optional[Build] = None
    if arguments.update:
        updating: Any = importlib.import_module("bramble.commands.graphs.updating")
        renew = updating.generators(arguments.update, setting)
        build = functools.partial(updating.build_updated, evaluated, renew)
    result, status = build_shown(evaluated, setting, arguments, surface, build=build)
    return _Done(evaluated, result, status, linking, links)


def _only_looked(arguments: argparse.Namespace) -> bool:
    """Return whether a build in which nothing was to be built has done nothing besides printing."""
    # spec: recall.commands
    more = (arguments.graph, arguments.trace, arguments.check, arguments.rounds, arguments.refresh)
    return not any((*more, arguments.update, arguments.keep_failed))


def _nothing(arguments: argparse.Namespace, tests: bool) -> str:
    if arguments.graph is not None:
        return "nothing to build: the graph has no results"
    words: Sequence[str] = arguments.targets or ["./..."]
    named = [word.rpartition(":")[2] for word in words if ":" in word]
    hint = f"; does {named[0]}() `return` it?" if named else ""
    hint = "; what they register as tests is run by bramble test" if tests else hint
    return f"nothing to build: no function of {' '.join(words)} returns a derivation{hint}"


def _print_graph(evaluated: Evaluated, as_json: bool) -> None:
    if as_json:
        print_json(parsed_graph(evaluated))
        return
    for result in evaluated.evaluation.results:
        for root in result.roots:
            name = evaluated.evaluation.graph.get(root.derivation).name
            print(on_one_line(f"{result.target} {name} {root.derivation}"))


def _checked(target: BuiltTarget) -> Optional[dict[str, object]]:
    """Return how the target was checked, None if it was not."""
    return {"builds": target.builds, "elsewhere": target.checked == "elsewhere"} if target.checked else None


def _warning(hidden: Hidden) -> dict[str, str]:
    found = hidden.found
    return {
        "kind": "hidden-name",
        "derivation": hidden.name,
        "output": found.output,
        "file": found.file,
        "how": found.how,
        "object": found.object,
        "owner": hidden.owner,
    }


def _print_result(evaluated: Evaluated, result: BuildResult) -> None:
    # spec: cli.build.results
    lines = [(harmless(label), path) for label, path in result_lines(evaluated, result)]
    width = max((len(label) for label, _ in lines), default=0)
    for label, path in lines:
        print(f"{label:<{width}}  {path}" if label else path)


def _document(result: Optional[BuildResult], errors: Sequence[BrambleError]) -> dict[str, object]:
    """Return what `--json` prints: `result` is None where an error ended the command; `errors` come first."""
    # spec: cli.build.json
    targets = result.targets if result else ()
    return {
        "version": 1,
        "results": [
            {
                "target": target.target,
                "derivation": target.derivation,
                "name": target.name,
                "key": target.key,
                "outputs": {
                    name: {
                        "path": output.path,
                        "name": output.name,
                        "references": list(output.references),
                    }
                    for name, output in target.outputs.items()
                },
                "checked": _checked(target),
            }
            for target in targets
        ],
        "built": list(result.built) if result else [],
        "cached": list(result.cached) if result else [],
        "impure": list(result.impure) if result else [],
        "changed": list(result.changed) if result else [],
        "warnings": [_warning(hidden) for hidden in (result.hidden if result else ())],
        "sandbox": result.sandbox if result else "namespaces",
        "errors": [error.to_json() for error in (*errors, *(result.failures if result else ()))],
    }
