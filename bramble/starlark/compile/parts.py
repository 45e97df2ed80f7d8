"""Where the statements of a file are cut into Python functions, and which globals each of them binds.

A body outside functions binds globals only, so a part of it can be a function of its own. What cannot is a
body that a `break` or `continue` leaves: those belong to a loop around it.

Each such function is compiled as a module of its own, since for every function of a module Python's compiler
copies what any of them calls global. So a function of a body is no function inside another one. Before the
file begins it is bound to a global that no program can name (thread.py).
"""

from __future__ import annotations

from _ast import Module

from ..runtime.functions import INNER_PART, mangle
from ..syntax import tree
from .facts.collect import strip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import stmt
    from collections.abc import Callable, Iterator, Sequence
    from types import CodeType

# Statements of a file, or of a body outside functions, that become one Python function.
PART = 32


def inner_name(number: int) -> str:
    """Return the name of the function of a part of a body: its frames belong to those of the file."""
    return f"{INNER_PART}{number}>"


def compiled(function: stmt) -> CodeType:
    """Return the code of a Python function that stands outside all others."""
    module = compile(Module([function], []), "<starlark>", "exec", dont_inherit=True, optimize=0)
    code: CodeType = next(c for c in module.co_consts if hasattr(c, "co_code"))
    return code


def is_divided(body: Sequence[tree.Stmt], loops: int) -> bool:
    """Return whether a body outside functions, inside so many loops, is made of several Python functions."""
    return len(body) > PART and (not loops or not _is_left(body))


def divided(body: Sequence[tree.Stmt]) -> Iterator[Sequence[tree.Stmt]]:
    """Yield the parts of a body."""
    for at in range(0, len(body), PART):
        yield body[at : at + PART]


def _is_left(body: Sequence[tree.Stmt]) -> bool:
    work = list(body)
    while work:
        node = work.pop()
        if isinstance(node, (tree.Break, tree.Continue)):
            return True
        if isinstance(node, tree.If):
            for branch in node.branches:
                work += branch.body
            work += node.otherwise
    return False


def bound_names(body: Sequence[tree.Stmt], raw_name: Callable[[str], str], loops: int) -> set[str]:
    """Return the Python names of the globals that statements bind, but for those that parts of them bind.

    Others that they name need no mention. `raw_name` gives the name of the Python function of a `def`.
    """
    names: set[str] = set()
    targets: list[tree.Expr] = []
    for node in outside_functions(body, loops, divide=True):
        if isinstance(node, tree.Def):
            name = node.name.name
            names |= {mangle(name), f"{mangle(name)}!", raw_name(name)}
        elif isinstance(node, tree.Load):
            targets += [s.local for s in node.symbols]
        elif isinstance(node, tree.LoadModule):
            targets.append(node.local)
        elif isinstance(node, (tree.Assign, tree.AugAssign, tree.For)):
            targets.append(node.target)
    while targets:
        target = strip(targets.pop())
        if isinstance(target, tree.Name):
            names.add(mangle(target.name))
        elif isinstance(target, (tree.Tuple, tree.List)):
            targets += target.items
    return names


def outside_functions(
    body: Sequence[tree.Stmt], loops: int = 0, *, divide: bool = False
) -> Iterator[tree.Stmt]:
    """Yield every statement outside functions, also inside loops and conditions; the last one first.

    With `divide` those are left out that are compiled as separate functions.
    """
    work: list[tuple[tree.Stmt, int]] = [(node, loops) for node in body]
    while work:
        node, depth = work.pop()
        yield node
        bodies: list[Sequence[tree.Stmt]] = []
        if isinstance(node, (tree.For, tree.While)):
            depth += 1
            bodies = [node.body]
        elif isinstance(node, tree.If):
            bodies = [*[branch.body for branch in node.branches], node.otherwise]
        for inner in bodies:
            if not (divide and is_divided(inner, depth)):
                work += [(one, depth) for one in inner]
