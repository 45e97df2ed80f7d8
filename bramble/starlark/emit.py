"""Expressions of the resolved tree as Python expressions.

Two ideas carry this file. *Guards*: where Python's operator and Starlark's differ
for some operand types only, the generated code tests the types and uses Python's
operator, else calls a function of operations.py: `a + b if a.__class__ is b.__class__
is not bool else .add(a, b)`. *Masks* (kinds.py) tell which tests can be left out.

*Operations*: each Python operation that can fail stands on a line of its own,
whose number is the operation's. When Python raises, the boundary (faults.py)
looks the operation up, fetches its operands from the frame, and lets the function
that handles the uncommon cases say what is wrong. So operands that are not
variables or literals are kept in variables: `$1`, `$2` and so on, which no
program can name.
"""

from __future__ import annotations

from _ast import Dict as PyDict
from _ast import DictComp, FormattedValue, Lambda, ListComp, NamedExpr, arg, comprehension, expr, keyword

from . import astbuild as py
from . import kinds, syntax
from .functions import mangle
from .kinds import ANY, BOOL, DICT, FLOAT, FUNCTION, INT, LIST, NONE, NUMBER, OTHER, RANGE, SET, STRING, TUPLE
from .scopes import CELL, FREE, GLOBAL, KEYWORD_ONLY, KWARGS, LOCAL, POSITIONAL, PREDECLARED, UNIVERSAL, VARARGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

    from .scopes import Binding, FunctionScope, Resolution

    Operand = Union[str, tuple[Any]]
    Typed = tuple[expr, int]

# After this many links a chain of operators is continued from a variable: Python's compiler recurses.
CHAIN = 30

CONSTANT_NAMES: dict[str, Optional[bool]] = {"None": None, "True": True, "False": False}

ADDITIVE = {"+": ".add", "-": ".subtract"}
HELPERS = {
    "+": ".add",
    "-": ".subtract",
    "*": ".multiply",
    "/": ".divide",
    "//": ".floor_divide",
    "%": ".modulo",
    "|": ".bit_or",
    "&": ".bit_and",
    "^": ".bit_xor",
    "<<": ".shift_left",
    ">>": ".shift_right",
    "==": ".equal",
    "!=": ".not_equal",
    "<": ".less",
    "<=": ".less_equal",
    ">": ".greater",
    ">=": ".greater_equal",
    "in": ".is_in",
    "not in": ".not_in",
}
UNARY_HELPERS = {"-": ".negate", "+": ".plus", "~": ".invert"}

class Unit:
    """What the functions of one program have in common while they are compiled."""

    def __init__(self, resolution: Resolution, known: dict[str, FunctionScope], loaded: set[int]) -> None:
        self.resolution = resolution
        self.uses = resolution.uses
        self.operations: list[tuple[Any, ...]] = []
        # Global functions that are bound once, by a `def`: calls of them can be checked now.
        self.known = known
        # Where names are declared that `load` binds: they live among the globals.
        self.loaded = loaded
        self.global_masks: dict[str, int] = {}
        self.functions: dict[int, tuple[FunctionScope, syntax.Node]] = {}

    def op(self, offset: int, helper: str, *operands: Operand) -> int:
        """Enter an operation into the table and return its number, which is the line of its code."""
        self.operations.append((offset, helper, *operands))
        return len(self.operations)


