"""`bramble docs [PATH]`: what `ls` lists, as a Markdown page."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence

from bramble.cli.environment import Surface
from bramble.cli.evaluating import add_evaluation_options, evaluation_setting
from bramble.cli.render import harmless, print_error, say
from bramble.commands.ls import ModuleDocs, list_modules

_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `docs`."""
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        metavar="PATH",
        help="a directory of the project (default: here), or a package: NAME or NAME@VERSION",
    )
    parser.add_argument("--offline", action="store_true", help="use no network")
    add_evaluation_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the page of the modules of a directory and of those right below it."""
    setting = evaluation_setting(arguments)
    modules, errors = list_modules(
        arguments.path, setting, lambda line: say(harmless(line)), arguments.recording.reads
    )
    if modules:
        print(harmless("\n".join(_page(modules))))
    elif not errors:
        say(f"there are no modules in {arguments.path}")
    sys.stdout.flush()
    for error in errors:
        print_error(error, surface)
    return 1 if errors else 0


def _page(modules: Sequence[ModuleDocs]) -> Iterator[str]:
    # spec: cli.docs
    for number, module in enumerate(modules):
        if number:
            yield ""
        yield f"# {module.name}"
        if module.docstring:
            yield from ("", module.docstring)
        for function in module.functions:
            signature = f"{function.name}({function.parameters})"
            fence = "`" * (max((len(ticks) for ticks in _FENCE.findall(signature)), default=2) + 1)
            yield from ("", f"## {function.name}", "", f"{fence}python", signature, fence)
            if function.docstring:
                yield from ("", function.docstring)
