"""The files that are going to be in the outputs: gathered first, written second.

Every program finds its loader and libraries by absolute paths with the output's temporary
name, which the store turns into its final one; so they are found after the store moves, and
by a copy of the program in another output too.
"""

from __future__ import annotations

import filecmp
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Callable

from bramble.build.copying import copy_file
from bramble.build.tools.contents import OUT, Contents, Link, Take, Text, Wrapper
from bramble.build.tools.elf import (
    MAGIC,
    PROCESSORS,
    Change,
    Elf,
    ElfError,
    has_runpath,
    inherited_search,
    read_elf,
    relink,
    without_search,
)
from bramble.build.tools.libraries import (
    GLIBC,
    Loaded,
    loaded_by,
    loaded_by_others,
    loaded_later,
    needed_by,
    unsupported,
)
from bramble.build.tools.machine import ThisMachine, script_words
from bramble.errors import BrambleError
from bramble.record import dataclass, replace
from bramble.store.files.small import make_way

_FOR_THIS = "install it for this machine, or remove it from tools"
Key = tuple[str, str]  # (output, place)


@dataclass(frozen=True)
class Output:
    """One output that is being filled."""

    directory: str  # where it is now
    seen: str  # where builds and trials see it, under its temporary name


@dataclass(frozen=True)
class _File:
    """One file of an output, and what has to change in it."""

    source: str  # real path on the machine
    executable: bool
    kind: str = "copy"  # or "program", "library", "script"
    loader: str = ""  # of a program: the name of its loader in lib
    names: tuple[tuple[str, str], ...] = ()  # new names of libraries that it names by path
    line: bytes = b""  # of a script: its new first line
    moves: tuple[tuple[str, str], ...] = ()  # of a text: paths in it, and what they become
    search: tuple[str, ...] = ()  # of a program or library: where it looks before lib, from where it is


