"""Modules: read, compiled and executed, each once, what they load first."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Optional

from bramble.errors import BrambleError, Place
from bramble.lang.builtins import PREDECLARED_NAMES
from bramble.lang.failure import as_bramble_error, place_of
from bramble.lang.session import Session
from bramble.project.modules import ModuleFile
from bramble.starlark import (
    Dialect,
    Module,
    Position,
    Program,
    StarlarkError,
    Thread,
    compile_program,
    execute,
)

# spec: dialect.language
DIALECT = Dialect(load_binds_module=True)
_HEADER = 32  # bytes of SHA-256 before a compiled module in the cache


def compile_module(file: ModuleFile, name: str, cache: Optional[str]) -> Program:
    """Return the compiled program of a module whose errors call its file `name`.

    `cache` is a directory for compiled programs, found again by content; None
    compiles every time. Raises load.unreadable, and syntax.* and resolve.* errors.
    """
    try:
        with open(file.file, "rb") as opened:
            source = opened.read()
    except OSError as error:
        raise BrambleError(
            "load.unreadable",
            f"{name} cannot be read: {error.strerror}",
            place=Place(name),
            remedy="make it a file that you may read",
        ) from error
    key = hashlib.sha256(b"%s\0%s\0%s" % (CACHE_TAG, os.fsencode(name), source)).hexdigest()
    path = os.path.join(cache, key) if cache is not None else ""
    known = _cached(path) if path else None
    if known is not None:
        return known
    try:
        program = compile_program(source, name, dialect=DIALECT, predeclared=PREDECLARED_NAMES)
    except StarlarkError as error:
        raise as_bramble_error(error) from error
    if path:
        _keep(path, program)
    return program
