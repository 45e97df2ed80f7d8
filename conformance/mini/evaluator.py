"""Runs a tree: a method for each kind of node.

What fails gets the place of its node (spec: starlark.error.columns).
"""

from __future__ import annotations

import operator

from conformance.mini.operators import binary, element
from conformance.mini.reader import Failure, Reader
from conformance.mini.resolver import Failures, Resolver
from conformance.mini.values import (
    Changeable,
    Dict,
    List,
    Named,
    Set,
    is_number,
    items_of,
    key_of,
    represent,
    truth,
    type_name,
)  # fmt: skip

LEFT, AGAIN = object(), object()  # what `break` and `continue` give


class Scope:
    """A block that runs: the names that it binds, their values, the block around it."""

    def __init__(self, names, around=None):
        self.names, self.around, self.values = names, around, {}


class Function:
    """What a `def` or `lambda` makes; `file` is where its text stands."""

    type = "function"

    def __init__(self, node, defaults, scope, file):
        self.node, self.defaults, self.scope, self.file = node, defaults, scope, file
        self.name = node.parts[0].parts[0] if node.parts[0] else "lambda"

    def text(self):
        return f"<function {self.name}>"


class Builtin:
    """A function of the implementation, or a method with its receiver: `call(machine, *given, **named)`."""

    type = "builtin_function_or_method"

    def __init__(self, name, call, *receiver):
        self.name, self.call, self.receiver = name, call, receiver

    def text(self):
        of = f" of {type_name(self.receiver[0])} value" if self.receiver else ""
        return f"<built-in {'method' if of else 'function'} {self.name}{of}>"


def freeze(top):
    """Freeze all that can be reached from a scope or value (spec: starlark.freeze)."""
    left, seen = [top], set()
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Changeable):
            value.frozen = True
            left += (
                [one for pair in value.items.values() for one in pair]
                if value.type == "dict"
                else items_of(value)
            )
        elif isinstance(value, tuple):
            left += value
        elif isinstance(value, Scope):
            left += [*value.values.values(), *([value.around] if value.around else [])]
        elif isinstance(value, Function):
            left += [*value.defaults.values(), value.scope]
        elif isinstance(value, (Named, Builtin)):
            left += value.fields.values() if isinstance(value, Named) else value.receiver


