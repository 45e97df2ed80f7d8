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
from .collect import strip
from .kind_rules import KindRules, result_of
from .kinds import DICT, FUNCTION, LIST, NONE, OTHER, SET, STRING, TUPLE
from .names import MUTATORS
from .sites import TOP, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Optional

    from ...syntax.scopes import FunctionScope, Resolution
    from .collect import FunctionFacts

# So many steps of a function are done together.
GROUP = 16
_FOREIGN = OTHER | FUNCTION | UNKNOWN
_COMPARING = frozenset({"index", "remove", "count"})


class Flow:
    """What the steps of the functions of a file do to the values of its variables.

    `specialised` are the known functions whose parameters get what calls by name give them; those of all
    others may be anything. `lasting` says of a variable that it outlives calls (sites.py), `forced` are those
    that strangers have, and `released` says who may get the results of a function without being known.
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
        # The function whose step is done.
        self.start = -1
        self._bindings: dict[int, Optional[list[tuple[int, Any]]]] = {}
        self._functions = {node.start: node for node in self.known.values()}

    def begin(self, scopes: Iterable[FunctionScope]) -> None:
        """Give the variables of functions their first values: parameters may be anything, or nothing yet."""
        free = {self.known[name].start for name in self.specialised}
        for scope in scopes:
            for number, binding in enumerate(scope.locals):
                declared = binding.declared
                if number >= len(scope.parameters):
                    self.values[declared] = 0
                    continue
                kind = scope.parameters[number].kind
                least = 0 if scope.start in free else TOP
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
        key = rules.value(target.index) if operand & DICT else 0
        if operand & (OTHER | UNKNOWN):
            self.sites.escape(made | rules.value(target.index))
        self.sites.hold(operand, made, key, kinds=LIST | DICT)

    def field(self, step: tuple[Any, ...]) -> None:
        _, target, how, value = step
        self.sites.escape(self.rules.value(target.operand) | self.rules.assigned(-1, how, value))

    def give(self, step: tuple[Any, ...]) -> None:
        self.sites.escape(self.rules.value(step[1]))

    def call(self, step: tuple[Any, ...]) -> None:
        """Give parameters their values."""
        _, name, node = step
        if name not in self.specialised:
            for argument in node.arguments:
                self.sites.escape(
                    self.rules.value(argument if isinstance(argument, tree.Expr) else argument.value)
                )
            return
        given = self._bindings.get(id(node))
        if given is None:
            definition = self.known[name]
            scope = self.resolution.functions[definition.start]
            given = self._bindings[id(node)] = given_by(scope, definition, node)
        for declared, value in given:
            made = self.rules.value(value)
            if declared >= 0:
                self.add(declared, made)
            else:
                rest = -1 - declared
                self.rules.read(rest)
                self.sites.hold(self.values.get(rest, TOP), made, kinds=TUPLE | DICT)

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
            sites.hold(receiver, values[1] if len(values) > 1 else NONE, values[0], kinds=DICT)
        elif name == "update":
            for argument, value in zip(node.arguments, values):
                if isinstance(argument, tree.NamedArgument):
                    sites.hold(receiver, value, STRING, kinds=DICT)
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
        if compared > TOP and (unknown or self.sites.within(compared) & OTHER):
            self.sites.escape(compared)

    def returned(self, step: tuple[Any, ...]) -> None:
        value = NONE if step[1] is None else self.rules.value(step[1])
        start = self.start
        definition = self._functions.get(start)
        if definition is not None:
            self.add(result_of(definition), value)
        marks = self.released.get(start, 0)
        if marks and value > TOP:
            self.sites.mark(value, marks)


def given_by(scope: FunctionScope, node: tree.Def, call: tree.Call) -> list[tuple[int, tree.Expr]]:
    """Return what a call by name gives to parameters, by their declarations.

    What goes into `*rest` or `**rest` stands under -1 less the declaration.
    """
    if not binds(scope, call):
        return []
    places = iter([a for a in call.arguments if isinstance(a, tree.Expr)])
    words = {a.name: a.value for a in call.arguments if isinstance(a, tree.NamedArgument)}
    made: list[tuple[int, tree.Expr]] = []
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
            made.append((parameter.name.start, value))
    made += [(rest, value) for value in places]
    made += [(others, value) for value in words.values()]
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
    collect.METHOD: Flow.method,
    collect.OPERATE: Flow.operate,
    collect.LOOK_UP: Flow.look_up,
    collect.ORDER: Flow.order,
    collect.DEFAULT: Flow.give,
    collect.RETURN: Flow.returned,
}
