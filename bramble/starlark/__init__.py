"""Starlark for Python programs. Chapter 14 of the specification; imports the standard library only.

A text becomes a `Program` once, which can be kept in a cache as bytes; a program can be run any number of
times, each time in a `Thread`, which says what it may use of the host; that gives a `Module`, whose
globals are frozen. What fails raises a `StarlarkError`, with a code, a place and a stack.

    >>> text = "def double(x):\\n    return x * factor\\n"
    >>> program = compile_program(text, "a.star", predeclared=["factor"])
    >>> module = execute(program, predeclared={"factor": 2}, thread=Thread(max_steps=1000))
    >>> call(Thread(), module.globals["double"], [21])
    42

The module `embedding` begins with a tutorial.

Values. None, bool, int, float, str, bytes, tuple, range, list and dict are Python's own; `set_of(items)`
makes a set. A dict with keys that Python takes for others, such as bools, is a `Dict()`, filled by `put`;
`entries` reads any dict. `to_starlark` and `from_starlark` convert Python's values. A host gives functions
(`Builtin`; `unpack` checks their arguments), fields (`Struct`), modules (`ModuleValue`), and values of its
own (derive from `HostValue`). What is not frozen belongs to one thread. When a file has run, frozen lists and
dicts, which are other objects, take the place of those that its globals reach: a host that has kept one calls
`freeze` and keeps what that returns.

Dialect. `Dialect` switches on what the common core of the language lacks: recursion, `while`, globals
that are bound again, control statements outside functions, `load` of a module as a value.

The floors: `syntax` reads and prints programs without running them; `runtime` holds the values and what can
be done with them; `compile` makes Python's code of programs, and is imported with the first text that comes
from no cache; `reference` is a second evaluator, slow and plain, that says what each construct does: for
readers, and for comparison with the first. The modules beside this one are what an embedder uses: `program`,
`thread`, `errors`, `dialect`, `source`, `embedding`; `session` and `repl` for inputs one after another;
`command` for running files, with `assertions`, that is the module `assert`; `cache` for compiled programs
that outlive the process, in directories of `kept`; `bounds` for memory and time; `advice` for people who
know other languages. Behind them, `faults` makes errors of Python's exceptions, `spell` finds what a
misspelt name meant, `patterns` searches with regular expressions, `record` makes frozen values; `startup` and
`late` let the command begin soon, and `console` is what it prints.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .dialect import Dialect
    from .embedding import Default, from_starlark, to_starlark, unpack
    from .errors import EvalError, Frame, Position, ResolveError, ResolveFailure, StarlarkError, SyntaxFailure
    from .program import FunctionSummary, Program, ProgramFormatError, compile_program
    from .runtime.freezing import freeze
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
    from .runtime.values import Dict, List, Range, Set, entries, equal, fail_with, put, set_of, type_name
    from .thread import Module, Thread, call, execute

__all__ = [
    "Builtin",
    "Default",
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
    "from_starlark",
    "put",
    "set_of",
    "to_repr",
    "to_starlark",
    "to_str",
    "type_name",
    "unpack",
]

# Where each of these is: it is loaded when it is asked for, so that nobody waits for what they do not use.
_PLACES = {
    "dialect": ("Dialect",),
    "embedding": ("Default", "from_starlark", "to_starlark", "unpack"),
    "errors": (
        *("EvalError", "Frame", "Position", "ResolveError", "ResolveFailure", "StarlarkError"),
        "SyntaxFailure",
    ),
    "program": ("FunctionSummary", "Program", "ProgramFormatError", "compile_program"),
    "runtime.freezing": ("freeze",),
    "runtime.functions": (
        *("Builtin", "Function", "FunctionInfo", "HostValue", "ModuleValue", "ParameterInfo", "Struct"),
        "apply",
    ),
    "runtime.text": ("to_repr", "to_str"),
    "runtime.values": (
        *("Dict", "List", "Range", "Set", "entries", "equal", "fail_with", "put", "set_of"),
        "type_name",
    ),
    "thread": ("Module", "Thread", "call", "execute"),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}


def _found(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    # As if it had been imported above.
    globals()[name] = value
    return value


if not TYPE_CHECKING:
    # A type checker is to complain of a name that is not here.
    __getattr__ = _found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
