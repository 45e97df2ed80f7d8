"""When Python's operator does what Starlark's does, and the tests that find it out.

The simple rule of `a op b` is a call: a, then b, then `.add(a, b)` (runtime/operators.py), which looks at
both types, does what the specification says, and raises its errors. A call costs several times as much as
Python's own operator. A *guard* is a test in the generated code behind which Python's operator may stand
in its place:

    a + b if a.__class__ is not bool is not b.__class__ else .add(a, b)

**What may be assumed.** A guard has to keep out only operands for which Python gives *another value*.
Those for which Python raises may pass: the boundary (faults.py) then looks the operation up in the table,
fetches its operands again, and calls the function of the simple rule, which says what is wrong in
Starlark's words. So `+` on an int and a string needs no test, and `1 // 0` none either. And what the
kinds (facts/kinds.py) tell of the operands need not be tested: where neither can be a bool, nothing is
left of the test above.

**Where the two differ**, and so what a guard keeps out:

- `bool` is a kind of int to Python. `True + 1`, `-True` and `[1][True]` are errors in Starlark, and
  `True == 1` is false. So every test is `x.__class__ is int`, and never `isinstance`.
  If one operand is surely not a number, `+` and similar operators need no test: `"a" + True` raises in
  Python, too.
- `*` of a sequence and an int has a limit on the size of what it makes, and the product of two ints one
  on its length: what may grow goes through `.multiply`, or is looked at again (`bounded`). A shift to the
  left is Python's own only for a literal that is small, for the same reason.
- `/` of two ints makes floats of both first, where Python rounds the exact quotient. `//` of floats
  rounds the quotient down, where Python takes it from the remainder; `%` of floats gives zero the sign
  of the left operand, and Python that of the right one; `%` of a string is formatting with other rules.
  `//` and `%` are Python's own for two ints.
- `==` of floats and tuples: all NaNs are equal here, and Python's tuples compare `True` with `1` inside.
  Strings and ints that are surely no bools are compared by Python.
- `<` of floats: NaN is greater than all numbers. Beside a literal, which is not NaN, `x > 1.0` is
  `not x <= 1.0`.
- `in`: a list may hold `True`, which Python takes for 1, and a range refuses what is no number, where
  Python finds nothing. Strings equal strings only, so they are looked for by Python in everything but a
  range.

- Python compares lists and dicts item by item with `==`, which is wrong for their items as above: two lists,
  or two dicts, are never compared by Python.
- `|` of a dict and a set, which are both dicts to Python, is refused by the set.

Values of Starlark's own classes (`Set`, `FrozenDict`, `Struct`) decide about Python's operators by
their methods. Those do exactly what the simple rule does, or give `NotImplemented`: hence an error, hence
the simple rule (runtime/values.py). A host's values have Python's operators only, and the simple rule
calls them as well.

**Order.** A test needs an operand before the operator does, and each is evaluated once. `Context.bind`
gives both: the expression for the first place where it is evaluated, which keeps the value in a variable,
and the one for all later places. The order of the first places is that of the text, whatever the tests;
that is why two tests that evaluate an operand each are joined by `&` and not by `and`, which might leave
out the second one.

**What breaks it.** A kind that is claimed and does not hold; a class of values whose Python operator
gives something that the simple rule does not; an operand that a guard evaluates twice, or only in one
branch; an operation in the table whose operands are no longer what they were when it failed, because the
operator changed them before it raised. That is why nothing that changes a value is done by Python unless
it surely succeeds, or fails before it changes anything, as `pop` of an empty list does.

`tests/starlark/compile/test_random_programs.py` holds all of this: programs made at random do the same
with all that is known of their values and without any of it.
"""

from __future__ import annotations

from ...runtime.interruptible import PART
from ...runtime.limits import SHORT_SEARCH
from .. import python_tree as py
from ..facts.kinds import BOOL, BYTES, DICT, FLOAT, INT, LIST, NUMBER, OTHER, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr

    from ..context import Context

    # How to evaluate an operand first, how to get it again, and the kinds that it can have.
    Operand = tuple[expr, expr, int]

