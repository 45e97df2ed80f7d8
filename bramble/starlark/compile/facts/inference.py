"""Conclusions from what functions do: kinds of variables, needless locks, needless recursion checks.

All three are the least solution of a set of rules that only ever add, so the order in which they are
applied does not matter, and what is found holds for every run of the program.

*Kinds* are solved twice: what is private follows from the kinds of what is assigned, and what a private
container holds, which is more about kinds, follows from that. What was private in the first solution is
so in the second.

*Two views.* A file is compiled for strangers who call its functions with anything, and for itself.
`Inference` says below how the two differ. A function that both views know equally well is made once. A call
with `*` or `**` may give a function anything: what is called so is made for strangers, and what it returns is
concluded from parameters of any kind.

*Recursion.* A function may come back to itself only by a circle of calls by name, or by calling something
that is not known. Functions that call nothing, or only functions that call nothing back, are in no circle
and need no check; what reaches a circle or the unknown has one. A method that has the name of a built-in one
is a call of the unknown seldom, and marks what is running itself then (runtime/seldom.py): what reaches the
unknown only by such calls need not mark itself, and asks only whether it has been marked.
"""

from __future__ import annotations

from itertools import chain

from ...syntax import tree
from ...syntax.scopes import CELL, GLOBAL, KEYWORD_ONLY, KWARGS, POSITIONAL, VARARGS
from .collect import FunctionFacts, collect
from .kind_rules import KindRules, result_of
from .kinds import ANY, DICT, NONE, TUPLE
from .ownership import LATE_LOCK, LOCK, NO_LOCK, Ownership

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from ...syntax.scopes import FunctionScope, Resolution


