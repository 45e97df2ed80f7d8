"""Who can change a container: private variables, needless locks, lists and dicts that are Python's own.

Lists, dicts and sets of a program can be changed by whoever holds them, are frozen when their module is
done, and are locked while they are iterated. Most of them, however, are made in a function, filled in a
loop and returned, and nobody else sees them before. For these the checks are needless, and this module
finds them.

**Private.** A local variable is *private* when all containers that it ever holds are new, made by the
expressions that are assigned to it, and nothing but the code that names it can get hold of one while the
function runs. So

- every assignment to it is a display, a comprehension, a slice, an operator other than `and` and `or`, a
  call of a universal function that makes a container, or something that is no container;
- it is never *used as a value* but in ways that keep nothing: it is indexed, iterated, measured, its
  methods are called, it is returned, its items are the arguments of a call (`*x`, `**x`), which gets
  a tuple or dict of its own. Passing it to a function, putting it into another container, or
  assigning it to a target that is no local name lets it *escape* (collect.py);
- it is no parameter, which others hold as well, and no variable of an inner function, which may run at
  any time.

`y = x` between two local names makes both names of the same containers. They form a *group* and are
private together or not at all.

Most containers are private for a while only: made, filled in a loop, and then given to somebody. A variable
is *private at* a place as long as no statement before has let it escape: statements run in the order of the
text, but in a loop. So an escape counts from the beginning of its statement, within which anything may come
first, and in a loop from the beginning of the outermost loop around it (`FunctionFacts.escapes`).

**Three conclusions.** Nobody can freeze what nobody else has, so a private container may be changed without
asking (`changeable`), unless a loop of this function locks it; and so may one whose sites (sites.py) are in
no variable that outlives calls, have not escaped, and are iterated by no loop that locks. A loop needs no
lock when what it iterates is none of what may be changed meanwhile (`needs_lock`): a private variable when
its own body changes none of the group, and anything else when none of its sites are changed by the body, by
what that calls by name (`changes`), or, where it calls code that is not known, by any function that a
stranger can call. What has escaped, or is of no site that is known, may be the same as anything else of
that sort. And a private list or dict that is used in a few ways only is surely neither frozen nor being
iterated (`raw`): Python's own operations are applied to it directly.

**Why that is safe.** The facts are about the text of one function, and hold whatever the order in which its
statements run, since none of them depends on it. What is not understood counts as an escape: a node without
a rule in collect.py has its names taken as used. Of all that may be done with a raw container only `return`
gives it away, and after that the variable is gone.
The method `join` of a literal text reads a list and keeps nothing of it. A raw dict has the keys that any
other one has, so one that Python would take for another (`True`, NaN) is wrapped (runtime/values.py).

**What breaks it.** A built-in that is listed in KEEPS_NOTHING and keeps its argument, or calls back; a
method that returns its receiver; a use that is allowed to raw containers (`_RAW_USES`) and tells a
program something of their identity or class; a construct that assigns and is not seen.
`tests/starlark/compile/test_ownership.py` tries the uses one by one, and the random programs run with
nothing private at all, to the same results.
"""

from __future__ import annotations

from ...syntax import tree
from ...syntax.scopes import LOCAL, UNIVERSAL
from .collect import strip
from .function_facts import FunctionFacts, LoopFacts
from .kinds import ANY, DICT, FUNCTION, INT, LIST, NONE, OTHER, RANGE, RAW_DICT, RAW_LIST, SET, STRING, TUPLE
from .names import FRESH
from .sites import CAPTURED, ESCAPED, GLOBAL, KINDS, TOP, UNKNOWN, numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .kind_rules import KindRules

_CONTAINER = LIST | DICT | SET | OTHER
_ITERABLE = LIST | DICT | SET | TUPLE | RANGE | OTHER
# What can be done with Python's own list or dict as with a List or Dict, or to a copy of it.
_READING = frozenset(
    {
        *("index", "store", "iterate", "truth", "return", "in", "join"),
        *(
            f"universal.{name}"
            for name in ("len", "sorted", "list", "tuple", "set", "reversed", "any", "all")
        ),
        *(f"universal.{name}" for name in ("enumerate", "zip", "max", "min")),
    }
)
_RAW_USES = {
    RAW_LIST: _READING | {"slice", "method.append", "method.pop", "method.extend", "method.index"},
    RAW_DICT: _READING | {"method.get", "method.setdefault", "method.items", "method.keys", "method.values"},
}
# How a loop locks what it iterates: not at all; only while a function is called that has the name
# of a built-in method and is not one (runtime/seldom.py); from its beginning to its end.
NO_LOCK, LATE_LOCK, LOCK = 0, 1, 2
# What is changed at any time, and late: values (sites.py) without their kinds.
Changes = tuple[int, int]
# After all of a text.
_NEVER = 1 << 62
_NEW = frozenset({tree.List, tree.Dict, tree.Comprehension, tree.Slice, tree.Literal})


