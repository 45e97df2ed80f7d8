"""The values of expressions: which types they can have, and which containers they can be.

kinds.py explains what kinds are and why they are safe, sites.py what sites are. Each rule gives the
value of one sort of node from the values of what is inside, and notes what new containers hold. `TOP` stands
for everything that has no rule. All of them are monotonic: more for the parts never gives less for the
whole.
"""

from __future__ import annotations

from ...syntax import tree
from ...syntax.children import children
from ...syntax.scopes import GLOBAL, PREDECLARED, UNIVERSAL
from . import kinds
from .collect import strip
from .kinds import ANY, BOOL, DICT, FUNCTION, INT, LIST, NONE, OTHER, RANGE, SET, STRING, TUPLE
from .sites import CONTAINERS, KINDS, TOP, UNKNOWN, Sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    from ...syntax.scopes import Binding

# Deeper expressions may be anything: it saves time, and Python's stack.
DEPTH = 25
_ITERABLE = LIST | DICT | SET | TUPLE | RANGE | OTHER
# Universal functions whose result holds the items of their argument.
_COPIES = frozenset({"list", "reversed", "set", "sorted", "tuple"})
_CONSTANTS = {"None": NONE, "True": BOOL, "False": BOOL}
# What the views of strings and bytes hold.
_VIEWS = {"elems": STRING, "codepoints": STRING, "elem_ords": INT, "codepoint_ords": INT}
# Methods that give what their receiver holds.
_HELD = {LIST: {"pop"}, SET: {"pop"}, DICT: {"get", "pop", "setdefault"}}
_SPLITS = frozenset({"split", "rsplit", "splitlines"})
_PARTITIONS = frozenset({"partition", "rpartition"})


