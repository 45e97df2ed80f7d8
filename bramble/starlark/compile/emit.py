"""Expressions of the resolved tree as Python expressions.

Two ideas carry this file. *Guards*: where Python's operator and Starlark's differ
for some operand types only, the generated code tests the types and uses Python's
operator, else calls a function of intrinsics.py: `a + b if a.__class__ is b.__class__
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
from _ast import expr

from ..runtime.functions import mangle
from ..syntax import tree
from ..syntax.scopes import FREE, GLOBAL, LOCAL, PREDECLARED, UNIVERSAL
from . import kinds
from . import python_tree as py
from .facts import strip
from .kinds import ANY, BOOL, DICT, FUNCTION, LIST, NONE, RAW_DICT, RAW_LIST, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

    from ..syntax.scopes import FunctionScope, Resolution
    from .inference import Inference

    # For signatures below the method `expr`.
    PyExpr = expr
    Operand = Union[str, tuple[Any, ...]]
    Typed = tuple[expr, int]

# After this many links a chain of operators is continued from a variable: Python's compiler recurses.
CHAIN = 30

CONSTANT_NAMES: dict[str, Optional[bool]] = {"None": None, "True": True, "False": False}

# Without variables to continue from (in a comprehension's iterable) a chain may not be longer than this.
_LONGEST_CHAIN = 150

# Functions that make a List, and those that make a list of Python's own instead.
PLAIN_VERSIONS = {".list": ".plain_items", ".sorted1": ".plain_sorted"}

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


class TooDeep(Exception):
    """A program, at `offset`, that Python's compiler could not read."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Unit:
    """What the functions of one program have in common while they are compiled."""

    def __init__(
        self,
        resolution: Resolution,
        inference: Inference,
        loaded: set[int],
        operations: list[tuple[Any, ...]],
        generic: Optional[Unit] = None,
    ) -> None:
        self.resolution = resolution
        self.uses = resolution.uses
        self.inference = inference
        self.masks = inference.masks
        self.operations = operations
        # How functions are compiled that anybody may call; None: as in this unit.
        self.generic = generic
        # Global functions that are bound once, by a `def`: calls of them can be checked now.
        self.known = {name: resolution.functions[node.start] for name, node in inference.known.items()}
        # Where names are declared that `load` binds: they live among the globals.
        self.loaded = loaded
        self.functions: dict[int, tuple[FunctionScope, tree.Node]] = generic.functions if generic else {}

    def raw_name(self, name: str) -> str:
        """Return the name of the Python function that a call by name of a known function calls."""
        return f"{mangle(name)}!!" if name in self.inference.specialised else f"{mangle(name)}!"

    def op(self, offset: int, helper: str, *operands: Operand) -> int:
        """Enter an operation into the table and return its number, which is the line of its code."""
        self.operations.append((offset, helper, *operands))
        return len(self.operations)


