"""The modules of Python that know compressed formats: optional parts of it, seldom needed."""

from __future__ import annotations

from typing import Any

from bramble.errors import BrambleError
from bramble.interpreter import missing

try:
    import bz2
except ImportError:
    bz2 = None  # type: ignore[assignment]
try:
    import lzma
except ImportError:
    lzma = None  # type: ignore[assignment]
try:
    import zlib
except ImportError:
    zlib = None  # type: ignore[assignment]

# What they raise for damage, besides ValueError, EOFError, and OSError without a number.
ZLIB_DAMAGE: tuple[type[Exception], ...] = (zlib.error,) if zlib else ()
LZMA_DAMAGE: tuple[type[Exception], ...] = (lzma.LZMAError,) if lzma else ()

_MODULES = {"bz2": bz2, "lzma": lzma, "zlib": zlib}


def decoder(name: str) -> Any:
    """Return the module `name`. Raises cli.missing-module if this Python lacks it."""
    module = _MODULES[name]
    if module is None:
        # spec: cli.python
        code, fact, remedy = missing(name)
        raise BrambleError(code, fact, remedy=remedy)
    return module
