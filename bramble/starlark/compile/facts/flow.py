"""Where values go: the steps of functions, done until nothing is new.

A step (`FunctionFacts.steps`) says that the value of an expression becomes that of a variable, is in a
container from then on, or is somebody else's. Each of them only adds; what it has read is noted, and who has
read something that grows later does his steps again (sites.py says why the result is right, and what is
safe).
"""

from __future__ import annotations

from collections import deque

from ...syntax import tree
from ...syntax.scopes import KEYWORD_ONLY, KWARGS, POSITIONAL, VARARGS
from . import collect
from .collect import plain_arguments, strip
from .kind_rules import KindRules, name_of
from .kinds import DICT, FUNCTION, LIST, NONE, OTHER, SET, STRING, TUPLE
from .names import MUTATORS
from .sites import GLOBAL, RELEASED, TOP, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Union

    from ...syntax.scopes import FunctionScope, Resolution
    from .function_facts import FunctionFacts

# So many steps of a function are done together.
GROUP = 16
_FOREIGN = OTHER | FUNCTION | UNKNOWN
_COMPARING = frozenset({"index", "remove", "count"})


class Flow:
    """What the steps of the functions of a file do to the values of its variables.

    `specialised` are the known functions whose parameters get what calls by name give them; those of all
    others may be anything. `lasting` says of a variable that it outlives calls (sites.py), `forced` are those
    that strangers have, `released` says who may get the results of a function without being known, and
    `open_code` are the functions that run in code for the open view before the file is done.
    """

    def __init__(self, rules: KindRules, resolution: Resolution, specialised: set[str]) -> None:
        self.rules = rules
        self.sites = rules.sites
        self.values = rules.values
        self.known = rules.known
        self.resolution = resolution
        self.specialised = specialised
        self.lasting: dict[int, int] = {}
        self.forced: set[int] = set()
        self.released: dict[int, int] = {}
        self.open_code: set[int] = set()
        # The function whose step is done.
        self.start = -1
        self._bindings: dict[tuple[int, int], list[tuple[int, tree.Expr, str]]] = {}
        # All functions whose steps are done, by their starts.
        self.functions: dict[int, Union[tree.Def, tree.Lambda]] = {}

    def begin(self, scopes: Iterable[FunctionScope]) -> None:
        """Give the variables of functions their first values: parameters may be anything, or nothing yet."""
        known = {node.start for node in self.known.values()}
        free = {self.known[name].start for name in self.specialised}
        for scope in scopes:
            for number, binding in enumerate(scope.locals):
                declared = binding.declared
                if number >= len(scope.parameters):
                    self.values[declared] = 0
                    continue
                kind = scope.parameters[number].kind
                least = 0 if scope.start in free or scope.start not in known else TOP
                self.values[declared] = least
                if kind in (VARARGS, KWARGS):
                    self.values[declared] = 0
                    made = self.sites.make(-1 - declared, TUPLE if kind == VARARGS else DICT)
                    self.sites.hold(made, least, STRING if kind == KWARGS else 0, kinds=TUPLE | DICT)
                    self.add(declared, made)

    def run(self, facts: Mapping[int, FunctionFacts]) -> None:
        """Do the steps of these functions until nothing is new."""
        sites, buried = self.sites, self.rules.buried
        groups: list[tuple[int, list[tuple[Any, ...]]]] = []
        for start, one in facts.items():
            steps = one.steps
            groups += [(start, steps[at : at + GROUP]) for at in range(0, len(steps), GROUP)]
        work = deque(range(len(groups)))
        waiting = set(work)
        handlers = _HANDLERS
        while work:
            number = work.popleft()
            waiting.discard(number)
            sites.current = number
            self.start, steps = groups[number]
            sites.again = True
            while sites.again:
                sites.again = False
                for step in steps:
                    handlers[step[0]](self, step)
                if buried:
                    steps += [(collect.GIVE, node) for node in buried]
                    buried.clear()
                    sites.again = True
                while sites.escaped:
                    self.called_by_strangers(sites.functions[sites.escaped.pop()])
                # In a row of assignments each may be of the next one.
                steps.reverse()
            for reader in sites.stale:
                if reader not in waiting:
                    waiting.add(reader)
                    work.append(reader)
            sites.stale.clear()

    def add(self, declared: int, value: int) -> None:
        """Give a variable a value more."""
        before = self.values.get(declared, TOP)
        if not value & ~before and declared not in self.forced:
            return
        after = self.sites.union(before, value)
        if after != before:
            self.values[declared] = after
            readers = self.rules.readers.get(declared)
            if readers:
                self.sites.notify(readers)
        if value > TOP:
            if declared in self.lasting:
                self.sites.mark(value, self.lasting[declared])
            if declared in self.forced:
                self.sites.escape(value)

    # -- one method for each sort of step

    def variable(self, step: tuple[Any, ...]) -> None:
        _, declared, how, value = step
        self.add(declared, self.rules.assigned(declared, how, value))

    def put(self, step: tuple[Any, ...]) -> None:
        """Put a value into a container: `x[i] = value`."""
        _, target, how, value = step
        rules = self.rules
        operand = rules.value(target.operand)
        if how == "aug":
            made = rules.augmented(value, rules.index(operand, target.index))
        else:
            made = rules.assigned(-1, how, value)
        name = name_of(target.index)
        if name is not None:
            self.sites.hold_field(operand, name, made)
            return
        key = rules.value(target.index) if operand & DICT else 0
        if operand & (OTHER | UNKNOWN):
            self.sites.escape(made | rules.value(target.index))
        self.sites.hold(operand, made, key, kinds=LIST | DICT)

    def field(self, step: tuple[Any, ...]) -> None:
        _, target, how, value = step
        self.sites.escape(self.rules.value(target.operand) | self.rules.assigned(-1, how, value))

    def give(self, step: tuple[Any, ...]) -> None:
        self.sites.escape(self.rules.value(step[1]))

    def default(self, step: tuple[Any, ...]) -> None:
        """Give a parameter its default, which all calls share, and which is frozen with the globals."""
        _, node, declared, start = step
        value = self.rules.value(node)
        if start in self.open_code:
            self.sites.escape(value)
        elif value > TOP:
            self.sites.mark(value, GLOBAL)
        self.add(declared, value)

    def call(self, step: tuple[Any, ...]) -> None:
        """Give parameters their values."""
        _, name, node = step
        if name not in self.specialised:
            for argument in node.arguments:
                self.sites.escape(
                    self.rules.value(argument if isinstance(argument, tree.Expr) else argument.value)
                )
            return
        self.bind(self.known[name].start, node)

    def bind(self, start: int, node: tree.Call) -> None:
        """Give the parameters of a function what a call gives them."""
        given = self._bindings.get((start, id(node)))
        if given is None:
            scope = self.resolution.functions[start]
            given = self._bindings[start, id(node)] = given_by(scope, self.functions[start], node)
        for declared, value, name in given:
            self.give_to(declared, self.rules.value(value), name)

    def give_to(self, declared: int, value: int, name: str = "") -> None:
        """Give a parameter a value, or one of those that go into `*rest` or `**rest`, there under a name."""
        if declared >= 0:
            self.add(declared, value)
        else:
            rest = -1 - declared
            self.rules.read(rest)
            if name:
                self.sites.hold_field(self.values.get(rest, TOP), name, value)
            else:
                self.sites.hold(self.values.get(rest, TOP), value, kinds=TUPLE | DICT)

    def called_by_strangers(self, start: int) -> None:
        """Give the parameters of a function anything."""
        for parameter in self.resolution.functions[start].parameters:
            declared = self.resolution.functions[start].locals[parameter.index].declared
            self.give_to(-1 - declared if parameter.kind in (VARARGS, KWARGS) else declared, TOP)

    def call_value(self, step: tuple[Any, ...]) -> None:
        """Give the parameters of functions that are values what a call gives them."""
        node = step[1]
        called = self.rules.value(node.function)
        known = plain_arguments(node)
        if called & (UNKNOWN | OTHER) or not known:
            for argument in node.arguments:
                self.sites.escape(
                    self.rules.value(argument if isinstance(argument, tree.Expr) else argument.value)
                )
        if not known:
            self.sites.escape(self.sites.only(called, FUNCTION))
            return
        for start in self.sites.starts(called):
            self.bind(start, node)

    def method(self, step: tuple[Any, ...]) -> None:
        """Put into a container what a method puts there, or give it away where the method is not known."""
        node = step[1]
        rules, sites = self.rules, self.sites
        dot: Any = strip(node.function)
        name = dot.name
        receiver = rules.value(dot.operand)
        stars = False
        values = []
        for argument in node.arguments:
            plain = isinstance(argument, tree.Expr)
            stars = stars or (not plain and not isinstance(argument, tree.NamedArgument))
            values.append(rules.value(argument if plain else argument.value))
        if receiver & _FOREIGN or stars:
            for value in values:
                sites.escape(value)
            if stars and name in MUTATORS:
                sites.escape(receiver)
        if name in MUTATORS:
            self.mutate(node, name, receiver, values)
        elif name in _COMPARING and receiver > TOP and sites.within(receiver) & OTHER:
            for value in values:
                sites.escape(value)

    def mutate(self, node: tree.Call, name: str, receiver: int, values: list[int]) -> None:
        """Put into containers what a method with such arguments puts there."""
        sites = self.sites
        if name in ("append", "add", "insert"):
            # `insert` has a place before the item.
            for value in values[1:] if name == "insert" else values:
                sites.hold(receiver, value, kinds=SET if name == "add" else LIST)
        elif name == "extend":
            for value in values:
                sites.hold(receiver, self.rules.items_of(value), kinds=LIST)
        elif name == "setdefault" and values:
            value, key = values[1] if len(values) > 1 else NONE, name_of(node.arguments[0])
            if key is None:
                sites.hold(receiver, value, values[0], kinds=DICT)
            else:
                sites.hold_field(receiver, key, value)
        elif name == "update":
            for argument, value in zip(node.arguments, values):
                if isinstance(argument, tree.NamedArgument):
                    sites.hold_field(receiver, argument.name, value)
                    continue
                if receiver & (DICT | UNKNOWN):
                    self.rules.update(receiver, value)
                if receiver & SET:
                    sites.hold(receiver, self.rules.items_of(value), kinds=SET)

    def operate(self, step: tuple[Any, ...]) -> None:
        """Look at the operands of operators, which may be a host's."""
        self.rules.value(step[1])

    def look_up(self, step: tuple[Any, ...]) -> None:
        """Give an index away to a host's value."""
        node = step[1]
        key = self.rules.value(node.index)
        if key > TOP and self.rules.value(node.operand) & OTHER:
            self.sites.escape(key)

    def order(self, step: tuple[Any, ...]) -> None:
        """Give away what is compared: to values of a host among it, or to a key function."""
        node = step[1]
        compared = 0
        unknown = False
        given = []
        for argument in node.arguments:
            if isinstance(argument, tree.Expr):
                given.append(self.rules.value(argument))
                compared |= given[-1]
            elif not (isinstance(argument, tree.NamedArgument) and argument.name == "reverse"):
                unknown = True
        if strip(node.function).name == "sorted" or len(given) == 1:  # type: ignore[attr-defined]
            compared = self.rules.items_of(given[0]) if given else 0
            unknown = unknown or len(given) > 1
        callees = self.rules.callees(node) if unknown else []
        if compared > TOP and (callees is None or self.sites.within(compared) & OTHER):
            self.sites.escape(compared)
        for start in callees or ():
            scope = self.resolution.functions[start]
            if scope.parameters:
                first = scope.parameters[0]
                declared = scope.locals[first.index].declared
                if first.kind == KEYWORD_ONLY or first.kind == KWARGS:
                    continue
                self.give_to(-1 - declared if first.kind == VARARGS else declared, compared)

    def returned(self, step: tuple[Any, ...]) -> None:
        value = NONE if step[1] is None else self.rules.value(step[1])
        start = self.start
        self.add(-2 - start, value)
        marks = self.released.get(start, 0)
        definition = self.functions[start]
        if start not in self.released and self.sites.has_escaped(id(definition)):
            marks = RELEASED
        if marks and value > TOP:
            self.sites.mark(value, marks)


