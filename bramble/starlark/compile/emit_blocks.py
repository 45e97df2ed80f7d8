"""Loops: what they iterate and how it is locked; comprehensions."""

from __future__ import annotations

from _ast import DictComp, Lambda, ListComp, comprehension, expr

from ..syntax import tree
from . import python_tree as py
from .emit_methods import MethodEmitter
from .facts import FRESH, strip
from .kinds import DICT, INT, LIST, RANGE, RAW_DICT, RAW_LIST, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .emit import Typed

    # For signatures below the method `comprehension`.
    PyClause = comprehension

# Comprehensions inside one another of which every so many is made in a function of its own.
_NESTED = 8

# Nothing to check; iterable by Python once its class is known; to be locked while it is iterated.
FREE, CHECK, LOCK = "free", "check", "lock"


class BlockEmitter(MethodEmitter):
    """Makes Python expressions for loops and comprehensions."""

    def is_fresh(self, node: tree.Expr) -> bool:
        """Return whether an expression makes a new value that no other code can change."""
        node = strip(node)
        if isinstance(node, (tree.List, tree.Tuple, tree.Dict, tree.Comprehension, tree.Slice)):
            return True
        return isinstance(node, tree.Call) and self.is_universal(node.function) in FRESH

    def items(self, node: tree.Expr, loop: int) -> tuple[expr, str, int]:
        """Return what a loop iterates, how careful it must be, and how many parts each item surely has.

        `loop` is where the loop or the comprehension begins.
        """
        inner = strip(node)
        if isinstance(inner, tree.Call) and not self.limited and self.is_universal(inner.function) == "range":
            given = [a for a in inner.arguments if isinstance(a, tree.Expr)]
            if len(given) == len(inner.arguments) and 1 <= len(given) <= 3:
                return self.loop_range(inner, given), FREE, 0
        if isinstance(inner, tree.Call) and not self.no_walrus:
            made = self.lazy_items(inner, loop)
            if made is not None:
                return made
        value, mask = self.iterated(node)
        parts = self.unit.inference.parts(node)
        if mask in (RAW_LIST, RAW_DICT):
            return value, FREE, parts
        if mask == RANGE:
            return self.rounds(value, self.unit.op(node.start, ".enter")), FREE, parts
        if mask == TUPLE or (mask == LIST and self.is_fresh(node)):
            return value, FREE, parts
        if self.is_fresh(node) or not self.unit.inference.needs_lock(self.start, loop, node):
            return value, CHECK, parts
        return value, LOCK, parts

    def rounds(self, value: expr, line: int) -> expr:
        """Emit what a loop iterates, which may be a range; where steps are counted nothing more is needed."""
        return value if self.limited else py.helper(".rounds", [value], line)

    def lazy_items(self, node: tree.Call, loop: int) -> Optional[tuple[expr, str, int]]:
        """Return the items of a call that would make a list only for this loop, without the list."""
        given = [a for a in node.arguments if isinstance(a, tree.Expr)]
        count = len(given)
        if count < len(node.arguments):
            return None
        name = self.is_universal(node.function)
        if (name == "enumerate" and count in (1, 2)) or (name == "zip" and count):
            args = [self.iterated(a)[0] for a in given]
            line = self.unit.op(node.at, f".each_{name}")
            plain = count == 1 if name == "enumerate" else True
            if plain and not any(self.unit.inference.needs_lock(self.start, loop, a) for a in given):
                # Nothing changes them meanwhile, so they need not be copied.
                numbers = [py.constant(number, line) for number in range(1, count + 1)]
                sure = [self.settled(name, a, number, line) for a, number in zip(args, numbers)]
                return py.helper(f"c.{name}", sure, line), FREE, 2 if name == "enumerate" else count
            return py.helper(f".each_{name}", args, line), FREE, 2 if name == "enumerate" else count
        function = strip(node.function)
        if isinstance(function, tree.Dot) and count == 0:
            if function.name in ("items", "keys", "values"):
                return self.dict_items(node, function, loop)
            if function.name in ("elems", "codepoints"):
                x, mask = self.expr(function.operand)
                if mask == STRING:
                    return x, FREE, 0
        return None

    def settled(self, name: str, value: expr, number: expr, line: int) -> expr:
        """Return an argument of `enumerate` or `zip` as something that Python can iterate."""
        first, again, _ref = self.bind(value)
        slow = self.rounds(py.helper(".settled", [py.constant(name, line), number, again], line), line)
        return py.conditional(py.is_class(first, ".List", line), again, slow, line)

    def dict_items(self, node: tree.Call, dot: tree.Dot, loop: int) -> tuple[expr, str, int]:
        """Return `d.items()` and its like as a Python tuple."""
        value, mask = self.used(dot.operand)
        if mask == RAW_DICT:
            line = self.unit.op(node.at, "method")
            parts = 2 if dot.name == "items" else 0
            if dot.name != "values" and not self.has_plain_keys(dot.operand):
                return py.helper(f".raw_{dot.name}", [value], line), FREE, parts
            view = self.native_method(dot.name, value, [], line)
            if not self.unit.inference.needs_lock(self.start, loop, dot.operand):
                return view, FREE, parts
            # What is iterated is a copy of what the dict holds now.
            return py.helper("c.tuple", [view], line), FREE, parts
        first, x, _ref = self.bind(value)
        line = self.unit.op(node.at, "method", (dot.at,))
        native = py.helper("c.tuple", [self.native_method(dot.name, x, [], line)], line)
        slow = self.slow_method(node, dot, x, [], [], [])
        if mask != DICT:
            # A struct may have a field of this name, whose result may be any list.
            slow = py.helper(".marked", [slow], line)
        test = py.boolean(
            py.OR, [py.is_class(first, ".Dict", line), py.is_class(x, ".FrozenDict", line)], line
        )
        parts = 2 if dot.name == "items" and mask == DICT else 0
        return py.conditional(test, native, slow, line), FREE, parts

    def checked_items(self, value: expr, line: int) -> expr:
        """Return an iterable for Python of a value that need not be locked."""
        if self.no_walrus and not py.is_simple(value):
            return self.rounds(py.helper(".iterate", [value], line), line)
        first, again, _ref = self.bind(value)
        plain = py.boolean(
            py.OR,
            [py.is_class(first, ".List", line), py.is_class(again, "tuple", line)],
            line,
        )
        slow = self.rounds(py.helper(".iterate", [again], line), line)
        return py.conditional(plain, again, slow, line)

    def expr_Comprehension(self, node: tree.Comprehension) -> Typed:
        # spec: starlark.comprehension
        return self.comprehended(node, False)

    def comprehended(self, node: tree.Comprehension, raw: bool) -> Typed:
        hoisting, self.hoisting = self.hoisting, False
        self.comprehensions += 1
        value, mask = self.comprehension(node, raw)
        self.comprehensions -= 1
        self.hoisting = hoisting
        if self.comprehensions % _NESTED == _NESTED - 1:
            # Python 3.12 and 3.13 crash on too many of them within one function.
            hidden = py.parameters([], [], None, [], [], None, None)
            inner = Lambda(hidden, value, lineno=self.line, col_offset=0)
            value = py.call(inner, [], self.line)
        return value, mask

    def comprehension(self, node: tree.Comprehension, raw: bool = False) -> Typed:
        """Emit a comprehension; `raw` makes Python's own list or dict of it."""
        generators: list[comprehension] = []
        first: list[expr] = []
        locked = False
        for number, clause in enumerate(node.clauses):
            if isinstance(clause, tree.IfClause):
                generators[-1].ifs.append(self.condition(clause.condition))
                continue
            outermost = number == 0
            if outermost:
                # Evaluated before the comprehension, outside its scope.
                items, care, parts = self.items(clause.iterable, node.start)
            else:
                self.no_walrus += 1
                items, care, parts = self.items(clause.iterable, node.start)
                self.no_walrus -= 1
            line = self.unit.op(clause.start, ".enter")
            if care == CHECK:
                if not outermost:
                    self.no_walrus += 1
                items = self.checked_items(items, line)
                if not outermost:
                    self.no_walrus -= 1
            elif care == LOCK:
                if outermost and not self.no_walrus:
                    items = py.helper(".hold", [py.load("$s", line), items], line)
                    locked = True
                else:
                    items = py.helper(".marked", [items], line)
            if outermost and not self.no_walrus and not py.is_simple(items):
                name = self.temp()
                first.append(py.walrus(name, items, line))
                items = py.load(name, line)
            generators += self.clause(clause, items, parts, line)
            if self.limited and generators:
                generators[-1].ifs.insert(0, self.counted_step(line))
        made, mask = self.comprehension_body(node, generators)
        if raw:
            made = made.args[0]  # type: ignore[attr-defined]
        if locked:
            made = py.helper(".release", [py.load("$s", self.line), made], self.line)
        return py.sequence(first, made, self.line), mask

    # Whether a function may be made before the statement: not inside what has variables of its own.
    hoisting = True

    def counted_step(self, line: int) -> expr:
        """Emit the call that counts a step and is always true."""
        return py.call(py.attribute(py.load("$s", line), "tick", line), [], line)

    def comprehension_body(self, node: tree.Comprehension, generators: list[PyClause]) -> Typed:
        body = node.body
        if not isinstance(body, tree.DictEntry):
            made_list = ListComp(self.value(body), generators, lineno=self.line, col_offset=0)
            return py.helper(".List", [made_list], self.line), LIST
        key, mask = self.expr(body.key)
        value = self.value(body.value)
        line = self.unit.op(body.at, ".key_of")
        plain = not mask & ~(STRING | INT)
        if not plain:
            key = py.helper(".key_of", [key], line)
        made = DictComp(key, value, generators, lineno=line, col_offset=0)
        return py.helper(".Dict" if plain else ".dict_of_keys", [made], line), DICT

    def clause(self, clause: tree.ForClause, items: expr, parts: int, line: int) -> list[PyClause]:
        """Return the Python clause for a `for`, followed by those that unpack its target."""
        target = strip(clause.target)
        if isinstance(target, tree.Name):
            return [comprehension(self.store_name(target), items, [], 0)]
        names = self.plain_targets(target, parts)
        if names is not None:
            return [comprehension(names, items, [], 0)]
        name = self.temp()
        clauses = [comprehension(py.store(name, line), items, [], 0)]
        self.unpack_clauses(target, py.load(name, line), line, clauses)
        return clauses

    def plain_targets(self, target: tree.Expr, parts: int) -> Optional[expr]:
        """Return a target of names that Python unpacks itself, for items that surely have so many parts."""
        if not isinstance(target, (tree.Tuple, tree.List)) or len(target.items) != parts:
            return None
        items = [strip(item) for item in target.items]
        if not all(isinstance(item, tree.Name) for item in items):
            return None
        return py.tuple_of([self.store_name(item) for item in items], self.line, py.STORE)  # type: ignore[arg-type]

    def unpacked(self, value: expr, count: int, line: int) -> expr:
        """Return the parts of a value, which is a variable, for Python to unpack."""
        plain = py.boolean(
            py.OR, [py.is_class(value, "tuple", line), py.is_class(value, ".List", line)], line
        )
        slow = py.helper(".unpack", [value, py.constant(count, line)], line)
        return py.conditional(plain, value, slow, line)

    def unpack_clauses(self, target: tree.Expr, value: expr, line: int, clauses: list[PyClause]) -> None:
        """Add clauses `for (a, b) in [unpacked value]`, which Python runs as plain assignments."""
        if not isinstance(target, (tree.Tuple, tree.List)):
            # An element or field as a target: assigned by a condition that always holds.
            clauses[-1].ifs.append(py.unary("not", self.store_call(target, value), line))
            return
        names = []
        later = []
        for item in map(strip, target.items):
            if isinstance(item, tree.Name):
                names.append(self.store_name(item))
            else:
                temp = self.temp()
                names.append(py.store(temp, line))
                later.append((item, temp))
        count = len(target.items)
        line = self.unit.op(self.unit.operations[line - 1][0], ".unpack", value.id, (count,))  # type: ignore[attr-defined]
        parts = self.unpacked(value, count, line)
        clauses.append(comprehension(py.tuple_of(names, line, py.STORE), py.list_of([parts], line), [], 0))
        for item, temp in later:
            self.unpack_clauses(item, py.load(temp, line), line, clauses)

    def store_call(self, target: tree.Expr, value: expr) -> expr:
        """Return a call that assigns to an element or a field and returns None."""
        if isinstance(target, tree.Index):
            line = self.unit.op(target.at, ".set_index")
            return py.helper(
                ".set_index", [self.value(target.operand), self.value(target.index), value], line
            )
        if isinstance(target, tree.Dot):
            line = self.unit.op(target.at, ".set_attribute")
            name = py.constant(target.name, line)
            return py.helper(".set_attribute", [self.value(target.operand), name, value], line)
        raise AssertionError("the parser has checked the targets")

    def store_name(self, node: tree.Name) -> expr:
        raise NotImplementedError
