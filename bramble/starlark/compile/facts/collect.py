"""What the functions of a file do with their variables, as far as the text tells.

`collect` reads one function and notes: what is assigned to each variable, what
it calls, and, for every loop, what might change a container while the loop runs.
`inference.py` makes conclusions of it. All are on the safe side: what is not known
counts as the worst.

A local variable is *private* when it is only ever assigned new containers and
no other variable, container, function or caller can get hold of one of them
while the function runs. Nothing but the code that names the variable can change
a private container, and what is changed through it is nothing else.
"""

from __future__ import annotations

from ...syntax import tree
from ...syntax.children import children
from ...syntax.scopes import GLOBAL, LOCAL, UNIVERSAL
from .function_facts import FunctionFacts, LoopFacts
from .names import KEEPS_NOTHING, METHODS, MUTATORS
from .narrowing import Narrowing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Union

    from ...syntax.scopes import Binding

# Expressions that make a new container.
_NEW = frozenset({tree.List, tree.Dict, tree.Comprehension})
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})

# What a step does (`FunctionFacts.steps`); `sites.py` says what for.
VARIABLE, PUT, FIELD, GIVE, CALL, CALL_VALUE, METHOD, OPERATE, LOOK_UP, ORDER, DEFAULT, RETURN = range(12)

# With arguments of these names a method is called as any other value.
NO_WORDS = frozenset({"None", "True", "False", "__debug__"})


class _Begin:
    """Marks on the work list where a loop begins, after what it iterates."""

    __slots__ = ("loop",)

    def __init__(self, loop: tree.For) -> None:
        self.loop = loop


class _End:
    """Marks on the work list where a loop ends."""

    __slots__ = ()


_END = _End()


def strip(node: tree.Expr) -> tree.Expr:
    """Return the expression inside any parentheses."""
    while node.__class__ is tree.Paren:
        node = node.value
    return node


