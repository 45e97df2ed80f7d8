"""What a test tells of the kinds of a variable: behind `type(x) == "list"`, until x is assigned.

The kinds of facts/ hold wherever a variable is read, and of a parameter that anybody may give they say
nothing. Build files ask: `if type(deps) == "string": deps = [deps]`, `if name == None: return`, `if type(x)
!= "dict": fail(…)`. Where the answer is known nothing needs to be tested again.

**Why it is safe.** Only a function itself assigns its variables, and only by a statement: no expression and
no call does. So what a test has found holds to the end of the expression, of the branch, or of the block
where all other branches leave it, but not behind an assignment (`Context.forget`). A loop comes back to its
beginning: in it nothing is known of what it assigns anywhere.

**What breaks it.** An assignment that does not pass through `variables.settle`; a value of another type that
has a class of that type (types.py).
"""

from __future__ import annotations

from ...syntax import tree
from ...syntax.scopes import FREE, LOCAL
from ..facts import kinds
from ..facts.collect import strip
from .types import tested_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Optional

    from ..context import Context

    # By their declarations the kinds that variables can still have.
    Found = dict[int, int]

_KINDS = {
    "NoneType": kinds.NONE,
    "bool": kinds.BOOL,
    "dict": kinds.DICT,
    "float": kinds.FLOAT,
    "int": kinds.INT,
    "list": kinds.LIST,
    "string": kinds.STRING,
    "tuple": kinds.TUPLE,
}
# Conditions inside one another that are looked at, and operands of one.
_DEPTH = 4
_OPERANDS = 20
_NOTHING: Found = {}


def found_by(ctx: Context, node: tree.Expr, depth: int = _DEPTH) -> tuple[Found, Found]:
    """Return what is known where a condition holds, and where it does not."""
    node = strip(node)
    if isinstance(node, tree.Name):
        declared = declaration(ctx, node)
        return (_NOTHING if declared is None else {declared: kinds.ANY & ~kinds.NONE}), _NOTHING
    if isinstance(node, tree.Unary) and node.op == "not" and depth:
        yes, no = found_by(ctx, node.operand, depth - 1)
        return no, yes
    if not isinstance(node, tree.Binary):
        return _NOTHING, _NOTHING
    if node.op in ("and", "or"):
        return joined(ctx, node, depth) if depth else (_NOTHING, _NOTHING)
    test = tested_type(ctx, node)
    if test is not None:
        value, names, equal = test
        declared = declaration(ctx, value)
        if not all(name in _KINDS for name in names):
            return _NOTHING, _NOTHING
        mask = sum(_KINDS[name] for name in set(names))
    elif node.op in ("==", "!=") and ctx.is_universal(strip(node.right)) == "None":
        declared, mask, equal = declaration(ctx, node.left), kinds.NONE, node.op == "=="
    else:
        return _NOTHING, _NOTHING
    if declared is None:
        return _NOTHING, _NOTHING
    yes, no = {declared: mask}, {declared: kinds.ANY & ~mask}
    return (yes, no) if equal else (no, yes)


def joined(ctx: Context, node: tree.Binary, depth: int) -> tuple[Found, Found]:
    """Return what is known where `a and b` or `a or b` holds, and where it does not."""
    operands: list[tree.Expr] = []
    rest: tree.Expr = node
    while isinstance(rest, tree.Binary) and rest.op == node.op:
        operands.append(rest.right)
        rest = strip(rest.left)
    if len(operands) >= _OPERANDS:
        return _NOTHING, _NOTHING
    found = [found_by(ctx, operand, depth - 1) for operand in (rest, *reversed(operands))]
    # Where `and` holds all operands do, and where it does not, one of them does not.
    every, one = (0, 1) if node.op == "and" else (1, 0)
    sure: Found = {}
    for each in found:
        sure = both(sure, each[every])
    either: Found = {}
    for declared in found[0][one]:
        masks = [each[one].get(declared, kinds.ANY) for each in found]
        mask = 0
        for each_mask in masks:
            mask |= each_mask
        if mask != kinds.ANY:
            either[declared] = mask
    return (sure, either) if node.op == "and" else (either, sure)


def both(one: Found, other: Found) -> Found:
    """Return what is known where both is."""
    if not other:
        return one
    made = dict(one)
    for declared, mask in other.items():
        made[declared] = made.get(declared, kinds.ANY) & mask
    return made


def declaration(ctx: Context, node: tree.Expr) -> Optional[int]:
    """Return where the variable of a function is declared that an expression names; None for others."""
    node = strip(node)
    if not isinstance(node, tree.Name):
        return None
    binding = ctx.unit.uses[node.start]
    return binding.declared if binding.scope in (LOCAL, FREE) else None


def leaves(ctx: Context, body: Sequence[tree.Stmt]) -> bool:
    """Return whether what stands behind a body is surely not reached from its end."""
    last = body[-1] if body else None
    if isinstance(last, tree.ExprStmt) and isinstance(last.value, tree.Call):
        return ctx.is_universal(last.value.function) == "fail"
    return isinstance(last, (tree.Return, tree.Break, tree.Continue))


def forget_assigned(ctx: Context, loop: tree.Node) -> None:
    """Forget what is known of the variables that a loop assigns."""
    if ctx.narrowed:
        for name in assigned_names(loop):
            ctx.forget(ctx.unit.uses[name.start].declared)


def assigned_names(loop: tree.Node) -> Iterator[tree.Name]:
    """Yield the names that the statements of a loop assign."""
    work: list[tree.Node] = [loop]
    while work:
        node = work.pop()
        targets: list[tree.Expr] = []
        if isinstance(node, (tree.For, tree.While)):
            work += node.body
        if isinstance(node, (tree.For, tree.Assign, tree.AugAssign)):
            targets = [node.target]
        elif isinstance(node, tree.If):
            for branch in node.branches:
                work += branch.body
            work += node.otherwise
        elif isinstance(node, tree.Def):
            targets = [node.name]
        while targets:
            target = strip(targets.pop())
            if isinstance(target, tree.Name):
                yield target
            elif isinstance(target, (tree.Tuple, tree.List)):
                targets += target.items