class KindRules:
    """How the values of expressions follow from those of variables.

    `values` are those of variables by their declaration; a variable that is not there may be anything.
    """

    def __init__(self, uses: Mapping[int, Binding], known: Mapping[str, tree.Def]) -> None:
        self.uses = uses
        self.known = known
        self.values: dict[int, int] = {}
        self.sites = Sites()
        # The names that surely are not None (narrowing.py).
        self.narrowed: set[int] = set()
        # By whom a variable is read.
        self.readers: dict[int, set[int]] = {}
        # What is inside expressions that are too deep, and has not been given away yet.
        self.buried: list[tree.Expr] = []
        self._walked: set[int] = set()

    # -- variables

    def assigned(self, declared: int, how: str, value: Any) -> int:
        """Return what one assignment (see `FunctionFacts.assigned`) gives a variable."""
        if how == "is":
            return self.value(value)
        if how == "alias":
            return self.name_value(value)
        if how == "aug":
            return self.augmented(value, self.values.get(declared, TOP))
        if how == "item":
            return self.items(value)
        if how == "part":
            inner, source, number, count = value
            return self.part(self.assigned(-1, inner, source), number, count)
        if how == "function":
            known = self.known.get(value.name.name) is value
            return FUNCTION | UNKNOWN if known else self.sites.make_function(id(value), value.start)
        return TOP

    def assigned_kind(self, declared: int, how: str, value: Any) -> int:
        """Return the kinds of what one assignment gives a variable."""
        return self.assigned(declared, how, value) & KINDS

    def augmented(self, node: tree.AugAssign, left: int) -> int:
        """Return what an augmented assignment makes of a value: containers are changed in place."""
        right = self.value(node.value)
        in_place = {"+": LIST, "|": DICT | SET}.get(node.op, 0)
        if not left & in_place:
            return self.binary(node, node.op, left, right)
        sites = self.sites
        kept = 0
        for kind in (LIST, DICT, SET):
            able = right & (_ITERABLE if kind == LIST else kind)
            if left & kind & in_place and able:
                mine = sites.only(left, kind)
                kept |= mine
                if kind == DICT:
                    sites.copy(mine, sites.only(right, DICT))
                else:
                    sites.hold(mine, self.items_of(right))
        rest = sites.only(left, KINDS & ~in_place)
        return kept | (self.binary(node, node.op, rest, right) if rest & KINDS else 0)

    # -- expressions

    def kind(self, node: tree.Expr) -> int:
        """Return the kinds that the value of an expression can have."""
        return self.value(node) & KINDS

    def value(self, node: tree.Expr, depth: int = DEPTH) -> int:
        """Return the kinds that the value of an expression can have, and the sites of its containers."""
        kind = node.__class__
        if kind is tree.Paren:
            node = strip(node)
            kind = node.__class__
        if kind is tree.Literal:
            return kinds.OF_CONSTANT[node.value.__class__]  # type: ignore[attr-defined]
        if kind is tree.Name:
            return self.name_value(node)  # type: ignore[arg-type]
        if depth <= 0:
            return self.too_deep(node)
        rule = _RULES.get(kind)
        return TOP if rule is None else rule(self, node, depth - 1)

    def too_deep(self, node: tree.Expr) -> int:
        """Give away whatever is inside an expression of which nothing is known: once for each."""
        work: list[tree.Node] = [node]
        while work:
            one = work.pop()
            if id(one) not in self._walked:
                self._walked.add(id(one))
                if isinstance(one, (tree.Name, tree.Call)):
                    self.buried.append(one)
                work += children(one)
        return TOP

    def name_value(self, node: tree.Name) -> int:
        binding = self.uses[node.start]
        scope = binding.scope
        if scope == UNIVERSAL:
            return _CONSTANTS.get(node.name, FUNCTION | UNKNOWN)
        if scope == PREDECLARED:
            return TOP
        declared = binding.declared
        self.read(declared)
        value = self.values.get(declared, TOP)
        return value & ~NONE if node.start in self.narrowed else value

    def read(self, declared: int) -> None:
        """Note that the steps that are being done have read a variable."""
        readers = self.readers.get(declared)
        if readers is None:
            self.readers[declared] = {self.sites.current}
        else:
            readers.add(self.sites.current)

    def row(self, node: tree.Binary, depth: int) -> int:
        links = []
        at: tree.Expr = node
        while isinstance(at, tree.Binary):
            links.append(at)
            at = strip(at.left)
        made = self.value(at, depth)
        for link in reversed(links):
            right = self.value(link.right, depth)
            made = made | right if link.op in ("and", "or") else self.binary(link, link.op, made, right)
        return made

    def binary(self, node: tree.Node, op: str, a: int, b: int) -> int:
        """Return the value of `x op y`, and note what its operands tell each other."""
        if (a > TOP and b & OTHER) or (b > TOP and a & OTHER):
            # Operators may be the host's.
            self.sites.escape(a | b)
        made = kinds.of_binary(op, a & ANY, b & ANY)
        if not made & CONTAINERS:
            if a > TOP and b > TOP and self.sites.within(a | b) & OTHER:
                # A host's value inside is compared.
                self.sites.escape(a | b)
            return made
        return made & ~CONTAINERS | self.joined(id(node), made & CONTAINERS, a, b)

    def joined(self, place: int, made: int, a: int, b: int) -> int:
        """Return new containers that an operator makes of the items of others."""
        sites = self.sites
        if (a | b) & UNKNOWN:
            sites.give_items(a | b)
            return made | UNKNOWN
        result = 0
        for number, kind in enumerate((LIST, TUPLE, DICT, SET)):
            if made & kind:
                one = sites.make(place + number, kind)
                both = sites.only(a | b, kind)
                if kind == DICT:
                    sites.copy(one, both)
                else:
                    sites.hold(one, sites.items(both), kinds=kind)
                result |= one
        return result

    def value_of_unary(self, node: tree.Unary, depth: int) -> int:
        return kinds.of_unary(node.op, self.value(node.operand, depth) & ANY)

    def value_of_conditional(self, node: tree.Conditional, depth: int) -> int:
        return self.value(node.then, depth) | self.value(node.otherwise, depth)

    def value_of_list(self, node: tree.List, depth: int) -> int:
        made = self.sites.make(id(node), LIST)
        held = 0
        for item in node.items:
            constant = item.__class__ is tree.Literal
            held |= kinds.OF_CONSTANT[item.value.__class__] if constant else self.value(item, depth)  # type: ignore[attr-defined]
        self.sites.hold(made, held)
        return made

    def value_of_tuple(self, node: tree.Tuple, depth: int) -> int:
        parts = [
            kinds.OF_CONSTANT[item.value.__class__]
            if item.__class__ is tree.Literal
            else self.value(item, depth)
            for item in node.items
        ]
        return self.sites.make_tuple(id(node), parts)

    def value_of_dict(self, node: tree.Dict, depth: int) -> int:
        made = self.sites.make(id(node), DICT)
        held = keys = 0
        for entry in node.entries:
            value, name = self.value(entry.value, depth), name_of(entry.key)
            if name is None:
                keys |= self.value(entry.key, depth)
                held |= value
            else:
                self.sites.hold_field(made, name, value)
        self.sites.hold(made, held, keys)
        return made

    def value_of_comprehension(self, node: tree.Comprehension, depth: int) -> int:
        body = node.body
        if isinstance(body, tree.DictEntry):
            made = self.sites.make(id(node), DICT)
            self.sites.hold(made, self.value(body.value, depth), self.value(body.key, depth))
        else:
            made = self.sites.make(id(node), LIST)
            self.sites.hold(made, self.value(body, depth))
        return made

    def value_of_index(self, node: tree.Index, depth: int) -> int:
        return self.index(self.value(node.operand, depth), node.index)

    def index(self, operand: int, key: tree.Expr) -> int:
        """Return the value of `x[key]`."""
        made = TOP if operand & (OTHER | kinds.BYTES) else 0
        made |= operand & STRING
        if operand & RANGE:
            made |= INT
        at = key.value if isinstance(key, tree.Literal) else None
        if at.__class__ is int and operand & CONTAINERS == TUPLE:
            return made | self.sites.part(operand, at, 0)
        if at.__class__ is str:
            return made | self.sites.field(operand, at)
        return made | self.sites.values(operand, CONTAINERS)

    def value_of_slice(self, node: tree.Slice, depth: int) -> int:
        operand = self.value(node.operand, depth)
        made = slice_kind(operand & ANY)
        if operand & UNKNOWN:
            self.sites.give_items(operand)
            return made | UNKNOWN
        for number, kind in enumerate((LIST, TUPLE)):
            if made & kind:
                one = self.sites.make(id(node) + number, kind)
                self.sites.hold(one, self.sites.items(operand, kind), kinds=kind)
                made |= one
        return made

    # -- calls

    def value_of_call(self, node: tree.Call, depth: int) -> int:
        function = strip(node.function)
        if isinstance(function, tree.Name):
            binding = self.uses[function.start]
            if binding.scope == UNIVERSAL:
                return self.universal_value(node, function.name, depth)
            if binding.scope == GLOBAL and function.name in self.known:
                return self.result(self.known[function.name].start)
        elif isinstance(function, tree.Dot):
            return self.method_value(node, function, depth)
        called = self.value(function, depth)
        made = TOP if called & (UNKNOWN | OTHER) else 0
        for start in self.sites.starts(called):
            made |= self.result(start)
        return made

    def result(self, start: int) -> int:
        """Return the value of what a function returns that begins there."""
        self.read(-2 - start)
        return self.values.get(-2 - start, TOP)

    def callees(self, node: tree.Call) -> Optional[list[int]]:
        """Return where the functions begin that a call of a value calls, or None when it may be others.

        `sorted` and its like call their key function.
        """
        function: Any = strip(node.function)
        if not self.is_universal(function):
            called = self.value(function)
        else:
            called = 0
            given = [a for a in node.arguments if isinstance(a, tree.Expr)]
            if function.name == "sorted" and len(given) > 1:
                called = self.value(given[1])
            for word in node.arguments:
                if isinstance(word, tree.NamedArgument) and word.name == "key":
                    called |= self.value(word.value)
                elif not isinstance(word, tree.Expr) and getattr(word, "name", "") != "reverse":
                    called |= UNKNOWN
        return None if called & (UNKNOWN | OTHER) else self.sites.starts(called)

    def is_universal(self, node: tree.Expr) -> bool:
        """Return whether an expression names something of the language."""
        return isinstance(node, tree.Name) and self.uses[node.start].scope == UNIVERSAL

    def result_kind(self, name: str) -> int:
        """Return the kinds of what a known function returns."""
        return self.values.get(result_of(self.known[name]), TOP) & KINDS

    def universal_value(self, node: tree.Call, name: str, depth: int) -> int:
        """Return the value of a call of a universal function."""
        given = [a for a in node.arguments if isinstance(a, tree.Expr)]
        if name in ("max", "min"):
            if len(given) == 1:
                made = self.items(given[0], depth)
            else:
                made = 0
                for argument in given:
                    made |= self.value(argument, depth)
            stars = any(isinstance(a, (tree.StarArgument, tree.StarStarArgument)) for a in node.arguments)
            return made | TOP if stars else made
        made = kinds.OF_UNIVERSAL.get(name, TOP)
        if not made & CONTAINERS or made & UNKNOWN:
            return made
        sites, place = self.sites, id(node)
        if any(isinstance(a, (tree.StarArgument, tree.StarStarArgument)) for a in node.arguments):
            return made | UNKNOWN
        result = sites.make(place, made)
        if name in _COPIES:
            if given:
                sites.hold(result, self.items(given[0], depth), kinds=made)
        elif name == "enumerate":
            if given:
                sites.hold(result, sites.make_tuple(place + 1, (INT, self.items(given[0], depth))))
        elif name == "zip":
            pair = sites.make_tuple(place + 1, [self.items(a, depth) for a in given])
            sites.hold(result, pair)
        elif name == "dict":
            for word in node.arguments:
                if isinstance(word, tree.NamedArgument):
                    sites.hold_field(result, word.name, self.value(word.value, depth))
            if given:
                self.update(result, self.value(given[0], depth))
        elif name == "dir":
            sites.hold(result, STRING)
        else:
            return made | UNKNOWN
        return result

    def update(self, container: int, given: int) -> None:
        """Put into dicts what a dict, or an iterable of pairs, has."""
        sites = self.sites
        if given & DICT:
            sites.copy(container, sites.only(given, DICT))
        if given & ~DICT & _ITERABLE:
            pairs = self.items_of(sites.only(given, KINDS & ~DICT))
            key, value = self.part(pairs, 0, 2), self.part(pairs, 1, 2)
            sites.hold(container, value, key, kinds=DICT)

    def method_value(self, node: tree.Call, dot: tree.Dot, depth: int) -> int:
        """Return the value of `x.name(…)`."""
        receiver = self.value(dot.operand, depth)
        name = dot.name
        if receiver == TOP:
            return TOP
        made = TOP if receiver & (OTHER | FUNCTION | kinds.BYTES) else 0
        sites, place = self.sites, id(node)
        for kind, table in kinds.OF_METHOD.items():
            if receiver & kind:
                made |= 0 if name in _HELD.get(kind, ()) else table.get(name, TOP) & ~CONTAINERS
        if receiver & STRING:
            if name in _SPLITS:
                one = sites.make(place, LIST)
                sites.hold(one, STRING)
                made |= one
            elif name in _PARTITIONS:
                made |= sites.make_tuple(place + 1, (STRING, STRING, STRING))
        if receiver & LIST and name == "pop":
            made |= sites.items(receiver, LIST)
        if receiver & DICT:
            if name in ("get", "pop", "setdefault"):
                key = name_of(node.arguments[0]) if node.arguments else None
                held = sites.values(receiver, DICT) if key is None else sites.field(receiver, key)
                made |= held | self.default(node, name, depth)
            elif name in ("items", "popitem"):
                parts = (sites.items(receiver, DICT), sites.values(receiver, DICT))
                pair = sites.make_tuple(place + 2, parts)
                if name == "items":
                    one = sites.make(place, LIST)
                    sites.hold(one, pair)
                    pair = one
                made |= pair
            elif name in ("keys", "values"):
                one = sites.make(place, LIST)
                found = sites.items if name == "keys" else sites.values
                sites.hold(one, found(receiver, DICT))
                made |= one
        if receiver & SET:
            if name == "pop":
                made |= sites.items(receiver, SET)
            elif kinds.OF_METHOD[SET].get(name, 0) == SET:
                one = sites.make(place + 3, SET)
                held = sites.items(receiver, SET)
                for other in node.arguments:
                    held |= self.items(other, depth) if isinstance(other, tree.Expr) else TOP
                sites.hold(one, held)
                made |= one
        return made

    def default(self, node: tree.Call, name: str, depth: int) -> int:
        """Return the default of `get`, `pop` or `setdefault`."""
        if len(node.arguments) < 2:
            return 0 if name == "pop" else NONE
        default = node.arguments[1]
        return self.value(default, depth) if isinstance(default, tree.Expr) else TOP

    # -- items

    def universal(self, node: tree.Expr) -> str:
        """Return the name of the universal function that an expression calls, or ""."""
        if isinstance(node, tree.Call) and all(isinstance(a, tree.Expr) for a in node.arguments):
            function = strip(node.function)
            if isinstance(function, tree.Name) and self.uses[function.start].scope == UNIVERSAL:
                return function.name
        return ""

    def items(self, node: tree.Expr, depth: int = DEPTH) -> int:
        """Return the value of the items of an iterable."""
        node = strip(node)
        if isinstance(node, tree.Call):
            function = strip(node.function)
            if isinstance(function, tree.Dot) and function.name in _VIEWS:
                receiver = self.value(function.operand, depth)
                if receiver == STRING:
                    return _VIEWS[function.name]
        return self.items_of(self.value(node, depth))

    def items_of(self, value: int) -> int:
        """Return the value of the items of a value."""
        made = TOP if value & (OTHER | kinds.BYTES) else 0
        if value & RANGE:
            made |= INT
        return made | self.sites.items(value)

    def part(self, value: int, number: int, count: int) -> int:
        """Return one part of a value that is unpacked into `count`."""
        made = TOP if value & (OTHER | kinds.BYTES) else 0
        if value & RANGE:
            made |= INT
        return made | self.sites.part(value, number, count)

    def parts(self, node: tree.Expr) -> int:
        """Return how many parts each item of an iterable surely has, all of them tuples; 0 when not known."""
        return self.sites.length(self.items(node))


