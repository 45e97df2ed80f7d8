"""Calls: of functions of the same file, of universal functions, of anything."""

from __future__ import annotations

from _ast import Dict as PyDict
from _ast import FormattedValue, JoinedStr, expr, keyword, stmt

from ..runtime.functions import SPECIAL_NAMES, mangle
from ..runtime.iteration import MOST_ROUNDS
from ..syntax import tree
from ..syntax.scopes import GLOBAL, LOCAL
from . import kinds
from . import python_tree as py
from .emit_operators import OperatorEmitter
from .inference import binds
from .kinds import ANY, INT, STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .emit import Typed

# Universal functions of positional arguments that are called directly, with their least and most arguments.
DIRECT: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("abs", "all", "any", "bool", "chr", "dir", "float", "hash", "int", "len"), (1, 1)),
    **dict.fromkeys(("ord", "repr", "reversed", "str", "type"), (1, 1)),
    **dict.fromkeys(("list", "set", "tuple"), (0, 1)),
    "enumerate": (1, 2),
    "getattr": (2, 3),
    "hasattr": (2, 2),
    "range": (1, 3),
    "zip": (0, 99),
}
# Those that take the thread and the argument list as values.
# Those that take nothing of an argument but its items: their first one, all of `zip`'s.
TAKES_ITEMS = frozenset(
    {"all", "any", "enumerate", "list", "max", "min", "reversed", "set", "sorted", "tuple", "zip"}
)
_BIG = 1 << 63
INDIRECT = frozenset({"dict", "fail", "int", "max", "min", "print", "sorted"})


