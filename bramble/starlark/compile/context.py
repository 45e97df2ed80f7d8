"""What is known, and what has been made, while the code of one function is made.

A `Unit` is what all functions of a program share: what names mean, what is known of the functions and
variables, and the table of operations. A `Context` is one function, whose code is being made.

*Operations.* Each Python operation that can fail stands on a line of its own, whose number is the
operation's in the table. When Python raises, the boundary (faults.py) looks the operation up, fetches its
operands from the frame, and lets the function that handles the uncommon cases say what is wrong. So
operands that are not variables or literals are kept in variables: `$1`, `$2` and so on, which no program
can name.

*Constructs.* What is inside a construct is emitted through `Context.expr` and `Context.statement`, which
look up its type in the `Table` (table.py). So no module of constructs needs to know the others' that may
stand inside its own.
"""

from __future__ import annotations

from _ast import Global, Pass, arg, expr, stmt

from ..runtime.functions import INNER_PART, mangle
from ..syntax import tree
from ..syntax.scopes import UNIVERSAL
from . import python_tree as py
from .parts import PART, bound_names, compiled, divided, inner_name, is_divided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from types import CodeType
    from typing import Any, Optional, Union

    from ..syntax.scopes import FunctionScope, Resolution
    from .facts.bound import Bound
    from .facts.inference import Inference

    # For signatures below the method `expr`.
    PyExpr = expr
    # What an error finds an operand by: a variable, a literal as a tuple of one, or an operator with two.
    Operand = Union[str, tuple[Any, ...]]
    # A Python expression, and the kinds (facts/kinds.py) that its value can have.
    Typed = tuple[expr, int]
    Expression = Callable[["Context", Any], Typed]
    Statement = Callable[["Context", Any], list[stmt]]

_LOOPS = frozenset({tree.For, tree.While})
_LEAVING = frozenset({tree.Return, tree.Break, tree.Continue})
_OPERATORS = {operator.__class__.__name__: op for op, operator in py.BINARY.items()}


class Unit:
    """What the functions of one program have in common while they are compiled."""

    def __init__(
        self,
        resolution: Resolution,
        inference: Inference,
        loaded: set[int],
        operations: list[tuple[Any, ...]],
        table: Table,
        generic: Optional[Unit] = None,
        bound: Optional[Bound] = None,
    ) -> None:
        self.resolution = resolution
        self.uses = resolution.uses
        self.inference = inference
        self.rules = inference.rules
        self.ownership = inference.ownership
        self.masks = inference.masks
        self.operations = operations
        self.table = table
        # How functions are compiled that anybody may call; None: as in this unit.
        self.generic = generic
        # Which globals surely have a value where; None: of none that is known.
        self.bound = bound
        # Global functions that are bound once, by a `def`: calls of them can be checked now.
        self.known = {name: resolution.functions[node.start] for name, node in inference.known.items()}
        # Where names are declared that `load` binds: they live among the globals.
        self.loaded = loaded
        # The functions of parts of long bodies outside functions.
        self.inner_parts: list[CodeType] = []
        self.functions: dict[int, tuple[FunctionScope, tree.Node]] = generic.functions if generic else {}

    def raw_name(self, name: str) -> str:
        """Return the name of the Python function that a call by name of a known function calls."""
        return f"{mangle(name)}!!" if name in self.inference.specialised else f"{mangle(name)}!"

    def op(self, offset: int, helper: str, *operands: Operand) -> int:
        """Enter an operation into the table and return its number, which is the line of its code."""
        self.operations.append((offset, helper, *operands))
        return len(self.operations)

    def complete(self, number: int, *operands: Operand) -> None:
        """Add operands to an operation that was entered before they were known."""
        self.operations[number - 1] += operands


