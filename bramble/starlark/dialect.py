"""The options of the language: what a host may allow beyond the common core."""

from __future__ import annotations

from .record import Record


class Dialect(Record):
    """Which optional rules a program is read and run with. Everything is off by default.

    recursion          a function may call itself, directly or through others
    while_loops        `while` statements
    global_reassign    a file may assign a global more than once
    toplevel_control   `if`, `for` and `while` outside functions
    load_binds_module  `load("a/b")` binds the module `a/b` as `b`, `load(x="a/b")` as `x`

    spec: starlark.dialect.independent
    """

    recursion: bool
    while_loops: bool
    global_reassign: bool
    toplevel_control: bool
    load_binds_module: bool

    def __init__(
        self,
        recursion: bool = False,
        while_loops: bool = False,
        global_reassign: bool = False,
        toplevel_control: bool = False,
        load_binds_module: bool = False,
    ) -> None:
        put = object.__setattr__
        put(self, "recursion", recursion)
        put(self, "while_loops", while_loops)
        put(self, "global_reassign", global_reassign)
        put(self, "toplevel_control", toplevel_control)
        put(self, "load_binds_module", load_binds_module)
