"""`bramble ls [PATH]`."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Sequence

from bramble.cli.environment import Surface
from bramble.cli.evaluating import add_evaluation_options, evaluation_setting
from bramble.cli.render import harmless, print_error, print_json, say
from bramble.commands.ls import ModuleDocs, list_modules


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ls`."""
    parser.add_argument("--json", action="store_true", help="print the modules as JSON")
    add_place(parser)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add what says which modules are meant, and how they are read."""
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        metavar="PATH",
        help="a directory of the project (default: here), DIRECTORY/... with all below, or a package: "
        "NAME or NAME@VERSION",
    )
    parser.add_argument("--offline", action="store_true", help="use no network")
    add_evaluation_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the modules of a directory and of those right below it, then what is wrong with others."""

    def show(modules: Sequence[ModuleDocs]) -> None:
        if arguments.json:
            print_json({"version": 1, "modules": [_as_json(module) for module in modules]})
        elif modules:
            print("\n\n\n".join(_as_text(module) for module in modules))

    return show_modules(arguments, surface, show)


def show_modules(
    arguments: argparse.Namespace, surface: Surface, show: Callable[[Sequence[ModuleDocs]], None]
) -> int:
    """Hand the modules that are meant to `show`, then say what is wrong with others; return the status."""
    setting = evaluation_setting(arguments)
    modules, errors = list_modules(
        arguments.path, setting, lambda line: say(harmless(line)), arguments.recording.reads
    )
    show(modules)
    if not modules and not errors:
        say(f"there are no modules in {arguments.path}")
    sys.stdout.flush()
    for error in errors:
        print_error(error, surface)
    if not errors:
        arguments.recording.changed_nothing()
    return 1 if errors else 0


def _as_json(module: ModuleDocs) -> dict[str, object]:
    return {
        "name": module.name,
        "file": module.file,
        "doc": module.docstring,
        "functions": [
            {
                "name": function.name,
                "parameters": function.parameters,
                "doc": function.docstring,
                "at": None if function.place is None else str(function.place),
            }
            for function in module.functions
        ],
    }


def _as_text(module: ModuleDocs) -> str:
    # spec: cli.ls
    blocks = [f"Module: {module.name}" + (f'\n"""\n{module.docstring}\n"""' if module.docstring else "")]
    for function in module.functions:
        text = f"def {function.name}({function.parameters})"
        if function.docstring:
            text += "\n" + textwrap.indent(_quoted(function.docstring), "    ")
        blocks.append(textwrap.indent(text, "    "))
    return harmless("\n\n".join(blocks))


def _quoted(docstring: str) -> str:
    return f'"""\n{docstring}\n"""' if "\n" in docstring else f'"""{docstring}"""'
