"""Expressions with a scope of their own: comprehensions."""

from __future__ import annotations

from _ast import DictComp, ListComp, comprehension, expr

from . import astbuild as py
from . import syntax
from .emit_calls import FRESH, FRESH_METHODS, CallEmitter
from .kinds import ANY, DICT, INT, LIST, RANGE, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import Typed


class BlockEmitter(CallEmitter):
    """Makes Python expressions for comprehensions."""

    def is_fresh(self, node: syntax.Expr) -> bool:
        """Return whether an expression makes a new value that no other code can change."""
        node = strip_parens(node)
        if isinstance(node, (syntax.List, syntax.Tuple, syntax.Dict, syntax.Comprehension)):
            return True
        return isinstance(node, syntax.Call) and self.is_universal(node.function) in FRESH

    def loop_items(self, node: syntax.Expr) -> tuple[expr, int]:
        """Return what a comprehension clause iterates, as Python sees it, and the kinds of its items."""
        value, mask = self.expr(node)
        if mask in (RANGE, TUPLE, LIST) and (mask != LIST or self.is_fresh(node)):
            return value, INT if mask == RANGE else ANY
        return value, -1

    def expr_Comprehension(self, node: syntax.Comprehension) -> Typed:
        # spec: starlark.comprehension
        generators: list[comprehension] = []
        first: list[expr] = []
        for number, clause in enumerate(node.clauses):
            if isinstance(clause, syntax.IfClause):
                generators[-1].ifs.append(self.value(clause.condition))
                continue
            if number == 0:
                # Outside the scope of the comprehension, and evaluated before it.
                items, kind = self.loop_items(clause.iterable)
                if not self.no_walrus and not py.is_simple(items):
                    name = self.temp()
                    first.append(py.walrus(name, items, 1))
                    items = py.load(name, 1)
            else:
                self.no_walrus += 1
                items, kind = self.loop_items(clause.iterable)
                self.no_walrus -= 1
            line = self.unit.op(clause.start, ".marked")
            if kind < 0:
                items = py.helper(".marked", [items], line)
                kind = ANY
            generators += self.clause(clause, items, line)
        body = node.body
        if isinstance(body, syntax.DictEntry):
            key, mask = self.expr(body.key)
            value = self.value(body.value)
            line = self.unit.op(body.at, ".key_of")
            if mask not in (STRING, INT):
                key = py.helper(".key_of", [key], line)
            made = DictComp(key, value, generators, lineno=line, col_offset=0)
            function = ".Dict" if mask in (STRING, INT) else ".dict_of_keys"
            return py.sequence(first, py.helper(function, [made], line), line), DICT
        made_list = ListComp(self.value(body), generators, lineno=1, col_offset=0)
        return py.sequence(first, py.helper(".List", [made_list], 1), 1), LIST

    def clause(self, clause: syntax.ForClause, items: expr, line: int) -> list[comprehension]:
        """Return the Python clause for a `for`, followed by those that unpack its target."""
        target = strip_parens(clause.target)
        if isinstance(target, syntax.Name):
            return [comprehension(self.store_name(target), items, [], 0)]
        name = self.temp()
        clauses = [comprehension(py.store(name, line), items, [], 0)]
        self.unpack_clauses(target, py.load(name, line), line, clauses)
        return clauses

    def unpack_clauses(
        self, target: syntax.Expr, value: expr, line: int, clauses: list[comprehension]
    ) -> None:
        """Add clauses `for (a, b) in [unpacked value]`, which Python runs as plain assignments."""
        if not isinstance(target, (syntax.Tuple, syntax.List)):
            # An element or field as a target: assigned by a condition that always holds.
            clauses[-1].ifs.append(py.unary("not", self.store_call(target, value), line))
            return
        names = []
        later = []
        for item in map(strip_parens, target.items):
            if isinstance(item, syntax.Name):
                names.append(self.store_name(item))
            else:
                temp = self.temp()
                names.append(py.store(temp, line))
                later.append((item, temp))
        line = self.unit.op(self.unit.operations[line - 1][0], ".unpack")
        unpacked = py.helper(".unpack", [value, py.constant(len(target.items), line)], line)
        clauses.append(comprehension(py.tuple_of(names, line, py.STORE), py.list_of([unpacked], line), [], 0))
        for item, temp in later:
            self.unpack_clauses(item, py.load(temp, line), line, clauses)

    def store_call(self, target: syntax.Expr, value: expr) -> expr:
        """Return a call that assigns to an element or a field and returns None."""
        if isinstance(target, syntax.Index):
            line = self.unit.op(target.at, ".set_index")
            return py.helper(".set_index", [self.value(target.operand), self.value(target.index), value], line)
        if isinstance(target, syntax.Dot):
            line = self.unit.op(target.at, ".set_attribute")
            name = py.constant(target.name, line)
            return py.helper(".set_attribute", [self.value(target.operand), name, value], line)
        raise AssertionError("the parser has checked the targets")

    def store_name(self, node: syntax.Name) -> expr:
        raise NotImplementedError


def strip_parens(node: syntax.Expr) -> syntax.Expr:
    """Return the expression inside any parentheses."""
    while isinstance(node, syntax.Paren):
        node = node.value
    return node
