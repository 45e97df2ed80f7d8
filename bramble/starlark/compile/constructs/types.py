"""Tests of types: `type(x) == "list"`, `type(x) == type([])`, `type(x) in ("list", "tuple")`."""

from __future__ import annotations

from ...syntax import tree
from .. import python_tree as py
from ..facts.collect import strip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Optional

    from ..context import Context

    # The value, the names of types, and whether its type is to be one of them or none.
    TypeTest = tuple[tree.Expr, list[str], bool]

# The classes of types; those with several are named by the set of them.
TYPE_CLASSES = {
    "NoneType": ".NoneType",
    "bool": "bool",
    "dict": ".in_dict",
    "float": "float",
    "function": ".Function",
    "int": "int",
    "list": ".in_list",
    "set": ".in_set",
    "string": "str",
    "tuple": "tuple",
}
# What a display, called by `type`, is.
_DISPLAYS: dict[type, str] = {
    tree.List: "list",
    tree.Dict: "dict",
    tree.Tuple: "tuple",
}
_LITERALS: dict[type, str] = {str: "string", int: "int", float: "float"}
_NAMES = {"None": "NoneType", "True": "bool", "False": "bool"}


def tested_type(ctx: Context, node: tree.Node) -> Optional[TypeTest]:
    """Return the test of a type that an expression is, or None for any other expression."""
    if not isinstance(node, tree.Binary) or node.op not in ("==", "!=", "in", "not in"):
        return None
    left, right = strip(node.left), strip(node.right)
    names: list[Optional[str]]
    if node.op in ("in", "not in"):
        if not isinstance(right, (tree.Tuple, tree.List)) or not right.items:
            return None
        names = [name_of(ctx, item) for item in right.items]
    else:
        if name_of(ctx, left) is not None:
            left, right = right, left
        names = [name_of(ctx, right)]
    value = typed_value(ctx, left)
    found = [name for name in names if name in TYPE_CLASSES]
    if value is None or len(found) < len(names):
        return None
    return value, found, node.op in ("==", "in")


def typed_value(ctx: Context, node: tree.Expr) -> Optional[tree.Expr]:
    """Return `x` of `type(x)`, or None for any other expression."""
    if not isinstance(node, tree.Call) or ctx.is_universal(node.function) != "type":
        return None
    given = node.arguments[0] if len(node.arguments) == 1 else None
    return given if isinstance(given, tree.Expr) else None


def name_of(ctx: Context, node: tree.Expr) -> Optional[str]:
    """Return the name of a type that an expression surely is: a literal, or the type of a literal."""
    node = strip(node)
    if isinstance(node, tree.Literal):
        return node.value if isinstance(node.value, str) else None
    value = typed_value(ctx, node)
    if value is None:
        return None
    value = strip(value)
    if isinstance(value, tree.Literal):
        return _LITERALS.get(value.value.__class__)
    if isinstance(value, (tree.List, tree.Tuple)) and not value.items:
        return _DISPLAYS[value.__class__]
    if isinstance(value, tree.Dict) and not value.entries:
        return "dict"
    return _NAMES.get(ctx.is_universal(value))


def type_test(ctx: Context, test: TypeTest) -> expr:
    """Emit the test of a type as one of the class."""
    # spec: starlark.types
    value, names, equal = test
    first, again, _ = ctx.bind(ctx.value(value))
    tests: list[expr] = []
    for name in dict.fromkeys(names):
        found = py.class_of(again if tests else first, ctx.line)
        named = TYPE_CLASSES[name]
        if named.startswith(".in_"):
            op = py.COMPARE["in" if equal else "not in"]
            tests.append(py.compare(found, op, py.load(named, ctx.line), ctx.line))
        else:
            op = py.IS if equal else py.IS_NOT
            tests.append(py.compare(found, op, py.class_named(named, ctx.line), ctx.line))
    return tests[0] if len(tests) == 1 else py.boolean(py.OR if equal else py.AND, tests, ctx.line)