class ExpressionEmitter:
    """Makes Python expressions inside one function."""

    def __init__(self, unit: Unit, scope: FunctionScope, masks: dict[int, int]) -> None:
        self.unit = unit
        self.scope = scope
        # Kinds of local variables by the place of their declaration; unknown ones may be anything.
        self.masks = masks
        self.temps = 0
        # Above 0 inside the iterable of a comprehension, where Python allows no `:=`.
        self.no_walrus = 0
        self.parameters = {p.index for p in scope.parameters}

    # -- variables

    def temp(self) -> str:
        self.temps += 1
        return f"${self.temps}"

    def bind(self, node: expr) -> tuple[expr, expr, Operand]:
        """Return how to evaluate an operand first, how to get it again, and how an error finds it."""
        kind = node.__class__.__name__
        if kind == "Name":
            return node, node, node.id  # type: ignore[attr-defined]
        if kind == "Constant":
            return node, node, (node.value,)  # type: ignore[attr-defined]
        name = self.temp()
        line = node.lineno
        return py.walrus(name, node, line), py.load(name, line), name

    def name(self, node: syntax.Name) -> Typed:
        binding = self.unit.uses[node.start]
        scope = binding.scope
        name = node.name
        if scope == UNIVERSAL:
            if name in CONSTANT_NAMES:
                value = CONSTANT_NAMES[name]
                return py.constant(value, 1), NONE if value is None else BOOL
            return py.load(f"u.{name}", 1), FUNCTION
        if scope == PREDECLARED:
            return py.load(mangle(name), 1), ANY
        if scope == GLOBAL:
            line = self.unit.op(node.start, "global", (name,))
            return py.load(mangle(name), line), self.unit.global_masks.get(name, ANY)
        mask = self.masks.get(binding.declared, ANY)
        line = 1
        if scope == FREE or binding.index not in self.parameters:
            line = self.unit.op(node.start, "local", (name,))
        return py.load(mangle(name), line), mask

    def is_universal(self, node: syntax.Node) -> str:
        """Return the name of the universal function that an expression names, or ""."""
        if isinstance(node, syntax.Name) and self.unit.uses[node.start].scope == UNIVERSAL:
            return node.name
        return ""

    # -- dispatch

    def expr(self, node: syntax.Expr) -> Typed:
        """Return the Python expression for a Starlark one, and the kinds of its value."""
        return getattr(self, f"expr_{node.__class__.__name__}")(node)  # type: ignore[no-any-return]

    def value(self, node: syntax.Expr) -> expr:
        return self.expr(node)[0]

    def expr_Name(self, node: syntax.Name) -> Typed:
        return self.name(node)

    def expr_Literal(self, node: syntax.Literal) -> Typed:
        return py.constant(node.value, 1), kinds.of_constant(node.value)

    def expr_Paren(self, node: syntax.Paren) -> Typed:
        return self.expr(node.value)

    def expr_Tuple(self, node: syntax.Tuple) -> Typed:
        return py.tuple_of([self.value(item) for item in node.items], 1), TUPLE

    def expr_List(self, node: syntax.List) -> Typed:
        if not node.items:
            return py.helper(".List", [], 1), LIST
        items = [self.value(item) for item in node.items]
        return py.helper(".List", [py.tuple_of(items, 1)], 1), LIST

    def expr_Dict(self, node: syntax.Dict) -> Typed:
        if not node.entries:
            return py.helper(".Dict", [], 1), DICT
        pairs = [(self.value(entry.key), self.value(entry.value)) for entry in node.entries]
        keys = [k.value for k, _ in pairs if k.__class__.__name__ == "Constant"]  # type: ignore[attr-defined]
        plain = all(key.__class__ in (str, int) for key in keys)
        if len(keys) == len(pairs) and plain and len(set(keys)) == len(keys):
            display = PyDict([k for k, _ in pairs], [v for _, v in pairs], lineno=1, col_offset=0)
            return py.helper(".Dict", [display], 1), DICT
        line = self.unit.op(node.start, "display", (tuple(entry.at for entry in node.entries),))
        return py.helper(".display", [part for pair in pairs for part in pair], line), DICT

    def expr_Conditional(self, node: syntax.Conditional) -> Typed:
        test = self.value(node.condition)
        then, a = self.expr(node.then)
        otherwise, b = self.expr(node.otherwise)
        return py.conditional(test, then, otherwise, 1), a | b

    def expr_Lambda(self, node: syntax.Lambda) -> Typed:
        return self.function_value(node), FUNCTION

    def function_value(self, node: syntax.Lambda) -> expr:
        raise NotImplementedError

    def expr_Unary(self, node: syntax.Unary) -> Typed:
        operand, mask = self.expr(node.operand)
        if node.op == "not":
            return py.unary("not", operand, 1), BOOL
        result = kinds.of_unary(node.op, mask)
        if operand.__class__.__name__ == "Constant" and mask & NUMBER and node.op != "~":
            return py.unary(node.op, operand, 1), result
        name = UNARY_HELPERS[node.op]
        if mask == INT or (mask & ~NUMBER == 0 and node.op != "~"):
            return py.unary(node.op, operand, 1), result
        if self.no_walrus:
            return py.helper(name, [operand], self.unit.op(node.at, name)), result
        first, again, ref = self.bind(operand)
        line = self.unit.op(node.at, name, ref)
        test = py.is_class(first, "int", line)
        native = py.unary(node.op, again, line)
        return py.conditional(test, native, py.helper(name, [again], line), line), result

    # -- chains: everything that may be deep to the left

    def chain(self, node: syntax.Expr) -> Typed:
        """Emit a chain of operators, calls, attributes and indexes without recursing along it."""
        links: list[Any] = []
        base: Any = node
        while True:
            left = syntax.left_of(base)
            if left is None:
                break
            links.append(base)
            base = left
        made: Any = None
        done: list[expr] = []
        depth = 0
        while links:
            link = links.pop()
            if isinstance(link, syntax.Call):
                # `base` is the function itself: its name may be known.
                made = self.call(link, made)
            else:
                made = made or self.expr(base)
                if isinstance(link, syntax.Dot) and links and isinstance(links[-1], syntax.Call):
                    made = self.call_method(links.pop(), link, made)
                elif isinstance(link, syntax.Binary) and link.op in ("and", "or"):
                    run = [link]
                    while links and isinstance(links[-1], syntax.Binary) and links[-1].op == link.op:
                        run.append(links.pop())
                    made = self.logic(made, run)
                else:
                    made = self.link(link, made)
            depth += 1
            if depth == CHAIN and links and not self.no_walrus:
                depth = 0
                name = self.temp()
                done.append(py.walrus(name, made[0], 1))
                made = py.load(name, 1), made[1]
        return py.sequence(done, made[0], 1), made[1]

    expr_Binary = expr_Call = expr_Dot = expr_Index = expr_Slice = chain

    def link(self, node: syntax.Expr, left: Typed) -> Typed:
        """Emit one link of a chain; `left` is what stands left of it."""
        if isinstance(node, syntax.Binary):
            return self.binary(node.op, node.at, left, self.expr(node.right))
        if isinstance(node, syntax.Dot):
            return self.dot(node, left)
        if isinstance(node, syntax.Index):
            return self.index(node.at, left, self.expr(node.index))
        if isinstance(node, syntax.Slice):
            return self.slice(node, left)
        raise AssertionError(node)

    def call(self, node: syntax.Call, made: Optional[Typed]) -> Typed:
        """Emit a call; `made` is the function's expression when it has been emitted already."""
        raise NotImplementedError

    def call_method(self, node: syntax.Call, dot: syntax.Dot, receiver: Typed) -> Typed:
        """Emit `x.name(…)`."""
        raise NotImplementedError

    def logic(self, first: Typed, run: list[syntax.Binary]) -> Typed:
        values = [first[0]]
        mask = first[1]
        for node in run:
            value, kind = self.expr(node.right)
            values.append(value)
            mask |= kind
        return py.boolean(py.AND if run[0].op == "and" else py.OR, values, 1), mask

    # -- operators

    def binary(self, op: str, at: int, left: Typed, right: Typed) -> Typed:
        """Emit `left op right`."""
        a, ma = left
        b, mb = right
        result = kinds.of_binary(op, ma, mb)
        name = HELPERS[op]
        if self.no_walrus and not (py.is_simple(a) and py.is_simple(b)):
            return py.helper(name, [a, b], self.unit.op(at, name)), result
        if op in py.COMPARE:
            return self.comparison(op, at, left, right), BOOL
        first_a, a, ref_a = self.bind(a)
        first_b, b, ref_b = self.bind(b)
        line = self.unit.op(at, name, ref_a, ref_b)
        slow = py.helper(name, [a, b], line)
        needs = self.needs_guard(op, ma, mb)
        if needs == "never":
            return py.binary(first_a, op, first_b, line), result
        if needs == "always":
            return py.helper(name, [first_a, first_b], line), result
        native = py.binary(a, op, b, line)
        if needs == "same":
            kind_b = py.class_of(first_b, line)
            if mb & BOOL and ma & BOOL:
                test = py.both(
                    py.class_of(first_a, line), py.IS, kind_b, py.IS_NOT, py.class_named("bool", line), line
                )
            else:
                test = py.compare(py.class_of(first_a, line), py.IS, kind_b, line)
        elif mb == INT and first_b is b:
            test = py.is_class(first_a, "int", line)
        elif ma == INT and first_a is a:
            test = py.is_class(first_b, "int", line)
        else:
            test = py.both(
                py.class_of(first_a, line), py.IS, py.class_of(first_b, line), py.IS, py.class_named("int", line), line
            )
        return py.conditional(test, native, slow, line), result

    def needs_guard(self, op: str, ma: int, mb: int) -> str:
        """Return when Python's operator may be used: never a guard, for ints, for the same class, not at all."""
        exact = ma == INT and mb == INT
        if op in ("+", "-"):
            if exact or not (ma | mb) & (BOOL | LIST | FLOAT):
                return "never"
            if ma & ~NUMBER == 0 and mb & ~NUMBER == 0 and (ma == mb or FLOAT not in (ma, mb)):
                return "never"
            return "int" if INT in (ma, mb) or op == "-" else "same"
        if op == "*":
            return "never" if exact or (ma == FLOAT and mb == FLOAT) else "int"
        if op == "/":
            return "always"
        if op in ("//", "%"):
            if exact:
                return "never"
            return "always" if ma == STRING else "int"
        if op in ("|", "&", "^"):
            return "never" if exact else "int"
        return "always"

    def comparison(self, op: str, at: int, left: Typed, right: Typed) -> expr:
        a, ma = left
        b, mb = right
        name = HELPERS[op]
        special = self.type_test(op, left, right)
        if special is not None:
            return special
        first_a, a, ref_a = self.bind(a)
        first_b, b, ref_b = self.bind(b)
        line = self.unit.op(at, name, ref_a, ref_b)
        native = py.compare(a, py.COMPARE[op], b, line)
        slow = py.helper(name, [a, b], line)
        if op in ("==", "!="):
            if self.same_equality(ma, mb):
                return py.compare(first_a, py.COMPARE[op], first_b, line)
            if mb == NONE or ma == NONE:
                other = first_a if mb == NONE else first_b
                return py.compare(other, py.IS if op == "==" else py.IS_NOT, py.constant(None, line), line)
            if b.__class__.__name__ == "Constant" and mb == INT:
                value = b.value  # type: ignore[attr-defined]
                if value not in (0, 1):
                    return py.compare(first_a, py.COMPARE[op], b, line)
                lookalike = py.constant(bool(value), line)
                first = py.compare(first_a, py.COMPARE[op], b, line)
                if op == "==":
                    return py.boolean(py.AND, [first, py.compare(a, py.IS_NOT, lookalike, line)], line)
                return py.boolean(py.OR, [first, py.compare(a, py.IS, lookalike, line)], line)
            if (mb == BOOL and ma & BOOL) or (ma == BOOL and mb & BOOL):
                # A bool is equal to itself only.
                if op == "==":
                    return py.compare(first_a, py.IS, first_b, line)
                return py.compare(first_a, py.IS_NOT, first_b, line)
            test = self.both_int_or_str(first_a, a, first_b, b, line)
            return py.conditional(test, native, slow, line)
        if op in ("in", "not in"):
            if ma == STRING and not mb & (RANGE | OTHER):
                return py.compare(first_a, py.COMPARE[op], first_b, line)
            test = py.boolean(
                py.AND,
                [
                    py.both(
                        py.class_of(first_a, line),
                        py.IS_NOT,
                        py.class_of(first_b, line),
                        py.IS_NOT,
                        py.class_named("range", line),
                        line,
                    ),
                    py.is_class(a, "str", line),
                    ],
            line)
            return py.conditional(test, native, slow, line)
        if (ma == INT and mb == INT) or (ma == STRING and mb == STRING):
            return py.compare(first_a, py.COMPARE[op], first_b, line)
        if mb == INT and first_b is b:
            return py.conditional(py.is_class(first_a, "int", line), native, slow, line)
        if ma == INT and first_a is a:
            return py.conditional(py.is_class(first_b, "int", line), native, slow, line)
        return py.conditional(self.both_int_or_str(first_a, a, first_b, b, line), native, slow, line)

    def both_int_or_str(self, first_a: expr, a: expr, first_b: expr, b: expr, line: int) -> expr:
        """The test that two operands are two ints or two strings."""
        ints = py.both(
            py.class_of(first_a, line), py.IS, py.class_of(first_b, line), py.IS, py.class_named("int", line), line
        )
        strings = py.both(
            py.class_of(a, line), py.IS, py.class_of(b, line), py.IS, py.class_named("str", line), line
        )
        return py.boolean(py.OR, [ints, strings], line)

    def same_equality(self, ma: int, mb: int) -> bool:
        """Return whether Python's `==` is right for all values of these kinds."""
        if ma == STRING or mb == STRING:
            return True
        if (ma & mb) & (TUPLE | FLOAT):
            return False
        return not ((ma & BOOL and mb & NUMBER) or (mb & BOOL and ma & NUMBER))

    def type_test(self, op: str, left: Typed, right: Typed) -> Optional[expr]:
        """Emit `type(x) == "int"` and its like as a test of the class; None when it is something else."""
        return None

    def index(self, at: int, left: Typed, right: Typed) -> Typed:
        """Emit `x[i]`."""
        x, mx = left
        i, mi = right
        result = STRING if mx == STRING else (INT if mx == RANGE else ANY)
        literal = x.__class__.__name__ == "Constant" and (mx != STRING or mi != INT)
        if literal or (self.no_walrus and not (py.is_simple(x) and py.is_simple(i))):
            return py.helper(".index", [x, i], self.unit.op(at, ".index")), result
        first_x, x, ref_x = self.bind(x)
        first_i, i, ref_i = self.bind(i)
        line = self.unit.op(at, ".index", ref_x, ref_i)
        if mi in (INT, STRING, INT | STRING):
            return py.subscript(first_x, first_i, line), result
        tests = [py.is_class(i, "int", line), py.is_class(i, "str", line)]
        if first_x is x:
            tests[0] = py.is_class(first_i, "int", line)
            test = py.boolean(py.OR, tests, line)
        else:
            kinds_differ = py.compare(py.class_of(first_x, line), py.IS_NOT, py.class_of(first_i, line), line)
            test = py.boolean(py.AND, [kinds_differ, py.boolean(py.OR, tests, line)], line)
        slow = py.helper(".index", [x, i], line)
        return py.conditional(test, py.subscript(x, i, line), slow, line), result

    def slice(self, node: syntax.Slice, left: Typed) -> Typed:
        """Emit `x[a:b:c]`."""
        x, mask = left
        parts = [
            py.constant(None, 1) if part is None else self.value(part)
            for part in (node.lower, node.upper, node.step)
        ]
        line = self.unit.op(node.at, ".slice_of", (node.operand.start,))
        return py.helper(".slice_of", [x, *parts], line), mask & ~(SET | DICT) if mask != ANY else ANY

    def dot(self, node: syntax.Dot, left: Typed) -> Typed:
        """Emit `x.name`."""
        x, _mask = left
        if self.no_walrus and not py.is_simple(x):
            line = self.unit.op(node.at, ".attribute")
            return py.helper(".attribute", [x, py.constant(node.name, line)], line), ANY
        first, x, ref = self.bind(x)
        line = self.unit.op(node.at, ".attribute", ref, (node.name,))
        name = py.constant(node.name, line)
        native = py.subscript(py.attribute(x, "fields", line), name, line)
        slow = py.helper(".attribute", [x, name], line)
        return py.conditional(py.is_class(first, ".Struct", line), native, slow, line), ANY
