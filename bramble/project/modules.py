"""Names: module names and their files, and the targets that people type.

`DIR/default.bramble` is module DIR, `DIR/x.bramble` is module DIR/x, and a
module of a project begins with the project's name.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from typing import Optional

from bramble.errors import BrambleError, nearest
from bramble.library import modules as library
from bramble.project.names import CONFIG_NAME, SUFFIX
from bramble.project.packages import Packages
from bramble.project.project import Project
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import NamedTuple, dataclass, field

DEFAULT = "default" + SUFFIX


class Target(NamedTuple):
    """What a command is asked to work on, as it was typed.

    A path is relative to the directory the command runs in; a module is a full
    module name. `function` is None when all of a module is meant; `recursive`
    when everything below is.
    """

    text: str
    kind: str  # "path" or "module"
    name: str  # the path ("./lib", "./", "../x") or the module name, without :function and /...
    function: Optional[str] = None
    recursive: bool = False


class ModuleFile(NamedTuple):
    """One module and the file that it is."""

    name: str  # full module name
    project: str  # module name of the project or package that it belongs to
    root: str  # directory of that project or package; "" for the library, which is data of Bramble's own
    path: str  # the file, relative to `root`

    @property
    def directory(self) -> str:
        """The directory of the file relative to `root`; "" for the root itself."""
        return os.path.dirname(self.path)

    @property
    def file(self) -> str:
        """The file's full path."""
        return os.path.join(self.root, self.path)


# --- targets -----------------------------------------------------------------


def parse_target(text: str) -> Target:
    """Return the target that `text` spells. Raises load.target with the spelling that was meant."""
    # spec: project.targets
    name, colon, function = text.rpartition(":")
    if not colon:
        name, function = text, ""
    if text.startswith(":"):
        raise _not_a_target(text, "it names no file", f"write ./:{function or 'function'}")
    if colon and not function:
        raise _not_a_target(text, "there is no function after the colon", f"write {name} for all functions")
    if "/" in function:
        raise _not_a_target(text, "the function comes last", "write ./path:function")
    is_path = name in (".", "..") or name.startswith(("./", "../"))
    recursive = name.endswith("/...")
    if recursive:
        name = name[:-3] if name in ("./...", "../...") else name[:-4]
        if function:
            raise _not_a_target(
                text,
                "/... means every function already",
                f"write {text.rpartition(':')[0]} or omit /...",
            )
    if "..." in name.split("/"):
        raise _not_a_target(text, "... comes last", f"write {name.partition('/...')[0]}/...")
    if is_path:
        return Target(text, "path", name, function or None, recursive)
    _check_module_target(text, name, function)
    return Target(text, "module", name, function or None, recursive)


def shown_target(project: Project, target: str) -> str:
    """Return `MODULE:FUNCTION` of the project as it is written in the current directory: `./lib:f`.

    Of one that was fetched it is `NAME@VERSION/lib:f`.
    """
    module, _, function = target.rpartition(":")
    if module != project.name and not module.startswith(project.name + "/"):
        return target
    if project.fetched is not None:
        # spec: internet.form
        return f"{project.fetched.key}{module[len(project.name) :]}:{function}"
    path = os.path.relpath("/" + module[len(project.name) + 1 :], "/" + project.location)
    if path.split("/")[-1] in (".", ".."):
        return f"{path}/:{function}"
    return f"{path}:{function}" if path.startswith("../") else f"./{path}:{function}"


def _check_module_target(text: str, name: str, function: str) -> None:
    """Refuse what is neither a path nor a module name, with the path that was probably meant."""
    tail = f":{function}" if function else ""
    if name in ("...", ""):
        meant = "./..." if name else "./"
        raise _not_a_target(text, "a path begins with ./ or ../", f"write {meant}{tail}")
    if name.startswith("/"):
        raise _not_a_target(text, "an absolute path is not a target", "go to the project and write ./path")
    parts = name.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise _not_a_target(text, "this is not a module name", f"for a path write ./{name}{tail}")


def _not_a_target(text: str, why: str, remedy: str) -> BrambleError:
    return BrambleError("load.target", f'"{text}" is not a target: {why}', remedy=remedy)


# --- module names and files ----------------------------------------------------


