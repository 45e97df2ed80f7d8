"""Conclusions from what functions do: kinds of variables, needless locks, needless recursion checks."""

from __future__ import annotations

from . import kinds, syntax
from .analysis import FRESH, FunctionFacts, LoopFacts, collect, strip
from .kinds import ANY, BOOL, DICT, FUNCTION, INT, LIST, NONE, OTHER, RANGE, RAW_DICT, RAW_LIST, SET, STRING, TUPLE
from .scopes import CELL, GLOBAL, KEYWORD_ONLY, KWARGS, LOCAL, POSITIONAL, PREDECLARED, UNIVERSAL, VARARGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from .scopes import FunctionScope, Resolution

# Deeper expressions may be of any kind: it saves time, and Python's stack.
_DEPTH = 25
_CONTAINER = LIST | DICT | SET | OTHER
_ITERABLE = LIST | DICT | SET | TUPLE | RANGE | OTHER
# What can be done with Python's own list or dict as with a List or Dict, or to a copy of it.
_READING = frozenset(
    {
        *("index", "store", "iterate", "truth", "return", "in"),
        *(f"universal.{name}" for name in ("len", "sorted", "list", "tuple", "set", "reversed", "any", "all")),
        *(f"universal.{name}" for name in ("enumerate", "zip", "max", "min")),
    }
)
_RAW_USES = {
    RAW_LIST: _READING | {"slice", "method.append", "method.pop", "method.extend", "method.index"},
    RAW_DICT: _READING
    | {"method.get", "method.setdefault", "method.items", "method.keys", "method.values"},
}
_NEW = frozenset({syntax.List, syntax.Dict, syntax.Comprehension, syntax.Slice, syntax.Literal})
_CONSTANTS = {"None": NONE, "True": BOOL, "False": BOOL}


def read(resolution: Resolution, known: Mapping[str, syntax.Def]) -> dict[int, FunctionFacts]:
    """Return what the file does (under -1), and every function in it (under its start)."""
    found: dict[int, FunctionFacts] = {}
    work: list[tuple[int, Sequence[syntax.Node]]] = [(-1, resolution.file.body)]
    while work:
        start, nodes = work.pop()
        facts = found[start] = collect(nodes, resolution.uses, known)
        for node in facts.inner:
            work.append((node.start, (node.body,) if isinstance(node, syntax.Lambda) else node.body))
    return found