_SEQUENCE = STRING | BYTES | LIST | TUPLE
# Longer shifts, and products with larger numbers, are left to functions that watch the size of the result.
_MAX_SHIFT = 16
_MAX_FACTOR = 1 << 16
# Products of more bits are looked at again.
_LONG_INT = 512


def guard(op: str, ma: int, mb: int, b: expr) -> str:
    """Return when Python's operator does what Starlark's does.

    "never": no test is needed; "bool": unless an operand is a bool; "int": for
    two ints; "same": for two operands of one class other than bool; "always":
    not worth a test.
    """
    both_int = ma == INT and mb == INT
    # Python takes a bool for an int only beside a number: what else there may be makes it raise.
    numbers = ma & (NUMBER | BOOL) and mb & (NUMBER | BOOL)
    unless_bool = "bool" if (ma | mb) & BOOL and numbers else "never"
    if op in ("+", "-", "|", "&", "^"):
        return unless_bool
    if op == "*":
        unless_bool = "bool" if (ma | mb) & BOOL else "never"
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


def same_equality(ma: int, mb: int) -> bool:
    """Return whether Python's `==` is right for all values of these kinds."""
    if STRING in (ma, mb):
        return True
    if ma & mb & (TUPLE | LIST | DICT | FLOAT) or (ma & (LIST | DICT) and mb & OTHER):
        # A list or dict asks a value of the host's whether it is equal to it.
        return False
    return not ((ma & BOOL and mb & NUMBER) or (mb & BOOL and ma & NUMBER))


def is_free(first: expr, x: expr, class_name: str, line: int) -> expr:
    """Emit the test that a value is a list or dict that may be changed: not frozen, and no loop iterates it.

    `first` evaluates it, `x` gets it again; `class_name` is `.List` or `.Dict`.
    """
    # spec: starlark.iteration.locked
    locked = py.attribute(py.load("$s", line), "locked", line)
    number = py.helper(".id", [x], line)
    free = [py.unary("not", locked, line), py.compare(number, py.COMPARE["not in"], locked, line)]
    return py.boolean(py.AND, [py.is_class(first, class_name, line), py.boolean(py.OR, free, line)], line)


def is_free_list(first: expr, x: expr, line: int) -> expr:
    """Emit the test that a value is a list that may be changed."""
    return is_free(first, x, ".List", line)


def is_small(x: expr, line: int) -> expr:
    """Emit the test that a list or dict is small enough to be copied in one step."""
    size = py.helper(".native_len", [x], line)
    return py.compare(size, py.COMPARE["<="], py.constant(PART, line), line)


def is_small_dict(first: expr, x: expr, line: int) -> expr:
    """Emit the test that a value is a dict of Python's own that is small enough to be copied in one step.

    `first` evaluates it, `x` gets it again.
    """
    return py.boolean(py.AND, [py.is_class(first, ".Dict", line), is_small(x, line)], line)


def own_dict(first: expr, line: int) -> expr:
    """Emit the test that a value is a dict of Python's own without odd keys (runtime/values.py)."""
    odd = py.attribute(py.load("$s", line), "odd", line)
    return py.boolean(py.AND, [py.is_class(first, ".Dict", line), py.unary("not", odd, line)], line)


def is_plain_dict(first: expr, x: expr, line: int) -> expr:
    """Emit the test that a value is a dict, frozen or not, whose keys are as the program knows them."""
    return py.boolean(py.OR, [own_dict(first, line), py.is_class(x, ".FrozenDict", line)], line)


def guard_test(how: str, left: Operand, right: Operand, line: int) -> expr:
    """Emit the test that `guard` asks for: "bool", "int" or "same". It evaluates both, the left one first."""
    first_a, a, ma = left
    first_b, b, mb = right
    if how == "bool":
        return unless_bool(left, right, line)
    class_a, class_b = py.class_of(first_a, line), py.class_of(first_b, line)
    if how == "same":
        return py.both(class_a, py.IS, class_b, py.IS_NOT, py.class_named("bool", line), line)
    # An operand that is known to be an int, and evaluated already, needs no test.
    if mb == INT and first_b is b:
        return py.compare(class_a, py.IS, py.class_named("int", line), line)
    if ma == INT and first_a is a:
        return py.compare(class_b, py.IS, py.class_named("int", line), line)
    return two_ints(left, right, line)