class Machine:
    """One evaluation.

    `universe` are the names that every file knows, `methods` those of types; `load(module name)` returns a
    module; `out(text)` prints. `files` are those of the active calls, the innermost last.
    """

    def __init__(self, universe, methods, load, out, steps=None, options=(), loads_first=True):
        self.universe, self.methods, self.load, self.out, self.steps = universe, methods, load, out, steps
        self.files, self.active, self.options = [], [], frozenset(options)
        self.loads_first = loads_first  # spec: dialect.load.order

    def run(self, text, file, **reading):
        """Run a file; return its tree and its globals (spec: starlark.module). Raises Failures."""
        try:
            tree = Reader(text, **reading).file()
            scope = Scope(Resolver(self.universe, self.options).file(tree))
        except Failure as failure:
            raise Failures([located(failure, failure.at, file)]) from None
        except Failures as failures:
            raise Failures([located(one, one.at, file) for one in failures.errors]) from None
        self.files.append(file)
        try:
            for node in tree:
                if node.kind == "load" and self.loads_first:
                    self.loaded(node)
            self.suite(tree, scope)
        finally:
            self.files.pop()
            freeze(scope)
        loaded = {local.parts[0] for node in tree if node.kind == "load" for local, _ in node.parts[1]}
        return tree, {name: value for name, value in scope.values.items() if name not in loaded}

    def loaded(self, node):
        """Return the module of a load statement; what is wrong within it has its own place."""
        try:
            return self.load(node.parts[0])
        except Failure as failure:
            raise located(
                failure, node.parts[2] if failure.code[:5] == "load." else node.at, self.files[-1]
            ) from None

    def tick(self):
        """spec: starlark.limit.steps"""
        if self.steps is not None:
            self.steps -= 1
            if self.steps < 0:
                raise Failure("eval.limit", "too many steps")

    def do(self, node, scope, *more):
        """Evaluate or carry out a node."""
        try:
            return getattr(self, "do_" + node.kind)(node, scope, *node.parts, *more)
        except Failure as failure:
            raise located(failure, node.at, self.files[-1]) from None
        except RecursionError:
            raise Failure("eval.limit", "Starlark stack overflow", node.at, self.files[-1]) from None

    def do_literal(self, node, scope, value):
        return value

    def do_name(self, node, scope, name):
        while scope and name not in scope.names:
            scope = scope.around
        if scope and name not in scope.values:
            kind = "local" if scope.around else "global"
            raise Failure("eval.unbound", f"{kind} variable {name} referenced before assignment")
        return scope.values[name] if scope else self.universe[name]

    def do_tuple(self, node, scope, items):
        return tuple([self.do(item, scope) for item in items])

    def do_list(self, node, scope, items):
        return List([self.do(item, scope) for item in items])

    def do_dict(self, node, scope, entries):
        result = Dict({})
        for key, at, value in entries:
            key, value = self.do(key, scope), self.do(value, scope)
            try:
                if key_of(key) in result.items:
                    raise Failure("eval.duplicate-key", f"duplicate key: {represent(key)}")
            except Failure as failure:
                raise located(failure, at, self.files[-1]) from None
            result.put(key, value)
        return result

    def do_comprehension(self, node, scope, kind, entry, clauses, names):
        """spec: starlark.comprehension, starlark.scope.comprehension"""
        result, inner = List([]) if kind == "list" else Dict({}), Scope(names, scope)

        def nest(index):
            if index == len(clauses) and kind == "list":
                return result.items.append(self.do(entry, inner))
            if index == len(clauses):
                return result.put(self.do(entry[0], inner), self.do(entry[2], inner))
            at, targets, operand = clauses[index]
            value = self.do(operand, inner if index else scope)
            if targets:
                return self.loop(value, targets, inner, at, lambda: nest(index + 1))
            return nest(index + 1) if truth(value) else None

        nest(0)
        return result

    def do_lambda(self, node, scope, name, parameters, body, names):
        defaults = {name: self.do(default, scope) for _, name, default, _ in parameters if default}
        return Function(node, defaults, scope, self.files[-1])

    def do_conditional(self, node, scope, test, yes, no):
        return self.do(yes if truth(self.do(test, scope)) else no, scope)

    def do_not(self, node, scope, value):
        return not truth(self.do(value, scope))

    def do_unary(self, node, scope, sign, value):
        value = self.do(value, scope)
        if not is_number(value) or (sign == "~" and type(value) is float):
            raise Failure("eval.operand", f"unknown unary op: {sign} {type_name(value)}")
        return {"-": operator.neg, "+": operator.pos, "~": operator.invert}[sign](value)

    def do_binary(self, node, scope, sign, left, right):
        left = self.do(left, scope)
        if sign in ("and", "or"):
            return left if truth(left) == (sign == "or") else self.do(right, scope)
        return binary(sign, left, self.do(right, scope))

    def do_index(self, node, scope, value, index):
        return element(self.do(value, scope), self.do(index, scope))

    def do_slice(self, node, scope, value, bounds):
        """spec: starlark.slice"""
        value = self.do(value, scope)
        bounds = [bound and self.do(bound, scope) for bound in bounds]
        if not isinstance(value, (str, bytes, tuple, range, List)):
            raise Failure(
                "eval.type", f"invalid slice operand {type_name(value)}", node.start, self.files[-1]
            )
        for name, bound in zip(("start index", "end index", "slice step"), bounds):
            if bound is not None and type(bound) is not int:
                raise Failure("eval.type", f"invalid {name}: got {type_name(bound)}, want int")
        if bounds[2] == 0:
            raise Failure("eval.value", "zero is not a valid slice step")
        return List(value.items[slice(*bounds)]) if isinstance(value, List) else value[slice(*bounds)]

    def do_dot(self, node, scope, value, name):
        return self.attribute(self.do(value, scope), name)

    def attribute(self, value, name):
        """Return a field or a bound method (spec: starlark.attribute)."""
        if isinstance(value, Named) and name in value.fields:
            return value.fields[name]
        method = self.methods.get(type_name(value), {}).get(name)
        if method:
            return Builtin(name, method, value)
        what = "attribute" if type_name(value) == "struct" else "field or method"
        raise Failure(
            getattr(value, "missing", "eval.attribute"), f"{type_name(value)} has no .{name} {what}"
        )

    def do_call(self, node, scope, function, arguments):
        """spec: starlark.expr.order, starlark.text.call"""
        function, given, named = self.do(function, scope), [], {}
        for name, value, _ in arguments:
            value = self.do(value, scope)
            if name == "*":
                given += items_of(value, "eval.argument", "argument after * must be iterable, not {}")
            elif name == "**":
                if not isinstance(value, Dict):
                    raise Failure(
                        "eval.argument", f"argument after ** must be a mapping, not {type_name(value)}"
                    )
                for key in items_of(value):
                    if not isinstance(key, str):
                        raise Failure("eval.argument", f"keywords must be strings, not {type_name(key)}")
                if named.keys() & set(items_of(value)):
                    at = (function.node.at, function.file) if isinstance(function, Function) else ()
                    raise Failure("eval.argument", "got multiple values for a parameter", *at)
                named.update(value.items.values())
            elif name:
                named[name[1:]] = value
            else:
                given.append(value)
        return self.call(function, given, named, node.at)

    def call(self, function, given=(), named=None, at=None):
        """Call a function or a built-in (spec: starlark.call, starlark.recursion)."""
        self.tick()
        if isinstance(function, Builtin):
            self.at = at
            return function.call(self, *function.receiver, *given, **(named or {}))
        if not isinstance(function, Function):
            raise Failure("eval.call", f"invalid call of non-function ({type_name(function)})")
        node, scope = function.node, Scope(function.node.parts[3], function.scope)
        self.files.append(function.file)
        self.active.append(node)
        try:
            if "recursion" not in self.options and self.active.index(node) < len(self.active) - 1:
                raise Failure("eval.recursion", f"function {function.name} called recursively")
            bind(function, given, dict(named or {}), scope.values)
            result = self.suite(node.parts[2], scope)
            return result[0] if isinstance(result, tuple) else None
        except Failure as failure:
            raise located(failure, node.at, function.file) from None
        finally:
            self.files.pop()
            self.active.pop()

    # Statements: None to go on, LEFT, AGAIN, or a tuple with what `return` gives.

    def suite(self, statements, scope):
        for node in statements:
            result = self.do(node, scope)
            if result is not None and node.kind in ("for", "if", "while", "return", "break", "continue"):
                return result
        return None

    def do_pass(self, node, scope):
        return None

    def do_break(self, node, scope):
        return LEFT

    def do_continue(self, node, scope):
        return AGAIN

    def do_return(self, node, scope, value):
        return (value and self.do(value, scope),)

    def do_expression(self, node, scope, value):
        self.do(value, scope)

    def do_if(self, node, scope, test, yes, no):
        return self.suite(yes if truth(self.do(test, scope)) else no, scope)

    def do_for(self, node, scope, targets, value, body):
        return self.loop(self.do(value, scope), targets, scope, node.at, lambda: self.suite(body, scope))

    def do_while(self, node, scope, test, body, _):
        while truth(self.do(test, scope)):
            self.tick()
            result = self.suite(body, scope)
            if result is LEFT or isinstance(result, tuple):
                return result if isinstance(result, tuple) else None
        return None

    def loop(self, value, targets, scope, at, round_):
        """Run `round_` for each item; the value is locked meanwhile (spec: starlark.iteration.locked)."""
        try:
            items = items_of(value)
        except Failure as failure:
            raise located(failure, at, self.files[-1]) from None
        value = value if isinstance(value, Changeable) and not value.frozen else Changeable(None)
        value.busy += 1
        try:
            for item in items:
                self.tick()
                self.assign(targets, item, scope, at)
                result = round_()
                if result is LEFT or isinstance(result, tuple):
                    return result if isinstance(result, tuple) else None
        finally:
            value.busy -= 1

    def do_def(self, node, scope, name, *parts):
        scope.values[name.parts[0]] = self.do_lambda(node, scope, name, *parts)

    def do_load(self, node, scope, name, names, _):
        """spec: starlark.load.names, dialect.load"""
        module = self.load(name)
        for local, original in names:
            if original is not None and (original not in module.fields or original[:1] == "_"):
                raise Failure("eval.load", f"load: name {original} not found in module {name}")
            scope.values[local.parts[0]] = module if original is None else module.fields[original]

    def do_assign(self, node, scope, target, value):
        self.assign(target, self.do(value, scope), scope, node.at)

    def assign(self, target, value, scope, at):
        """Bind a target; `at` is where a mistake in unpacking is shown (spec: starlark.assign.unpack)."""
        if target.kind == "name":
            scope.values[target.parts[0]] = value
        elif target.kind in ("tuple", "list"):
            try:
                items = items_of(value, "eval.unpack", "got {} in sequence assignment")
                got, want = len(items), len(target.parts[0])
                if got != want:
                    few = "few" if got < want else "many"
                    raise Failure("eval.unpack", f"too {few} values to unpack (got {got}, want {want})")
            except Failure as failure:
                raise located(failure, at, self.files[-1]) from None
            for part, item in zip(target.parts[0], items):
                self.assign(part, item, scope, at)
        else:
            self.put(
                target,
                self.do(target.parts[0], scope),
                target.kind == "index" and self.do(target.parts[1], scope),
                value,
            )

    def got(self, target, holder, index):
        try:
            return element(holder, index)
        except Failure as failure:
            raise located(failure, target.at, self.files[-1]) from None

    def put(self, target, holder, index, value):
        """Store into an element or attribute (spec: starlark.assign.element)."""
        try:
            if target.kind == "dot":
                raise Failure(
                    "eval.attribute", f"can't assign to .{target.parts[1]} field of {type_name(holder)}"
                )
            if not isinstance(holder, (List, Dict)):
                raise Failure("eval.type", f"{type_name(holder)} value does not support item assignment")
            if isinstance(holder, List):
                element(holder, index)
            holder.change("assign to element of" if isinstance(holder, List) else "insert into")
            if isinstance(holder, List):
                holder.items[index] = value
            else:
                holder.put(index, value)
        except Failure as failure:
            raise located(failure, target.at, self.files[-1]) from None

    def do_augmented(self, node, scope, target, sign, value):
        """spec: starlark.assign.augmented"""
        parts = [self.do(part, scope) for part in target.parts if hasattr(part, "kind")]
        if target.kind == "name":
            left = self.do(target, scope)
        else:
            left = self.do(target, scope) if target.kind == "dot" else self.got(target, *parts)
        right = self.do(value, scope)
        if isinstance(left, List) and sign == "+":
            left.change("apply += to")
            left.items += items_of(right, "eval.operand", "unknown binary op: list + {}")
            result = left
        elif isinstance(left, (Dict, Set)) and sign == "|" and type(left) is type(right):
            left.change("apply |= to")
            result = left
            left.items.update(right.items)
        else:
            result = binary(sign, left, right)
        if target.kind == "name":
            scope.values[target.parts[0]] = result
        else:
            self.put(target, parts[0], parts[-1], result)