class CallEmitter(OperatorEmitter):
    """Makes Python expressions for calls."""

    def call(self, node: tree.Call, made: Optional[Typed]) -> Typed:
        positional, named, stars = arguments_of(node)
        if stars or any(a.name in SPECIAL_NAMES for a in named):
            return self.call_with_stars(node, made, positional, named, stars)
        universal = self.is_universal(node.function) if made is None else ""
        if universal:
            direct = self.call_universal(node, universal, positional, named)
            if direct is not None:
                return direct
        if isinstance(node.function, tree.Name):
            name = node.function.name
            known = self.unit.known.get(name)
            if (
                known is not None
                and self.unit.uses[node.function.start].scope == GLOBAL
                and binds(known, node)
            ):
                name_line = self.unit.op(node.function.start, "global", (name,))
                function = py.load(self.unit.raw_name(name), name_line)
                args = [py.load("$s", self.line), *[self.value(a) for a in positional]]
                words = self.keywords(named)
                line = self.unit.op(node.at, "call")
                return py.call(function, args, line, words), self.unit.inference.result_kind(name)
        function = made[0] if made is not None else self.value(node.function)
        if self.no_walrus and not py.is_simple(function):
            return self.call_with_stars(node, (function, ANY), positional, named, [])
        first, function, ref = self.bind(function)
        shape = (len(positional), tuple(a.name for a in named))
        line = self.unit.op(node.at, "call", ref, (shape,))
        if isinstance(node.function, tree.Name):
            binding = self.unit.uses[node.function.start]
            if binding.scope == LOCAL and binding.declared in self.prepared and not self.limited:
                args = [py.load("$s", line), *[self.value(a) for a in positional]]
                return py.call(
                    py.load(f"$c{node.function.name}", line), args, line, self.keywords(named)
                ), ANY
        entry = self.entry(first, function, line)
        args = [py.load("$s", line), *[self.value(a) for a in positional]]
        return py.call(entry, args, line, self.keywords(named)), ANY

    def prepare(self, parameter: tree.Name) -> stmt:
        """Return the statement that prepares a parameter for being called in a loop."""
        name = mangle(parameter.name)
        self.prepared.add(parameter.start)
        entry = self.entry(py.load(name, self.line), py.load(name, self.line), self.line)
        return py.assign(py.store(f"$c{parameter.name}", self.line), entry, self.line)

    def entry(self, first: expr, function: expr, line: int) -> expr:
        """Emit what Python calls for any callee; `function` is how to get it again."""
        if self.limited:
            # The function may be of a file whose code does not count its steps.
            known = py.helper(".entry_of", [py.load("$s", line), function], line)
        else:
            known = py.attribute(function, "entry", line)
        other = py.helper(".callable_of", [function], line)
        return py.conditional(py.is_class(first, ".Function", line), known, other, line)

    def keywords(self, named: list[tree.NamedArgument]) -> list[keyword]:
        return [keyword(a.name, self.value(a.value), lineno=self.line, col_offset=0) for a in named]

    def words(self, named: list[tree.NamedArgument]) -> expr:
        """Emit keyword arguments as a dict."""
        keys: list[Any] = [py.constant(a.name, self.line) for a in named]
        return PyDict(keys, [self.value(a.value) for a in named], lineno=self.line, col_offset=0)

    def call_with_stars(
        self,
        node: tree.Call,
        made: Optional[Typed],
        positional: list[tree.Expr],
        named: list[tree.NamedArgument],
        stars: list[Any],
    ) -> Typed:
        """Emit a call through `.call`, which takes the parts of the argument list as values."""
        function = made[0] if made is not None else self.value(node.function)
        args = py.tuple_of([self.value(a) for a in positional], self.line)
        words = self.words(named)
        star = py.constant(None, self.line)
        star_star = py.constant(None, self.line)
        given = 0
        for argument in stars:
            if isinstance(argument, tree.StarArgument):
                star = self.value(argument.value)
                given |= 1
            else:
                star_star = self.value(argument.value)
                given |= 2
        line = self.unit.op(node.at, "call")
        parts = [py.load("$s", line), function, args, words, star, star_star, py.constant(given, line)]
        return py.helper(".call", parts, line), ANY

    def call_universal(
        self, node: tree.Call, name: str, positional: list[tree.Expr], named: list[tree.NamedArgument]
    ) -> Optional[Typed]:
        """Emit a call of a universal function without the detour of a value, where that is possible."""
        mask = kinds.OF_UNIVERSAL.get(name, ANY)
        count = len(positional)
        least, most = DIRECT.get(name, (1, 0))
        if named or not least <= count <= most:
            return self.call_indirect(node, name, positional, named) if name in INDIRECT else None
        args = self.arguments(name, positional)
        values = [x for x, _ in args]
        if count == 1 and (not self.no_walrus or py.is_simple(values[0])):
            x, mx = args[0]
            if name == "len":
                first, x, ref = self.bind(x)
                return py.helper(".native_len", [first], self.unit.op(node.at, ".len", ref)), INT
            if name == "str":
                if mx == STRING:
                    return x, STRING
                if mx == INT:
                    return self.decimal(x, node.at), STRING
                first, x, ref = self.bind(x)
                line = self.unit.op(node.at, ".str")
                return py.conditional(
                    py.is_class(first, "str", line), x, py.helper(".str", [x], line), line
                ), STRING
            if name == "bool":
                return py.unary("not", py.unary("not", x, self.line), self.line), mask
        if name == "range" and count == 1 and args[0][1] == INT and py.is_simple(values[0]):
            line = self.unit.op(node.at, ".range1")
            if values[0].__class__.__name__ == "Constant" and values[0].value < _BIG:  # type: ignore[attr-defined]
                return py.helper("c.range", values, line), mask
            small = py.compare(values[0], py.COMPARE["<"], py.constant(_BIG, line), line)
            native = py.helper("c.range", values, line)
            return py.conditional(small, native, py.helper(".range1", values, line), line), mask
        helper = f".range{count}" if name == "range" else f".{name}"
        return py.helper(helper, values, self.unit.op(node.at, helper)), mask

    def loop_range(self, node: tree.Call, given: list[tree.Expr]) -> expr:
        """Emit `range(…)` for a loop over it, which has only so many rounds."""
        # spec: starlark.limit.rounds
        typed = [self.expr(a) for a in given]
        values = [x for x, _ in typed]
        line = self.unit.op(node.at, f".range{len(values)}")
        slow = py.helper(f".loop_range{len(values)}", values, line)
        if len(values) > 1 or typed[0][1] != INT or not py.is_simple(values[0]):
            return slow
        native = py.helper("c.range", values, line)
        if values[0].__class__.__name__ == "Constant":
            return native if values[0].value <= MOST_ROUNDS else slow  # type: ignore[attr-defined]
        few = py.compare(values[0], py.COMPARE["<="], py.constant(MOST_ROUNDS, line), line)
        return py.conditional(few, native, slow, line)

    def arguments(self, name: str, positional: list[tree.Expr]) -> list[Typed]:
        """Emit the arguments of a universal function: as Python lists where it wants the items only."""
        if name == "len":
            return [self.used(a) for a in positional]
        if name in ("max", "min") and len(positional) != 1:
            return [self.expr(a) for a in positional]
        if name in TAKES_ITEMS:
            return [
                self.iterated(a) if n == 0 or name == "zip" else self.expr(a)
                for n, a in enumerate(positional)
            ]
        return [self.expr(a) for a in positional]

    def decimal(self, value: expr, at: int) -> expr:
        """Emit an int as decimal text; Python itself refuses very long ones."""
        first, again, _ref = self.bind(value)
        line = self.unit.op(at, ".int_text")
        low, high = py.constant(-_BIG, line), py.constant(_BIG, line)
        small = py.both(low, py.COMPARE["<"], first, py.COMPARE["<"], high, line)
        part = FormattedValue(again, -1, None, lineno=line, col_offset=0)
        text = JoinedStr([part], lineno=line, col_offset=0)
        return py.conditional(small, text, py.helper(".int_text", [again], line), line)

    def call_indirect(
        self, node: tree.Call, name: str, positional: list[tree.Expr], named: list[tree.NamedArgument]
    ) -> Typed:
        """Emit a call of a built-in that takes the thread, a tuple of arguments and a dict of keywords."""
        args = self.arguments(name, positional)
        mask = kinds.OF_UNIVERSAL.get(name, ANY)
        if name in ("max", "min") and len(args) == 2 and not named:
            line = self.unit.op(node.at, f".{name}2")
            return py.helper(f".{name}2", [x for x, _ in args], line), args[0][1] | args[1][1]
        if name in ("sorted", "dict") and len(args) == 1 and not named:
            return py.helper(f".{name}1", [args[0][0]], self.unit.op(node.at, f".{name}1")), mask
        line = self.unit.op(node.at, f".{name}")
        values = py.tuple_of([x for x, _ in args], line)
        return py.helper(f"b.{name}", [py.load("$s", line), values, self.words(named)], line), mask


def arguments_of(
    node: tree.Call,
) -> tuple[list[tree.Expr], list[tree.NamedArgument], list[Any]]:
    """Return the positional, the named and the starred arguments of a call."""
    positional: list[tree.Expr] = []
    named: list[tree.NamedArgument] = []
    stars: list[Any] = []
    for argument in node.arguments:
        if isinstance(argument, tree.NamedArgument):
            named.append(argument)
        elif isinstance(argument, (tree.StarArgument, tree.StarStarArgument)):
            stars.append(argument)
        else:
            positional.append(argument)
    return positional, named, stars
