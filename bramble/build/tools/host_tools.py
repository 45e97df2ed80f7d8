"""The built-in builder `host_tools`: programs of this machine, made to run from the store.

The output looks like this, and nothing in it needs anything outside of it:

    bin/NAME        each program that was asked for; a second name of one file is a link to it
    lib/NAME        loaders and libraries, one directory for all programs
    lib/python3.X/  the library of Python, when python3 was asked for
    libexec/NAME    interpreters of scripts that were not asked for themselves

What is to be copied is gathered first and written second. The programs find the
loader and the libraries by absolute paths with the output's temporary name,
which the store turns into its final one; so they are found after the store
moves, and by a copy of the program in another output too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bramble.build.builtin import Request
from bramble.build.pins import needed
from bramble.build.stamps import Stamp, stamp_chain
from bramble.build.task import Cancelled
from bramble.build.tools.elf import MAGIC, ElfError, read_elf, relink, without_search
from bramble.build.tools.libraries import GLIBC, Loaded, loaded_by, loaded_later, unsupported
from bramble.build.tools.python import NAME as PYTHON_NAME
from bramble.build.tools.python import files_of, python_library
from bramble.errors import BrambleError

_SCRIPT_LINE = 4096  # bytes; no kernel reads so far


def make(request: Request) -> tuple[Stamp, ...]:
    """Copy the programs that the variable `tools` names; return the stamps of all that was read.

    Raises build.host-tool-missing, build.host-tool-unsupported, derivation.env.
    """
    # spec: build.host-tools
    tools = needed("host_tools", request.name, request.env, "tools").split()
    kit = _Kit(request)
    kit.add_tools(sorted(set(tools)))
    kit.write()
    return kit.stamps


@dataclass(frozen=True)
class _File:
    """One file of the output, and what has to change in it."""

    source: str  # real path on the machine
    executable: bool
    kind: str = "copy"  # or "program", "library", "script"
    loader: str = ""  # of a program: the name of its loader in lib
    names: tuple[tuple[str, str], ...] = ()  # new names of libraries that it names by path
    line: bytes = b""  # of a script: its new first line


class _Kit:
    """What is going to be in the output."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._files: dict[str, _File] = {}
        self._links: dict[str, str] = {}
        self._stamps: dict[Stamp, None] = {}
        self._places: dict[str, str] = {}  # real path of a program → its place in the output
        self._asked: set[str] = set()  # libraries whose own libraries are known

    @property
    def stamps(self) -> tuple[Stamp, ...]:
        """What was read of the machine, and where something was looked for in vain."""
        return tuple(self._stamps)

    def add_tools(self, tools: Iterable[str]) -> None:
        """Gather the programs with these names, and all that they need."""
        by_file: dict[str, list[str]] = {}
        for tool in tools:
            by_file.setdefault(self._find(tool), []).append(os.path.basename(tool))
        for real, names in by_file.items():
            # Under its own name if that was asked for, so that links read naturally.
            own = os.path.basename(real)
            first = own if own in names else names[0]
            self._places[real] = f"bin/{first}"
            for name in names:
                if name != first:
                    self._links[f"bin/{name}"] = first
        for real, names in by_file.items():
            self._add_program(real, self._places[real], names)

    def write(self) -> None:
        """Write everything that was gathered into the output."""
        output = self._request.output
        for directory in sorted({os.path.dirname(path) for path in (*self._files, *self._links)}):
            os.makedirs(f"{output}/{directory}", mode=0o755, exist_ok=True)
        for path, file in sorted(self._files.items()):
            if self._request.listener.cancelled.is_set():
                raise Cancelled
            data = self._changed(file)
            with open(f"{output}/{path}", "xb") as out:
                os.fchmod(out.fileno(), 0o755 if file.executable else 0o644)
                out.write(data)
        for path, target in sorted(self._links.items()):
            os.symlink(target, f"{output}/{path}")

    def _find(self, tool: str) -> str:
        """Return the real path of the program, and stamp every place where it was looked for."""
        # spec: build.host-tools.search
        if tool.startswith("/"):
            candidates = [tool]
        elif "/" in tool:
            candidates = []
        else:
            candidates = [f"{directory}/{tool}" for directory in self._request.options.host_path]
        for candidate in candidates:
            self._stamp(stamp_chain(candidate))
            if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                return os.path.realpath(candidate)
        raise BrambleError(
            "build.host-tool-missing",
            f'"{self._request.name}" needs the program {tool}, which this machine does not have in '
            + (", ".join(os.path.dirname(candidate) for candidate in candidates) or "any place"),
            remedy=f"install {os.path.basename(tool)}, or take it out of tools",
        )

    def _add_program(self, real: str, place: str, names: Iterable[str] = ()) -> None:
        data = self._data(real)
        if data[:2] == b"#!":
            self._add_script(real, place, data)
        elif data[:4] == MAGIC:
            loader = self._add_elf(real, place, data)
            if any(PYTHON_NAME.fullmatch(name) for name in (*names, os.path.basename(real))):
                self._add_python(real, loader)
        else:
            raise unsupported(real, "it is neither an ELF program nor a script")

    def _add_elf(self, real: str, place: str, data: bytes) -> str:
        """Gather a program in machine code; return the path of its loader, "" for a static one."""
        try:
            elf = read_elf(data)
        except ElfError as error:
            raise unsupported(real, str(error)) from error
        if elf.interpreter is None:
            self._files[place] = _File(real, executable=True)
            return ""
        loader = elf.interpreter
        self._stamp(stamp_chain(loader))
        name = os.path.basename(loader)
        self._library(f"lib/{name}", loader, executable=True)
        renamed = self._add_libraries(loaded_by(loader, real), loader, needed_by=real)
        self._files[place] = _File(
            real, executable=True, kind="program", loader=name, names=tuple(renamed.items())
        )
        return loader

    def _add_libraries(
        self, libraries: Iterable[Loaded], loader: str, *, needed_by: str, optional: bool = False
    ) -> Mapping[str, str]:
        """Gather libraries; return new names for those that are named by their path."""
        renamed = {}
        for library in libraries:
            if not library.path:
                if optional:
                    continue
                raise unsupported(needed_by, f"its library {library.name} is not there")
            name = os.path.basename(library.name)
            if "/" in library.name:
                renamed[library.name] = name
            self._library(f"lib/{name}", library.path, executable=os.access(library.path, os.X_OK))
            if name == GLIBC and library.path not in self._asked:
                self._asked.add(library.path)
                data = self._data(os.path.realpath(library.path))
                later = loaded_later(read_elf(data), data, library.path)
                self._add_libraries(later, loader, needed_by=library.path)
        return renamed

    def _library(self, place: str, path: str, *, executable: bool) -> None:
        self._stamp(stamp_chain(path))
        real = os.path.realpath(path)
        known = self._files.get(place)
        if known is None:
            self._files[place] = _File(real, executable=executable, kind="library")
        elif known.source != real and self._data(known.source) != self._data(real):
            raise unsupported(real, f"another program brings another {os.path.basename(place)}")

    def _add_python(self, real: str, loader: str) -> None:
        library = python_library(real)
        modules = []
        for path, place, is_directory in files_of(library):
            self._stamp(stamp_chain(path))
            if is_directory:
                continue
            source = os.path.realpath(path)
            self._files[place] = _File(source, executable=os.access(source, os.X_OK))
            if path.endswith(".so"):
                modules.append(path)
                self._files[place] = _File(source, executable=False, kind="library")
        for module in modules if loader else ():
            # A module whose library is missing cannot be loaded here either: it is not missed.
            if not self._has_libraries_of(module):
                self._add_libraries(loaded_by(loader, module), loader, needed_by=module, optional=True)

    def _has_libraries_of(self, module: str) -> bool:
        """Say whether all that a module names is here already; to ask the loader each time takes long."""
        try:
            elf = read_elf(self._data(os.path.realpath(module)))
        except ElfError as error:
            raise unsupported(module, str(error)) from error
        return not elf.search and all(f"lib/{name}" in self._files for name in elf.needed)

    def _add_script(self, real: str, place: str, data: bytes) -> None:
        # spec: build.host-tools.scripts
        line = data[:_SCRIPT_LINE].partition(b"\n")[0]
        words = line[2:].split()
        if words and os.path.basename(words[0]) == b"env":
            words = [word for word in words[1:] if word != b"-S"]
        if not words:
            raise unsupported(real, "it does not name its interpreter")
        interpreter = self._find(os.fsdecode(words[0]))
        if interpreter not in self._places:
            self._places[interpreter] = f"libexec/{os.path.basename(interpreter)}"
            self._add_program(interpreter, self._places[interpreter])
        new = os.fsencode(f"#!{self._request.seen}/{self._places[interpreter]}")
        self._files[place] = _File(real, executable=True, kind="script", line=b" ".join([new, *words[1:]]))

    def _changed(self, file: _File) -> bytes:
        data = self._data(file.source)
        try:
            if file.kind == "program":
                lib = f"{self._request.seen}/lib"
                return relink(data, interpreter=f"{lib}/{file.loader}", search=lib, needed=dict(file.names))
            if file.kind == "library" and data[:4] == MAGIC:
                return without_search(data)
        except ElfError as error:
            raise unsupported(file.source, str(error)) from error
        if file.kind == "script":
            return file.line + data[data.index(b"\n") if b"\n" in data else len(data) :]
        return data

    def _data(self, path: str) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read()
        except PermissionError as error:
            raise unsupported(path, "it cannot be read") from error

    def _stamp(self, stamps: Iterable[Stamp]) -> None:
        for one in stamps:
            self._stamps[one] = None