def located(failure, at, file):
    """Return the error with this place, if it has none yet."""
    if failure.at is None:
        failure.at = at
    failure.file = failure.file or file
    return failure


def bind(function, given, named, into):
    """Give the parameters of a function their values (spec: starlark.binding)."""
    parameters = function.node.parts[1]
    ordinary = [name for star, name, _, _ in parameters if not star]
    first_star = next((index for index, parameter in enumerate(parameters) if parameter[0]), len(parameters))
    places, rest = ordinary[:first_star], {star: name for star, name, _, _ in parameters if star and name}
    missing = [name for name in ordinary if name not in function.defaults]
    twice = [name for name in named if name in places[: len(given)]]
    unknown = [name for name in named if name not in ordinary]
    lacking = [name for name in missing if name not in named and name not in places[: len(given)]]
    most = "at most " if any(name in function.defaults for name in places) else ""
    fault = ""
    if len(given) > len(places) and "*" not in rest:
        ending = "argument" if len(places) == 1 else "arguments"
        fault = f"accepts {most}{len(places)} positional {ending} ({len(given)} given)"
        fault = fault if parameters else f"accepts no arguments ({len(given) + len(named)} given)"
    elif twice:
        fault = f'got multiple values for parameter "{twice[0]}"'
    elif unknown and "**" not in rest:
        fault = f'got an unexpected keyword argument "{unknown[0]}"'
        fault = fault if parameters else f"accepts no arguments ({len(named)} given)"
    elif lacking:
        fault = f"missing {len(lacking)} argument{'s' * (len(lacking) > 1)} ({', '.join(lacking)})"
    if fault:
        raise Failure("eval.argument", f"function {function.name} {fault}", function.node.at, function.file)
    into.update(function.defaults)
    into.update(zip(places, given))
    into.update((name, named[name]) for name in ordinary if name in named)
    if "*" in rest:
        into[rest["*"]] = tuple(given[len(places) :])
    if "**" in rest:
        into[rest["**"]] = Dict.of((name, named[name]) for name in unknown)
