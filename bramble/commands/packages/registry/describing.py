"""What the sources of a package say of themselves."""

from __future__ import annotations

import os

from bramble.lang.docs import ModuleDocs, package_docs
from bramble.packages.registry.documents import Documentation, Function, Module, Requirement
from bramble.project.config import load_config
from bramble.project.names import CONFIG_NAME
from bramble.project.project import Project


def documentation_of(directory: str, name: str, version: str, impure: tuple[str, ...] = ()) -> Documentation:
    """Return what a version says of itself; `directory` holds its sources. Nothing is executed.

    Raises config.*, and load.* and syntax.* where a module cannot be read.
    """
    # spec: registry.docs.json
    config = load_config(os.path.join(directory, CONFIG_NAME))
    requires = tuple(
        Requirement(other, one.version or "", one.rev) for other, one in sorted(config.dependencies.items())
    )
    modules = tuple(map(_module, package_docs(Project(directory, config))))
    return Documentation(name, version, config.description, modules, requires, impure)


def _module(docs: ModuleDocs) -> Module:
    functions = [Function(one.name, one.parameters, one.docstring) for one in docs.functions]
    return Module(docs.name, docs.docstring, tuple(functions))