def name_of(key: tree.Node) -> Optional[str]:
    """Return the key that the text of an expression names, if it is a string."""
    return key.value if isinstance(key, tree.Literal) and key.value.__class__ is str else None


def result_of(node: tree.Def) -> int:
    """Return the number under which `values` has the result of a function: that of no variable."""
    return -2 - node.start


def index_kind(mask: int) -> int:
    """Return the kinds of `x[i]`, as far as those of `x` tell."""
    if mask == STRING:
        return STRING
    return INT if mask == RANGE else ANY


def method_kind(mask: int, name: str) -> int:
    """Return the kinds of `x.name(…)`, as far as those of `x` tell."""
    if mask & (OTHER | FUNCTION):
        return ANY
    made = 0
    for kind, table in kinds.OF_METHOD.items():
        if mask & kind:
            made |= table.get(name, ANY)
    return made


def slice_kind(mask: int) -> int:
    """Return the kinds of `x[a:b]`."""
    return mask & (kinds.STRING | kinds.BYTES | LIST | TUPLE | RANGE)


_RULES: dict[type, Any] = {
    tree.Binary: KindRules.row,
    tree.Unary: KindRules.value_of_unary,
    tree.Conditional: KindRules.value_of_conditional,
    tree.Comprehension: KindRules.value_of_comprehension,
    tree.Index: KindRules.value_of_index,
    tree.Slice: KindRules.value_of_slice,
    tree.Call: KindRules.value_of_call,
    tree.List: KindRules.value_of_list,
    tree.Tuple: KindRules.value_of_tuple,
    tree.Dict: KindRules.value_of_dict,
    tree.Lambda: lambda rules, node, _depth: rules.sites.make_function(id(node), node.start),
}