class Inference:
    """What is known of the functions and variables of one file.

    `masks` are the kinds of variables by declaration; a variable that is not
    there may be of any kind.

    There are two views of a file. In the *open* one anybody may call any function
    with anything. In the *closed* one (`roots` given) there are only the file
    itself, its functions without parameters, and what these call by name: so it is
    known what their parameters can be. Functions that a host or another file calls
    run in code made for the open view, and call only such code.
    """

    def __init__(
        self,
        resolution: Resolution,
        known: Mapping[str, syntax.Def],
        facts: Mapping[int, FunctionFacts],
        *,
        open_globals: bool = False,
        roots: Collection[str] = (),
        closed: bool = False,
    ) -> None:
        self.uses = resolution.uses
        self.known = known
        self.open_globals = open_globals
        self.masks: dict[int, int] = {}
        self.captured: set[int] = set()
        self.parameters: set[int] = set()
        # The known functions whose parameters get what calls by name give them.
        self.specialised: set[str] = set()
        self.facts = self._reachable(facts, roots) if closed else dict(facts)
        self._loud: set[str] = set()
        self._private: dict[int, bool] = {}
        self._raw: dict[int, int] = {}
        self._recurring: set[int] = set()
        self._scopes(resolution)
        self._solve(resolution)
        self._judge()
        self._find_locked()

    # -- collecting

    def _reachable(
        self, facts: Mapping[int, FunctionFacts], roots: Collection[str]
    ) -> dict[int, FunctionFacts]:
        """Return the facts of the closed view, and note whose parameters it knows."""
        found: dict[int, FunctionFacts] = {}
        known = {node.start for node in self.known.values()}
        work = [-1, *[self.known[name].start for name in roots]]
        while work:
            start = work.pop()
            if start in found:
                continue
            one = found[start] = facts[start]
            work += [node.start for node in one.inner if node.start not in known]
            for name, _node in one.calls:
                work.append(self.known[name].start)
                if name not in roots:
                    self.specialised.add(name)
        return found

    def _scopes(self, resolution: Resolution) -> None:
        specialised = {self.known[name].start for name in self.specialised}
        for scope in (resolution.toplevel, *resolution.functions.values()):
            for number, binding in enumerate(scope.locals):
                if binding.scope == CELL:
                    self.captured.add(binding.declared)
                if number < len(scope.parameters):
                    kind = scope.parameters[number].kind
                    self.parameters.add(binding.declared)
                    given = {VARARGS: TUPLE, KWARGS: DICT}.get(kind, ANY)
                    free = given == ANY and scope.start in specialised
                    self.masks[binding.declared] = 0 if free else given

    def keep_useful(self, other: Inference) -> None:
        """Forget the functions of which no more is known than in another view."""
        for name in list(self.specialised):
            declared = [p.name.start for p in self.known[name].parameters if p.name is not None]
            if all(self.masks.get(d, ANY) == other.masks.get(d, ANY) for d in declared):
                self.specialised.discard(name)

    def _solve(self, resolution: Resolution) -> None:
        """Find the kinds of all variables: the least that agree with all assignments."""
        masks = self.masks
        constraints: list[tuple[int, str, Any]] = []
        specialised = {self.known[name].start for name in self.specialised}
        for start, facts in self.facts.items():
            for declared, assigned in facts.assigned.items():
                if declared in self.parameters and start not in specialised:
                    masks[declared] = ANY
                    continue
                masks.setdefault(declared, 0)
                constraints += [(declared, how, value) for how, value in assigned]
        for node in self.known.values():
            result = _result(node)
            masks[result] = NONE
            if node.start in self.facts:
                constraints += [(result, "is", value) for value in self.facts[node.start].returns]
        for facts in self.facts.values():
            for name, call in facts.calls:
                if name in self.specialised:
                    node = self.known[name]
                    constraints += _given(resolution.functions[node.start], node, call)
        if self.open_globals:
            # Other inputs of a REPL may assign them as well.
            for use in self.uses.values():
                if use.scope == GLOBAL:
                    masks[use.declared] = ANY
        changed = True
        while changed:
            changed = False
            for declared, how, value in constraints:
                before = masks[declared]
                if before == ANY:
                    continue
                after = before | self.assigned_kind(declared, how, value)
                if after != before:
                    masks[declared] = after
                    changed = True

    def assigned_kind(self, declared: int, how: str, value: Any) -> int:
        if how == "is":
            return self.kind(value, _DEPTH)
        if how == "alias":
            return self.name_kind(value)
        if how == "aug":
            left, right = self.masks.get(declared, ANY), self.kind(value.value, _DEPTH)
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

    # -- kinds of expressions

    def kind(self, node: syntax.Expr, depth: int = _DEPTH) -> int:
        """Return the kinds that the value of an expression can have."""
        node = strip(node)
        cls = node.__class__
        if cls is syntax.Literal:
            return kinds.of_constant(node.value)  # type: ignore[attr-defined]
        if cls is syntax.Name:
            return self.name_kind(node)  # type: ignore[arg-type]
        if depth <= 0:
            return ANY
        if cls is syntax.Binary:
            return self.chain_kind(node, depth)  # type: ignore[arg-type]
        method = _KINDS.get(cls)
        return ANY if method is None else method(self, node, depth - 1)  # type: ignore[no-any-return]

    def name_kind(self, node: syntax.Name) -> int:
        binding = self.uses[node.start]
        if binding.scope == UNIVERSAL:
            return _CONSTANTS.get(node.name, FUNCTION)
        if binding.scope == PREDECLARED:
            return ANY
        return self.masks.get(binding.declared, ANY)

    def chain_kind(self, node: syntax.Binary, depth: int) -> int:
        links = []
        at: syntax.Expr = node
        while at.__class__ is syntax.Binary:
            links.append(at)
            at = strip(at.left)  # type: ignore[attr-defined]
        made = self.kind(at, depth - 1)
        for link in reversed(links):
            right = self.kind(link.right, depth - 1)  # type: ignore[attr-defined]
            op = link.op  # type: ignore[attr-defined]
            made = made | right if op in ("and", "or") else kinds.of_binary(op, made, right)
        return made

    def kind_of_unary(self, node: syntax.Unary, depth: int) -> int:
        return kinds.of_unary(node.op, self.kind(node.operand, depth))

    def kind_of_conditional(self, node: syntax.Conditional, depth: int) -> int:
        return self.kind(node.then, depth) | self.kind(node.otherwise, depth)

    def kind_of_list(self, _node: syntax.Expr, _depth: int) -> int:
        return LIST

    def kind_of_tuple(self, _node: syntax.Expr, _depth: int) -> int:
        return TUPLE

    def kind_of_dict(self, _node: syntax.Expr, _depth: int) -> int:
        return DICT

    def kind_of_comprehension(self, node: syntax.Comprehension, _depth: int) -> int:
        return DICT if isinstance(node.body, syntax.DictEntry) else LIST

    def kind_of_lambda(self, _node: syntax.Expr, _depth: int) -> int:
        return FUNCTION

    def kind_of_index(self, node: syntax.Index, depth: int) -> int:
        return index_kind(self.kind(node.operand, depth))

    def kind_of_slice(self, node: syntax.Slice, depth: int) -> int:
        return slice_kind(self.kind(node.operand, depth))

    def kind_of_call(self, node: syntax.Call, depth: int) -> int:
        function = strip(node.function)
        if function.__class__ is syntax.Name:
            binding = self.uses[function.start]
            if binding.scope == UNIVERSAL:
                return kinds.OF_UNIVERSAL.get(function.name, ANY)  # type: ignore[attr-defined]
            if binding.scope == GLOBAL and function.name in self.known:  # type: ignore[attr-defined]
                return self.result_kind(function.name)  # type: ignore[attr-defined]
        elif function.__class__ is syntax.Dot:
            return method_kind(self.kind(function.operand, depth), function.name)  # type: ignore[attr-defined]
        return ANY

    def result_kind(self, name: str) -> int:
        """Return the kinds of what a known function returns."""
        return self.masks.get(_result(self.known[name]), ANY)

    def item_kind(self, node: syntax.Expr) -> int:
        """Return the kinds of the items of an iterable."""
        node = strip(node)
        mask = self.kind(node)
        if mask == RANGE:
            return INT
        if node.__class__ is syntax.Call:
            function = strip(node.function)  # type: ignore[attr-defined]
            if function.__class__ is syntax.Dot:
                if function.name in ("split", "rsplit", "splitlines", "elems", "codepoints"):
                    receiver = self.kind(function.operand)
                    return STRING if receiver == STRING else ANY
                if function.name == "items" and self.kind(function.operand) == DICT:
                    return TUPLE
            elif function.__class__ is syntax.Name and self.uses[function.start].scope == UNIVERSAL:
                if function.name in ("enumerate", "zip"):
                    return TUPLE
                if function.name == "dir":
                    return STRING
        if node.__class__ in (syntax.Tuple, syntax.List):
            made = 0
            for item in node.items:  # type: ignore[attr-defined]
                made |= self.kind(item)
            return made
        if node.__class__ is syntax.Comprehension and not isinstance(node.body, syntax.DictEntry):  # type: ignore[attr-defined]
            return self.kind(node.body)  # type: ignore[attr-defined]
        return ANY

    def part_of_item(self, node: syntax.Expr, number: int, count: int) -> int:
        """Return the kinds of one part of the items of an iterable, which are unpacked into `count`."""
        node = strip(node)
        if node.__class__ is syntax.Call:
            function = strip(node.function)  # type: ignore[attr-defined]
            if (
                function.__class__ is syntax.Name
                and self.uses[function.start].scope == UNIVERSAL
                and function.name == "enumerate"
                and number == 0
                and count == 2
            ):
                return INT
            if function.__class__ is syntax.Name and function.name == "zip" and count == len(node.arguments):  # type: ignore[attr-defined]
                argument = node.arguments[number]  # type: ignore[attr-defined]
                if self.uses[function.start].scope == UNIVERSAL and not isinstance(
                    argument, (syntax.NamedArgument, syntax.StarArgument, syntax.StarStarArgument)
                ):
                    return self.item_kind(argument)
        if node.__class__ in (syntax.Tuple, syntax.List):
            made = 0
            for item in map(strip, node.items):  # type: ignore[attr-defined]
                if item.__class__ in (syntax.Tuple, syntax.List) and len(item.items) == count:
                    made |= self.kind(item.items[number])
                else:
                    return ANY
            return made
        if node.__class__ is syntax.Comprehension:
            body = strip(node.body)  # type: ignore[attr-defined]
            if body.__class__ in (syntax.Tuple, syntax.List) and len(body.items) == count:  # type: ignore[attr-defined]
                return self.kind(body.items[number])  # type: ignore[attr-defined]
        return ANY

    def part_of(self, node: syntax.Expr) -> int:
        """Return the kinds of the items of a value that is unpacked."""
        node = strip(node)
        if node.__class__ is syntax.Call:
            function = strip(node.function)  # type: ignore[attr-defined]
            if function.__class__ is syntax.Dot and function.name in ("partition", "rpartition"):
                return STRING if self.kind(function.operand) == STRING else ANY
        return ANY

    # -- locks

    def private(self, declared: int, facts: FunctionFacts) -> bool:
        """Return whether only code that names the variable, or an alias, can change its containers."""
        found = self._private.get(declared)
        if found is None:
            group = self.group(declared, facts)
            found = all(self._private_alone(member, facts) for member in group)
            for member in group:
                self._private[member] = found
        return found

    def group(self, declared: int, facts: FunctionFacts) -> set[int]:
        """Return the variables that may hold the same containers as this one, itself included."""
        group = {declared}
        size = 0
        while size != len(group):
            size = len(group)
            for to, source in facts.aliases:
                if to in group or source in group:
                    group |= {to, source}
        return group

    def _private_alone(self, declared: int, facts: FunctionFacts) -> bool:
        return (
            declared in facts.assigned
            and declared not in facts.escaped
            and declared not in self.captured
            and declared not in self.parameters
            and all(self.makes_new(declared, how, value) for how, value in facts.assigned[declared])
        )

    def makes_new(self, declared: int, how: str, value: Any) -> bool:
        """Return whether an assignment gives a variable a new container, or none."""
        if how in ("aug", "alias"):
            return True
        if how == "is":
            node = strip(value)
            if node.__class__ in _NEW or (
                node.__class__ is syntax.Binary and node.op not in ("and", "or")
            ):
                return True
            if node.__class__ is syntax.Call:
                function = strip(node.function)
                if function.__class__ is syntax.Name and self.uses[function.start].scope == UNIVERSAL:
                    return function.name in FRESH
        return not self.assigned_kind(declared, how, value) & _CONTAINER

    def changeable(self, start: int, node: syntax.Expr) -> bool:
        """Return whether a container surely may be changed: a private one that no loop here locks.

        Its variable then holds a `List`, or a dict or set that is neither frozen nor busy.
        """
        node = strip(node)
        if node.__class__ is not syntax.Name:
            return False
        binding = self.uses[node.start]
        facts = self.facts[start]
        return (
            binding.scope == LOCAL
            and self.private(binding.declared, facts)
            and binding.declared not in facts.locked
        )

    def raw(self, start: int, declared: int) -> int:
        """Return RAW_LIST or RAW_DICT when a variable can hold Python's own: nobody else ever sees them. Else 0."""
        found = self._raw.get(declared)
        if found is None:
            facts = self.facts[start]
            group = self.group(declared, facts)
            found = 0
            if self.private(declared, facts):
                each = {self._raw_alone(member, facts) for member in group}
                found = each.pop() if len(each) == 1 else 0
            for member in group:
                self._raw[member] = found
        return found

    def _raw_alone(self, declared: int, facts: FunctionFacts) -> int:
        made = {LIST: RAW_LIST, DICT: RAW_DICT}.get(self.masks.get(declared, ANY), 0)
        if not made or declared in facts.locked or not facts.how.get(declared, set()) <= _RAW_USES[made]:
            return 0
        for how, value in facts.assigned[declared]:
            grows = how == "aug" and value.op == "+" and not self.kind(value.value) & ~(LIST | TUPLE)
            if how not in ("is", "alias") and not grows:
                return 0
        return made

    def plain_keys(self, start: int, declared: int) -> bool:
        """Return whether all keys of a private dict are strings or ints, which Python understands."""
        facts = self.facts[start]
        for member in self.group(declared, facts):
            keys = list(facts.keys.get(member, ()))
            for how, value in facts.assigned[member]:
                node = strip(value) if how == "is" else None
                if isinstance(node, syntax.Dict):
                    keys += [entry.key for entry in node.entries]
                elif isinstance(node, syntax.Comprehension) and isinstance(node.body, syntax.DictEntry):
                    keys.append(node.body.key)
                elif how != "alias":
                    return False
            if any(self.kind(key) & ~(STRING | INT) for key in keys):
                return False
        return True

    def needs_lock(self, start: int, loop_start: int, iterable: syntax.Expr) -> bool:
        """Return whether a loop of the function at `start` might change what it iterates."""
        # spec: starlark.iteration.locked
        facts = self.facts[start]
        loop = facts.loops[loop_start]
        iterable = strip(iterable)
        if iterable.__class__ is syntax.Name:
            binding = self.uses[iterable.start]
            if binding.scope == LOCAL and self.private(binding.declared, facts):
                group = self.group(binding.declared, facts)
                return not group.isdisjoint(loop.changed) or any(
                    self.changes_name(node) in group for node in loop.augmented
                )
        return not self.harmless(loop, facts)

    def changes_name(self, node: syntax.AugAssign) -> int:
        """Return the variable whose container an augmented assignment may change, else -1."""
        target = strip(node.target)
        if target.__class__ is not syntax.Name or node.op not in ("+", "|"):
            return -1
        declared = self.uses[target.start].declared
        return declared if self.masks.get(declared, ANY) & _CONTAINER else -1

    def harmless(self, loop: LoopFacts, facts: FunctionFacts) -> bool:
        """Return whether nothing but private containers is changed while the loop runs."""
        if loop.unsafe or not all(self.private(declared, facts) for declared in loop.changed):
            return False
        for node in loop.augmented:
            target = strip(node.target)
            if target.__class__ is syntax.Name:
                declared = self.uses[target.start].declared
                if node.op not in ("+", "|") or not self.masks.get(declared, ANY) & _CONTAINER:
                    continue
                if self.uses[target.start].scope != LOCAL or not self.private(declared, facts):
                    return False
            elif node.op in ("+", "|") and self.kind(node.value) & _ITERABLE:
                # The element may be a list, which would grow.
                return False
        if any(self.kind(receiver) & (OTHER | FUNCTION) for receiver in loop.methods):
            return False
        return self._loud.isdisjoint(loop.calls)

    # -- functions that call one another

    def _judge(self) -> None:
        """Find which known functions change what was there before, and which functions may come back to themselves.

        Both run along the calls: a function does what those it calls do.
        """
        # spec: starlark.recursion
        callers: dict[str, list[int]] = {}
        names = {node.start: name for name, node in self.known.items()}
        loud: list[str] = []
        unknown: list[int] = []
        waiting: dict[int, int] = {}
        finished: list[int] = []
        for start, facts in self.facts.items():
            for called in facts.whole.calls:
                callers.setdefault(called, []).append(start)
            name = names.get(start)
            if name is not None and not self.harmless(facts.whole, facts):
                loud.append(name)
            if facts.unknown_call or any(self.kind(r) & (OTHER | FUNCTION) for r in facts.whole.methods):
                unknown.append(start)
            # How many functions it calls that have not been seen to end.
            waiting[start] = len(facts.whole.calls)
            if not waiting[start]:
                finished.append(start)
        while loud:
            name = loud.pop()
            if name not in self._loud:
                self._loud.add(name)
                loud += [names[caller] for caller in callers.get(name, ()) if caller in names]
        while finished:
            # What calls nothing, or only functions that cannot lead back, is in no circle.
            done = names.get(finished.pop())
            for caller in callers.get(done, ()) if done is not None else ():
                waiting[caller] -= 1
                if not waiting[caller]:
                    finished.append(caller)
        unknown += [start for start, count in waiting.items() if count]
        while unknown:
            start = unknown.pop()
            if start not in self._recurring:
                self._recurring.add(start)
                unknown += callers.get(names.get(start, ""), ())

    def _find_locked(self) -> None:
        """Note the variables of private containers that a loop changes while it iterates them."""
        for facts in self.facts.values():
            for loop_start, iterable in facts.iterables:
                loop = facts.loops[loop_start]
                declared = self.uses[iterable.start].declared
                changed = loop.changed.union(self.changes_name(node) for node in loop.augmented)
                group = self.group(declared, facts)
                if not group.isdisjoint(changed):
                    facts.locked |= group

    def may_recur(self, start: int) -> bool:
        """Return whether a call of the function at `start` might come back to it before it returns."""
        return start in self._recurring


