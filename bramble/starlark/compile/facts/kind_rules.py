"""The kinds of expressions, of the items of iterables, and of what private containers hold.

What kinds are, and why they are safe, stands in kinds.py. Each rule gives the kinds of one sort of node
from the kinds of what is inside, and `ANY` stands for everything that has none. All of them are monotonic:
more for the parts never gives less for the whole.
"""

from __future__ import annotations

from ...syntax import tree
from ...syntax.scopes import GLOBAL, LOCAL, PREDECLARED, UNIVERSAL
from . import kinds
from .collect import strip
from .kinds import ANY, BOOL, DICT, FUNCTION, INT, LIST, NONE, OTHER, RANGE, SET, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    from ...syntax.scopes import Binding

    Sources = list[tuple[str, Any]]

# Deeper expressions may be of any kind: it saves time, and Python's stack.
DEPTH = 25
_ITERABLE = LIST | DICT | SET | TUPLE | RANGE | OTHER
# Universal functions whose result holds the items of their argument.
_COPIES = frozenset({"list", "reversed", "set", "sorted", "tuple"})
_STRINGS = frozenset({"split", "rsplit", "splitlines", "elems", "codepoints"})
_CONSTANTS = {"None": NONE, "True": BOOL, "False": BOOL}


class KindRules:
    """How the kinds of expressions follow from those of variables.

    `masks` are the kinds of variables by declaration; a variable that is not there
    may be of any kind. `contents` are the kinds of what private containers hold (of
    a dict: its values), and `sources` what is put into them, by the declaration of
    each variable that holds them.
    """

    def __init__(self, uses: Mapping[int, Binding], known: Mapping[str, tree.Def]) -> None:
        self.uses = uses
        self.known = known
        self.masks: dict[int, int] = {}
        self.contents: dict[int, int] = {}
        self.sources: dict[int, Sources] = {}

    # -- variables

    def assigned_kind(self, declared: int, how: str, value: Any) -> int:
        """Return the kinds of what one assignment (see `FunctionFacts.assigned`) gives a variable."""
        if how == "is":
            return self.kind(value, DEPTH)
        if how == "alias":
            return self.name_kind(value)
        if how == "aug":
            left, right = self.masks.get(declared, ANY), self.kind(value.value, DEPTH)
            made = kinds.of_binary(value.op, left, right)
            return made | (left & LIST if value.op == "+" and right & _ITERABLE else 0)
        if how == "item":
            return self.item_kind(value)
        if how == "part":
            inner, source, number, count = value
            if inner == "item":
                return self.part_of_item(source, number, count)
            if inner == "is":
                return self.part_of(source)
            return ANY
        return FUNCTION if how == "function" else ANY

    # -- expressions

    def kind(self, node: tree.Expr, depth: int = DEPTH) -> int:
        """Return the kinds that the value of an expression can have."""
        node = strip(node)
        if isinstance(node, tree.Name):
            return self.name_kind(node)
        if isinstance(node, tree.Literal):
            return kinds.of_constant(node.value)
        if depth <= 0:
            return ANY
        rule = _RULES.get(node.__class__)
        return ANY if rule is None else rule(self, node, depth - 1)

    def name_kind(self, node: tree.Name) -> int:
        binding = self.uses[node.start]
        if binding.scope == UNIVERSAL:
            return _CONSTANTS.get(node.name, FUNCTION)
        if binding.scope == PREDECLARED:
            return ANY
        return self.masks.get(binding.declared, ANY)

    def chain_kind(self, node: tree.Binary, depth: int) -> int:
        links = []
        at: tree.Expr = node
        while isinstance(at, tree.Binary):
            links.append(at)
            at = strip(at.left)
        made = self.kind(at, depth)
        for link in reversed(links):
            right = self.kind(link.right, depth)
            made = made | right if link.op in ("and", "or") else kinds.of_binary(link.op, made, right)
        return made

    def kind_of_unary(self, node: tree.Unary, depth: int) -> int:
        return kinds.of_unary(node.op, self.kind(node.operand, depth))

    def kind_of_conditional(self, node: tree.Conditional, depth: int) -> int:
        return self.kind(node.then, depth) | self.kind(node.otherwise, depth)

    def kind_of_comprehension(self, node: tree.Comprehension, _depth: int) -> int:
        return DICT if isinstance(node.body, tree.DictEntry) else LIST

    def kind_of_index(self, node: tree.Index, depth: int) -> int:
        found = self.content(node.operand)
        return found if found is not None else index_kind(self.kind(node.operand, depth))

    def kind_of_slice(self, node: tree.Slice, depth: int) -> int:
        return slice_kind(self.kind(node.operand, depth))

    def kind_of_call(self, node: tree.Call, depth: int) -> int:
        function = strip(node.function)
        if isinstance(function, tree.Name):
            binding = self.uses[function.start]
            if binding.scope == UNIVERSAL:
                if function.name in ("max", "min") and len(node.arguments) == 2:
                    return self.greatest_kind(node)
                return kinds.OF_UNIVERSAL.get(function.name, ANY)
            if binding.scope == GLOBAL and function.name in self.known:
                return self.result_kind(function.name)
        elif isinstance(function, tree.Dot):
            content = self.content(function.operand)
            if content is not None and function.name in ("get", "pop", "setdefault"):
                return content | self.default_kind(node)
            return method_kind(self.kind(function.operand, depth), function.name)
        return ANY

    def greatest_kind(self, node: tree.Call) -> int:
        """Return the kinds of `max(a, b)`."""
        made = 0
        for argument in node.arguments:
            if not isinstance(argument, tree.Expr):
                return ANY
            made |= self.kind(argument)
        return made

    def result_kind(self, name: str) -> int:
        """Return the kinds of what a known function returns."""
        return self.masks.get(result_of(self.known[name]), ANY)

    def default_kind(self, node: tree.Call) -> int:
        """Return the kinds of the default argument of `get`, `pop` or `setdefault`."""
        if len(node.arguments) < 2:
            return NONE
        default = node.arguments[1]
        return self.kind(default) if isinstance(default, tree.Expr) else ANY

    # -- items

    def content(self, node: tree.Expr) -> Optional[int]:
        """Return the kinds of what a private container holds, or None for any other expression."""
        node = strip(node)
        if not isinstance(node, tree.Name):
            return None
        binding = self.uses[node.start]
        return self.contents.get(binding.declared) if binding.scope == LOCAL else None

    def universal(self, node: tree.Expr) -> str:
        """Return the name of the universal function that an expression calls, or ""."""
        if isinstance(node, tree.Call) and all(isinstance(a, tree.Expr) for a in node.arguments):
            function = strip(node.function)
            if isinstance(function, tree.Name) and self.uses[function.start].scope == UNIVERSAL:
                return function.name
        return ""

    def item_kind(self, node: tree.Expr, depth: int = DEPTH) -> int:
        """Return the kinds of the items of an iterable."""
        node = strip(node)
        mask = self.kind(node)
        if mask == RANGE:
            return INT
        content = self.content(node)
        if content is not None and mask == LIST:
            return content
        if depth <= 0:
            return ANY
        if isinstance(node, (tree.Tuple, tree.List)):
            made = 0
            for item in node.items:
                made |= self.kind(item)
            return made
        if isinstance(node, tree.Comprehension) and isinstance(node.body, tree.Expr):
            return self.kind(node.body)
        if not isinstance(node, tree.Call):
            return ANY
        name = self.universal(node)
        if name in ("enumerate", "zip"):
            return TUPLE
        if name == "dir":
            return STRING
        first = node.arguments[0] if node.arguments else None
        if name in _COPIES:
            return self.item_kind(first, depth - 1) if isinstance(first, tree.Expr) else ANY
        function = strip(node.function)
        return self.method_item_kind(function) if isinstance(function, tree.Dot) else ANY

    def method_item_kind(self, dot: tree.Dot) -> int:
        """Return the kinds of the items of what a method returns."""
        receiver = self.kind(dot.operand)
        if dot.name in _STRINGS:
            return STRING if receiver == STRING else ANY
        if receiver == DICT:
            if dot.name == "items":
                return TUPLE
            content = self.content(dot.operand)
            if dot.name == "values" and content is not None:
                return content
        return ANY

    def part_of_item(self, node: tree.Expr, number: int, count: int) -> int:
        """Return the kinds of one part of the items of an iterable, which are unpacked into `count`."""
        node = strip(node)
        tuples = self.tuples(node, DEPTH)
        if tuples is not None and all(len(one.items) == count for one in tuples):
            made = 0
            for one in tuples:
                made |= self.kind(one.items[number])
            return made
        if not isinstance(node, tree.Call):
            return ANY
        name = self.universal(node)
        arguments = [a for a in node.arguments if isinstance(a, tree.Expr)]
        if name == "enumerate" and count == 2 and arguments:
            return INT if number == 0 else self.item_kind(arguments[0])
        if name == "zip" and count == len(arguments):
            return self.item_kind(arguments[number])
        function = strip(node.function)
        if isinstance(function, tree.Dot) and function.name == "items" and (number, count) == (1, 2):
            content = self.content(function.operand)
            if content is not None and self.kind(function.operand) == DICT:
                return content
        return ANY

    def tuples(self, node: tree.Expr, depth: int) -> Optional[list[tree.Tuple]]:
        """Return the tuple displays that all items of an iterable come from, or None when it is not known."""
        if depth <= 0:
            return None
        node = strip(node)
        sources: Sources
        if isinstance(node, (tree.Tuple, tree.List)):
            sources = [("one", item) for item in node.items]
        elif isinstance(node, tree.Comprehension) and isinstance(node.body, tree.Expr):
            sources = [("one", node.body)]
        elif self.universal(node) in _COPIES and isinstance(node, tree.Call) and node.arguments:
            sources = [("each", node.arguments[0])]
        elif self.content(node) is not None and self.kind(node) == LIST:
            sources = self.sources[self.uses[node.start].declared]
        else:
            return None
        found: list[tree.Tuple] = []
        for how, value in sources:
            more: Optional[list[tree.Tuple]] = None
            if how == "one":
                display = strip(value)
                more = [display] if isinstance(display, tree.Tuple) else None
            elif how == "each":
                more = self.tuples(value, depth // 4)
            if more is None:
                return None
            found += more
        return found

    def parts(self, node: tree.Expr) -> int:
        """Return how many parts each item of an iterable surely has, all of them tuples; 0 when not known."""
        sizes = {len(one.items) for one in self.tuples(node, DEPTH) or ()}
        return sizes.pop() if len(sizes) == 1 else 0

    def part_of(self, node: tree.Expr) -> int:
        """Return the kinds of the items of a value that is unpacked."""
        node = strip(node)
        if isinstance(node, tree.Call):
            function = strip(node.function)
            if isinstance(function, tree.Dot) and function.name in ("partition", "rpartition"):
                return STRING if self.kind(function.operand) == STRING else ANY
        return ANY

    def source_kind(self, declared: int, how: str, value: Any) -> int:
        """Return the kinds of what one source puts into a private container."""
        if how == "one":
            return self.kind(value)
        if how == "each":
            return self.item_kind(value)
        if how == "aug":
            before = self.contents[declared]
            made = kinds.of_binary(value.op, before, self.kind(value.value))
            return made | (before & (LIST | DICT | kinds.SET))
        return NONE if how == "none" else ANY


def result_of(node: tree.Def) -> int:
    """Return the number under which `masks` has the result of a function: that of no variable."""
    return -2 - node.start


def index_kind(mask: int) -> int:
    """Return the kinds of `x[i]`."""
    if mask == STRING:
        return STRING
    return INT if mask == RANGE else ANY


def slice_kind(mask: int) -> int:
    """Return the kinds of `x[a:b]`."""
    return mask & (kinds.STRING | kinds.BYTES | LIST | TUPLE | RANGE)


def method_kind(mask: int, name: str) -> int:
    """Return the kinds of `x.name(…)`."""
    if mask & (OTHER | FUNCTION):
        return ANY
    made = 0
    for kind, table in kinds.OF_METHOD.items():
        if mask & kind:
            made |= table.get(name, ANY)
    return made


_RULES: dict[type, Any] = {
    tree.Binary: KindRules.chain_kind,
    tree.Unary: KindRules.kind_of_unary,
    tree.Conditional: KindRules.kind_of_conditional,
    tree.Comprehension: KindRules.kind_of_comprehension,
    tree.Index: KindRules.kind_of_index,
    tree.Slice: KindRules.kind_of_slice,
    tree.Call: KindRules.kind_of_call,
    tree.List: lambda _rules, _node, _depth: LIST,
    tree.Tuple: lambda _rules, _node, _depth: TUPLE,
    tree.Dict: lambda _rules, _node, _depth: DICT,
    tree.Lambda: lambda _rules, _node, _depth: FUNCTION,
}