class Ownership:
    """What follows for the containers of a file from what its functions do.

    A variable is *private* (see collect.py) together with those that it is
    assigned to or from; `group` are all of them.
    """

    def __init__(
        self, rules: KindRules, masks: Mapping[int, int], facts: Mapping[int, FunctionFacts]
    ) -> None:
        self.rules = rules
        self.uses = rules.uses
        self.masks = masks
        self.facts = facts
        self.captured: set[int] = set()
        self.parameters: set[int] = set()
        # What functions may change that was there before their call, by their starts, and those that somebody
        # calls who is not known.
        self.changes: dict[int, Changes] = {}
        self.by_strangers = 0
        # The sites of what is ever locked, once it is known.
        self._locked = -1
        # Where a variable is no longer private, by declaration; -1: it never is.
        self._private: dict[int, int] = {}
        self._raw: dict[int, int] = {}

    def private(self, declared: int, facts: FunctionFacts) -> bool:
        """Return whether only code that names the variable, or an alias, can change its containers."""
        return self._until(declared, facts) == _NEVER

    def private_at(self, declared: int, facts: FunctionFacts, at: int) -> bool:
        """Return whether a variable is private still, where `at` begins what is executed."""
        return self._until(declared, facts) > at

    def _until(self, declared: int, facts: FunctionFacts) -> int:
        found = self._private.get(declared)
        if found is None:
            group = self.group(declared, facts)
            found = -1
            if all(self._private_alone(member, facts) for member in group):
                found = min(facts.escapes.get(member, _NEVER) for member in group)
            for member in group:
                self._private[member] = found
        return found

    def group(self, declared: int, facts: FunctionFacts) -> set[int]:
        """Return the variables that may hold the same containers as this one, itself included."""
        group = {declared}
        size = 0
        while size != len(group):
            size = len(group)
            for to, source, _at in facts.aliases:
                if to in group or source in group:
                    group |= {to, source}
        return group

    def _private_alone(self, declared: int, facts: FunctionFacts) -> bool:
        return (
            declared in facts.assigned
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
            if node.__class__ in _NEW or (node.__class__ is tree.Binary and node.op not in ("and", "or")):
                return True
            if node.__class__ is tree.Call:
                function = strip(node.function)
                if function.__class__ is tree.Name and self.uses[function.start].scope == UNIVERSAL:
                    return function.name in FRESH
        return not self.rules.assigned_kind(declared, how, value) & _CONTAINER

    def changeable(self, start: int, node: tree.Expr) -> bool:
        """Return whether a container surely may be changed: it is not frozen, and no loop locks it.

        It is a private one that no loop here locks, or one that neither outlives the call nor is iterated
        by a loop that locks. Then it is Python's own list, or a dict or set neither frozen nor busy.
        """
        node = strip(node)
        if node.__class__ is tree.Name:
            binding = self.uses[node.start]
            facts = self.facts[start]
            if binding.scope == LOCAL and self.private_at(binding.declared, facts, node.start):
                return binding.declared not in facts.locked
        value = self.rules.value(node)
        if value & (UNKNOWN | OTHER):
            return False
        marks = self.rules.sites.marks
        return not (
            value & self.locked() > TOP
            or any(marks[number] & (GLOBAL | CAPTURED | ESCAPED) for number in numbers(value))
        )

    def locked(self) -> int:
        """Return the sites of all that a loop of the file locks."""
        if self._locked < 0:
            self._locked = 0
            for start, facts in self.facts.items():
                for loop_start, iterable in facts.iterated:
                    for one in (iterable, *_parts_of_call(iterable)):
                        if self.needs_lock(start, loop_start, one):
                            self._locked |= self.rules.value(one) & ~KINDS
        return self._locked

    def raw(self, start: int, declared: int) -> int:
        """Return RAW_LIST or RAW_DICT when a variable can hold Python's own, unseen by others. Else 0."""
        if self.masks.get(declared, ANY) not in (LIST, DICT):
            return 0
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
            grows = how == "aug" and value.op == "+" and not self.rules.kind(value.value) & ~(LIST | TUPLE)
            grows = grows and made == RAW_LIST
            if how not in ("is", "alias") and not grows:
                return 0
        return made

    def plain_keys(self, declared: int) -> bool:
        """Return whether all keys of a private dict are strings, ints or None, as Python takes them."""
        value = self.rules.values.get(declared, TOP)
        return not self.rules.sites.items(value) & KINDS & ~(STRING | INT | NONE)

    def needs_lock(self, start: int, loop_start: int, iterable: tree.Expr) -> int:
        """Return how a loop of the function at `start` locks what it iterates, which it might change."""
        # spec: starlark.iteration.locked
        facts = self.facts[start]
        loop = facts.loops[loop_start]
        iterable = strip(iterable)
        value = self.rules.value(iterable)
        if not value & _CONTAINER:
            return NO_LOCK
        if iterable.__class__ is tree.Name:
            binding = self.uses[iterable.start]
            if binding.scope == LOCAL and self.private_at(binding.declared, facts, loop_start):
                return LOCK if self.changes_iterated(binding.declared, facts, loop_start) else NO_LOCK
        now, late = self.harm(loop, facts, loop_start)
        if self.may_be_same(value, now):
            return LOCK
        return LATE_LOCK if self.may_be_same(value, late) else NO_LOCK

    def may_be_same(self, value: int, changed: int) -> bool:
        """Return whether what a value can be may be among what is changed."""
        if changed & UNKNOWN:
            changed |= self.by_strangers
        return (value & changed) > TOP or (self._is_open(value) and self._is_open(changed))

    def _is_open(self, value: int) -> bool:
        """Return whether a value may be a container that somebody has who is not known."""
        if value & (UNKNOWN | OTHER):
            return True
        marks = self.rules.sites.marks
        return any(marks[number] & ESCAPED for number in numbers(value))

    def changes_iterated(self, declared: int, facts: FunctionFacts, loop_start: int) -> bool:
        """Return whether a loop over a private variable may change what it iterates.

        It does not by changing another variable of the group that was given a new container right before, and
        has not been another's name since: as in `new = []`, `for x in old: new.append(x)`, `old = new`.
        """
        loop = facts.loops[loop_start]
        changed = loop.changed.union(map(self.changes_name, loop.augmented))
        changed &= self.group(declared, facts)
        if not changed:
            return False
        end, fresh = facts.fresh.get(loop_start, (0, {}))
        if declared in changed or not changed <= fresh.keys():
            return True
        return any(
            fresh[one] < at < end
            for to, source, at in facts.aliases
            for one in changed.intersection((to, source))
        )

    def changes_name(self, node: tree.AugAssign) -> int:
        """Return the variable whose container an augmented assignment may change, else -1."""
        target = strip(node.target)
        if target.__class__ is not tree.Name or node.op not in ("+", "|"):
            return -1
        declared = self.uses[target.start].declared
        return declared if self.masks.get(declared, ANY) & _CONTAINER else -1

    def harm(self, loop: LoopFacts, facts: FunctionFacts, at: int) -> Changes:
        """Return what may be changed while a loop runs, other than what is private at its begin.

        For the whole of a function `at` is -1: whatever it makes has not been there before. What is changed
        at any time comes first, then what is only by code that is called seldom.
        """
        now = UNKNOWN if loop.unsafe or any(map(self.may_be_foreign, loop.methods)) else 0
        late = UNKNOWN if any(map(self.may_be_foreign, loop.seldom)) else 0
        for declared in loop.changed:
            if not self.private_at(declared, facts, at):
                now |= self._changeable_part(self.rules.values.get(declared, TOP))
        for container in loop.others:
            now |= self._changeable_part(self.rules.value(container))
        for node in loop.augmented:
            if node.op not in ("+", "|"):
                continue
            target = strip(node.target)
            if target.__class__ is tree.Name:
                binding = self.uses[target.start]
                if binding.scope != LOCAL or not self.private_at(binding.declared, facts, at):
                    now |= self._changeable_part(self.rules.value(target))
            elif self.rules.kind(node.value) & _ITERABLE:
                # The element may be a list, which would grow.
                now |= self._changeable_part(self.rules.value(target))
        starts = [self.rules.known[name].start for name in loop.calls]
        for call in loop.value_calls:
            callees = self.rules.callees(call)
            if callees is None:
                now |= UNKNOWN
            else:
                starts += callees
        for start in starts:
            more = self.changes.get(start, (0, 0))
            now, late = now | more[0], late | more[1]
        return now, late

    def _changeable_part(self, value: int) -> int:
        """Return the sites of a value that can be changed, and whether others may be."""
        made = self.rules.sites.only(value, LIST | DICT | SET) & ~KINDS
        return made | UNKNOWN if value & OTHER else made

    def may_be_foreign(self, receiver: tree.Expr) -> bool:
        """Return whether a method of a value may be a function of a program or of the host's."""
        return bool(self.rules.kind(receiver) & (OTHER | FUNCTION))


def _parts_of_call(node: tree.Expr) -> list[tree.Expr]:
    """Return what a call looks at that makes what is iterated: its receiver and its arguments."""
    if not isinstance(node, tree.Call):
        return []
    function = strip(node.function)
    found = [function.operand] if isinstance(function, tree.Dot) else []
    return found + [a if isinstance(a, tree.Expr) else a.value for a in node.arguments]
