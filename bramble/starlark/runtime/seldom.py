"""Calls that seldom leave the code that is known: methods with a name that a built-in type's method has.

`x.startswith(p)` is a call of Python's own method for every x but a struct, a module or a value of the
host's with a function of this name. Only such a function may call back to the function that calls it, or
change what a loop around the call iterates. So the code around it neither marks that it runs nor locks what
it iterates (compile/facts/inference.py says which functions and loops these are). When such a function is
called after all, all code that is running is marked, and what it iterates is locked, until the call ends.

What is running is read from Python's frames: from the caller outward, up to the first one that is neither
code of a program nor of this package. Such foreign code was itself called by code that has marked and locked
for itself, or by `call_seldom`. The code of a function contains the name of its mark: that name
follows `noted` in its table of names, since it asks `$s.noted` first of all. What a loop iterates is in a
variable whose name begins with `HELD` until the loop ends.
"""

from __future__ import annotations

import sys

from .functions import apply
from .iteration import BY_IDENTITY, leave
from .values import BUSY_OF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Optional

    from ..thread import Thread
    from .values import Value

# How the names of variables begin that hold what is iterated; no program can write them.
HELD = "$h"
# The attribute of a thread that has the functions that run without a mark.
NOTED = "noted"


def call_seldom(thread: Thread, function: Value, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
    """Call a function that a value has in the place of a built-in method."""
    # spec: starlark.recursion, starlark.iteration.locked
    noted: list[object] = []
    locked: list[Value] = []
    try:
        _note(thread, sys._getframe(1), noted, locked)
        return apply(thread, function, args, kwargs)
    finally:
        for info in noted:
            thread.noted.pop(info, None)
        while locked:
            _unlock(thread, locked.pop())


def _note(thread: Thread, frame: Optional[FrameType], noted: list[object], locked: list[Value]) -> None:
    """Mark the functions that are running, lock what they iterate, and add both to the lists."""
    while frame is not None:
        variables = frame.f_globals
        if "$module" in variables:
            code = frame.f_code
            if NOTED in code.co_names:
                info = variables[code.co_names[code.co_names.index(NOTED) + 1]]
                if info not in thread.noted:
                    noted.append(info)
                    thread.noted[info] = None
            if any(name.startswith(HELD) for name in (*code.co_varnames, *code.co_cellvars)):
                for name, value in frame.f_locals.items():
                    if name.startswith(HELD):
                        _lock(thread, value, locked)
        elif variables.get("__package__") != __package__:
            break
        frame = frame.f_back


def _lock(thread: Thread, x: Value, locked: list[Value]) -> None:
    if x.__class__ in BY_IDENTITY:
        if id(x) not in thread.locked:
            locked.append(x)
            thread.locked[id(x)] = x
    elif x.__class__ in BUSY_OF:
        locked.append(x)
        # Noted first: an interruption may come between any two steps.
        thread.held.append(x)
        x.__class__ = BUSY_OF[x.__class__]


def _unlock(thread: Thread, x: Value) -> None:
    leave(thread, x)
    if x.__class__ not in BY_IDENTITY:
        # What came after it may have been left there by an error.
        thread.held[:] = [other for other in thread.held if other is not x]