def binds(scope: FunctionScope, call: syntax.Call) -> bool:
    """Return whether a call without stars binds to the parameters of a function."""
    positional = [a for a in call.arguments if not isinstance(a, syntax.NamedArgument)]
    places = [p.name for p in scope.parameters if p.kind == POSITIONAL]
    kinds_present = {p.kind for p in scope.parameters}
    if len(positional) > len(places) and VARARGS not in kinds_present:
        return False
    bound = set(places[: len(positional)])
    names = {p.name for p in scope.parameters if p.kind in (POSITIONAL, KEYWORD_ONLY)}
    for word in call.arguments:
        if isinstance(word, syntax.NamedArgument):
            if word.name in bound or (word.name not in names and KWARGS not in kinds_present):
                return False
            bound.add(word.name)
    return all(
        p.has_default or p.name in bound for p in scope.parameters if p.kind in (POSITIONAL, KEYWORD_ONLY)
    )


def _given(scope: FunctionScope, node: syntax.Def, call: syntax.Call) -> list[tuple[int, str, Any]]:
    """Return what a call by name assigns to the parameters of a function, as constraints."""
    if not binds(scope, call):
        return []
    positional = [a for a in call.arguments if not isinstance(a, syntax.NamedArgument)]
    words = {a.name: a.value for a in call.arguments if isinstance(a, syntax.NamedArgument)}
    places = iter(positional)
    made: list[tuple[int, str, Any]] = []
    only_names = False
    for parameter in node.parameters:
        if parameter.star or parameter.name is None:
            only_names = only_names or parameter.star == "*"
            continue
        value = words.get(parameter.name.name)
        if value is None and not only_names:
            value = next(places, None)
        if value is None:
            value = parameter.default
        if value is not None:
            made.append((parameter.name.start, "is", value))
    return made


def _result(node: syntax.Def) -> int:
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


_KINDS: dict[type, Any] = {
    syntax.Unary: Inference.kind_of_unary,
    syntax.Conditional: Inference.kind_of_conditional,
    syntax.List: Inference.kind_of_list,
    syntax.Tuple: Inference.kind_of_tuple,
    syntax.Dict: Inference.kind_of_dict,
    syntax.Comprehension: Inference.kind_of_comprehension,
    syntax.Lambda: Inference.kind_of_lambda,
    syntax.Index: Inference.kind_of_index,
    syntax.Slice: Inference.kind_of_slice,
    syntax.Call: Inference.kind_of_call,
}
