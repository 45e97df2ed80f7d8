"""Operators, indexes and attributes as Python expressions with guards."""

from __future__ import annotations

from _ast import expr

from ..runtime.limits import COMPARES_ANEW, SHORT_SEARCH
from ..syntax import tree
from . import kinds
from . import python_tree as py
from .emit_raw import RawEmitter
from .kind_rules import index_kind, slice_kind
from .kinds import (
    ANY,
    BOOL,
    BYTES,
    DICT,
    FLOAT,
    INT,
    LIST,
    NONE,
    NUMBER,
    OTHER,
    RANGE,
    RAW_DICT,
    RAW_LIST,
    STRING,
    TUPLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .emit import Typed


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

_SEQUENCE = STRING | BYTES | LIST | TUPLE
# Longer shifts, and products with larger numbers, are left to functions that watch the size of the result.
_MAX_SHIFT = 16
_MAX_FACTOR = 1 << 16
# Products of more bits are looked at again.
_LONG_INT = 512
# Operators that no two ints can make fail.
_NEVER_FAIL = frozenset({"+", "-", "*", "|", "&", "^"})


class OperatorEmitter(RawEmitter):
    """Makes Python expressions for operators."""

    def expr_Unary(self, node: tree.Unary) -> Typed:
        if node.op == "not":
            return py.unary("not", self.condition(node.operand), self.line), BOOL
        operand, mask = self.expr(node.operand)
        if node.op == "-" and operand.__class__.__name__ == "Constant" and mask & NUMBER:
            return py.constant(-operand.value, self.line), mask  # type: ignore[attr-defined]
        result = kinds.of_unary(node.op, mask)
        if operand.__class__.__name__ == "Constant" and mask & NUMBER and node.op != "~":
            return py.unary(node.op, operand, self.line), result
        name = UNARY_HELPERS[node.op]
        if operand.__class__.__name__ == "Constant":
            # Python itself has an opinion on some of these, and prints it.
            return py.helper(name, [operand], self.unit.op(node.at, name)), result
        if mask == INT or (mask & ~NUMBER == 0 and node.op != "~"):
            return py.unary(node.op, operand, self.line), result
        if self.no_walrus:
            return py.helper(name, [operand], self.unit.op(node.at, name)), result
        first, again, ref = self.bind(operand)
        line = self.unit.op(node.at, name, ref)
        test = py.is_class(first, "int", line)
        native = py.unary(node.op, again, line)
        return py.conditional(test, native, py.helper(name, [again], line), line), result

    # -- arithmetic

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
        how = self.guard(op, ma, mb, b)
        grows = op == "*" and ma & INT and mb & INT and not (is_short(a) or is_short(b))
        if grows and self.no_walrus:
            how = "always"
        if how == "never" and ma == INT and mb == INT and op in _NEVER_FAIL:
            made = py.binary(a, op, b, self.unit.op(at, name))
            return (self.bounded(made, True) if grows else made), result
        if how == "never":
            a, ref_a = self.once(a)
            b, ref_b = self.once(b)
            made = py.binary(a, op, b, self.unit.op(at, name, ref_a, ref_b))
            return (self.bounded(made, False) if grows else made), result
        if how == "always":
            return py.helper(name, [a, b], self.unit.op(at, name)), result
        first_a, a, ref_a = self.bind(a)
        first_b, b, ref_b = self.bind(b)
        line = self.unit.op(at, name, ref_a, ref_b)
        class_a = py.class_of(first_a, line)
        class_b = py.class_of(first_b, line)
        native = py.binary(a, op, b, line)
        slow = py.helper(name, [a, b], line)
        integer = py.class_named("int", line)
        if grows and how != "int":
            # Two ints, then what else Python's operator may be used for.
            test = py.both(class_a, py.IS, class_b, py.IS, integer, line)
            again_a, again_b = py.class_of(a, line), py.class_of(b, line)
            boolean = py.class_named("bool", line)
            if how == "same":
                others = py.both(again_a, py.IS, again_b, py.IS_NOT, boolean, line)
            else:
                others = py.both(again_a, py.IS_NOT, boolean, py.IS_NOT, again_b, line)
            slow = py.conditional(others, native, slow, line)
            return py.conditional(test, self.bounded(native, True), slow, line), result
        if how == "int":
            if mb == INT and first_b is b:
                test = py.compare(class_a, py.IS, integer, line)
            elif ma == INT and first_a is a:
                test = py.compare(class_b, py.IS, integer, line)
            else:
                test = py.both(class_a, py.IS, class_b, py.IS, integer, line)
        elif how == "same":
            test = py.both(class_a, py.IS, class_b, py.IS_NOT, py.class_named("bool", line), line)
        else:
            test = self.unless_bool((first_a, a, ma), (first_b, b, mb), line)
        return py.conditional(test, self.bounded(native, True) if grows else native, slow, line), result

    def bounded(self, product: expr, whole: bool) -> expr:
        """Emit a product of numbers that is looked at again when it is long: squares explode.

        `whole` says that they are ints: of a short one a shift leaves 0, or -1, which is looked at too.
        """
        # spec: starlark.limit.int
        line = product.lineno
        name = self.temp()
        made, long = py.load(name, line), py.helper(".within", [py.load(name, line)], line)
        kept = py.walrus(name, product, line)
        if whole:
            rest = py.binary(kept, ">>", py.constant(_LONG_INT, line), line)
            return py.conditional(rest, long, made, line)
        less = py.COMPARE["<"]
        least, most = py.constant(-1 << _LONG_INT, line), py.constant(1 << _LONG_INT, line)
        return py.conditional(py.both(least, less, kept, less, most, line), made, long, line)

    def unless_bool(self, left: tuple[expr, expr, int], right: tuple[expr, expr, int], line: int) -> expr:
        """Emit the test that no operand is a bool, which evaluates both operands, the left one first."""
        first_a, a, ma = left
        first_b, b, mb = right
        class_a, class_b = py.class_of(first_a, line), py.class_of(first_b, line)
        boolean = py.class_named("bool", line)
        if first_b is b:
            if not mb & BOOL:
                return py.compare(class_a, py.IS_NOT, boolean, line)
            return py.both(class_a, py.IS_NOT, boolean, py.IS_NOT, class_b, line)
        if first_a is a:
            if not ma & BOOL:
                return py.compare(class_b, py.IS_NOT, boolean, line)
            return py.both(class_b, py.IS_NOT, boolean, py.IS_NOT, class_a, line)
        # Not `and`: the right operand must be evaluated in any case.
        one = py.compare(class_a, py.IS_NOT, boolean, line)
        return py.binary(one, "&", py.compare(class_b, py.IS_NOT, boolean, line), line)

    def guard(self, op: str, ma: int, mb: int, b: expr) -> str:
        """Return when Python's operator does what Starlark's does.

        "never": no test is needed; "bool": unless an operand is a bool; "int": for
        two ints; "same": for two operands of one class other than bool; "always":
        not worth a test.
        """
        both_int = ma == INT and mb == INT
        unless_bool = "bool" if (ma | mb) & BOOL else "never"
        if op in ("+", "-", "|", "&", "^"):
            return unless_bool
        if op == "*":
            repeats = (ma & _SEQUENCE and mb & INT) or (mb & _SEQUENCE and ma & INT)
            if not repeats:
                return unless_bool
            return "int" if INT in (ma, mb) else "same"
        if op == "/":
            return unless_bool if FLOAT in (ma, mb) else "always"
        if op in ("//", "%"):
            return "never" if both_int else ("always" if ma == STRING else "int")
        if op == ">>":
            return "never" if both_int else "int"
        if b.__class__.__name__ == "Constant" and mb == INT and 0 <= b.value < _MAX_SHIFT:  # type: ignore[attr-defined]
            return "never" if both_int else "int"
        return "always"

    # -- comparisons

    def comparison(self, op: str, at: int, left: Typed, right: Typed) -> expr:
        name = HELPERS[op]
        a, ma = left
        b, mb = right
        if COMPARES_ANEW and op in ("in", "not in") and ma & STRING and mb & STRING and not is_short_text(a):
            return py.helper(name, [a, b], self.unit.op(at, name))
        exact = (ma == INT and mb == INT) or (ma == STRING and mb == STRING)
        if exact or (op in ("in", "not in") and ma == STRING and not mb & (RANGE | OTHER)):
            a, ref_a = self.once(a)
            b, ref_b = self.once(b)
            return py.compare(a, py.COMPARE[op], b, self.unit.op(at, name, ref_a, ref_b))
        first_a, a, ref_a = self.bind(a)
        first_b, b, ref_b = self.bind(b)
        line = self.unit.op(at, name, ref_a, ref_b)
        direct = py.compare(first_a, py.COMPARE[op], first_b, line)
        if op in ("==", "!="):
            made = self.equality(op, (first_a, a, ma), (first_b, b, mb), line)
            if made is not None:
                return made
        elif op in ("in", "not in"):
            if first_a is not a and first_b is not b:
                return py.helper(name, [first_a, first_b], line)
            not_range = py.compare(py.class_of(first_b, line), py.IS_NOT, py.class_named("range", line), line)
            plain = py.is_class(first_a if first_b is b else a, "str", line)
            if ma & INT:
                # Among the elements of a list there may be True, which Python takes for 1.
                table = py.is_class(b, ".Dict", line)
                number = py.is_class(a, "int", line)
                if mb & ~DICT:
                    number = py.boolean(py.AND, [number, table], line)
                plain = py.boolean(py.OR, [plain, number], line)
            tests = [plain, not_range] if first_b is b else [not_range, plain]
            test = py.boolean(py.AND, tests, line) if mb & (RANGE | OTHER) or first_b is not b else plain
            return self.either(test, op, a, b, name, line)
        else:
            if not ma & ~NUMBER and not mb & ~NUMBER and b.__class__.__name__ == "Constant":
                # NaN is greater than all other numbers, and Python finds it neither less nor greater.
                if op in ("<", "<="):
                    return direct
                opposite = py.compare(first_a, py.COMPARE["<=" if op == ">" else "<"], first_b, line)
                return py.unary("not", opposite, line)
            if mb & ~NUMBER == 0 and ma & FLOAT and not ma & INT and b.__class__.__name__ == "Constant":
                if op in ("<", "<="):
                    direct = py.compare(a, py.COMPARE[op], b, line)
                else:
                    opposite = py.compare(a, py.COMPARE["<=" if op == ">" else "<"], b, line)
                    direct = py.unary("not", opposite, line)
                test = py.is_class(first_a, "float", line)
                return py.conditional(test, direct, py.helper(name, [a, b], line), line)
            if mb == INT and first_b is b:
                return self.either(py.is_class(first_a, "int", line), op, a, b, name, line)
            if ma == INT and first_a is a:
                return self.either(py.is_class(first_b, "int", line), op, a, b, name, line)
        return self.either(self.both_of((first_a, a, ma), (first_b, b, mb), line), op, a, b, name, line)

    def both_of(self, left: tuple[expr, expr, int], right: tuple[expr, expr, int], line: int) -> expr:
        """Emit the test that two operands are two ints or two strings, as far as they can be."""
        first_a, a, ma = left
        first_b, b, mb = right
        tests: list[expr] = []
        for kind, name in ((INT, "int"), (STRING, "str")):
            if ma & mb & kind or (kind == STRING and not tests):
                class_a, class_b = py.class_of(first_a, line), py.class_of(first_b, line)
                tests.append(py.both(class_a, py.IS, class_b, py.IS, py.class_named(name, line), line))
                first_a, first_b = a, b
        return tests[0] if len(tests) == 1 else py.boolean(py.OR, tests, line)

    def either(self, test: expr, op: str, a: expr, b: expr, name: str, line: int) -> expr:
        """Emit Python's comparison if the test holds, else the function for the other cases."""
        return py.conditional(
            test, py.compare(a, py.COMPARE[op], b, line), py.helper(name, [a, b], line), line
        )

    def equality(
        self, op: str, left: tuple[expr, expr, int], right: tuple[expr, expr, int], line: int
    ) -> Optional[expr]:
        """Emit `==` or `!=` without a test of classes, or return None when one is needed."""
        first_a, a, ma = left
        first_b, b, mb = right
        direct = py.compare(first_a, py.COMPARE[op], first_b, line)
        if self.same_equality(ma, mb):
            return direct
        identical = py.IS if op == "==" else py.IS_NOT
        if NONE in (ma, mb) or (mb == BOOL and ma & BOOL) or (ma == BOOL and mb & BOOL):
            # None and the bools are equal to themselves only.
            return py.compare(first_a, identical, first_b, line)
        if b.__class__.__name__ != "Constant" or mb != INT:
            return None
        value = b.value  # type: ignore[attr-defined]
        if value not in (0, 1) or not ma & BOOL:
            return direct
        lookalike = py.constant(bool(value), line)
        if op == "==":
            return py.boolean(py.AND, [direct, py.compare(a, py.IS_NOT, lookalike, line)], line)
        return py.boolean(py.OR, [direct, py.compare(a, py.IS, lookalike, line)], line)

    def same_equality(self, ma: int, mb: int) -> bool:
        """Return whether Python's `==` is right for all values of these kinds."""
        if STRING in (ma, mb):
            return True
        if ma & mb & (TUPLE | FLOAT):
            return False
        return not ((ma & BOOL and mb & NUMBER) or (mb & BOOL and ma & NUMBER))

    # -- parts of values

    def index(self, at: int, left: Typed, right: Typed) -> Typed:
        """Emit `x[i]`."""
        x, mx = left
        i, mi = right
        if mx in (RAW_LIST, RAW_DICT):
            return self.index_raw(at, x, mx, right)
        result = index_kind(mx)
        literal = x.__class__.__name__ == "Constant" and (mx != STRING or mi != INT)
        if literal or (self.no_walrus and not (py.is_simple(x) and py.is_simple(i))):
            return py.helper(".index", [x, i], self.unit.op(at, ".index")), result
        if mi in (INT, STRING, INT | STRING):
            x, ref_x = self.once(x)
            i, ref_i = self.once(i)
            return py.subscript(x, i, self.unit.op(at, ".index", ref_x, ref_i)), result
        first_x, x, ref_x = self.bind(x)
        first_i, i, ref_i = self.bind(i)
        line = self.unit.op(at, ".index", ref_x, ref_i)
        names = ("str", "int") if mx == DICT else ("int", "str")
        tests = [py.is_class(i, kind, line) for kind in names]
        if first_x is x:
            tests[0] = py.is_class(first_i, names[0], line)
            test = py.boolean(py.OR, tests, line)
        else:
            kinds_differ = py.compare(py.class_of(first_x, line), py.IS_NOT, py.class_of(first_i, line), line)
            test = py.boolean(py.AND, [kinds_differ, py.boolean(py.OR, tests, line)], line)
        slow = py.helper(".index", [x, i], line)
        return py.conditional(test, py.subscript(x, i, line), slow, line), result

    def slice(self, node: tree.Slice, left: Typed) -> Typed:
        """Emit `x[a:b:c]`."""
        x, mask = left
        raw = mask == RAW_LIST
        if raw:
            mask = LIST
        result = slice_kind(mask)
        nothing = py.constant(None, self.line), INT
        parts = [nothing if part is None else self.expr(part) for part in (node.lower, node.upper)]
        line = self.unit.op(node.at, ".slice_of", (node.operand.start,))
        plain = all(kind & INT and py.is_simple(part) for part, kind in parts)
        literal = x.__class__.__name__ == "Constant" and mask != STRING
        if raw and (node.step is not None or not plain or any(kind != INT for _, kind in parts)):
            x = py.helper(".List", [x], line)
        elif raw:
            native = py.subscript(x, py.slice_between(parts[0][0], parts[1][0], line), line)
            return py.helper(".List", [native], line), LIST
        if node.step is not None or not plain or literal or (self.no_walrus and not py.is_simple(x)):
            step = py.constant(None, self.line) if node.step is None else self.value(node.step)
            return py.helper(".slice_of", [x, parts[0][0], parts[1][0], step], line), result
        tests = [py.is_class(part, "int", line) for part, kind in parts if kind != INT]
        lower, upper = parts[0][0], parts[1][0]
        if mask == STRING and not tests:
            return py.subscript(x, py.slice_between(lower, upper, line), line), STRING
        first, x, _ref = self.bind(x)
        native = py.subscript(x, py.slice_between(lower, upper, line), line)
        slow = py.helper(".slice_of", [x, lower, upper, py.constant(None, line)], line)
        if tests:
            # The bounds are variables: looking at them first changes nothing.
            slow = py.helper(".slice_of", [first, lower, upper, py.constant(None, line)], line)
        lists = py.helper(".List", [native], line)
        strings = py.conditional(
            py.is_class(x, "str", line),
            native,
            py.helper(".slice_of", [x, lower, upper, py.constant(None, line)], line),
            line,
        )
        made = py.conditional(py.is_class(first, ".List", line), lists, strings, line)
        if not tests:
            return made, result
        test = py.boolean(py.AND, tests, line) if len(tests) > 1 else tests[0]
        return py.conditional(test, made, slow, line), result

    def dot(self, node: tree.Dot, left: Typed) -> Typed:
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


def is_short_text(node: expr) -> bool:
    """Return whether an operand is a literal string that may be searched for in any other."""
    value = getattr(node, "value", None) if node.__class__.__name__ == "Constant" else None
    return value.__class__ is str and len(value) <= SHORT_SEARCH


def is_short(node: expr) -> bool:
    """Return whether a factor is a literal that makes an int only a little longer."""
    value = getattr(node, "value", None) if node.__class__.__name__ == "Constant" else None
    return value.__class__ is int and -_MAX_FACTOR <= value <= _MAX_FACTOR
