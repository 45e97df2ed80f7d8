"""The machine whose programs are copied: the only place where this floor looks at it.

A family asks through `Machine`, so that what it does is a function of the answers; tests
give recorded ones.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import Optional, Protocol

from bramble.build.stamps import Stamp, stamp_chain
from bramble.build.tools.distribution import how_to_install
from bramble.build.tools.elf import MAGIC, Bytes, Elf, ElfError, read_elf
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.wrappers import instead_of, wrapper_of
from bramble.errors import BrambleError
from bramble.record import dataclass

_SECONDS = 60  # for a program to say where its parts are
_SCRIPT_LINE = 4096  # bytes; no kernel reads so far


@dataclass(frozen=True)
class Answer:
    """The output of a program."""

    status: int
    out: str
    error: str = ""


class Machine(Protocol):
    """What can be asked of a machine. Paths are absolute."""

    def ask(self, argv: Sequence[str], stdin: str = "") -> Answer:
        """Run a program of the machine with almost no environment; status 127 when it cannot be run."""

    def find(self, tool: str) -> Optional[str]:
        """Return where a program is, as it is called there; None if it is nowhere."""

    def real(self, path: str) -> str:
        """Return the path with all links followed."""

    def is_file(self, path: str) -> bool:
        """Return whether a file is there, perhaps by way of links."""

    def is_directory(self, path: str) -> bool:
        """Return whether a directory is there, perhaps by way of links."""

    def files_below(self, directory: str) -> tuple[str, ...]:
        """Return the paths of all files below a directory, in order; of a link the path, even if it is one
        to a directory.
        """

    def names_in(self, directory: str) -> tuple[str, ...]:
        """Return the names in a directory, in order; empty if there is no directory."""

    def text(self, path: str) -> str:
        """Return the content of a file; "" if it is not text."""

    def head(self, path: str) -> bytes:
        """Return how a file begins. Raises build.host-tool-unsupported for one that cannot be read."""

    def elf(self, path: str) -> Optional[Elf]:
        """Return what a program or library needs; None for another file."""


class _Parts:
    """The bytes of an open file, read when they are asked for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice) -> bytes:
        start, stop, _ = where.indices(self._size)
        found = os.pread(self._fd, max(0, stop - start), start)
        if len(found) < stop - start:
            raise ElfError("it changed while it was read")
        return found


class ThisMachine:
    """The machine that this runs on. It remembers a stamp of whatever it was asked about."""

    def __init__(self, host_path: Sequence[str]) -> None:
        self._host_path = tuple(host_path)
        self._stamps: dict[Stamp, None] = {}

    @property
    def host_path(self) -> tuple[str, ...]:
        """The directories in which programs are looked for."""
        return self._host_path

    @property
    def processor(self) -> str:
        """The processor, as uname(2) says it."""
        return os.uname().machine

    @property
    def stamps(self) -> tuple[Stamp, ...]:
        """What was read of the machine, and where something was looked for in vain."""
        return tuple(self._stamps)

    def stamp(self, path: str) -> None:
        """Record what is at `path` now, and what it leads to."""
        for one in stamp_chain(path):
            self._stamps[one] = None

    def ask(self, argv: Sequence[str], stdin: str = "") -> Answer:
        self.stamp(argv[0])
        env = {"PATH": ":".join(self._host_path), "LC_ALL": "C", "HOME": "/nonexistent"}
        try:
            answer = subprocess.run(
                list(argv), input=stdin.encode(), capture_output=True, env=env, cwd="/", timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Answer(127, "", str(error))
        return Answer(
            answer.returncode,
            answer.stdout.decode("utf-8", "surrogateescape"),
            answer.stderr.decode("utf-8", "replace"),
        )

    def candidates(self, tool: str) -> tuple[str, ...]:
        """Return the paths at which a program with this name would be looked for, in order."""
        # spec: build.host-tools.search
        if tool.startswith("/"):
            return (tool,)
        if "/" in tool:
            return ()
        return tuple(f"{directory}/{tool}" for directory in self._host_path)

    def find(self, tool: str) -> Optional[str]:
        """Return where a program is. Raises build.host-tool-unsupported if only wrappers of it are there."""
        # spec: build.host-tools.wrappers
        passed = None
        for candidate in self.candidates(tool):
            self.stamp(candidate)
            if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                wrapper = wrapper_of(tool, candidate, os.path.realpath(candidate), self._head(candidate))
                if wrapper is None:
                    return candidate
                passed = passed or (candidate, wrapper)
        if passed is not None:
            install = how_to_install(self, os.path.basename(tool))
            raise unsupported(
                passed[0],
                f"it only calls {passed[1]}, and the program behind it was not found",
                instead_of(passed[1], tool, install),
            )
        return None

    def _head(self, path: str) -> bytes:
        try:
            return self.head(path)
        except BrambleError:
            return b""  # what is found and cannot be read is refused when it is taken

    def real(self, path: str) -> str:
        return os.path.realpath(path)

    def is_file(self, path: str) -> bool:
        return os.path.isfile(path)

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def files_below(self, directory: str) -> tuple[str, ...]:
        found: list[str] = []
        stack = [directory]
        while stack:
            here = stack.pop()
            self.stamp(here)
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    else:
                        found.append(entry.path)
        return tuple(sorted(found))

    def names_in(self, directory: str) -> tuple[str, ...]:
        self.stamp(directory)
        try:
            return tuple(sorted(os.listdir(directory)))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return ()

    def text(self, path: str) -> str:
        self.stamp(path)
        with open(path, "rb") as file:
            data = file.read()
        return "" if b"\0" in data[:1024] else data.decode("utf-8", "surrogateescape")

    def head(self, path: str) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read(_SCRIPT_LINE)
        except PermissionError as error:
            raise unsupported(path, "it cannot be read") from error

    def elf(self, path: str) -> Optional[Elf]:
        self.stamp(path)
        try:
            with self.opened(path) as data:
                return read_elf(data) if data[:4] == MAGIC else None
        except ElfError:
            return None

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[Bytes]:
        """Open a file of which parts are needed. Raises build.host-tool-unsupported if that may not be."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError as error:
            raise unsupported(path, "it cannot be read") from error
        try:
            yield _Parts(fd)
        finally:
            os.close(fd)

    def data(self, path: str) -> bytes:
        """Return the bytes of a file. Raises build.host-tool-unsupported for one that cannot be read."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except PermissionError as error:
            raise unsupported(path, "it cannot be read") from error


def tree(machine: Machine, directory: str) -> tuple[str, ...]:
    """Return the paths of all files below a directory, as `directory`/…; links are followed.

    A link that leads to nothing is left out; one to a directory is followed once.
    """
    found = []
    for path in machine.files_below(directory):
        if machine.is_file(path):
            found.append(path)
        elif machine.is_directory(path):
            real = machine.real(path)
            if not (directory + "/").startswith(real + "/"):
                found += [path + below[len(real) :] for below in machine.files_below(real)]
    return tuple(path for path in found if machine.is_file(path))


def names_found(machine: Machine, names: Iterable[str]) -> dict[str, str]:
    """Return where the programs with these names are, as far as they are there."""
    found = {name: machine.find(name) for name in names}
    return {name: path for name, path in found.items() if path is not None}


def script_words(head: bytes) -> tuple[str, ...]:
    """Return the interpreter of a script and its options, without `env`; empty if it is not a script."""
    if head[:2] != b"#!":
        return ()
    words = head.partition(b"\n")[0][2:].split()
    if words and os.path.basename(words[0]) == b"env":
        words = [word for word in words[1:] if word != b"-S"]
    return tuple(map(os.fsdecode, words))
