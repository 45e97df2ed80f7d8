"""Conclusions from what functions do: kinds of variables, needless locks, needless recursion checks.

All three are the least solution of a set of rules that only ever add, so the order in which they are applied
does not matter, and what is found holds for every run of the program.

*Two views.* A file is compiled for strangers who call its functions with anything, and for itself.
`Inference` says below how the two differ. A function that both views know equally well is made once, and so
is one that does little and seldom (`repeating`); where all do, the closed view is left out. A call with `*`
or `**` may give a function anything: what is called so is made for strangers, and what it returns is
concluded from parameters of any kind.

While the file runs, code of the open view runs as well, where a known function has been used as a value: who
calls it may be anybody, and whom it calls by name is called by code that knows nothing. What such functions
do to their arguments is done by strangers to the closed view, which has given them away. But they name
globals, too; those that they name are strangers' (`_open_code`).

*Recursion.* A function may come back to itself only by a cycle of calls by name, or by calling something
that is not known. Functions that call nothing, or only functions that call nothing back, are in no cycle
and need no check; what reaches a cycle or the unknown has one. A method that has the name of a built-in one
is a call of the unknown seldom, and marks what is running itself then (runtime/seldom.py): what reaches the
unknown only by such calls need not mark itself, and asks only whether it has been marked.
"""

from __future__ import annotations

from ...syntax import tree
from ...syntax.scopes import CELL, GLOBAL, UNIVERSAL
from .collect import RETURN, collect
from .flow import Flow
from .function_facts import FunctionFacts
from .kind_rules import KindRules
from .kinds import NONE
from .ownership import Ownership
from .sites import CAPTURED, KINDS, LATE, RELEASED, TOP, UNKNOWN
from .sites import GLOBAL as IN_GLOBAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ...syntax.scopes import Binding, Resolution


def read(resolution: Resolution, known: Mapping[str, tree.Def]) -> dict[int, FunctionFacts]:
    """Return what the file does (under -1), and every function in it (under its start)."""
    found: dict[int, FunctionFacts] = {}
    work: list[tuple[int, Sequence[tree.Node]]] = [(-1, resolution.file.body)]
    while work:
        start, nodes = work.pop()
        facts = found[start] = collect(nodes, resolution.uses, known)
        if len(nodes) == 1 and isinstance(nodes[0], tree.Expr):
            # The body of a lambda.
            facts.steps.append((RETURN, nodes[0]))
        for node in facts.inner:
            work.append((node.start, (node.body,) if isinstance(node, tree.Lambda) else node.body))
    return found


def reachable(
    known: Mapping[str, tree.Def], facts: Mapping[int, FunctionFacts], roots: Collection[str]
) -> tuple[dict[int, FunctionFacts], set[str], set[str]]:
    """Return the facts of the closed view, and the functions that are called in it by name.

    The first of the two sets are those that are called without stars, the second those with.
    """
    found: dict[int, FunctionFacts] = {}
    called: set[str] = set()
    star_called: set[str] = set()
    starts = {node.start for node in known.values()}
    work = [-1, *[known[name].start for name in roots]]
    while work:
        start = work.pop()
        if start in found:
            continue
        one = found[start] = facts[start]
        work += [node.start for node in one.inner if node.start not in starts]
        names = [name for name, _node in one.calls]
        called.update(names)
        star_called.update(one.star_calls)
        work += [known[name].start for name in (*names, *one.star_calls)]
    return found, called, star_called