def given_by(
    scope: FunctionScope, node: Union[tree.Def, tree.Lambda], call: tree.Call
) -> list[tuple[int, tree.Expr, str]]:
    """Return what a call by name gives to parameters, by their declarations.

    What goes into `*rest` or `**rest` stands under -1 less the declaration, and in the latter has a name.
    """
    if not binds(scope, call):
        return []
    places = iter([a for a in call.arguments if isinstance(a, tree.Expr)])
    words = {a.name: a.value for a in call.arguments if isinstance(a, tree.NamedArgument)}
    made: list[tuple[int, tree.Expr, str]] = []
    only_names = False
    rest = others = 0
    for parameter in node.parameters:
        if parameter.name is None or parameter.star:
            only_names = only_names or parameter.star == "*"
            if parameter.name is not None and parameter.star == "*":
                rest = -1 - parameter.name.start
            elif parameter.name is not None:
                others = -1 - parameter.name.start
            continue
        value = words.pop(parameter.name.name, None)
        if value is None and not only_names:
            value = next(places, None)
        if value is None:
            value = parameter.default
        if value is not None:
            made.append((parameter.name.start, value, ""))
    made += [(rest, value, "") for value in places]
    made += [(others, value, name) for name, value in words.items()]
    return made


def binds(scope: FunctionScope, call: tree.Call) -> bool:
    """Return whether a call without stars binds to the parameters of a function."""
    positional = [a for a in call.arguments if not isinstance(a, tree.NamedArgument)]
    places = [p.name for p in scope.parameters if p.kind == POSITIONAL]
    kinds_present = {p.kind for p in scope.parameters}
    if len(positional) > len(places) and VARARGS not in kinds_present:
        return False
    bound = set(places[: len(positional)])
    names = {p.name for p in scope.parameters if p.kind in (POSITIONAL, KEYWORD_ONLY)}
    for word in call.arguments:
        if isinstance(word, tree.NamedArgument):
            if word.name in bound or (word.name not in names and KWARGS not in kinds_present):
                return False
            bound.add(word.name)
    return all(
        p.has_default or p.name in bound for p in scope.parameters if p.kind in (POSITIONAL, KEYWORD_ONLY)
    )


_HANDLERS: dict[int, Any] = {
    collect.VARIABLE: Flow.variable,
    collect.PUT: Flow.put,
    collect.FIELD: Flow.field,
    collect.GIVE: Flow.give,
    collect.CALL: Flow.call,
    collect.CALL_VALUE: Flow.call_value,
    collect.METHOD: Flow.method,
    collect.OPERATE: Flow.operate,
    collect.LOOK_UP: Flow.look_up,
    collect.ORDER: Flow.order,
    collect.DEFAULT: Flow.default,
    collect.RETURN: Flow.returned,
}
