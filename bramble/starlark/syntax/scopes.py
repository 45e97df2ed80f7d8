"""What resolving a program finds out: which variable every name means, and where it lives."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Optional

    from .tree import File

LOCAL = "local"  # of the function that uses it, and of no other
CELL = "cell"  # of the function that uses it, and used by functions inside it as well
FREE = "free"  # of a function around the one that uses it
GLOBAL = "global"  # of the file, seen by those who load it
PREDECLARED = "predeclared"  # given by the host
UNIVERSAL = "universal"  # of the language

POSITIONAL = "positional"
KEYWORD_ONLY = "keyword-only"
VARARGS = "varargs"
KWARGS = "kwargs"


class Binding(Record):
    """The variable that a name means, as one function sees it.

    `scope` is one of the six above. `index` counts in `FunctionScope.locals` for
    LOCAL and CELL, in `FunctionScope.freevars` for FREE, in `Resolution.globals`
    for GLOBAL; it is -1 for PREDECLARED and UNIVERSAL. Two locals of one
    function may have the same name (a variable of a comprehension and another):
    the index tells them apart. `declared` is the offset of the first place that
    binds it, -1 when no place in the file does.
    """

    name: str
    scope: str
    index: int
    declared: int


class ParameterScope(Record):
    """A parameter: its kind (one of the four above), whether it has a default, and its local's index."""

    name: str
    kind: str
    has_default: bool
    index: int


class FunctionScope(Record):
    """The variables of one function: a `def`, a `lambda`, or the file itself.

    `name` is `lambda` for a lambda and `<toplevel>` for the file. `locals` are all
    local variables, parameters first, in the order of the text; those whose scope
    is CELL are shared with inner functions. `freevars` are the variables that it
    takes from around it, each as the *enclosing* function sees it (CELL or FREE).
    `parameters` leaves out a bare `*`. `docstring` is the value of the first
    statement if that is a string literal.
    """

    name: str
    start: int
    parameters: tuple[ParameterScope, ...]
    locals: tuple[Binding, ...]
    freevars: tuple[Binding, ...]
    docstring: Optional[str]


class Resolution(Record):
    """A program whose names are known.

    `uses` maps the `start` of every `Name` node to its binding in the function
    that contains it (of a default value: the function around the `def`).
    `functions` maps the `start` of every `Def` and `Lambda` to its scope;
    `toplevel` is the scope of the file, whose locals are the names bound by `load`
    and the variables of comprehensions outside functions. `globals` are the names
    that the file defines, in the order of the text (in a REPL, behind those that
    earlier inputs defined). `predeclared` are the names that the host must supply
    because the program uses them.
    """

    file: File
    toplevel: FunctionScope
    functions: Mapping[int, FunctionScope]
    uses: Mapping[int, Binding]
    globals: tuple[str, ...]
    predeclared: frozenset[str]
