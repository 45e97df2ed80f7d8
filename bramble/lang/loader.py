"""Modules: read, compiled and executed, each once, after those that they load."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Optional

from bramble.errors import BrambleError, Place
from bramble.lang.builtins import predeclared
from bramble.lang.failure import as_bramble_error
from bramble.lang.session import Session
from bramble.library import modules as library
from bramble.project.access import read_file
from bramble.project.files import check_name
from bramble.project.modules import ModuleFile
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import NamedTuple
from bramble.starlark import (
    Dialect,
    Module,
    Position,
    Program,
    ProgramFormatError,
    StarlarkError,
    Thread,
    compile_program,
    execute,
)
from bramble.starlark.kept import Kept

# spec: dialect.language
DIALECT = Dialect(load_binds_module=True)
# spec: dialect.predeclared
PREDECLARED_NAMES = tuple(predeclared("-"))
# Changes with what is predeclared and with the dialect, so that older programs are not found.
_CACHE_TAG = b"bramble module 1"


def compile_module(
    file: ModuleFile, name: str, cache: Optional[Kept] = None, reads: Reads = NOT_NOTED
) -> Program:
    """Return the compiled program of a module; its errors call the file `name`.

    `cache` is for compiled programs, which are found again by content. None
    compiles every time. Raises load.unreadable, syntax.* and resolve.* errors.
    """
    source = read_module(file, name, reads)
    key = ""
    if cache is not None:
        key = hashlib.sha256(b"\0".join([_CACHE_TAG, os.fsencode(name), source])).hexdigest()
        known = _known(cache, key)
        if known is not None:
            return known
    try:
        program = compile_program(source, name, dialect=DIALECT, predeclared=PREDECLARED_NAMES)
    except StarlarkError as error:
        raise as_bramble_error(error) from error
    if cache is not None:
        cache.write(key, program.to_bytes())
    return program


def read_module(file: ModuleFile, name: str, reads: Reads = NOT_NOTED) -> bytes:
    """Return the contents of a module's file, which errors call `name`.

    Raises load.unreadable, and load.outside for one that a symbolic link leads out of its project.
    """
    if not file.root:
        reads.program(library.path_of(file.path))
        return library.read(file.path)
    # spec: project.access, project.modules.inside
    reads.file(file.root, file.path)
    try:
        return read_file(file.root, file.path)
    except OSError as error:
        raise BrambleError(
            "load.outside" if error.errno == errno.EXDEV else "load.unreadable",
            f"{name} cannot be read: {error.strerror}",
            place=Place(name),
            remedy="make it a file that you may read",
        ) from error


def _known(cache: Kept, key: str) -> Optional[Program]:
    """Return the program in a file of the cache; None if there is no usable one."""
    content = cache.read(key)
    if content is None:
        return None
    try:
        return Program.from_bytes(content)
    except ProgramFormatError:
        return None


_Loading = tuple[Program, ModuleFile, list[str]]  # what waits for the modules of the list


class LoadedModule(NamedTuple):
    """A module that has been executed."""

    file: ModuleFile
    program: Program
    module: Module


class Loader:
    """Loads modules into one session, each once."""

    def __init__(
        self,
        session: Session,
        on_print: Callable[[str], None],
        cache: Optional[Kept] = None,
        max_steps: Optional[int] = None,
    ) -> None:
        self.session = session
        self.on_print = on_print
        self.cache = cache
        self.max_steps = max_steps
        self._predeclared: Mapping[str, Any] = predeclared(session.platform, session.built_for)
        self.thread = Thread(print=self._print, load=self._give, host=session, max_steps=max_steps)
        self._loaded: dict[str, LoadedModule] = {}
        self._failed: dict[str, BrambleError] = {}
        # Package of the loading module, name that it says → what is meant (spec: packages.majors).
        self._meant: dict[tuple[str, str], ModuleFile] = {}

    def load(self, file: ModuleFile) -> LoadedModule:
        """Return a module, executed; first all that it loads, directly or not.

        The walk has no recursion, so that chains of any length can be loaded. Raises
        load.*, syntax.*, resolve.* and whatever executing a module raises.
        """
        # spec: dialect.load.once, dialect.load.order
        waiting: list[_Loading] = []
        try:
            self._load(file, waiting)
        except BrambleError as error:
            # A caller that continues after the error would execute them again for each module that loads
            # them.
            self._failed.update((module.name, error) for _, module, _ in waiting)
            raise
        return self._loaded[file.name]

    def _load(self, file: ModuleFile, waiting: list[_Loading]) -> None:
        if file.name in self._failed:
            raise self._failed[file.name]
        if file.name not in self._loaded:
            waiting.append(self._begin(file))
        while waiting:
            program, current, needs = waiting[-1]
            if not needs:
                self._loaded[current.name] = LoadedModule(current, program, self._execute(program))
                waiting.pop()
                continue
            said = needs.pop(0)
            following = self._located(said, current, program)
            name = following.name
            if name in self._loaded:
                continue
            if name in self._failed:
                raise self._failed[name]
            active = [module.name for _, module, _ in waiting]
            if name in active:
                raise self._cycle([*active[active.index(name) :], name], program, said)
            waiting.append(self._begin(following))

    def _located(self, said: str, loader: ModuleFile, program: Program) -> ModuleFile:
        """Return the module that a name means in a module, which loads it."""
        key = (loader.project, said)
        if key not in self._meant:
            try:
                self._meant[key] = self.session.roots.locate(said, loader.project)
            except BrambleError as error:
                raise self._misnamed(error, said, loader, program) from error
        return self._meant[key]

    def _begin(self, file: ModuleFile) -> _Loading:
        name = self.session.name_of(file)
        program = compile_module(file, name, self.cache, self.session.roots.reads)
        check_name(name)
        self.session.files[name] = file
        return program, file, list(program.loads)

    def _execute(self, program: Program) -> Module:
        try:
            return execute(program, predeclared=self._predeclared, thread=self.thread)
        except StarlarkError as error:
            raise self.session.error_of(error) from error

    def _print(self, text: str, _position: Optional[Position]) -> None:
        # spec: dialect.print
        self.on_print(text)

    def _give(self, _thread: Thread, module: str, position: Optional[Position]) -> Module:
        # spec: dialect.load, dialect.load.module
        # Whatever a file loads has been executed before it.
        assert position is not None  # of the statement that loads it
        loader = self.session.files[position.file]
        return self._loaded[self._meant[loader.project, module].name].module

    def _cycle(self, names: list[str], program: Program, said: str) -> BrambleError:
        # spec: dialect.load.cycle
        return BrambleError(
            "load.cycle",
            "modules load one another in a cycle: " + " → ".join(names),
            place=_load_place(program, said),
            remedy="move what both need into a separate module",
        )

    def _misnamed(self, error: BrambleError, name: str, loader: ModuleFile, program: Program) -> BrambleError:
        """Return the error for a module that is not there, at the statement that loads it."""
        # spec: dialect.load.relative, dialect.load.errors
        remedy = error.remedy
        if error.code == "load.relative":
            path = os.path.normpath(os.path.join(loader.directory, name))
            if not path.startswith(("../", "/")) and path != "..":
                full = loader.project if path == "." else f"{loader.project}/{path}"
                remedy = f'modules are loaded by their full names: "{full}"'
        place = _load_place(program, name)
        return BrambleError(error.code, error.message, place=place, remedy=remedy)


def _load_place(program: Program, module: str) -> Optional[Place]:
    # The reader of texts, which a module from the cache does not need, is loaded for the error alone.
    found: Optional[Place] = import_module("bramble.lang.load_place").load_place(program, module)
    return found
