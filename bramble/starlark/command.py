"""Running files: what `python -m bramble.starlark FILE` does, without printing."""

from __future__ import annotations

import errno
import os
import stat

from .dialect import Dialect
from .errors import EvalError
from .program import compile_program
from .startup import LateValues
from .thread import Thread, execute, run_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Optional

    from .cache import ProgramCache
    from .errors import Position
    from .runtime.values import Value
    from .thread import Module

# spec: starlark.command
PREDECLARED: Mapping[str, Value] = LateValues(
    {
        "assert": ("assertions", "ASSERT"),
        "json": ("runtime.json", "JSON"),
        "struct": ("runtime.struct", "STRUCT"),
    }
)


LARGEST = 1 << 26  # bytes of a file
# What is open already is behind these names, or what a user has asked for: /dev/stdin, /dev/fd/63.
_OPEN = ("/dev/", "/proc/")


class FileLoader:
    """Runs files, each once, and serves `load` statements with paths relative to the loading file.

    Give its method `load` to a Thread. With a `cache` a file is compiled again only when it has changed.
    """

    def __init__(
        self,
        dialect: Dialect,
        predeclared: Mapping[str, Value] = PREDECLARED,
        cache: Optional[ProgramCache] = None,
    ) -> None:
        self.dialect = dialect
        self.compile = compile_program if cache is None else cache.compile
        self.predeclared = predeclared
        # None while the file runs: to load it again then is a cycle.
        self.modules: dict[str, Optional[Module]] = {}

    def run(self, path: str, thread: Thread) -> Module:
        """Run a file and return its module. Raises StarlarkError, and OSError when it cannot be read."""
        module: Module = self._run(path, thread, execute, read_file)
        return module

    def run_last(self, path: str, thread: Thread) -> object:
        """Run a file for what it does, and return what keeps its values alive; as `run` otherwise."""
        return self._run(path, thread, run_program, read_file)

    def _run(self, path: str, thread: Thread, how: Callable[..., Any], read: Callable[[str], bytes]) -> Any:
        # spec: starlark.load.command
        key = os.path.realpath(path)
        if key in self.modules:
            done = self.modules[key]
            if done is None:
                raise EvalError("eval.load", "cycle in load graph")
            return done
        text = read(path)
        self.modules[key] = None
        try:
            program = self.compile(text, path, dialect=self.dialect, predeclared=self.predeclared)
            module = how(program, predeclared=self.predeclared, thread=thread)
        except BaseException:
            del self.modules[key]
            raise
        self.modules[key] = module
        return module

    def load(self, thread: Thread, module: str, position: Optional[Position]) -> Module:
        """Return the module at a path relative to the file at `position`."""
        directory = "" if position is None else os.path.dirname(position.file)
        try:
            loaded: Module = self._run(os.path.join(directory, module), thread, execute, read_regular_file)
            return loaded
        except OSError as error:
            raise EvalError("eval.load", error.strerror or str(error)) from error


def read_file(path: str) -> bytes:
    """Return the bytes of a file that a user names, which may be a device, or a pipe that is open already.

    Raises OSError also for a FIFO, on which an open would wait for ever, and for more than LARGEST bytes.
    """
    # spec: starlark.command.file
    return _read(path, path.startswith(_OPEN))


def read_regular_file(path: str) -> bytes:
    """Return the bytes of a file that a program names. Raises OSError also for what is not a regular file."""
    return _read(path, False)


def _read(path: str, any_kind: bool) -> bytes:
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        regular = stat.S_ISREG(status.st_mode)
        if not regular:
            if not any_kind:
                raise OSError(errno.EINVAL, "it is not a regular file")
            os.set_blocking(file.fileno(), True)
        text = b"" if status.st_size > LARGEST else file.read() if regular else file.read(LARGEST + 1)
    if max(len(text), status.st_size) > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST >> 20} MiB")
    return text


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