def repeating(known: Mapping[str, tree.Def], facts: Mapping[int, FunctionFacts]) -> set[int]:
    """Return the functions of the closed view in which anything may run more often than the text says.

    They have a loop, or a function inside; they call one by name, or are called by name in a loop or in
    another one; or they have no name. What is known of the arguments of any other saves less time, each time
    that the file calls it, than it costs to make code of it.
    """
    starts = {node.start for node in known.values()}
    found: set[int] = set()
    for start, one in facts.items():
        called: set[str] = set()
        if start >= 0:
            called.update(name for name, _node in one.calls)
        for loop in one.loops.values():
            called |= loop.calls
        found.update(known[name].start for name in called)
        found.update(node.start for node in one.inner if node.start not in starts)
        if one.loops or (start >= 0 and (one.calls or one.inner)):
            found.add(start)
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
        self.closed = closed
        self.all_facts = facts
        self.facts = facts
        # The known functions whose parameters get what calls by name give them, and of the closed view those
        # that are made for strangers: their parameters get what nobody knows.
        self.specialised: set[str] = set()
        self.strangers: set[str] = set()
        if closed:
            self.facts, called, self.strangers = reachable(known, facts, roots)
            self.specialised = called - self.strangers - set(roots)
        self.rules = KindRules(resolution.uses, known)
        self.rules.narrowed = set().union(*[one.narrowed for one in facts.values()])
        self.values = self.rules.values
        self.masks: dict[int, int] = {}
        self.ownership = Ownership(self.rules, self.masks, self.facts)
        # Functions that may come back to themselves: at any time, or only late (runtime/seldom.py).
        self._recurring: set[int] = set()
        self._seldom: set[int] = set()
        self._scopes(resolution)
        # The known functions that somebody may call without naming them.
        self._used_as_values = self._find_used_as_values()
        self._solve(resolution)
        self._judge()
        self._find_locked()

    # -- collecting

    def _scopes(self, resolution: Resolution) -> None:
        for scope in (resolution.toplevel, *resolution.functions.values()):
            for number, binding in enumerate(scope.locals):
                if binding.scope == CELL:
                    self.ownership.captured.add(binding.declared)
                if number < len(scope.parameters):
                    self.ownership.parameters.add(binding.declared)

    def keep_useful(self, other: Inference, often: Collection[int]) -> None:
        """Take over what another view knows better, and forget the functions that need no second version.

        Those are the ones of which this view knows no more, and those that are not among `often`. Each view
        may have a version of a function, and to call one of them while another runs is recursion as well: so
        the versions mark themselves in the same way.
        """
        self._recurring, self._seldom = other._recurring, other._seldom
        for name in list(self.specialised):
            node = self.known[name]
            declared = [p.name.start for p in node.parameters if p.name is not None]
            if node.start not in often or all(self._holds(d) == other._holds(d) for d in declared):
                self.specialised.discard(name)

    def _holds(self, declared: int) -> tuple[int, int]:
        """Return the kinds of a variable, and of what is in it."""
        value = self.values.get(declared, TOP)
        return value & KINDS, self.rules.items_of(value) & KINDS

    def _solve(self, resolution: Resolution) -> None:
        """Find the values of all variables: the least that agree with all steps."""
        flow = Flow(self.rules, resolution, self.specialised)
        functions = resolution.functions
        file_locals = {binding.declared for binding in resolution.toplevel.locals}
        captured = dict.fromkeys(self.ownership.captured, CAPTURED)
        file_globals = {d for d in self.facts[-1].assigned if d not in file_locals}
        flow.lasting = {**dict.fromkeys(file_globals, IN_GLOBAL), **captured}
        self.values.update(dict.fromkeys(file_globals, 0))
        if self.open_globals:
            # Other inputs of a REPL may assign them as well.
            self.values.update((use.declared, TOP) for use in self.uses.values() if use.scope == GLOBAL)
        known = {node.start: name for name, node in self.known.items()}
        used = self._used_as_values
        for facts in self.facts.values():
            flow.functions.update((node.start, node) for node in facts.inner)
        for start, node in flow.functions.items():
            ends = isinstance(node, tree.Def) and falls_off(node.body, self.uses)
            self.values[-2 - start] = NONE if ends else 0
        for start in self.facts:
            name = known.get(start)
            if name and name not in self.specialised and name not in self.strangers:
                flow.released[start] = RELEASED if name in used else LATE
            elif name:
                flow.released[start] = 0
        if self.closed:
            flow.open_code = self._open_code(used)
            named = self.all_facts
            for start in flow.open_code:
                flow.forced.update(file_globals & {*named[start].escapes, *named[start].how})
        flow.begin([resolution.toplevel, *[functions[start] for start in self.facts if start >= 0]])
        # Callees come first, and the file last. In the closed view it is first: it gives parameters values.
        order = list(self.facts.items())
        flow.run(dict(order if self.closed else order[::-1]))
        self.masks.update((declared, value & KINDS) for declared, value in self.values.items())

    def _find_used_as_values(self) -> set[str]:
        names = {node.name.start: name for name, node in self.known.items()}
        used: set[str] = set()
        for facts in self.facts.values():
            used.update(names[d] for d in names.keys() & facts.escapes.keys())
            used.update(names[d] for d in names.keys() & facts.how.keys())
        return used

    def _open_code(self, used: set[str]) -> set[int]:
        """Return the functions that run in code for the open view before the file is done."""
        found: set[int] = set()
        work = [self.known[name].start for name in (used | self.strangers) if self.known[name].parameters]
        while work:
            start = work.pop()
            if start not in found:
                found.add(start)
                facts = self.all_facts[start]
                work += [node.start for node in facts.inner]
                work += [self.known[name].start for name, _node in facts.calls]
                work += [self.known[name].start for name in facts.star_calls]
        return found

    # -- functions that call one another

    def _judge(self) -> None:
        """Find which known functions change what was there before, and which may come back to themselves.

        Both run along the calls: a function does what those it calls do.
        """
        # spec: starlark.recursion
        callers: dict[int, list[int]] = {}
        names = {node.start: name for name, node in self.known.items()}
        changes = self.ownership.changes
        grown: list[int] = []
        unknown: list[int] = []
        seldom: list[int] = []
        waiting: dict[int, int] = {}
        finished: list[int] = []
        foreign = self.ownership.may_be_foreign
        for start, facts in self.facts.items():
            called = {self.known[name].start for name in facts.whole.calls}
            known = True
            for call in facts.whole.value_calls:
                callees = self.rules.callees(call)
                if callees is None:
                    known = False
                else:
                    called.update(callees)
            for callee in called:
                callers.setdefault(callee, []).append(start)
            changes[start] = self.ownership.harm(facts.whole, facts, -1)
            if any(changes[start]):
                grown.append(start)
            if not known or any(map(foreign, facts.whole.methods)):
                unknown.append(start)
            elif any(map(foreign, facts.whole.seldom)):
                seldom.append(start)
            # How many functions it calls that have not been seen to end.
            waiting[start] = len(called)
            if not waiting[start]:
                finished.append(start)
        while grown:
            start = grown.pop()
            for caller in callers.get(start, ()):
                before, more = changes[caller], changes[start]
                after = before[0] | more[0], before[1] | more[1]
                if after != before:
                    changes[caller] = after
                    grown.append(caller)
        used = self._used_as_values
        for start, (now, late) in changes.items():
            if start >= 0 and (start not in names or names[start] in used):
                self.ownership.by_strangers |= (now | late) & ~UNKNOWN
        while finished:
            # What calls nothing, or only functions that cannot lead back, is in no cycle.
            for caller in callers.get(finished.pop(), ()):
                waiting[caller] -= 1
                if not waiting[caller]:
                    finished.append(caller)
        unknown += [start for start, count in waiting.items() if count]
        for work, marked in ((unknown, self._recurring), (seldom, self._seldom)):
            while work:
                start = work.pop()
                if start not in marked and start not in self._recurring:
                    marked.add(start)
                    work += callers.get(start, ())

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


def falls_off(body: Sequence[tree.Stmt], uses: Mapping[int, Binding]) -> bool:
    """Return whether the end of a body may be reached."""
    last = body[-1] if body else None
    if isinstance(last, tree.If):
        return not last.otherwise or any(
            falls_off(part, uses) for part in (last.otherwise, *[branch.body for branch in last.branches])
        )
    if isinstance(last, tree.ExprStmt) and isinstance(last.value, tree.Call):
        function = last.value.function
        fails = isinstance(function, tree.Name) and function.name == "fail"
        return not (fails and uses[function.start].scope == UNIVERSAL)
    return not isinstance(last, tree.Return)