@dataclass(frozen=True)
class ModuleRoots:
    """Where modules may come from: the project, and packages by module name.

    `reads` notes where one looked.
    """

    project: Project
    packages: Packages
    reads: Reads = field(default=NOT_NOTED, compare=False, repr=False)

    def locate(self, module: str, within: Optional[str] = None) -> ModuleFile:
        """Return the file of a module; its name is what modules of the package `within` call it.

        `within` is the project of a `ModuleFile`, and None if a user names the module.

        Raises load.unknown-package if no project or package has such a name, load.undeclared when
        `within` does not require the one that has it, load.unknown-module when it has no such file,
        load.ambiguous when two files claim the name.
        """
        # spec: project.modules.names
        if any(part in ("", ".", "..") for part in module.split("/")):
            raise BrambleError(
                "load.relative",
                f'"{module}" is not a module name',
                remedy=f'begin with the name of the project or package: "{self.project.name}/…"',
            )
        if in_library(module):
            return library_module(module)
        owner, root = self.owner(module) if within is None else ("", "")
        if within is not None:
            # spec: packages.majors, packages.load.declared
            name = self._declared(module, within)
            owner = self._names(within)[name]
            root = self.packages.directories.get(owner, self.project.root)
            module = owner + module[len(name) :]
        return _locate(module, owner, root, module[len(owner) + 1 :], self.reads)

    def _names(self, within: str) -> Mapping[str, str]:
        """Return what names of packages mean in one package: name → key."""
        of_package = "" if within == self.project.name else within
        return {**self.packages.meanings.get(of_package, {}), within.partition("@")[0]: within}

    def _declared(self, module: str, within: str) -> str:
        """Return the package that a module's name begins with, of those that `within` requires."""
        name = _longest(module, self._names(within))
        if name is not None:
            return name
        key = self.owner(module)[0]
        name = key.partition("@")[0]
        whose = "this project" if within == self.project.name else f'"{within}"'
        raise BrambleError(
            "load.undeclared",
            f'the module "{module}" is of the package "{name}", which {whose} does not require',
            remedy=f"require it: bramble add {name}"
            if within == self.project.name
            else f'name it under [dependencies] in the {CONFIG_NAME} of {whose}: "{name}" = "…"',
        )

    def owner(self, module: str) -> tuple[str, str]:
        """Return name and directory of the project or package that a module name belongs to.

        The library (`std`) has no directory: "". Raises load.unknown-package.
        """
        if in_library(module):
            return library.PACKAGE, ""
        roots = {self.project.name: self.project.root, **self.packages.directories}
        prefix = _longest(module, roots)
        if prefix is None:
            raise self._unknown_package(module)
        return prefix, roots[prefix]

    def _unknown_package(self, module: str) -> BrambleError:
        for name, dependency in self.project.config.dependencies.items():
            if module == name or module.startswith(name + "/"):
                return BrambleError(
                    "load.unknown-package",
                    f'the package "{name}" {dependency.version} is not here',
                    remedy="state its directory in bramble.toml: "
                    f'"{name}" = {{ version = "{dependency.version}", path = "../…" }}',
                )
        names = [self.project.name, *self.packages.directories]
        meant = nearest(module, names) or nearest(module.rpartition("/")[0], names)
        hint = f'did you mean "{meant}"? ' if meant else ""
        return BrambleError(
            "load.unknown-package",
            f'the module "{module}" is neither in this project ({self.project.name}) nor in a dependency',
            remedy=f"{hint}a module of this project begins with the project's name; another project is "
            "required first: bramble add NAME, or bramble add --path DIR",
        )

    def of_path(self, path: str) -> ModuleFile:
        """Return the module that a path means, relative to the project's location.

        Raises load.outside if it leaves the project, and the errors of `locate`.
        """
        # spec: project.targets.path
        inner = self.inner(path)
        name = self.project.name + "/" + inner if inner else self.project.name
        return _locate(name, self.project.name, self.project.root, inner, self.reads)

    def is_here(self, path: str) -> bool:
        """Return whether a path relative to the project's location is that of a directory or a module."""
        here = os.path.join(self.project.root, self.project.location, path)
        return os.path.isdir(here) or os.path.isfile(here + SUFFIX)

    def inner(self, path: str) -> str:
        """Return a path as it is below the project's root, "" for the root itself. Raises load.outside."""
        inner = os.path.normpath(os.path.join(self.project.location, path))
        if inner == ".":
            return ""
        if inner == ".." or inner.startswith("../"):
            raise BrambleError(
                "load.outside",
                f'"{path}" is outside the project {self.project.name}',
                remedy=f"the project's root is {self.project.root}; for another project say bramble -C DIR",
            )
        return inner

    def below_path(self, path: str) -> list[ModuleFile]:
        """Return every module in the directory that a path means and below, sorted by name."""
        return self.below(self.inner(path))

    def below(self, inner: str) -> list[ModuleFile]:
        """Return every module in a directory, given as it is below the root, and below it, sorted by name."""
        # spec: project.targets.recursive
        name = self.project.name + "/" + inner if inner else self.project.name
        return _listed(name, self.project.name, self.project.root, inner, self.reads)

    def near(self, inner: str) -> list[ModuleFile]:
        """Return the modules of one directory, given as it is below the root ("" for the root itself).

        First those of the directory's own files, then those of the directories
        right in it that have a `default.bramble`; both sorted by name.
        """
        # spec: project.modules.listing
        owner, root = self.project.name, self.project.root
        own = list(_walk(owner, root, inner, self.reads, depth=2))
        here = sorted(module.name for module in own if module.directory == inner)
        below = sorted(
            module.name
            for module in own
            if module.directory != inner and os.path.basename(module.path) == DEFAULT
        )
        return [_locate(name, owner, root, name[len(owner) + 1 :], self.reads) for name in (*here, *below)]

    def below_module(self, module: str) -> list[ModuleFile]:
        """Return the module and every module whose name continues it with a slash, sorted by name."""
        if in_library(module):
            names = [name for name in library.MODULES if name == module or name.startswith(module + "/")]
            return [library_module(name) for name in sorted(names) or [module]]
        owner, root = self.owner(module)
        return _listed(module, owner, root, module[len(owner) + 1 :], self.reads)