class _Collector:
    def __init__(self, uses: Mapping[int, Binding], known: Mapping[str, object]) -> None:
        self.uses = uses
        self.known = known
        self.facts = FunctionFacts()
        self.narrowing = Narrowing(uses, self.facts.narrowed)
        self.open: list[LoopFacts] = [self.facts.whole]
        # Where the statement begins that is being read, and the outermost loop around it; -1: none.
        self.statement = 0
        self.outermost = -1

    def run(self, body: Sequence[tree.Node]) -> None:
        self.block(body)
        work: list[Any] = list(reversed(body))
        open_loops = self.open
        uses = self.uses
        handlers = _HANDLERS
        while work:
            node = work.pop()
            kind = node.__class__
            if kind is tree.Name:
                binding = uses[node.start]
                if binding.declared >= 0:
                    self.escape(binding.declared)
                continue
            if kind is tree.Literal:
                continue
            if kind is _End:
                open_loops.pop()
                if len(open_loops) == 1:
                    self.outermost = -1
                continue
            if kind is _Begin:
                self.begin(node.loop, work)
                continue
            if kind in _STATEMENTS:
                self.statement = node.start
            handler = handlers.get(kind)
            if handler is None:
                below = children(node)
                below.reverse()
                work += below
            else:
                handler(self, node, work)

    # -- helpers

    def block(self, body: Sequence[tree.Node]) -> None:
        """Note, for the loops of a block, which variables surely have new containers when they begin."""
        self.narrowing.block(body)
        fresh: dict[int, int] = {}
        for node in body:
            kind = node.__class__
            if kind is tree.For and fresh:
                self.facts.fresh[node.start] = node.end, dict(fresh)
            elif kind is tree.Assign and node.value.__class__ in _NEW:  # type: ignore[attr-defined]
                target = node.target
                if target.__class__ is tree.Name and self.uses[target.start].scope == LOCAL:
                    fresh[self.uses[target.start].declared] = node.start

    def escape(self, declared: int) -> None:
        """Note that somebody else may get hold of what a variable holds.

        In a loop that may have happened before anything else in it, and within a statement in any order.
        """
        at = self.statement if self.outermost < 0 else self.outermost
        self.facts.escapes[declared] = min(at, self.facts.escapes.get(declared, at))

    def uses_only(self, node: tree.Expr, work: list[Any], how: str = "other") -> None:
        """Go on into an operand whose value is used and not kept: a variable there does not escape."""
        name = strip(node)
        if name.__class__ is not tree.Name:
            work.append(node)
        else:
            self.facts.how.setdefault(self.uses[name.start].declared, set()).add(how)

    def assign(self, target: tree.Expr, how: str, value: Any, work: list[Any]) -> None:
        target = strip(target)
        kind = target.__class__
        if kind is tree.Name:
            declared = self.uses[target.start].declared
            if declared < 0:
                return
            self.assigned(declared, how, value)
        elif kind is tree.Tuple or kind is tree.List:
            items = target.items  # type: ignore[attr-defined]
            given = strip(value) if how == "is" else None
            paired = given.__class__ in (tree.Tuple, tree.List) and len(given.items) == len(items)
            for number, item in enumerate(items):
                if paired:
                    self.assign(item, "is", given.items[number], work)  # type: ignore[union-attr]
                else:
                    self.assign(item, "part", (how, value, number, len(items)), work)
        elif kind is tree.Index:
            self.change(target.operand, work, "store")  # type: ignore[attr-defined]
            self.facts.steps.append((PUT, target, how, value))
            work.append(target.index)  # type: ignore[attr-defined]
        else:
            # A field of a host's value: the host's code runs.
            self.unsafe()
            self.facts.steps.append((FIELD, target, how, value))
            work += children(target)

    def assigned(self, declared: int, how: str, value: Any) -> None:
        self.facts.assigned.setdefault(declared, []).append((how, value))
        self.facts.steps.append((VARIABLE, declared, how, value))

    def give(self, node: tree.Expr) -> None:
        """Note that somebody who is not known gets hold of the value of an expression."""
        if not _is_scalar(node):
            self.facts.steps.append((GIVE, node))

    def give_arguments(self, node: tree.Call) -> None:
        for argument in node.arguments:
            self.give(argument if isinstance(argument, tree.Expr) else argument.value)

    def universal(self, node: tree.Expr) -> str:
        if node.__class__ is tree.Name and self.uses[node.start].scope == UNIVERSAL:
            return node.name
        return ""

    def change(self, container: tree.Expr, work: list[Any], how: str) -> None:
        """Note that a container is changed."""
        container = strip(container)
        if container.__class__ is tree.Name:
            self.uses_only(container, work, how)
        if container.__class__ is tree.Name and self.uses[container.start].scope == LOCAL:
            for loop in self.open:
                loop.changed.add(self.uses[container.start].declared)
        else:
            for loop in self.open:
                loop.others.append(container)
            self.uses_only(container, work, how)

    def unsafe(self) -> None:
        for loop in self.open:
            loop.unsafe = True

    def enter_loop(self, node: tree.Node, work: list[Any]) -> None:
        self.open_loop(node)
        work.append(_END)

    def open_loop(self, node: tree.Node) -> None:
        loop = LoopFacts()
        self.facts.loops[node.start] = loop
        if len(self.open) == 1:
            self.outermost = min(node.start, self.statement)
        self.open.append(loop)

    # -- one method for each node that means something here

    def on_assign(self, node: tree.Assign, work: list[Any]) -> None:
        value = strip(node.value)
        if self.alias(strip(node.target), value):
            return
        self.assign(node.target, "is", node.value, work)
        if value.__class__ in (tree.Tuple, tree.List) and strip(node.target).__class__ in (
            tree.Tuple,
            tree.List,
        ):
            work += value.items
        else:
            work.append(node.value)

    def alias(self, target: tree.Expr, value: tree.Expr) -> bool:
        """Note `a = b` for two local variables; return False for other assignments."""
        if target.__class__ is not tree.Name or value.__class__ is not tree.Name:
            return False
        to, source = self.uses[target.start], self.uses[value.start]
        if to.scope != LOCAL or source.scope != LOCAL:
            return False
        self.facts.aliases.append((to.declared, source.declared, self.statement))
        self.assigned(to.declared, "alias", value)
        return True

    def on_augmented(self, node: tree.AugAssign, work: list[Any]) -> None:
        target = strip(node.target)
        if target.__class__ is tree.Name:
            declared = self.uses[target.start].declared
            if declared >= 0:
                self.assigned(declared, "aug", node)
        for loop in self.open:
            loop.augmented.append(node)
        if target.__class__ is tree.Index:
            self.change(target.operand, work, "store")
            self.facts.steps.append((PUT, target, "aug", node))
            work.append(target.index)
        elif target.__class__ is tree.Dot:
            self.unsafe()
            self.facts.steps.append((FIELD, target, "is", node.value))
            work.append(target.operand)
        self.uses_only(node.value, work)

    def on_for(self, node: tree.For, work: list[Any]) -> None:
        self.block(node.body)
        work.append(_END)
        work.extend(reversed(node.body))
        # What is iterated is evaluated before the loop.
        work.append(_Begin(node))
        self.uses_only(node.iterable, work, "iterate")

    def begin(self, node: tree.For, work: list[Any]) -> None:
        self.iterate(node, node.iterable)
        self.open_loop(node)
        self.assign(node.target, "item", node.iterable, work)

    def iterate(self, loop: tree.Node, iterable: tree.Expr) -> None:
        iterable = strip(iterable)
        self.facts.iterated.append((loop.start, iterable))
        if iterable.__class__ is tree.Name:
            self.facts.iterables.append((loop.start, iterable))

    def on_while(self, node: tree.While, work: list[Any]) -> None:
        self.block(node.body)
        self.enter_loop(node, work)
        work.extend(reversed(node.body))
        self.uses_only(node.condition, work, "truth")

    def on_comprehension(self, node: tree.Comprehension, work: list[Any]) -> None:
        self.narrowing.comprehension(node)
        first, *others = node.clauses
        self.uses_only(first.iterable, work, "iterate")  # type: ignore[union-attr]
        self.enter_loop(node, work)
        work.append(node.body)
        for clause in node.clauses:
            if isinstance(clause, tree.ForClause):
                self.assign(clause.target, "item", clause.iterable, work)
                self.iterate(node, clause.iterable)
        for clause in others:
            if isinstance(clause, tree.ForClause):
                self.uses_only(clause.iterable, work, "iterate")
            else:
                self.uses_only(clause.condition, work, "truth")

    def on_if(self, node: tree.If, work: list[Any]) -> None:
        self.narrowing.branches(node)
        work += reversed((*node.branches, *node.otherwise))

    def on_conditional(self, node: tree.Conditional, work: list[Any]) -> None:
        self.narrowing.conditional(node)
        work += reversed(children(node))

    def on_branch(self, node: tree.Branch, work: list[Any]) -> None:
        self.block(node.body)
        work.extend(reversed(node.body))
        self.uses_only(node.condition, work, "truth")

    def on_return(self, node: tree.Return, work: list[Any]) -> None:
        self.facts.steps.append((RETURN, node.value))
        if node.value is not None:
            # The caller gets it after all loops of this function have ended.
            self.uses_only(node.value, work, "return")

    def on_lambda(self, node: tree.Lambda, work: list[Any]) -> None:
        self.facts.inner.append(node)
        self.defaults(node, work)

    def defaults(self, node: Union[tree.Def, tree.Lambda], work: list[Any]) -> None:
        for parameter in node.parameters:
            if parameter.default is not None and parameter.name is not None:
                self.facts.steps.append((DEFAULT, parameter.default, parameter.name.start, node.start))
                work.append(parameter.default)

    def on_def(self, node: tree.Def, work: list[Any]) -> None:
        self.facts.inner.append(node)
        self.assign(node.name, "function", node, work)
        self.defaults(node, work)

    def on_load(self, node: tree.Load, work: list[Any]) -> None:
        for symbol in node.symbols:
            self.assign(symbol.local, "any", None, work)

    def on_load_module(self, node: tree.LoadModule, work: list[Any]) -> None:
        self.assign(node.local, "any", None, work)

    def on_binary(self, node: tree.Binary, work: list[Any]) -> None:
        # A row of operators is one step.
        whole = node
        operates = False
        links = []
        while True:
            links.append(node)
            logic = node.op in ("and", "or")
            if logic:
                work.append(node.right)
            else:
                self.uses_only(node.right, work, "in" if node.op in ("in", "not in") else "other")
                operates = operates or not (_is_scalar(node.right) or _is_scalar(node.left))
            left = strip(node.left)
            if left.__class__ is not tree.Binary:
                break
            node = left
        if logic:
            work.append(left)
        else:
            self.uses_only(left, work)
        if operates:
            self.facts.steps.append((OPERATE, whole))
        self.narrowing.row(links)

    def on_unary(self, node: tree.Unary, work: list[Any]) -> None:
        self.uses_only(node.operand, work, "truth" if node.op == "not" else "other")

    def on_index(self, node: tree.Index, work: list[Any]) -> None:
        work.append(node.index)
        if not _is_scalar(node.index):
            self.facts.steps.append((LOOK_UP, node))
        self.uses_only(node.operand, work, "index")

    def on_dot(self, node: tree.Dot, work: list[Any]) -> None:
        # It may be a method as a value.
        self.give(node.operand)
        work.append(node.operand)

    def on_slice(self, node: tree.Slice, work: list[Any]) -> None:
        work.extend(part for part in (node.lower, node.upper, node.step) if part is not None)
        self.uses_only(node.operand, work, "slice")

    def on_call(self, node: tree.Call, work: list[Any]) -> None:
        function = strip(node.function)
        name = self.universal(function)
        if name:
            self.call_universal(node, name, work)
            return
        joins = self.joins(function) and len(node.arguments) == 1
        for argument in reversed(node.arguments):
            if argument.__class__ in (tree.StarArgument, tree.StarStarArgument):
                # What is called gets a copy.
                self.uses_only(argument.value, work, "star")
            elif joins and isinstance(argument, tree.Expr):
                # A string keeps nothing of what it joins.
                self.uses_only(argument, work, "join")
            else:
                work.append(argument)
        if function.__class__ is tree.Name:
            binding = self.uses[function.start]
            called = function.name
            if binding.scope == GLOBAL and called in self.known:
                if plain_arguments(node):
                    self.facts.calls.append((called, node))
                    self.facts.steps.append((CALL, called, node))
                else:
                    self.facts.star_calls.append(called)
                    self.give_arguments(node)
                for loop in self.open:
                    loop.calls.add(called)
                return
            if binding.scope == LOCAL and len(self.open) > 1:
                self.facts.called.add(binding.declared)
            self.call_value(node)
            return
        if function.__class__ is not tree.Dot:
            self.call_value(node)
            work.append(function)
            return
        receiver = strip(function.operand)
        method = function.name
        seldom = method in METHODS and all(map(_is_usual, node.arguments))
        for loop in self.open:
            (loop.seldom if seldom else loop.methods).append(receiver)
        how = f"method.{method}" if plain_arguments(node) else "other"
        if not all(map(_is_scalar, node.arguments)) or method in ("setdefault", "insert", "append", "add"):
            self.facts.steps.append((METHOD, node))
        if method in MUTATORS:
            self.change(receiver, work, how)
        else:
            self.uses_only(receiver, work, how)

    def joins(self, function: tree.Expr) -> bool:
        """Return whether a callee is the method `join` of a literal string."""
        return (
            isinstance(function, tree.Dot)
            and function.name == "join"
            and isinstance(strip(function.operand), tree.Literal)
        )

    def call_universal(self, node: tree.Call, name: str, work: list[Any]) -> None:
        if name not in KEEPS_NOTHING:
            self.give_arguments(node)
            work.extend(reversed(node.arguments))
        else:
            for argument in node.arguments:
                if isinstance(argument, tree.NamedArgument):
                    work.append(argument.value)
                elif isinstance(argument, (tree.StarArgument, tree.StarStarArgument)):
                    self.give(argument.value)
                    self.uses_only(argument.value, work)
                else:
                    self.uses_only(argument, work, f"universal.{name}")
        if name in ("max", "min", "sorted"):
            self.facts.steps.append((ORDER, node))
        if (
            name in ("max", "min", "sorted")
            and any(
                isinstance(a, (tree.NamedArgument, tree.StarArgument, tree.StarStarArgument))
                and not _plain(a)
                for a in node.arguments
            )
            or (
                name == "sorted"
                and len(node.arguments) > 1
                and not isinstance(node.arguments[1], tree.NamedArgument)
            )
        ):
            for loop in self.open:
                loop.value_calls.append(node)

    def call_value(self, node: tree.Call) -> None:
        self.facts.steps.append((CALL_VALUE, node))
        for loop in self.open:
            loop.value_calls.append(node)


