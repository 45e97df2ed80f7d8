"""What modules say of themselves, read from their text: nothing is executed."""

from __future__ import annotations

import os
from typing import Optional

from bramble.errors import BrambleError, Place
from bramble.lang.failure import as_bramble_error, place_of
from bramble.lang.loader import DIALECT, read_module
from bramble.library import modules as library
from bramble.project.modules import ModuleFile, ModuleRoots, library_module
from bramble.project.packages import NO_PACKAGES
from bramble.project.project import Project
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import NamedTuple
from bramble.starlark import StarlarkError
from bramble.starlark.source import Source
from bramble.starlark.syntax.outline import clean_docstring, outline
from bramble.starlark.syntax.parse import parse


class FunctionDocs(NamedTuple):
    """A public function: `parameters` is the text between its parentheses."""

    name: str
    parameters: str
    docstring: str  # without the indentation of its block; "" if there is none
    place: Optional[Place]


class ModuleDocs(NamedTuple):
    """A module with its public functions, in the order of the file."""

    name: str
    file: str  # relative to the project
    docstring: str
    functions: tuple[FunctionDocs, ...]


def module_docs(
    project: Project, directory: str, reads: Reads = NOT_NOTED, *, recursive: bool = False
) -> tuple[list[ModuleDocs], list[BrambleError]]:
    """Return the documentation of the modules of `directory`, an absolute path in the project.

    They are the modules of the directory itself, by name, and then the modules
    of its immediate subdirectories that have a `default.bramble`, by name; with
    `recursive` all that are in it and below, by name. The
    errors, load.unreadable and syntax.*, are of the modules that cannot be read.
    Raises load.outside.
    """
    # spec: dialect.ls
    reads.way(directory)
    inner = os.path.relpath(os.path.realpath(directory), project.root)
    if inner == ".." or inner.startswith("../"):
        raise BrambleError(
            "load.outside",
            f"{directory} is outside the project {project.name}",
            remedy=f"the project's root is {project.root}",
        )
    docs, errors = [], []
    roots = ModuleRoots(project, NO_PACKAGES, reads)
    inner = "" if inner == "." else inner
    for module in roots.below(inner) if recursive else roots.near(inner):
        try:
            docs.append(_docs(module, reads))
        except BrambleError as error:
            errors.append(error)
    return docs, errors


def package_docs(project: Project) -> list[ModuleDocs]:
    """Return the documentation of all modules of a project, by name. Raises load.*, syntax.*."""
    return [_docs(module, NOT_NOTED) for module in ModuleRoots(project, NO_PACKAGES).below_path("./")]


def library_docs(module: str, reads: Reads = NOT_NOTED) -> list[ModuleDocs]:
    """Return the documentation of a module of the library; of all its modules for `std` itself.

    Raises load.unknown-module.
    """
    # spec: cli.ls.library
    names = sorted(library.MODULES) if module == library.PACKAGE else [module]
    return [_docs(library_module(name), reads) for name in names]


def _docs(module: ModuleFile, reads: Reads) -> ModuleDocs:
    try:
        source = Source.read(read_module(module, module.path, reads), module.path)
        found = outline(source, parse(source, DIALECT))
    except StarlarkError as error:
        raise as_bramble_error(error) from error
    return ModuleDocs(
        name=module.name,
        file=module.path,
        docstring=clean_docstring(found.docstring or ""),
        functions=tuple(
            FunctionDocs(
                name=function.name,
                parameters=function.parameters,
                docstring=clean_docstring(function.docstring or ""),
                place=place_of(function.position),
            )
            for function in found.functions
        ),
    )
