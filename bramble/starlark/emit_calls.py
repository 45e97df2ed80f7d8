"""Calls: of functions of the same file, of universal functions, of methods, of anything."""

from __future__ import annotations

from _ast import Dict as PyDict
from _ast import expr, keyword

from . import astbuild as py
from . import kinds, syntax
from .emit import ExpressionEmitter
from .functions import SPECIAL_NAMES, mangle
from .kinds import ANY, INT, STRING
from .scopes import GLOBAL, KEYWORD_ONLY, KWARGS, POSITIONAL, VARARGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .emit import Typed
    from .scopes import FunctionScope

# Universal functions of positional arguments that are called directly, with their least and most arguments.
DIRECT: dict[str, tuple[str, int, int]] = {
    "abs": (".abs", 1, 1),
    "all": (".all", 1, 1),
    "any": (".any", 1, 1),
    "bool": (".bool", 1, 1),
    "chr": (".chr", 1, 1),
    "dir": (".dir", 1, 1),
    "enumerate": (".enumerate", 1, 2),
    "float": (".float", 1, 1),
    "getattr": (".getattr", 2, 3),
    "hasattr": (".hasattr", 2, 2),
    "hash": (".hash", 1, 1),
    "int": (".int", 1, 1),
    "len": (".len", 1, 1),
    "list": (".list", 0, 1),
    "ord": (".ord", 1, 1),
    "range": (".range", 1, 3),
    "repr": (".repr", 1, 1),
    "reversed": (".reversed", 1, 1),
    "set": (".set", 0, 1),
    "str": (".str", 1, 1),
    "tuple": (".tuple", 0, 1),
    "type": (".type", 1, 1),
    "zip": (".zip", 0, 99),
}
# Universal functions whose result nothing else can hold: a loop over it needs no lock.
FRESH = frozenset({"dir", "enumerate", "list", "range", "reversed", "set", "sorted", "tuple", "zip", "dict"})
FRESH_METHODS = frozenset({"items", "keys", "values", "split", "rsplit", "splitlines", "elems", "codepoints"})