class ExpressionEmitter:
    """Makes Python expressions inside one function."""

    def __init__(self, unit: Unit, scope: FunctionScope, start: int) -> None:
        self.unit = unit
        self.scope = scope
        # Where the function begins, or -1 for the file: how `inference` knows it.
        self.start = start
        self.temps = 0
        # How many loops and comprehensions are around what is being made.
        self.loops = 0
        self.comprehensions = 0
        # Above 0 inside the iterable of a comprehension, where Python allows no `:=`.
        self.no_walrus = 0
        self.parameters = {p.index for p in scope.parameters}
        # Parameters (by declaration) whose Python function is in a variable of its own.
        self.prepared: set[int] = set()
        # Whether the code counts its steps.
        self.limited = False
        # The operation of the statement: for code that cannot fail, but can be interrupted.
        self.line = 1

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

    def once(self, node: expr) -> tuple[expr, Operand]:
        """Return an operand that is evaluated in one place only, and how an error finds its value.

        Arithmetic on variables is done again then; other values are kept in a variable.
        """
        described = describe(node)
        if described is not None:
            return node, described
        name = self.temp()
        return py.walrus(name, node, node.lineno), name

    def name(self, node: tree.Name) -> Typed:
        binding = self.unit.uses[node.start]
        scope = binding.scope
        name = node.name
        if scope == UNIVERSAL:
            if name in CONSTANT_NAMES:
                value = CONSTANT_NAMES[name]
                return py.constant(value, self.line), NONE if value is None else BOOL
            return py.load(f"u.{name}", self.line), FUNCTION
        if scope == PREDECLARED:
            return py.load(mangle(name), self.line), ANY
        if scope == GLOBAL:
            line = self.unit.op(node.start, "global", (name,))
            return py.load(mangle(name), line), self.unit.masks.get(binding.declared, ANY)
        mask = self.unit.masks.get(binding.declared, ANY)
        if scope == LOCAL and mask in (LIST, DICT):
            raw, kind = self.raw(node)
            if raw is not None:
                # Where a value is wanted that a program may see.
                return self.boxed(raw, kind, binding.declared), mask
        line = self.line
        if scope == FREE or binding.index not in self.parameters:
            line = self.unit.op(node.start, "local", (name,))
        return py.load(mangle(name), line), mask

    def raw(self, node: tree.Expr) -> tuple[Optional[expr], int]:
        """Return the variable that an expression names, and its kind, if it holds a Python list or dict."""
        node = strip(node)
        if node.__class__ is not tree.Name:
            return None, 0
        binding = self.unit.uses[node.start]
        kind = self.unit.inference.raw(self.start, binding.declared) if binding.scope == LOCAL else 0
        if not kind:
            return None, 0
        line = self.unit.op(node.start, "local", (node.name,))
        return py.load(mangle(node.name), line), kind

    def boxed(self, raw: expr, kind: int, declared: int) -> expr:
        """Emit a copy that a program may see of Python's own list or dict."""
        if kind == RAW_LIST:
            return py.helper(".List", [raw], self.line)
        plain = self.unit.inference.plain_keys(self.start, declared)
        return py.helper(".Dict" if plain else ".dict_of_keys", [raw], self.line)

    def used(self, node: tree.Expr) -> Typed:
        """Emit an operand that is only looked at: a variable with Python's own list or dict as it is."""
        raw, kind = self.raw(node)
        return self.expr(node) if raw is None else (raw, kind)

    def iterated(self, node: tree.Expr) -> Typed:
        """Emit an operand of which only the items are wanted."""
        raw, kind = self.raw(node)
        if raw is None:
            return self.unwrapped(node)
        if kind == RAW_DICT and not self.has_plain_keys(node):
            return py.helper(".raw_keys", [raw], self.line), RAW_LIST
        return raw, kind

    def unwrapped(self, node: tree.Expr) -> Typed:
        """Emit an expression whose list is not kept: as Python's own, if it would be made for this only."""
        node = strip(node)
        if isinstance(node, tree.Comprehension) and not isinstance(node.body, tree.DictEntry):
            return self.comprehended(node, True)[0], RAW_LIST
        value, mask = self.expr(node)
        name = getattr(getattr(value, "func", None), "id", "")
        if name == ".List":
            inner = value.args[0] if value.args else py.tuple_of([], self.line)  # type: ignore[attr-defined]
            return inner, RAW_LIST
        if name in PLAIN_VERSIONS:
            value.func.id = PLAIN_VERSIONS[name]  # type: ignore[attr-defined]
            return value, RAW_LIST
        return value, mask

    def comprehended(self, node: tree.Comprehension, raw: bool) -> Typed:
        """Emit a comprehension; `raw` makes Python's own list or dict of it."""
        raise NotImplementedError

    def has_plain_keys(self, node: tree.Expr) -> bool:
        """Return whether the keys of a private dict are all strings and ints."""
        binding = self.unit.uses[strip(node).start]
        return self.unit.inference.plain_keys(self.start, binding.declared)

    def condition(self, node: tree.Expr) -> expr:
        """Emit an expression of which only the truth is wanted."""
        return self.used(node)[0]

    def is_universal(self, node: tree.Node) -> str:
        """Return the name of the universal function that an expression names, or ""."""
        if isinstance(node, tree.Name) and self.unit.uses[node.start].scope == UNIVERSAL:
            return node.name
        return ""

    # -- dispatch

    def expr(self, node: tree.Expr) -> Typed:
        """Return the Python expression for a Starlark one, and the kinds of its value."""
        return getattr(self, f"expr_{node.__class__.__name__}")(node)  # type: ignore[no-any-return]

    def value(self, node: tree.Expr) -> PyExpr:
        return self.expr(node)[0]

    def expr_Name(self, node: tree.Name) -> Typed:
        return self.name(node)

    def expr_Literal(self, node: tree.Literal) -> Typed:
        return py.constant(node.value, self.line), kinds.of_constant(node.value)

    def expr_Paren(self, node: tree.Paren) -> Typed:
        return self.expr(node.value)

    def expr_Tuple(self, node: tree.Tuple) -> Typed:
        return py.tuple_of([self.value(item) for item in node.items], self.line), TUPLE

    def expr_List(self, node: tree.List) -> Typed:
        if not node.items:
            return py.helper(".List", [], self.line), LIST
        items = [self.value(item) for item in node.items]
        return py.helper(".List", [py.tuple_of(items, self.line)], self.line), LIST

    def expr_Dict(self, node: tree.Dict) -> Typed:
        if not node.entries:
            return py.helper(".Dict", [], self.line), DICT
        pairs = [(self.value(entry.key), self.value(entry.value)) for entry in node.entries]
        keys = [k.value for k, _ in pairs if k.__class__.__name__ == "Constant"]  # type: ignore[attr-defined]
        plain = all(key.__class__ in (str, int) for key in keys)
        if len(keys) == len(pairs) and plain and len(set(keys)) == len(keys):
            display = PyDict([k for k, _ in pairs], [v for _, v in pairs], lineno=self.line, col_offset=0)
            return py.helper(".Dict", [display], self.line), DICT
        line = self.unit.op(node.start, "display", (tuple(entry.at for entry in node.entries),))
        return py.helper(".dict_display", [part for pair in pairs for part in pair], line), DICT

    def expr_Conditional(self, node: tree.Conditional) -> Typed:
        test = self.value(node.condition)
        then, a = self.expr(node.then)
        otherwise, b = self.expr(node.otherwise)
        return py.conditional(test, then, otherwise, self.line), a | b

    def expr_Lambda(self, node: tree.Lambda) -> Typed:
        return self.function_value(node), FUNCTION

    def function_value(self, node: tree.Lambda) -> PyExpr:
        raise NotImplementedError

    # -- chains: everything that may be deep to the left

    def chain(self, node: tree.Expr) -> Typed:
        """Emit a chain of operators, calls, attributes and indexes without recursing along it."""
        links: list[Any] = []
        base: Any = node
        while True:
            left = tree.left_of(base)
            if left is None or (links and self.tested_type(base)):
                break
            links.append(base)
            base = left
        if self.no_walrus and len(links) > _LONGEST_CHAIN:
            raise TooDeep(node.start)
        made: Any = None
        done: list[expr] = []
        depth = 0
        while links:
            link = links.pop()
            if isinstance(link, tree.Call):
                # `base` is the function itself: its name may be known.
                made = self.call(link, made)
            else:
                if made is None:
                    method = isinstance(link, tree.Dot) and links and isinstance(links[-1], tree.Call)
                    part = isinstance(link, (tree.Index, tree.Slice))
                    made = self.used(base) if method or part else self.expr(base)
                if isinstance(link, tree.Dot) and links and isinstance(links[-1], tree.Call):
                    made = self.call_method(links.pop(), link, made)
                elif isinstance(link, tree.Binary) and link.op in ("and", "or"):
                    run = [link]
                    while links and isinstance(links[-1], tree.Binary) and links[-1].op == link.op:
                        run.append(links.pop())
                    made = self.logic(made, run)
                else:
                    made = self.link(link, made)
            depth += 1
            if depth == CHAIN and links and not self.no_walrus:
                depth = 0
                name = self.temp()
                done.append(py.walrus(name, made[0], self.line))
                made = py.load(name, self.line), made[1]
        return py.sequence(done, made[0], self.line), made[1]

    expr_Call = expr_Dot = expr_Index = expr_Slice = chain

    def expr_Binary(self, node: tree.Binary) -> Typed:
        if self.tested_type(node) and not self.no_walrus:
            return self.type_test(node), BOOL
        formatted = self.formatted(node) if node.op == "%" and not self.no_walrus else None
        return self.chain(node) if formatted is None else (formatted, STRING)

    def tested_type(self, node: tree.Node) -> bool:
        """Return whether an expression is `type(x) == "name"`, for the name of a type with known classes."""
        if not isinstance(node, tree.Binary) or node.op not in ("==", "!="):
            return False
        left, right = node.left, node.right
        return (
            isinstance(right, tree.Literal)
            and right.value in TYPE_CLASSES
            and isinstance(left, tree.Call)
            and len(left.arguments) == 1
            and isinstance(left.arguments[0], (tree.Name, tree.Index, tree.Dot))
            and self.is_universal(left.function) == "type"
        )

    def type_test(self, node: tree.Binary) -> PyExpr:
        """Emit `type(x) == "name"` as a test of the class."""
        value = self.value(node.left.arguments[0])  # type: ignore[attr-defined]
        name = TYPE_CLASSES[node.right.value]  # type: ignore[attr-defined]
        equal = node.op == "=="
        if name.startswith(".in_"):
            op = py.COMPARE["in" if equal else "not in"]
            return py.compare(py.class_of(value, self.line), op, py.load(name, self.line), self.line)
        return py.compare(
            py.class_of(value, self.line),
            py.IS if equal else py.IS_NOT,
            py.class_named(name, self.line),
            self.line,
        )

    def formatted(self, node: tree.Binary) -> Optional[PyExpr]:
        """Emit `"text" % operands` as one Python formatted string, or return None."""
        return None

    def link(self, node: tree.Expr, left: Typed) -> Typed:
        """Emit one link of a chain; `left` is what stands left of it."""
        if isinstance(node, tree.Binary):
            if node.op in ("in", "not in"):
                raw, kind = self.raw(node.right)
                if raw is not None:
                    return self.in_raw(node.op, node.at, left, raw, kind), BOOL
            return self.binary(node.op, node.at, left, self.expr(node.right))
        if isinstance(node, tree.Dot):
            return self.dot(node, left)
        if isinstance(node, tree.Index):
            made, kind = self.index(node.at, left, self.expr(node.index))
            return made, kind & self.unit.inference.kind(node)
        if isinstance(node, tree.Slice):
            return self.slice(node, left)
        raise AssertionError(node)

    def binary(self, op: str, at: int, left: Typed, right: Typed) -> Typed:
        """Emit `left op right`."""
        raise NotImplementedError

    def in_raw(self, op: str, at: int, left: Typed, items: PyExpr, kind: int) -> PyExpr:
        """Emit `left in items` for a list or dict of Python's own."""
        raise NotImplementedError

    def index(self, at: int, left: Typed, right: Typed) -> Typed:
        """Emit `x[i]`."""
        raise NotImplementedError

    def slice(self, node: tree.Slice, left: Typed) -> Typed:
        """Emit `x[a:b:c]`."""
        raise NotImplementedError

    def dot(self, node: tree.Dot, left: Typed) -> Typed:
        """Emit `x.name`."""
        raise NotImplementedError

    def call(self, node: tree.Call, made: Optional[Typed]) -> Typed:
        """Emit a call; `made` is the function's expression when it has been emitted already."""
        raise NotImplementedError

    def call_method(self, node: tree.Call, dot: tree.Dot, receiver: Typed) -> Typed:
        """Emit `x.name(…)`."""
        raise NotImplementedError

    def logic(self, first: Typed, run: list[tree.Binary]) -> Typed:
        values = [first[0]]
        mask = first[1]
        for node in run:
            value, kind = self.expr(node.right)
            values.append(value)
            mask |= kind
        return py.boolean(py.AND if run[0].op == "and" else py.OR, values, self.line), mask


_OPERATORS = {operator.__class__.__name__: op for op, operator in py.BINARY.items()}


def describe(node: Any, depth: int = 4) -> Optional[Operand]:
    """Return how the value of an expression is found again: see `faults.operand`. None when it cannot be."""
    kind = node.__class__.__name__
    if kind == "Name":
        return node.id  # type: ignore[no-any-return]
    if kind == "Constant":
        return (node.value,)
    if depth and kind == "BinOp":
        op = _OPERATORS[node.op.__class__.__name__]
        left, right = describe(node.left, depth - 1), describe(node.right, depth - 1)
    elif depth and kind == "Subscript" and node.slice.__class__.__name__ != "Slice":
        op = "[]"
        left, right = describe(node.value, depth - 1), describe(node.slice, depth - 1)
    else:
        return None
    return None if left is None or right is None else (op, left, right)