def guard_again(how: str, a: expr, b: expr, line: int) -> expr:
    """Emit the test "bool" or "same" for operands that have been evaluated already."""
    class_a, class_b, boolean = py.class_of(a, line), py.class_of(b, line), py.class_named("bool", line)
    if how == "same":
        return py.both(class_a, py.IS, class_b, py.IS_NOT, boolean, line)
    return py.both(class_a, py.IS_NOT, boolean, py.IS_NOT, class_b, line)


def two_ints(left: Operand, right: Operand, line: int) -> expr:
    """Emit the test that both operands are ints, which evaluates them."""
    class_a, class_b = py.class_of(left[0], line), py.class_of(right[0], line)
    return py.both(class_a, py.IS, class_b, py.IS, py.class_named("int", line), line)


def unless_bool(left: Operand, right: Operand, line: int) -> expr:
    """Emit the test that no operand is a bool, which evaluates both operands, the left one first."""
    first_a, a, ma = left
    first_b, b, mb = right
    class_a, class_b = py.class_of(first_a, line), py.class_of(first_b, line)
    boolean = py.class_named("bool", line)
    if first_b is b:
        if not mb & BOOL:
            return py.compare(class_a, py.IS_NOT, boolean, line)
        if not ma & BOOL and first_a is a:
            return py.compare(class_b, py.IS_NOT, boolean, line)
        return py.both(class_a, py.IS_NOT, boolean, py.IS_NOT, class_b, line)
    if first_a is a:
        if not ma & BOOL:
            return py.compare(class_b, py.IS_NOT, boolean, line)
        return py.both(class_b, py.IS_NOT, boolean, py.IS_NOT, class_a, line)
    # Not `and`: the right operand must be evaluated in any case.
    one = py.compare(class_a, py.IS_NOT, boolean, line)
    return py.binary(one, "&", py.compare(class_b, py.IS_NOT, boolean, line), line)


def two_of_a_kind(left: Operand, right: Operand, line: int) -> expr:
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


def string_or_ints(left: Operand, right: Operand, line: int) -> expr:
    """Emit the test that operands are compared by Python: the left one a string, or both of them ints."""
    first_a, a, ma = left
    first_b, b, mb = right
    if first_b is not b or not ma & STRING:
        return two_of_a_kind(left, right, line)
    string = py.is_class(first_a, "str", line)
    if not ma & mb & INT:
        return string
    return py.boolean(py.OR, [string, two_ints((a, a, ma), right, line)], line)


def either(test: expr, op: str, a: expr, b: expr, name: str, line: int) -> expr:
    """Emit Python's comparison if the test holds, else the function for the other cases."""
    return py.conditional(test, py.compare(a, py.COMPARE[op], b, line), py.helper(name, [a, b], line), line)


def bounded(ctx: Context, product: expr, whole: bool) -> expr:
    """Emit a product of numbers that is looked at again when it is long: squares explode.

    `whole` says that they are ints: of a short one a shift leaves 0, or -1, which is looked at too.
    """
    # spec: starlark.limit.int
    line = product.lineno
    name = ctx.temp()
    made, long = py.load(name, line), py.helper(".within", [py.load(name, line)], line)
    kept = py.walrus(name, product, line)
    if whole:
        rest = py.binary(kept, ">>", py.constant(_LONG_INT, line), line)
        return py.conditional(rest, long, made, line)
    less = py.COMPARE["<"]
    least, most = py.constant(-1 << _LONG_INT, line), py.constant(1 << _LONG_INT, line)
    return py.conditional(py.both(least, less, kept, less, most, line), made, long, line)


def is_short(node: expr) -> bool:
    """Return whether a factor is a literal that makes an int only a little longer."""
    value = getattr(node, "value", None) if node.__class__.__name__ == "Constant" else None
    return value.__class__ is int and -_MAX_FACTOR <= value <= _MAX_FACTOR


def is_short_text(node: expr) -> bool:
    """Return whether an operand is a literal string that may be searched for in any other."""
    value = getattr(node, "value", None) if node.__class__.__name__ == "Constant" else None
    return value.__class__ is str and len(value) <= SHORT_SEARCH