def _longest(module: str, names: Container[str]) -> Optional[str]:
    """Return the longest name that a module's continues with a slash: "a/bc" is not in "a/b"."""
    prefix = module
    while prefix not in names:
        prefix, slash, _ = prefix.rpartition("/")
        if not slash:
            return None
    return prefix


def in_library(module: str) -> bool:
    """Return whether a module name is one of the library that comes with Bramble."""
    # spec: project.modules.library
    return module.partition("/")[0] == library.PACKAGE


def library_module(module: str) -> ModuleFile:
    """Return a module of the library. Raises load.unknown-module."""
    path = library.MODULES.get(module)
    if path is None:
        meant = nearest(module, library.MODULES)
        raise BrambleError(
            "load.unknown-module",
            f'there is no module "{module}" in the library that comes with Bramble',
            remedy=f'did you mean "{meant}"?' if meant else "it has: " + ", ".join(library.MODULES),
        )
    return ModuleFile(module, library.PACKAGE, "", path)


def _locate(name: str, owner: str, root: str, inner: str, reads: Reads) -> ModuleFile:
    directory_file = os.path.join(inner, DEFAULT)
    plain_file = inner + SUFFIX
    parts = inner.split("/") if inner else []
    if parts and parts[-1] == "default":
        raise BrambleError(
            "load.unknown-module",
            f'there is no module "{name}"',
            remedy=f'{DEFAULT} is the module of its directory: write "{name[: -len("/default")]}"',
        )
    reads.file(root, directory_file)
    if inner:
        reads.file(root, plain_file)
    has_directory = os.path.exists(os.path.join(root, directory_file))
    has_plain = bool(inner) and os.path.exists(os.path.join(root, plain_file))
    if has_directory and has_plain:
        # spec: project.modules.ambiguous
        raise BrambleError(
            "load.ambiguous",
            f'the module "{name}" is both {plain_file} and {directory_file}',
            remedy="rename one of the two files",
        )
    if not has_directory and not has_plain:
        raise _unknown_module(name, owner, root, inner)
    module = ModuleFile(name, owner, root, directory_file if has_directory else plain_file)
    _check_inside(module, reads)
    return module


