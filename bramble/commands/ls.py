"""`bramble ls`: the modules of a directory and what their functions say of themselves."""

from __future__ import annotations

import os
from collections.abc import Callable

from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import Setting
from bramble.commands.context.visits import required, visited
from bramble.errors import BrambleError
from bramble.lang.docs import ModuleDocs, library_docs, module_docs
from bramble.project.modules import in_library, parse_target
from bramble.project.project import Project, find_project
from bramble.recall.reads import NOT_NOTED, Reads

__all__ = ["ModuleDocs", "list_modules"]


def list_modules(
    path: str,
    setting: Setting,
    on_line: Callable[[str], None] = lambda line: None,
    reads: Reads = NOT_NOTED,
) -> tuple[list[ModuleDocs], list[BrambleError]]:
    """Return the documentation of the modules in the directory `path` and right below it.

    With `path/...` they are all that are in it and below.
    `std`, or a module below it, is the library, and what begins as a package's name does is a package, unless
    a directory has that name; `on_line` is called with what is fetched.
    The errors are of the modules that cannot be read. Raises BrambleError
    `cli.no-directory`, and those of reading a project (spec: cli.ls).
    """
    # What a link leads to decides what is a directory.
    reads.way(setting.cwd)
    path, recursive = _without_dots(path)
    directory = os.path.normpath(os.path.join(setting.cwd, path))
    reads.way(directory)
    reads.place(directory)
    if in_library(path) and not os.path.isdir(directory):
        return library_docs(path, reads), []
    host = path.partition("/")[0]
    if "." in host.strip(".") and host != path and not os.path.isdir(directory):
        found = visited([parse_target(path)], setting, on_line, reads)
        if found is not None:
            package, _, (target,) = found
            return _of_package(package, target.name, setting, reads, recursive)
        own = required(path, setting, on_line, reads)
        if own is not None:
            return _of_package(own, path, setting, reads, recursive)
    if not os.path.isdir(directory):
        above = os.path.dirname(path.rpartition(":")[0] or path) or "."
        module = os.path.isfile(f"{directory.partition(':')[0]}.bramble") or ":" in path
        raise BrambleError(
            "cli.no-directory",
            f"{path} is not a directory",
            remedy=f"its module is listed by: bramble ls {above}"
            if module
            else "name a directory of the project"
            + (f", or a version of a package: {path}@latest" if "." in host.strip(".") else ""),
        )
    with bounded(setting.limits):
        return module_docs(find_project(directory, reads), directory, reads, recursive=recursive)


def _without_dots(path: str) -> tuple[str, bool]:
    """Return the directory that `DIRECTORY/...` begins with, and True; any other path as it is, and False."""
    if path in ("...", "./..."):
        return ".", True
    return (path[: -len("/...")], True) if path.endswith("/...") else (path, False)


def _of_package(
    project: Project, module: str, setting: Setting, reads: Reads, recursive: bool
) -> tuple[list[ModuleDocs], list[BrambleError]]:
    # spec: internet.ls
    directory = os.path.join(project.root, module[len(project.name) + 1 :])
    if not os.path.isdir(directory):
        raise BrambleError(
            "cli.no-directory",
            f"there is no directory of modules {module} in {project.name}",
            remedy=f"its modules are listed by: bramble ls {project.name}",
        )
    with bounded(setting.limits):
        return module_docs(project, directory, reads, recursive=recursive)