class CallEmitter(ExpressionEmitter):
    """Makes Python expressions for calls."""

    def call(self, node: syntax.Call, made: Optional[Typed]) -> Typed:
        """Emit a call; `made` is the function's expression when it has been emitted already."""
        positional, named, stars = arguments_of(node)
        if stars or any(a.name in SPECIAL_NAMES for a in named):
            return self.call_with_stars(node, made, positional, named, stars)
        universal = self.is_universal(node.function)
        if universal:
            direct = self.call_universal(node, universal, positional, named)
            if direct is not None:
                return direct
        if isinstance(node.function, syntax.Name):
            known = self.unit.known.get(node.function.name)
            binding = self.unit.uses[node.function.start]
            if known is not None and binding.scope == GLOBAL and self.binds(known, len(positional), named):
                name_line = self.unit.op(node.function.start, "global", (node.function.name,))
                function = py.load(f"{mangle(node.function.name)}!", name_line)
                args = [py.load("$s", 1), *[self.value(a) for a in positional]]
                words = self.keywords(named)
                return py.call(function, args, self.unit.op(node.at, "call"), words), ANY
        function, _mask = made or self.expr(node.function)
        if self.no_walrus and not py.is_simple(function):
            return self.call_with_stars(node, (function, ANY), positional, named, [])
        first, function, ref = self.bind(function)
        shape = (len(positional), tuple(a.name for a in named))
        line = self.unit.op(node.at, "call", ref, shape)
        entry = py.conditional(
            py.is_class(first, ".Function", line),
            py.attribute(function, "entry", line),
            py.helper(".callable_of", [function], line),
            line,
        )
        args = [py.load("$s", line), *[self.value(a) for a in positional]]
        return py.call(entry, args, line, self.keywords(named)), ANY

    def keywords(self, named: list[syntax.NamedArgument]) -> list[keyword]:
        return [keyword(a.name, self.value(a.value), lineno=1, col_offset=0) for a in named]

    def binds(self, scope: FunctionScope, positional: int, named: list[syntax.NamedArgument]) -> bool:
        """Return whether a call of this shape binds to the parameters of a known function."""
        places = [p.name for p in scope.parameters if p.kind == POSITIONAL]
        kinds_present = {p.kind for p in scope.parameters}
        if positional > len(places) and VARARGS not in kinds_present:
            return False
        bound = set(places[:positional])
        names = {p.name for p in scope.parameters if p.kind in (POSITIONAL, KEYWORD_ONLY)}
        for word in named:
            if word.name in bound or (word.name not in names and KWARGS not in kinds_present):
                return False
            bound.add(word.name)
        return all(
            p.has_default or p.name in bound
            for p in scope.parameters
            if p.kind in (POSITIONAL, KEYWORD_ONLY)
        )

    def call_with_stars(
        self,
        node: syntax.Call,
        made: Optional[Typed],
        positional: list[syntax.Expr],
        named: list[syntax.NamedArgument],
        stars: list[Any],
    ) -> Typed:
        """Emit a call through `.call`, which takes the parts of the argument list as values."""
        function = (made or self.expr(node.function))[0]
        args = py.tuple_of([self.value(a) for a in positional], 1)
        words = PyDict(
            [py.constant(a.name, 1) for a in named], [self.value(a.value) for a in named], lineno=1, col_offset=0
        )
        star = py.constant(None, 1)
        star_star = py.constant(None, 1)
        given = 0
        for argument in stars:
            if isinstance(argument, syntax.StarArgument):
                star = self.value(argument.value)
                given |= 1
            else:
                star_star = self.value(argument.value)
                given |= 2
        line = self.unit.op(node.at, "call")
        parts = [py.load("$s", line), function, args, words, star, star_star, py.constant(given, line)]
        return py.helper(".call", parts, line), ANY

    def call_universal(
        self, node: syntax.Call, name: str, positional: list[syntax.Expr], named: list[syntax.NamedArgument]
    ) -> Optional[Typed]:
        """Emit a call of a universal function without the detour of a value, where that is possible."""
        direct = DIRECT.get(name)
        if direct is None or named or not direct[1] <= len(positional) <= direct[2]:
            return None
        args = [self.expr(a) for a in positional]
        mask = kinds.OF_UNIVERSAL.get(name, ANY)
        helper = direct[0]
        if len(args) == 1:
            x, mx = args[0]
            if name == "len" and not self.no_walrus:
                first, x, ref = self.bind(x)
                line = self.unit.op(node.at, ".length", ref)
                return py.helper(".len", [first], line), INT
            if name == "str":
                if mx == STRING:
                    return x, STRING
                if not self.no_walrus or py.is_simple(x):
                    first, x, ref = self.bind(x)
                    line = self.unit.op(node.at, ".str", ref)
                    test = py.is_class(first, "str", line)
                    return py.conditional(test, x, py.helper(".str", [x], line), line), STRING
        line = self.unit.op(node.at, helper)
        return py.helper(helper, [x for x, _ in args], line), mask

    def call_method(self, node: syntax.Call, dot: syntax.Dot, receiver: Typed) -> Typed:
        """Emit `x.name(…)`."""
        positional, named, stars = arguments_of(node)
        if stars or any(a.name in SPECIAL_NAMES for a in named):
            line = self.unit.op(dot.at, ".attribute")
            function = py.helper(".attribute", [receiver[0], py.constant(dot.name, line)], line)
            return self.call_with_stars(node, (function, ANY), positional, named, stars)
        x, mx = receiver
        line = self.unit.op(node.at, "method", (dot.at,))
        values = [self.value(a) for a in positional]
        words = self.keywords(named)
        if not all(map(py.is_simple, values)) or words:
            # The method is looked up before the arguments are evaluated.
            check = self.unit.op(dot.at, ".having")
            x = py.helper(".having", [x, py.constant(dot.name, check)], check)
        args = [py.load("$s", line), x, py.constant(dot.name, line), *values]
        result = ANY
        for kind, table in kinds.OF_METHOD.items():
            if mx == kind:
                result = table.get(dot.name, ANY)
        return py.call(py.load(".method", line), args, line, words), result


def arguments_of(
    node: syntax.Call,
) -> tuple[list[syntax.Expr], list[syntax.NamedArgument], list[Any]]:
    """Return the positional, the named and the starred arguments of a call."""
    positional: list[syntax.Expr] = []
    named: list[syntax.NamedArgument] = []
    stars: list[Any] = []
    for argument in node.arguments:
        if isinstance(argument, syntax.NamedArgument):
            named.append(argument)
        elif isinstance(argument, (syntax.StarArgument, syntax.StarStarArgument)):
            stars.append(argument)
        else:
            positional.append(argument)
    return positional, named, stars
