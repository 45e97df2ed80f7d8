"""Assignments: plain, to elements, to several targets at once, and augmented."""

from __future__ import annotations

from _ast import Dict, expr, stmt

from ..syntax import tree
from . import kinds
from . import python_tree as py
from .emit import PLAIN_VERSIONS
from .emit_blocks import BlockEmitter
from .facts import strip
from .kinds import ANY, INT, LIST, RAW_DICT, RAW_LIST, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .emit import Typed


class AssignEmitter(BlockEmitter):
    """Emits every statement that gives a variable, an element or a field a value."""

    def stmt_Assign(self, node: tree.Assign) -> list[stmt]:
        target = strip(node.target)
        given = strip(node.value)
        if (
            isinstance(target, (tree.Tuple, tree.List))
            and isinstance(given, (tree.Tuple, tree.List))
            and len(target.items) == len(given.items)
            and target.items
        ):
            targets, later = self.targets(target.items, node.at)
            pairs = zip(target.items, given.items)
            values = py.tuple_of([self.value_for(t, item) for t, item in pairs], self.line)
            return [py.assign(py.tuple_of(targets, self.line, py.STORE), values, self.line), *later]
        if isinstance(target, tree.Name):
            return [py.assign(self.store_name(target), self.value_for(target, node.value), self.line)]
        value, mask = self.expr(node.value)
        return self.assign_to(target, value, mask, node.at)

    def value_for(self, target: tree.Expr, node: tree.Expr) -> expr:
        """Emit what is assigned to a target: Python's own list or dict for a variable that holds such."""
        kind = self.raw(target)[1]
        if not kind:
            return self.value(node)
        node = strip(node)
        raw, _kind = self.raw(node)
        if raw is not None:
            return raw
        if isinstance(node, tree.List):
            return py.list_of([self.value(item) for item in node.items], self.line)
        if isinstance(node, tree.Binary) and node.op == "*" and isinstance(strip(node.left), tree.List):
            return self.repeated(node)
        if isinstance(node, tree.Comprehension):
            return self.comprehended(node, True)[0]
        value = self.value(node)
        name = getattr(getattr(value, "func", None), "id", "")
        if kind == RAW_LIST and name in PLAIN_VERSIONS:
            value.func.id = PLAIN_VERSIONS[name]  # type: ignore[attr-defined]
            return value
        if name in (".List", ".Dict", ".dict_of_keys"):
            # What would be made a value of Starlark's is Python's already.
            if value.args:  # type: ignore[attr-defined]
                return value.args[0]  # type: ignore[attr-defined, no-any-return]
            empty = Dict([], [], lineno=self.line, col_offset=0)
            return py.list_of([], self.line) if kind == RAW_LIST else empty
        return py.helper(".plain_list" if kind == RAW_LIST else ".plain_dict", [value], self.line)

    def repeated(self, node: tree.Binary) -> expr:
        """Emit `[…] * n` as a list of Python's own."""
        left: Any = strip(node.left)
        items = py.list_of([self.value(item) for item in left.items], self.line)
        count = self.value(node.right)
        return py.helper(".repeat_raw", [items, count], self.unit.op(node.at, ".repeat_raw"))

    def assign_to(self, target: tree.Expr, value: expr, mask: int, at: int) -> list[stmt]:
        """Return the statements that assign a value, which is evaluated first, to a target."""
        if isinstance(target, tree.Name):
            return [py.assign(self.store_name(target), value, self.line)]
        if isinstance(target, (tree.Tuple, tree.List)):
            return self.unpack_to(target.items, value, at)
        first: list[stmt] = []
        if not py.is_simple(value):
            name = self.temp()
            first.append(py.assign(py.store(name, self.line), value, self.line))
            value = py.load(name, self.line)
        if isinstance(target, tree.Index):
            return first + self.set_index(target, value)
        return [*first, py.expression(self.store_call(target, value), self.line)]

    def set_index(self, target: tree.Index, value: expr) -> list[stmt]:
        """Return the statements of `x[i] = value`, for a value that is evaluated already."""
        made: list[stmt] = []
        raw, kind = self.raw(target.operand)
        x = self.hold(target.operand, made) if raw is None else (raw, kind)
        i = self.hold(target.index, made)
        return made + self.set_element(target, x, i, value)

    def set_element(self, target: tree.Index, x: Typed, i: Typed, value: expr) -> list[stmt]:
        """Return the statement of `x[i] = value` for three variables or literals."""
        xs, mx = x
        key, mask = i
        if mx in (RAW_LIST, RAW_DICT):
            return self.store_raw(target.at, xs, mx, i, value)
        refs = [self.bind(part)[2] for part in (xs, key, value)]
        line = self.unit.op(target.at, ".set_index", *refs)
        slow = py.expression(py.helper(".set_index", [xs, key, value], line), line)
        if not mask & (INT | STRING) or xs.__class__.__name__ == "Constant":
            return [slow]
        classes = []
        if mx & LIST and mask & INT:
            classes.append(py.is_class(xs, ".List", line))
        if mx & kinds.DICT:
            classes.append(py.is_class(xs, ".Dict", line))
        sure = self.unit.inference.changeable(self.start, target.operand)
        if not classes:
            return [slow]
        native = py.assign(py.subscript(xs, key, line, py.STORE), value, line)
        tests = [classes[0] if len(classes) == 1 else py.boolean(py.OR, classes, line)]
        if sure and (mx == kinds.DICT or (mx == LIST and mask == INT)):
            tests = []
        if mask & ~(INT | STRING):
            keys = []
            if mask & STRING:
                keys.append(py.is_class(key, "str", line))
            if mask & INT:
                keys.append(py.is_class(key, "int", line))
            tests.append(keys[0] if len(keys) == 1 else py.boolean(py.OR, keys, line))
        if not tests:
            return [native]
        test = tests[0] if len(tests) == 1 else py.boolean(py.AND, tests, line)
        return [py.if_statement(test, [native], [slow], line)]

    def unpack_to(self, items: Sequence[tree.Expr], value: expr, at: int) -> list[stmt]:
        # spec: starlark.assign.unpack
        made: list[stmt] = []
        if not py.is_simple(value):
            name = self.temp()
            made.append(py.assign(py.store(name, self.line), value, self.line))
            value = py.load(name, self.line)
        count = len(items)
        if not count or value.__class__.__name__ == "Constant":
            line = self.unit.op(at, ".unpack")
            unpacked = py.helper(".unpack", [value, py.constant(count, line)], line)
        else:
            line = self.unit.op(at, ".unpack", value.id, (count,))  # type: ignore[attr-defined]
            unpacked = self.unpacked(value, count, line)
        if not count:
            return [*made, py.expression(unpacked, line)]
        targets, later = self.targets(items, at)
        return [*made, py.assign(py.tuple_of(targets, line, py.STORE), unpacked, line), *later]

    def targets(self, items: Sequence[tree.Expr], at: int) -> tuple[list[expr], list[stmt]]:
        """Return Python targets for the parts of a value, and what is to be assigned from them after that."""
        targets: list[expr] = []
        later: list[stmt] = []
        stripped = [strip(item) for item in items]
        simple = all(isinstance(item, tree.Name) for item in stripped)
        for item in stripped:
            if simple and isinstance(item, tree.Name):
                targets.append(self.store_name(item))
            else:
                name = self.temp()
                targets.append(py.store(name, self.line))
                later += self.assign_to(item, py.load(name, self.line), ANY, at)
        return targets, later

    def stmt_AugAssign(self, node: tree.AugAssign) -> list[stmt]:
        # spec: starlark.assign.augmented
        target = strip(node.target)
        if isinstance(target, tree.Name):
            raw, _kind = self.raw(target)
            if raw is not None:
                added = self.value(node.value)
                return [py.expression(self.native_method("extend", raw, [added], self.line), self.line)]
            old = self.name(target)
            if node.op == "+" and old[1] == LIST and self.unit.inference.changeable(self.start, target):
                value, mask = self.expr(node.value)
                if not mask & ~(LIST | TUPLE):
                    return [
                        py.expression(self.native_method("extend", old[0], [value], self.line), self.line)
                    ]
                return [
                    py.assign(self.store_name(target), self.augmented_by(node, old, (value, mask)), self.line)
                ]
            return [py.assign(self.store_name(target), self.augmented(node, old), self.line)]
        made: list[stmt] = []
        if isinstance(target, tree.Index):
            raw, kind = self.raw(target.operand)
            operand = self.hold(target.operand, made) if raw is None else (raw, kind)
            key = self.hold(target.index, made)
            old = self.index(target.at, operand, key)
            name = self.temp()
            made.append(py.assign(py.store(name, self.line), self.augmented(node, old), self.line))
            return made + self.set_element(target, operand, key, py.load(name, self.line))
        if isinstance(target, tree.Dot):
            operand = self.hold(target.operand, made)
            new = self.augmented(node, self.dot(target, operand))
            line = self.unit.op(target.at, ".set_attribute")
            store = py.helper(".set_attribute", [operand[0], py.constant(target.name, line), new], line)
            return [*made, py.expression(store, line)]
        raise AssertionError("the parser has checked the target")

    def hold(self, node: tree.Expr, made: list[stmt]) -> Typed:
        """Evaluate an expression once, before anything else, and return how to get its value again."""
        value, mask = self.expr(node)
        if py.is_simple(value):
            return value, mask
        name = self.temp()
        made.append(py.assign(py.store(name, self.line), value, self.line))
        return py.load(name, self.line), mask

    def augmented(self, node: tree.AugAssign, old: Typed) -> expr:
        """Return the new value of an augmented assignment's target."""
        return self.augmented_by(node, old, self.expr(node.value))

    def augmented_by(self, node: tree.AugAssign, old: Typed, right: Typed) -> expr:
        in_place = LIST if node.op == "+" else (kinds.DICT | kinds.SET if node.op == "|" else 0)
        if not old[1] & in_place:
            return self.binary(node.op, node.at, old, right)[0]
        helper = ".add_in_place" if node.op == "+" else ".or_in_place"
        first_a, a, ref_a = self.bind(old[0])
        first_b, b, ref_b = self.bind(right[0])
        line = self.unit.op(node.at, helper, ref_a, ref_b)
        slow = py.helper(helper, [a, b], line)
        native = py.binary(a, node.op, b, line)
        if right[1] == INT and first_b is b:
            test = py.is_class(first_a, "int", line)
        else:
            integer, string = py.class_named("int", line), py.class_named("str", line)
            class_a, class_b = py.class_of(first_a, line), py.class_of(first_b, line)
            test = py.both(class_a, py.IS, class_b, py.IS, integer, line)
            if node.op == "+" and old[1] & right[1] & STRING:
                strings = py.both(py.class_of(a, line), py.IS, py.class_of(b, line), py.IS, string, line)
                test = py.boolean(py.OR, [test, strings], line)
        return py.conditional(test, native, slow, line)

    # -- load