def read(resolution: Resolution, known: Mapping[str, tree.Def]) -> dict[int, FunctionFacts]:
    """Return what the file does (under -1), and every function in it (under its start)."""
    found: dict[int, FunctionFacts] = {}
    work: list[tuple[int, Sequence[tree.Node]]] = [(-1, resolution.file.body)]
    while work:
        start, nodes = work.pop()
        facts = found[start] = collect(nodes, resolution.uses, known)
        for node in facts.inner:
            work.append((node.start, (node.body,) if isinstance(node, tree.Lambda) else node.body))
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
        known: Mapping[str, tree.Def],
        facts: Mapping[int, FunctionFacts],
        *,
        open_globals: bool = False,
        roots: Collection[str] = (),
        closed: bool = False,
    ) -> None:
        self.uses = resolution.uses
        self.known = known
        self.open_globals = open_globals
        # The known functions whose parameters get what calls by name give them.
        self.specialised: set[str] = set()
        self.facts = self._reachable(facts, roots) if closed else facts
        self.rules = KindRules(resolution.uses, known)
        self.masks = self.rules.masks
        self.ownership = Ownership(self.rules, self.facts)
        # Functions that may come back to themselves: at any time, or only late (runtime/seldom.py).
        self._recurring: set[int] = set()
        self._seldom: set[int] = set()
        self._scopes(resolution)
        self._solve(resolution)
        # What is private follows from the kinds, and more about the kinds from that.
        self.ownership.find_contents()
        if self.rules.contents:
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
        # Their parameters get what nobody knows, and their code is that of the open view.
        strangers: set[str] = set()
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
            work += [self.known[name].start for name in one.star_calls]
            strangers.update(one.star_calls)
        self.specialised -= strangers
        return found

    def _scopes(self, resolution: Resolution) -> None:
        specialised = {self.known[name].start for name in self.specialised}
        for scope in (resolution.toplevel, *resolution.functions.values()):
            for number, binding in enumerate(scope.locals):
                if binding.scope == CELL:
                    self.ownership.captured.add(binding.declared)
                if number < len(scope.parameters):
                    kind = scope.parameters[number].kind
                    self.ownership.parameters.add(binding.declared)
                    given = {VARARGS: TUPLE, KWARGS: DICT}.get(kind, ANY)
                    free = given == ANY and scope.start in specialised
                    self.masks[binding.declared] = 0 if free else given

    def keep_useful(self, other: Inference) -> None:
        """Take over what another view knows better, and forget the functions of which this one knows no more.

        Each view may have a version of a function, and to call one of them while another runs is recursion
        as well: so the versions mark themselves in the same way.
        """
        self._recurring, self._seldom = other._recurring, other._seldom
        for name in list(self.specialised):
            declared = [p.name.start for p in self.known[name].parameters if p.name is not None]
            if all(self.masks.get(d, ANY) == other.masks.get(d, ANY) for d in declared):
                self.specialised.discard(name)

    def _solve(self, resolution: Resolution) -> None:
        """Find the kinds of all variables: the least that agree with all assignments."""
        masks = self.masks
        contents = self.rules.contents
        for declared in contents:
            contents[declared] = 0
        # For each function what it assigns, then what it returns and gives to those that it calls.
        groups: list[list[tuple[int, str, Any]]] = []
        results = {node.start: result_of(node) for node in self.known.values()}
        for result in results.values():
            masks[result] = NONE
        specialised = {self.known[name].start for name in self.specialised}
        for start, facts in self.facts.items():
            group: list[tuple[int, str, Any]] = []
            for declared, assigned in facts.assigned.items():
                if declared in self.ownership.parameters and start not in specialised:
                    masks[declared] = ANY
                    continue
                if declared not in self.ownership.parameters:
                    masks[declared] = 0
                group += [(declared, how, value) for how, value in assigned]
            if start in results:
                group += [(results[start], "is", value) for value in facts.returns]
            for name, call in facts.calls:
                if name in self.specialised:
                    node = self.known[name]
                    group += _given(resolution.functions[node.start], node, call)
            groups.append(group)
        if self.open_globals:
            # Other inputs of a REPL may assign them as well.
            for use in self.uses.values():
                if use.scope == GLOBAL:
                    masks[use.declared] = ANY
        changed = True
        while changed:
            changed = False
            for declared, how, value in chain.from_iterable(groups):
                before = masks[declared]
                if before == ANY:
                    continue
                after = before | self.rules.assigned_kind(declared, how, value)
                if after != before:
                    masks[declared] = after
                    changed = True
            for declared, sources in self.rules.sources.items():
                before = after = contents[declared]
                for how, value in sources:
                    after |= self.rules.source_kind(declared, how, value)
                if after != before:
                    contents[declared] = after
                    changed = True
            # What a function knows of those it calls goes up along a row of calls in one round, or down.
            groups.reverse()

    # -- functions that call one another

    def _judge(self) -> None:
        """Find which known functions change what was there before, and which may come back to themselves.

        Both run along the calls: a function does what those it calls do.
        """
        # spec: starlark.recursion
        callers: dict[str, list[int]] = {}
        names = {node.start: name for name, node in self.known.items()}
        loud: dict[int, list[str]] = {LATE_LOCK: [], LOCK: []}
        unknown: list[int] = []
        seldom: list[int] = []
        waiting: dict[int, int] = {}
        finished: list[int] = []
        foreign = self.ownership.may_be_foreign
        for start, facts in self.facts.items():
            for called in facts.whole.calls:
                callers.setdefault(called, []).append(start)
            name = names.get(start)
            harm = NO_LOCK if name is None else self.ownership.harm(facts.whole, facts, -1)
            if name is not None and harm:
                loud[harm].append(name)
            if facts.unknown_call or any(map(foreign, facts.whole.methods)):
                unknown.append(start)
            elif any(map(foreign, facts.whole.seldom)):
                seldom.append(start)
            # How many functions it calls that have not been seen to end.
            waiting[start] = len(facts.whole.calls)
            if not waiting[start]:
                finished.append(start)
        # What is loud at any time comes first.
        for harm in (LOCK, LATE_LOCK):
            found = loud[harm]
            while found:
                name = found.pop()
                if name not in self.ownership.loud:
                    self.ownership.loud[name] = harm
                    found += [names[caller] for caller in callers.get(name, ()) if caller in names]
        while finished:
            # What calls nothing, or only functions that cannot lead back, is in no circle.
            done = names.get(finished.pop())
            for caller in callers.get(done, ()) if done is not None else ():
                waiting[caller] -= 1
                if not waiting[caller]:
                    finished.append(caller)
        unknown += [start for start, count in waiting.items() if count]
        for work, marked in ((unknown, self._recurring), (seldom, self._seldom)):
            while work:
                start = work.pop()
                if start not in marked and start not in self._recurring:
                    marked.add(start)
                    work += callers.get(names.get(start, ""), ())

    def _find_locked(self) -> None:
        """Note the variables of private containers that a loop changes while it iterates them."""
        for facts in self.facts.values():
            for loop_start, iterable in facts.iterables:
                declared = self.uses[iterable.start].declared
                if self.ownership.changes_iterated(declared, facts, loop_start):
                    facts.locked |= self.ownership.group(declared, facts)

    def may_recur(self, start: int) -> bool:
        """Return whether a call of the function at `start` might come back to it before it returns."""
        return start in self._recurring

    def may_seldom_recur(self, start: int) -> bool:
        """Return whether it might do so by way of a call that makes its marks itself (runtime/seldom.py)."""
        return start in self._seldom


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


def _given(scope: FunctionScope, node: tree.Def, call: tree.Call) -> list[tuple[int, str, Any]]:
    """Return what a call by name assigns to the parameters of a function, as constraints."""
    if not binds(scope, call):
        return []
    positional: list[Any] = [a for a in call.arguments if not isinstance(a, tree.NamedArgument)]
    words = {a.name: a.value for a in call.arguments if isinstance(a, tree.NamedArgument)}
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