def plain_arguments(node: tree.Call) -> bool:
    """Return whether a call has no starred arguments."""
    return not any(isinstance(a, (tree.StarArgument, tree.StarStarArgument)) for a in node.arguments)


def _is_usual(argument: object) -> bool:
    """Return whether a call with such arguments is made as one of a method (constructs/methods.py)."""
    if isinstance(argument, tree.NamedArgument):
        return argument.name not in NO_WORDS
    return isinstance(argument, tree.Expr)


def _plain(argument: object) -> bool:
    """Return whether an argument of `sorted` cannot be a function."""
    return isinstance(argument, tree.NamedArgument) and argument.name == "reverse"


def _is_scalar(node: Any) -> bool:
    """Return whether the text of an expression shows that it is no container, and no value of a host."""
    return node.__class__ is tree.Literal or (node.__class__ is tree.Binary and node.op in _COMPARISONS)


def _is_statement(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, tree.Stmt)


_HANDLERS: dict[type, Any] = {
    tree.Assign: _Collector.on_assign,
    tree.AugAssign: _Collector.on_augmented,
    tree.Def: _Collector.on_def,
    tree.Lambda: _Collector.on_lambda,
    tree.Load: _Collector.on_load,
    tree.LoadModule: _Collector.on_load_module,
    tree.For: _Collector.on_for,
    tree.While: _Collector.on_while,
    tree.Comprehension: _Collector.on_comprehension,
    tree.If: _Collector.on_if,
    tree.Conditional: _Collector.on_conditional,
    tree.Branch: _Collector.on_branch,
    tree.Return: _Collector.on_return,
    tree.Binary: _Collector.on_binary,
    tree.Unary: _Collector.on_unary,
    tree.Index: _Collector.on_index,
    tree.Slice: _Collector.on_slice,
    tree.Call: _Collector.on_call,
    tree.Dot: _Collector.on_dot,
}


_STATEMENTS = frozenset(kind for kind in vars(tree).values() if _is_statement(kind))


def collect(
    body: Sequence[tree.Node], uses: Mapping[int, Binding], known: Mapping[str, object]
) -> FunctionFacts:
    """Return what a function with this body does.

    `uses` are the meanings of names, `known` the global functions that are bound
    once by a `def`.
    """
    collector = _Collector(uses, known)
    collector.run(body)
    return collector.facts
