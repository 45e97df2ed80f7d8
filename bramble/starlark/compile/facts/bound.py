"""Which globals surely have a value while a function runs.

A function cannot run before its `def` or `lambda` is evaluated, and not before the file next calls something
that could call it back: an operator, a display or another `def` runs no function of the file. So whatever the
statements before that call bind, unless they stand in a branch or a loop, has a value whenever the function
runs; no statement takes a value away. A name that is surely bound is read wherever its value is wanted. Of
any other the reading may be an error, and so it is done where its turn is (`starlark.expr.order`).

**What breaks it.** A call that is overlooked; functions that outlive a file that has failed, as those of a
session do: there nothing is sure.
"""

from __future__ import annotations

from bisect import bisect_right

from ...syntax import tree
from ...syntax.children import children
from ...syntax.scopes import UNIVERSAL
from .collect import strip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...syntax.scopes import Binding, Resolution

# Functions of the language that call what they are given.
_CALL_BACK = frozenset({"max", "min", "sorted"})


class Bound:
    """What one file binds, by where its names are declared, and until when its functions cannot run."""

    def __init__(self, resolution: Resolution) -> None:
        body = resolution.file.body
        self.starts = [node.start for node in body]
        self.bodies = [node.body[0].start if isinstance(node, tree.Def) else -1 for node in body]
        self.places: dict[int, int] = {}
        for place, node in enumerate(body):
            for name in _names(node):
                self.places.setdefault(name.start, place)
        # For each statement the next one, from itself on, that may call a function of the file.
        self.until = [len(body)] * (len(body) + 1)
        for place in range(len(body) - 1, -1, -1):
            calls = _may_call(body[place], resolution.uses)
            self.until[place] = place if calls else self.until[place + 1]

    def is_sure(self, function: int, declared: int) -> bool:
        """Return whether a global, declared there, has a value when the function that begins there runs."""
        place = self.places.get(declared)
        if place is None:
            return False
        around = bisect_right(self.starts, function) - 1
        # The defaults of a `def` are evaluated before it can run.
        defined = function == self.starts[around] or function >= self.bodies[around]
        return place < self.until[around + 1 if self.bodies[around] >= 0 and defined else around]


def _names(node: tree.Stmt) -> Iterator[tree.Name]:
    """Yield the names that a statement binds when it is executed."""
    if isinstance(node, tree.Def):
        yield node.name
    elif isinstance(node, tree.Load):
        for symbol in node.symbols:
            yield symbol.local
    elif isinstance(node, tree.LoadModule):
        yield node.local
    elif isinstance(node, tree.Assign):
        work: list[tree.Expr] = [node.target]
        while work:
            target = strip(work.pop())
            if isinstance(target, tree.Name):
                yield target
            elif isinstance(target, (tree.Tuple, tree.List)):
                work += target.items


def _may_call(node: tree.Node, uses: Mapping[int, Binding]) -> bool:
    """Return whether executing a statement may call a function of the file."""
    work: list[tree.Node] = [node]
    while work:
        one = work.pop()
        if isinstance(one, tree.Call) and not _is_plain(one.function, uses):
            return True
        work += children(one)
    return False


def _is_plain(callee: tree.Expr, uses: Mapping[int, Binding]) -> bool:
    """Return whether a callee is a function of the language that calls nothing."""
    if not isinstance(callee, tree.Name) or callee.name in _CALL_BACK:
        return False
    return uses[callee.start].scope == UNIVERSAL