def _check_inside(module: ModuleFile, reads: Reads) -> None:
    """Refuse a module that a symbolic link brings in, or that is part of another project."""
    # spec: project.modules.inside
    root, file = os.path.realpath(module.root), os.path.realpath(module.file)
    if not file.startswith(root.rstrip("/") + "/"):
        raise BrambleError(
            "load.outside",
            f"{module.path} leads out of the project through a symbolic link, to {file}",
            remedy="make it a dependency, or copy it into the project",
        )
    directory = module.directory
    while directory:
        reads.stamp(os.path.join(module.root, directory, CONFIG_NAME))
        if os.path.lexists(os.path.join(module.root, directory, CONFIG_NAME)):
            raise BrambleError(
                "load.unknown-module",
                f'there is no module "{module.name}": {directory} is another project',
                remedy=f"require it, with bramble add {module.name} or --path DIR; to work on it, go there",
            )
        directory = os.path.dirname(directory)


def _unknown_module(name: str, owner: str, root: str, inner: str) -> BrambleError:
    looked = DEFAULT if not inner else f"{inner}/{DEFAULT} nor {inner}{SUFFIX}"
    candidates = sorted(module.name for module in _walk(owner, root, "", NOT_NOTED))
    # The project's name is the same in all of them, and would make any two look alike.
    near = nearest(inner, [candidate[len(owner) + 1 :] for candidate in candidates if candidate != owner])
    meant = f"{owner}/{near}" if near is not None else None
    if inner.endswith(SUFFIX) and os.path.isfile(os.path.join(root, inner)):
        bare = name[: -len(SUFFIX)]
        remedy = f'omit the suffix: "{bare.removesuffix("/default")}"'
    elif meant is not None:
        remedy = f'did you mean "{meant}"?'
    elif candidates:
        remedy = "the modules are: " + ", ".join(candidates[:8]) + (" …" if len(candidates) > 8 else "")
    else:
        remedy = f'write a file {inner + SUFFIX if inner else DEFAULT} of "{owner}"'
    has = "neither" if inner else "no"
    return BrambleError(
        "load.unknown-module",
        f'there is no module "{name}": "{owner}" has {has} {looked}',
        remedy=remedy,
    )


def _listed(name: str, owner: str, root: str, inner: str, reads: Reads) -> list[ModuleFile]:
    found = list(_walk(owner, root, inner, reads))
    if inner:
        reads.file(root, inner + SUFFIX)
    if inner and os.path.isfile(os.path.join(root, inner + SUFFIX)):
        found.append(ModuleFile(name, owner, root, inner + SUFFIX))
    if not found and inner and not os.path.isdir(os.path.join(root, inner)):
        raise _unknown_module(name, owner, root, inner)
    # Each is located by its name again, so that two files of one name and links outwards are errors.
    names = sorted({module.name for module in found})
    return [_locate(module, owner, root, module[len(owner) + 1 :], reads) for module in names]


def _walk(
    owner: str, root: str, inner: str, reads: Reads, depth: Optional[int] = None
) -> Iterator[ModuleFile]:
    """Yield the modules in one directory of a project and below, in no promised order.

    `depth` counts the levels of directories that are looked into; None is all.
    """
    # spec: project.modules.listing
    waiting = [(inner, 1)]
    while waiting:
        directory, level = waiting.pop()
        reads.names(os.path.join(root, directory))
        try:
            entries = list(os.scandir(os.path.join(root, directory)))
        except OSError:
            continue
        if directory != "" and any(entry.name == CONFIG_NAME for entry in entries):
            # A project inside this one is its own; its modules have other names.
            continue
        for entry in entries:
            if entry.name.startswith(".") or not _is_unicode(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth is None or level < depth:
                    waiting.append((os.path.join(directory, entry.name), level + 1))
            elif entry.name.endswith(SUFFIX):
                reads.file(root, os.path.join(directory, entry.name))
                if not os.path.isfile(entry.path):
                    continue
                stem = "" if entry.name == DEFAULT else entry.name[: -len(SUFFIX)]
                parts = [part for part in (owner, directory, stem) if part]
                yield ModuleFile("/".join(parts), owner, root, os.path.join(directory, entry.name))


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
