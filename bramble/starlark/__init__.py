"""Starlark for Python programs. Chapter 1 of the specification; imports the standard library only."""

from __future__ import annotations

from .dialect import Dialect
from .errors import EvalError, Frame, Position, ResolveError, ResolveFailure, StarlarkError, SyntaxFailure
from .program import FunctionSummary, Program, ProgramFormatError, compile_program
from .runtime.functions import (
    Builtin,
    Function,
    FunctionInfo,
    HostValue,
    ModuleValue,
    ParameterInfo,
    Struct,
    apply,
)
from .runtime.text import to_repr, to_str
from .runtime.values import Dict, List, Range, Set, entries, equal, fail_with, freeze, put, set_of, type_name
from .thread import Module, Thread, call, execute

__all__ = [
    "Builtin",
    "Dialect",
    "Dict",
    "EvalError",
    "Frame",
    "Function",
    "FunctionInfo",
    "FunctionSummary",
    "HostValue",
    "List",
    "Module",
    "ModuleValue",
    "ParameterInfo",
    "Position",
    "Program",
    "ProgramFormatError",
    "Range",
    "ResolveError",
    "ResolveFailure",
    "Set",
    "StarlarkError",
    "Struct",
    "SyntaxFailure",
    "Thread",
    "apply",
    "call",
    "compile_program",
    "entries",
    "equal",
    "execute",
    "fail_with",
    "freeze",
    "put",
    "set_of",
    "to_repr",
    "to_str",
    "type_name",
]
