"""What a run takes, loaded at once: the code of some thirty modules as one file of the cache.

To find and read a module takes Python as long as to execute it, and half of the time of a small program that
comes from the cache goes into that. So the first run that is given a cache keeps the code of all modules that
a compiled program needs (`NEEDED`) in one file there, and the next ones execute it from there, as an import
would. It is in the cache of programs, and is trusted as those are: by its owner (kept.py), and for the
files of the package that it was made of, by their stamp. Without it everything is imported as always.

What few programs need is loaded when it is needed first (`late`).
"""

from __future__ import annotations

import marshal
import os
import sys
from binascii import crc32
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Mapping
    from typing import Any, Optional

    from .kept import Kept
    from .runtime.values import Value

    Places = Mapping[str, tuple[str, str]]
    Base = Mapping[str, Value]
else:
    # What `signal` is made of, without the enumerations, which take 4 ms to load.
    import _signal as signal

    Base = object

PACKAGE = os.path.dirname(os.path.abspath(__file__))
_FLOORS = ("", "runtime", "syntax", "compile", "compile/facts", "compile/constructs")
# Each is after those that it imports.
NEEDED = (
    *("record", "dialect", "errors", "late", "spell", "source"),
    *("runtime", "runtime.integers", "runtime.limits", "runtime.interruptible", "runtime.values"),
    *("runtime.functions", "runtime.views", "runtime.text", "runtime.order", "runtime.operators"),
    *("runtime.iteration", "runtime.arguments", "runtime.collection_methods", "runtime.string_methods"),
    *("runtime.seldom", "runtime.attributes", "runtime.unboxed", "runtime.universe", "runtime.intrinsics"),
    "runtime.freezing",
    *("bounds", "program", "faults", "thread", "cache", "command", "console"),
)


def package_stamp(package: str) -> Optional[str]:
    """Return what changes with any file of the package in this directory; None if there are none."""
    found = []
    try:
        for floor in _FLOORS:
            with os.scandir(os.path.join(package, floor)) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        s = entry.stat()
                        found.append((floor, entry.name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino))
    except OSError:
        return None
    return f"{crc32(repr(sorted(found)).encode()):08x}"


def prepare(kept: Kept, stamp: str) -> None:
    """Load what a run needs from the cache, where that is possible, or let the next run do so."""
    # spec: starlark.command.cache
    python = f"{sys.implementation.cache_tag} {sys.hexversion:x} {sys.flags.optimize}"
    head = f"{python} {stamp} {PACKAGE}".encode("utf-8", "surrogateescape") + b"\0"
    name = f"modules-{sys.implementation.cache_tag}-{crc32(PACKAGE.encode('utf-8', 'surrogateescape')):08x}"
    content = kept.view(name)
    if content is not None and content[: len(head)] == head:
        _execute(marshal.loads(content[len(head) :]))
    elif not sys.dont_write_bytecode:
        kept.write(name, head + marshal.dumps(_codes()))


def _codes() -> list[tuple[str, Any]]:
    """Return the names and the code of the modules."""
    found = []
    for short in NEEDED:
        name = f"{__package__}.{short}"
        found.append((name, SourceFileLoader(name, _path(short)).get_code(name)))
    return found


def _path(short: str) -> str:
    """Return the file of a module of this package."""
    path = os.path.join(PACKAGE, *short.split("."))
    return os.path.join(path, "__init__.py") if short == "runtime" else f"{path}.py"


def _execute(codes: list[tuple[str, Any]]) -> None:
    """Import modules whose code is known, as `importlib` does."""
    kind = type(sys)
    for name, code in codes:
        if name in sys.modules:
            continue
        parent, _, child = name.rpartition(".")
        path = _path(name[len(__package__) + 1 :])
        loader = SourceFileLoader(name, path)
        module: Any = kind(name)
        module.__spec__ = spec = ModuleSpec(name, loader, origin=path, is_package=child == "runtime")
        spec.has_location = True
        module.__loader__, module.__file__, module.__package__ = loader, path, parent
        if child == "runtime":
            module.__package__ = name
            module.__path__ = spec.submodule_search_locations = [os.path.dirname(path)]
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        setattr(sys.modules[parent], child, module)


def late(module: str, name: str) -> Any:
    """Return what has a name in a module of this package, which is loaded now if it was not before."""
    return getattr(load(f"{__package__}.{module}"), name)


def load(module: str) -> Any:
    """Return a module by its whole name, loaded now if it was not before."""
    if not hasattr(signal, "pthread_sigmask"):  # no POSIX system
        return import_module(module)
    # Python drops an exception that is raised while it tidies up after an import: Ctrl-C waits for the end.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return import_module(module)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class LateValues(Base):
    """Values by name, from modules of this package: `places` says of each its module, and its name there."""

    __slots__ = ("_places",)

    def __init__(self, places: Places) -> None:
        self._places = places

    def __getitem__(self, name: str) -> Value:
        module, found = self._places[name]
        return getattr(load(f"{__package__}.{module}"), found)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    if not TYPE_CHECKING:

        def keys(self) -> Places:
            return self._places
