"""Where a variable surely is not None, though it may be elsewhere.

**What is claimed.** In a part of the text that runs only when a test has a certain result, that result holds:
behind `x != None and`, in `if x:`, after `if x == None: return`. The claim is about each single name in that
part.

**Why it is safe.** Nobody but the statements of its own function assigns a variable, and none does while an
expression is evaluated. So a name still has the value that was tested, unless the part assigns to it
somewhere: then nothing is claimed. What is None is equal to None, whatever else there is, and is false.

**What breaks it.** A new way to assign; a part that runs although the test had another result.
"""

from __future__ import annotations

from ...syntax import tree
from ...syntax.children import children
from ...syntax.scopes import UNIVERSAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...syntax.scopes import Binding

# Of a block with more such tests only the first ones count: for each of them the rest is read.
_MOST = 16
_LEAVING = frozenset({tree.Return, tree.Break, tree.Continue})
# Expressions whose value is not None.
_SOMETHING = frozenset({tree.List, tree.Dict, tree.Tuple, tree.Comprehension, tree.Literal, tree.Lambda})


class Narrowing:
    """The names of a function that surely are not None, by where they stand."""

    def __init__(self, uses: Mapping[int, Binding], found: set[int]) -> None:
        self.uses = uses
        self.found = found

    def row(self, links: Sequence[tree.Binary]) -> None:
        """Look at a row of operators, the outermost first."""
        tested: set[int] = set()
        op = ""
        for link in reversed(links):
            if link.op not in ("and", "or"):
                op = ""
                continue
            if link.op != op:
                op = link.op
                tested = self.tested(link.left, op == "and")
            if tested:
                self.mark((link.right,), tested)
            tested = tested | self.tested(link.right, op == "and")

    def conditional(self, node: tree.Conditional) -> None:
        """Look at `a if c else b`."""
        self.mark((node.then,), self.tested(node.condition, True))
        self.mark((node.otherwise,), self.tested(node.condition, False))

    def comprehension(self, node: tree.Comprehension) -> None:
        """Look at the conditions of a comprehension."""
        for number, clause in enumerate(node.clauses):
            if isinstance(clause, tree.IfClause):
                tested = self.tested(clause.condition, True)
                if tested:
                    self.mark((*node.clauses[number + 1 :], node.body), tested)

    def branches(self, node: tree.If) -> None:
        """Look at the bodies of `if`, `elif` and `else`."""
        before: set[int] = set()
        for branch in node.branches:
            if before:
                self.mark((branch.condition,), before)
            self.mark(branch.body, before | self.tested(branch.condition, True))
            before |= self.tested(branch.condition, False)
        self.mark(node.otherwise, before)

    def block(self, body: Sequence[tree.Node]) -> None:
        """Look at what comes after an `if` that leaves the block, or gives the variable a value."""
        looked = 0
        for number, node in enumerate(body):
            if looked < _MOST and isinstance(node, tree.If) and len(node.branches) == 1:
                branch = node.branches[0]
                tested = set() if node.otherwise else self.tested(branch.condition, False)
                last = branch.body[-1]
                if tested and last.__class__ not in _LEAVING:
                    tested &= self._given(last)
                if tested:
                    looked += 1
                    self.mark(body[number + 1 :], tested)

    def _given(self, node: tree.Stmt) -> set[int]:
        """Return the variable that a statement gives a value that is not None."""
        if not isinstance(node, tree.Assign) or node.value.__class__ not in _SOMETHING:
            return set()
        return {self.uses[node.target.start].declared} if isinstance(node.target, tree.Name) else set()

    def tested(self, condition: tree.Expr, outcome: bool) -> set[int]:
        """Return which variables are not None when a condition has this outcome."""
        found: set[int] = set()
        work = [(condition, outcome)]
        while work:
            node, outcome = work.pop()
            kind = node.__class__
            if kind is tree.Paren:
                work.append((node.value, outcome))  # type: ignore[attr-defined]
            elif kind is tree.Name:
                if outcome:
                    found.add(self.uses[node.start].declared)
            elif kind is tree.Unary and node.op == "not":  # type: ignore[attr-defined]
                work.append((node.operand, not outcome))  # type: ignore[attr-defined]
            elif kind is tree.Binary:
                left, op, right = node.left, node.op, node.right  # type: ignore[attr-defined]
                if op == ("and" if outcome else "or"):
                    work += ((left, outcome), (right, outcome))
                elif op == ("!=" if outcome else "=="):
                    for one, other in ((left, right), (right, left)):
                        if one.__class__ is tree.Name and self._is_none(other):
                            found.add(self.uses[one.start].declared)
        found.discard(-1)
        return found

    def _is_none(self, node: tree.Expr) -> bool:
        return (
            isinstance(node, tree.Name) and node.name == "None" and self.uses[node.start].scope == UNIVERSAL
        )

    def mark(self, part: Iterable[tree.Node], variables: set[int]) -> None:
        """Note the names of variables in a part of the text, unless it assigns to them."""
        if not variables:
            return
        names: list[tuple[int, int]] = []
        assigned: set[int] = set()
        work = list(part)
        while work:
            node = work.pop()
            kind = node.__class__
            if kind is tree.Name:
                declared = self.uses[node.start].declared
                if declared in variables:
                    names.append((node.start, declared))
                continue
            if kind is tree.Literal:
                continue
            if kind in (tree.Assign, tree.AugAssign, tree.For, tree.ForClause):
                self._targets(node.target, assigned)  # type: ignore[attr-defined]
            elif kind is tree.Def:
                assigned.add(self.uses[node.name.start].declared)  # type: ignore[attr-defined]
            work += children(node)
        self.found.update(start for start, declared in names if declared not in assigned)

    def _targets(self, target: tree.Expr, assigned: set[int]) -> None:
        work = [target]
        while work:
            one = work.pop()
            if isinstance(one, tree.Name):
                assigned.add(self.uses[one.start].declared)
            elif isinstance(one, tree.Paren):
                work.append(one.value)
            elif isinstance(one, (tree.Tuple, tree.List)):
                work += one.items
