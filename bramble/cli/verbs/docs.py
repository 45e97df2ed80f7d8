"""`bramble docs [PATH]`: what `ls` lists, as a Markdown page."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence

from bramble.cli.environment import Surface
from bramble.cli.render import harmless
from bramble.cli.verbs.ls import add_place, show_modules
from bramble.commands.ls import ModuleDocs

_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `docs`."""
    add_place(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the page of the modules of a directory and of those right below it."""

    def show(modules: Sequence[ModuleDocs]) -> None:
        if modules:
            print(harmless("\n".join(_page(modules))))

    return show_modules(arguments, surface, show)


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