class TooDeep(Exception):
    """A program, at `offset`, that Python's compiler could not read."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def describe(node: Any, lost: Set[str], depth: int = 4) -> Optional[Operand]:
    """Return how the value of an expression is found again: see `faults.operand`. None when it cannot be.

    Variables with the names `lost` have no value any more by then.
    """
    kind = node.__class__.__name__
    if kind == "Name":
        return None if node.id in lost else node.id
    if kind == "Constant":
        return (node.value,)
    if depth and kind == "BinOp":
        op = _OPERATORS[node.op.__class__.__name__]
        left, right = describe(node.left, lost, depth - 1), describe(node.right, lost, depth - 1)
    elif depth and kind == "Subscript" and node.slice.__class__.__name__ != "Slice":
        op = "[]"
        left, right = describe(node.value, lost, depth - 1), describe(node.slice, lost, depth - 1)
    else:
        return None
    return None if left is None or right is None else (op, left, right)


class Options:
    """How code is made: whether recursion is refused, and whether steps are counted."""

    def __init__(self, check_recursion: bool, limited: bool) -> None:
        self.check_recursion = check_recursion
        self.limited = limited


class Table:
    """For each type of node the function that emits it.

    expressions  gives the Python expression and the kinds of its value
    statements   gives Python statements
    """

    def __init__(
        self,
        expressions: Mapping[type, Expression],
        statements: Mapping[type, Statement],
    ) -> None:
        self.expressions = expressions
        self.statements = statements


class Context:
    """One function while its code is made: the state that the functions of all constructs share."""

    def __init__(self, unit: Unit, scope: FunctionScope, start: int, options: Options) -> None:
        self.unit = unit
        self.scope = scope
        # Where the function begins, or -1 for the file: how the facts know it.
        self.start = start
        self.options = options
        # Whether the code counts its steps.
        self.limited = options.limited
        # Whether the function refuses to be called while it runs.
        self.checked = options.check_recursion and start >= 0 and unit.inference.may_recur(start)
        # Whether it refuses to be called when somebody else has noted that it runs (runtime/seldom.py).
        self.noted = options.check_recursion and start >= 0 and unit.inference.may_seldom_recur(start)
        self.temps = 0
        # How many loops and comprehensions are around what is being made.
        self.loops = 0
        self.comprehensions = 0
        # Variables of the comprehensions around what is being made, where an error finds no value in them:
        # since Python 3.12 they are the function's own, and are taken away when an error leaves (PEP 709).
        self.lost: frozenset[str] = frozenset()
        self.parameters = {p.index for p in scope.parameters}
        # Local variables that have a value here, by their indexes, and outside functions globals, by their
        # names. Others may have none, which is an error where their turn is: they are not read again later,
        # as a variable otherwise is.
        self.settled: set[Union[int, str]] = set(self.parameters)
        # Those that have one at the end of the block that was made last; None: the end is not reached.
        self.settled_at_end: Optional[set[Union[int, str]]] = None
        # What tests have found out of local variables (constructs/narrowing.py): by their declarations the
        # kinds that they can have here. And those that are assigned in what is being made.
        self.narrowed: dict[int, int] = {}
        self.assigned: set[int] = set()
        # Variables of functions around this one that have a value whenever it runs, by their declarations.
        self.around: set[int] = set()
        # Parameters (by declaration) whose Python function is in a variable of its own.
        self.prepared: set[int] = set()
        # The operation of the statement: for code that cannot fail, but can be interrupted.
        self.line = 1
        # What stands before every `return`.
        self.cleanup: list[stmt] = []
        # Functions that are to be made right before the statement that is being made.
        self.hoisted: list[stmt] = []
        # Whether a function may be made before the statement: not inside what has variables of its own.
        self.hoisting = True

    # -- what is inside a construct

    def expr(self, node: tree.Expr) -> Typed:
        """Return the Python expression for a Starlark one, and the kinds of its value."""
        return self.unit.table.expressions[node.__class__](self, node)

    def value(self, node: tree.Expr) -> PyExpr:
        """Return the Python expression for a Starlark one."""
        return self.unit.table.expressions[node.__class__](self, node)[0]

    def statement(self, node: tree.Stmt) -> list[stmt]:
        """Return the Python statements for a Starlark one, which is an operation itself."""
        outer = self.line
        self.line = self.unit.op(node.start, "statement")
        before = self.settled
        if node.__class__ in _LOOPS:
            self.settled = set(before)
        made = self.unit.table.statements[node.__class__](self, node)
        if node.__class__ in _LOOPS:
            # There may be no round.
            self.settled = before
        self.line = outer
        return made

    def block(self, body: Sequence[tree.Stmt]) -> list[stmt]:
        """Return the Python statements for a sequence of Starlark's; at least one."""
        if self.start < 0 and len(body) > PART and is_divided(body, self.loops):
            return [made for part in divided(body) for made in self.called_part(part)]
        made: list[stmt] = []
        outer, before = self.hoisted, self.settled
        narrowed = self.narrowed
        self.settled, self.narrowed = set(before), dict(narrowed)
        for node in body:
            self.hoisted = []
            statements = self.statement(node)
            made += self.hoisted
            made += statements
        self.settled_at_end = None if body and body[-1].__class__ in _LEAVING else self.settled
        self.hoisted, self.settled, self.narrowed = outer, before, narrowed
        return made or [Pass(lineno=self.line, col_offset=0)]

    def kind_here(self, declared: int, mask: int) -> int:
        """Return the kinds that a local variable can have here, of those that it can have anywhere."""
        return mask & self.narrowed.get(declared, mask) or mask

    def forget(self, declared: int) -> None:
        """Note that a variable is assigned: what tests have found out of it holds no more."""
        self.narrowed.pop(declared, None)
        self.assigned.add(declared)

    def part(self, name: str, statements: Sequence[tree.Stmt]) -> stmt:
        """Return a Python function for statements outside functions: its first line is the operation's."""
        body = self.block(statements)
        names = bound_names(statements, self.unit.raw_name, self.loops)
        if names:
            body.insert(0, Global(sorted(names), lineno=self.line, col_offset=0))
        hidden = arg("$s", lineno=self.line, col_offset=0)
        made = py.function(name, py.parameters([], [], None, [], [], None, hidden), body)
        made.lineno = self.line
        return made

    def called_part(self, statements: Sequence[tree.Stmt]) -> list[stmt]:
        """Return the Python statement that calls a function that is made of Starlark's statements."""
        made = compiled(self.part(INNER_PART, statements))
        name = inner_name(len(self.unit.inner_parts))
        self.unit.inner_parts.append(made.replace(co_name=name))
        return [py.expression(py.helper(name, [py.load("$s", self.line)], self.line), self.line)]

    # -- operands

    def temp(self) -> str:
        """Return the name of a new variable that no program can name."""
        self.temps += 1
        return f"${self.temps}"

    def bind(self, node: PyExpr) -> tuple[PyExpr, PyExpr, Operand]:
        """Return how to evaluate an operand first, how to get it again, and how an error finds it."""
        kind = node.__class__.__name__
        if kind == "Name" and node.id not in self.lost:  # type: ignore[attr-defined]
            return node, node, node.id  # type: ignore[attr-defined]
        if kind == "Constant":
            return node, node, (node.value,)  # type: ignore[attr-defined]
        line = node.lineno
        if py.is_kept(node):
            name = node.target.id  # type: ignore[attr-defined]
            return node, py.load(name, line), name
        name = self.temp()
        return py.walrus(name, node, line), py.load(name, line), name

    def once(self, node: PyExpr) -> tuple[PyExpr, Operand]:
        """Return an operand that is evaluated in one place only, and how an error finds its value.

        Arithmetic on variables is done again then; other values are kept in a variable.
        """
        described = describe(node, self.lost)
        if described is not None:
            return node, described
        if py.is_kept(node):
            return node, node.target.id  # type: ignore[attr-defined]
        name = self.temp()
        return py.walrus(name, node, node.lineno), name

    def is_universal(self, node: tree.Node) -> str:
        """Return the name of the universal function that an expression names, or ""."""
        if isinstance(node, tree.Name) and self.unit.uses[node.start].scope == UNIVERSAL:
            return node.name
        return ""