class Kit:
    """What is going to be in the outputs."""

    def __init__(
        self,
        machine: ThisMachine,
        outputs: Mapping[str, Output],
        find: Callable[[str], str],
    ) -> None:
        """`outputs` has "out", and may have "rt"; `find` returns the real path of a program, or raises."""
        self._machine = machine
        self._outputs = outputs
        self._find = find
        self._files: dict[Key, _File] = {}
        self._texts: dict[Key, Text] = {}
        self._links: dict[Key, str] = {}
        self._programs: dict[str, str] = {}  # real path of a program → its place in out
        self._inodes: dict[tuple[str, int, int], str] = {}  # output, device, inode → place of a program
        self._loaders: dict[int, str] = {}  # e_machine → the loader of the machine's programs
        self._searched: dict[int, str] = {}  # e_machine → where these look for libraries of modules, too
        self._asked: set[tuple[str, str]] = set()  # libc of an output whose later libraries are known

    def place_programs(self, contents: Contents) -> None:
        """Note where programs are going to be, for the scripts that they interpret."""
        for real, place in contents.places.items():
            self._programs[real] = place
        for take in contents.takes:
            if take.program:
                self._programs.setdefault(self._machine.real(take.path), take.place)

    def add(self, contents: Contents) -> None:
        """Gather what a family brings, with the libraries and interpreters that it needs."""
        for link in contents.links:
            self.link(link)
        self._add_texts(contents)
        moves = tuple(
            (path, f"{self._outputs[OUT].seen}/{place}") for path, place in sorted(contents.moves.items())
        )
        for take in contents.takes:
            self.take(take, moves)
        self._add_for_others(contents)

    def _add_texts(self, contents: Contents) -> None:
        for wrapper in contents.wrappers:
            self._texts[OUT, wrapper.place] = Text(wrapper.place, self._wrapped(wrapper), executable=True)
        for text in contents.texts:
            if text.interpreter:
                line = f"#!{{out}}/{self._interpreter(text.interpreter)}\n"
                text = replace(text, text=line + text.text, interpreter="")
            self._texts[OUT, text.place] = text

    def _add_for_others(self, contents: Contents) -> None:
        """Gather the libraries on which modules in machine code of other people rely."""
        output = self.output_named(contents.loads_others or OUT)
        libc = self._files.get((output, f"lib/{GLIBC}"))
        if contents.loads_others and libc is not None:
            self._add_loaded(output, loaded_by_others(libc.source), needed_by=libc.source)

    def _wrapped(self, wrapper: Wrapper) -> str:
        lines = [f"#!{{out}}/{self._interpreter('sh')}"]
        for name, value in wrapper.env:
            if name in wrapper.lists:
                lines.append(f"{name}=${{{name}:+${name}:}}{value}; export {name}")
            else:
                lines.append(f": ${{{name}={value}}}; export {name}")
        words = " ".join((f"{{out}}/{wrapper.program}", *wrapper.arguments))
        return "\n".join([*lines, f'exec {words} "$@"', ""])

    def link(self, link: Link) -> None:
        """Gather one link."""
        key = (OUT, link.place)
        if link.fallback and (key in self._files or key in self._texts or key in self._links):
            return
        output, target = self.output_named(link.target_output), link.target
        if output == OUT:
            shown = posixpath.relpath(target, posixpath.dirname(link.place) or ".")
        else:
            shown = f"{self._outputs[output].seen}/{target}"
        if link.place != target or output != OUT:
            self._links[key] = shown

    def output_named(self, output: str) -> str:
        """Return the output to use for `output`: itself, or "out" if it is not declared."""
        return output if output in self._outputs else OUT

    def filled(self, text: str) -> str:
        """Return a text with the paths of the outputs in it."""
        for name in ("out", "rt"):
            text = text.replace("{" + name + "}", self._outputs[self.output_named(name)].seen)
        return text

    def take(self, take: Take, moves: tuple[tuple[str, str], ...] = ()) -> None:
        """Gather one file, and what it needs. Raises build.host-tool-unsupported, build.host-tool-missing."""
        key = (self.output_named(take.output), take.place)
        real = self._machine.real(take.path)
        known = self._files.get(key)
        if known is not None:
            if known.source != real and not filecmp.cmp(known.source, real, shallow=False):
                raise unsupported(real, f"{known.source} has the same place {take.place} in the output")
            return
        if key in self._texts or key in self._links:
            return
        self._machine.stamp(take.path)
        executable = os.access(real, os.X_OK)
        head = b"" if take.whole else self._machine.head(real)
        if head[:2] == b"#!" and (executable or take.program):
            self._add_script(key, real, take, moves if take.moved else ())
        elif head[:4] == MAGIC:
            self._add_elf(key, real, take, executable)
        elif take.program:
            raise unsupported(real, "it is neither an ELF program nor a script")
        elif take.moved and b"\0" not in head:
            self._files[key] = _File(real, executable, kind="text", moves=moves)
        else:
            self._files[key] = _File(real, executable)

    def _add_elf(self, key: Key, real: str, take: Take, executable: bool) -> None:
        try:
            with self._machine.opened(real) as parts:
                elf = read_elf(parts)
        except ElfError as error:
            if take.lenient:
                self._files[key] = _File(real, executable)
                return
            raise unsupported(real, str(error)) from error
        processor = PROCESSORS.get(elf.machine, self._machine.processor)
        if take.program and processor != self._machine.processor:
            raise unsupported(
                real, f"it is for {processor}, and this machine is {self._machine.processor}", _FOR_THIS
            )
        output = key[0]
        if elf.interpreter is not None and elf.soname is None:
            inode = os.stat(real)
            first = self._inodes.setdefault((output, inode.st_dev, inode.st_ino), key[1])
            if first != key[1]:
                self._links[key] = posixpath.relpath(first, posixpath.dirname(key[1]))
                return
            self._files[key] = _File(real, executable=True)  # before its libraries: they may lead back to it
            loader = elf.interpreter
            if not self._machine.is_file(loader):
                raise unsupported(
                    real,
                    f"its loader {loader} is not there, so it is for another processor or C library and does "
                    "not run here either",
                    _FOR_THIS,
                )
            name = os.path.basename(loader)
            self._loaders[elf.machine] = loader
            self._searched[elf.machine] = ":".join(_from(posixpath.dirname(real), inherited_search(elf)))
            self._machine.stamp(loader)
            self._library(output, f"lib/{name}", loader, executable=True)
            renamed = self._add_libraries(output, elf, real, loader, optional=False)
            self._files[key] = _File(
                real,
                executable=True,
                kind="program",
                loader=name,
                names=tuple(renamed.items()),
                search=_relative(elf),
            )
        elif elf.dynamic and elf.soname is not None or elf.needed:
            self._files[key] = _File(real, executable, kind="library", search=_relative(elf))
            loader = self._loaders.get(elf.machine, "")
            if loader:
                # A module whose library is missing cannot be loaded on the machine by itself either.
                try:
                    self._add_libraries(output, elf, real, loader, optional=True)
                except BrambleError:
                    if not take.lenient:
                        raise
        else:
            self._files[key] = _File(real, executable)

    def _add_libraries(
        self, output: str, elf: Elf, path: str, loader: str, *, optional: bool
    ) -> Mapping[str, str]:
        """Gather what a program or library loads; return new names for those that are named by their path."""
        # To ask the loader each time takes long.
        if not elf.search and all((output, f"lib/{name}") in self._files for name in elf.needed):
            return {}
        search = "" if has_runpath(elf) else self._searched.get(elf.machine, "")
        return self._add_loaded(output, loaded_by(loader, path, search), needed_by=path, optional=optional)

    def _add_loaded(
        self, output: str, libraries: Iterable[Loaded], *, needed_by: str, optional: bool = False
    ) -> Mapping[str, str]:
        renamed = {}
        for library in libraries:
            if not library.path:
                if optional:
                    continue
                raise unsupported(needed_by, f"its library {library.name} is not there")
            name = os.path.basename(library.name)
            if "/" in library.name:
                renamed[library.name] = name
            self._library(output, f"lib/{name}", library.path, executable=os.access(library.path, os.X_OK))
            if name == GLIBC and (output, library.path) not in self._asked:
                self._asked.add((output, library.path))
                data = self._data(self._machine.real(library.path))
                later = loaded_later(read_elf(data), data, library.path)
                self._add_loaded(output, later, needed_by=library.path)
        return renamed

    def _library(self, output: str, place: str, path: str, *, executable: bool) -> None:
        self._machine.stamp(path)
        real = self._machine.real(path)
        known = self._files.get((output, place))
        if known is None:
            self._files[output, place] = _File(real, executable=executable, kind="library")
        elif known.source != real and not filecmp.cmp(known.source, real, shallow=False):
            raise unsupported(real, f"another program brings another {os.path.basename(place)}")

    def _add_script(self, key: Key, real: str, take: Take, moves: tuple[tuple[str, str], ...]) -> None:
        # spec: build.host-tools.scripts
        words = script_words(self._machine.head(real))
        if not words:
            raise unsupported(real, "it does not name its interpreter")
        try:
            interpreter = self._interpreter(words[0])
        except BrambleError as error:
            if not take.lenient:
                raise needed_by(error, real) from error
            self._files[key] = _File(real, executable=True, kind="text", moves=moves)
            return
        line = os.fsencode(" ".join((f"#!{self._outputs[OUT].seen}/{interpreter}", *words[1:])))
        self._files[key] = _File(real, executable=True, kind="script", line=line, moves=moves)

    def _interpreter(self, name: str) -> str:
        """Return the place in out of the interpreter with this name or path, which comes along."""
        real = self._find(name)
        if real not in self._programs:
            self._programs[real] = f"libexec/{os.path.basename(real)}"
            self.take(Take(real, self._programs[real], program=True))
        return self._programs[real]

    def write(self, cancelled: Callable[[], None]) -> None:
        """Write everything that was collected into the outputs; `cancelled` raises to stop it."""
        entries = (*self._files, *self._texts, *self._links)
        for output, directory in sorted({(output, os.path.dirname(place)) for output, place in entries}):
            make_way(self._outputs[output].directory, directory)
        for (output, place), file in sorted(self._files.items()):
            cancelled()
            self._write_file(file, f"{self._outputs[output].directory}/{place}", output)
        self._write_texts()
        for (output, place), target in sorted(self._links.items()):
            os.symlink(target, f"{self._outputs[output].directory}/{place}")

    def _write_texts(self) -> None:
        for (output, place), text in sorted(self._texts.items()):
            with open(f"{self._outputs[output].directory}/{place}", "xb") as out:
                os.fchmod(out.fileno(), 0o755 if text.executable else 0o644)
                out.write(os.fsencode(self.filled(text.text)))

    def _write_file(self, file: _File, path: str, output: str) -> None:
        mode = 0o755 if file.executable else 0o644
        if file.kind in ("copy", "program", "library"):
            try:
                copy_file(file.source, path, mode=mode)
                if file.kind != "copy":
                    self._relink(file, path, output)
            except PermissionError as error:
                raise unsupported(file.source, "it cannot be read") from error
            return
        data = self._data(file.source)
        if file.kind == "script":
            data = file.line + data[data.index(b"\n") if b"\n" in data else len(data) :]
        with open(path, "xb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(moved(data, file.moves))

    def _relink(self, file: _File, path: str, output: str) -> None:
        """Change the copy at `path`; what it holds is read from there, so it is that which was copied."""
        lib = f"{self._outputs[output].seen}/lib"
        search = ":".join((*file.search, lib))
        changes: tuple[Change, ...] = ()
        try:
            with self._machine.opened(path) as parts:
                if file.kind == "program":
                    names = dict(file.names)
                    changes = relink(parts, interpreter=f"{lib}/{file.loader}", search=search, needed=names)
                elif parts[:4] == MAGIC:
                    changes = relink(parts, search=search) if file.search else without_search(parts)
        except ElfError as error:
            raise unsupported(file.source, str(error)) from error
        if changes:
            with open(path, "r+b") as out:
                for offset, data in changes:
                    out.seek(offset)
                    out.write(data)

    def _data(self, path: str) -> bytes:
        return self._machine.data(path)


def moved(data: bytes, moves: Iterable[tuple[str, str]]) -> bytes:
    """Return a text with paths replaced; a longer path before a shorter one, and never a part of a name."""
    table = {os.fsencode(old): os.fsencode(new) for old, new in moves}
    if not table:
        return data
    paths = b"|".join(re.escape(old) for old in sorted(table, key=len, reverse=True))
    pattern = re.compile(rb"(?<![A-Za-z0-9_.+/-])(" + paths + rb")(?![A-Za-z0-9_+-]|\.[A-Za-z0-9])")
    return pattern.sub(lambda match: table[match[1]], data)


def _from(origin: str, entries: Iterable[str]) -> Iterator[str]:
    """Yield the directories of a search path, as they are for a program in the directory `origin`."""
    for entry in entries:
        yield entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _relative(elf: Elf) -> tuple[str, ...]:
    """Return the directories of its search path that are relative to the file itself."""
    entries = (entry for path in elf.search for entry in path.split(":"))
    return tuple(entry for entry in entries if entry.startswith(("$ORIGIN", "${ORIGIN}")))
