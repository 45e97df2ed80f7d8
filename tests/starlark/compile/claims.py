"""What the compiler claims of values, held against those that the reference evaluator computes.

Claims of the open view hold whoever calls. Those of the closed view hold unless somebody has called a known
function without naming it, as long as that lasts (facts/inference.py): code for anybody runs then.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from bramble.starlark.compile import toplevel
from bramble.starlark.compile.facts.inference import Inference, read
from bramble.starlark.compile.facts.sites import FIRST, TOP, UNKNOWN, Sites, numbers
from bramble.starlark.reference import evaluate
from bramble.starlark.reference.values import Dict, List, Set, type_name
from bramble.starlark.syntax import tree
from bramble.starlark.syntax.scopes import GLOBAL

from ..reference.both import referred

KINDS = ("int", "float", "string", "bytes", "bool", "NoneType", "list", "dict", "tuple", "set", "range")
FUNCTIONS = ("function", "builtin_function_or_method")


def kind_of(value: Any) -> int:
    """Return the bit of a value's kind."""
    name = type_name(value)
    return 1 << KINDS.index(name) if name in KINDS else 2048 if name in FUNCTIONS else 4096


class Views:
    """Both views of a file, and which functions the closed one knows."""

    def __init__(self, resolution: Any, dialect: Any) -> None:
        known = {} if dialect.global_reassign else toplevel._toplevel_names(resolution.file.body)[0]
        facts = read(resolution, known)
        self.uses = resolution.uses
        self.known = known
        self.starts = {node.start for node in known.values() if node.parameters}
        self.open = Inference(resolution, known, facts)
        roots = {name for name, node in known.items() if not node.parameters}
        self.closed = Inference(resolution, known, facts, roots=roots, closed=True)
        for view in (self.open, self.closed):
            settle(view.rules.sites)

    def refuted(self, view: Inference, node: tree.Expr, value: Any) -> str:
        """Return what is claimed of an expression and does not hold of its value."""
        return self.differs(view, view.rules.value(node), value, 4)

    def differs(self, view: Inference, claim: int, value: Any, depth: int) -> str:
        kind = kind_of(value)
        if not claim & kind:
            return f"{type_name(value)} is not among {claim & TOP}"
        if claim & UNKNOWN or not depth or not isinstance(value, (List, Dict, Set, tuple)):
            return ""
        sites = view.rules.sites
        mine = [n for n in numbers(claim) if sites.kinds[n] == kind]
        found = "of no site"
        for number in mine:
            parts = sites.parts[number]
            if isinstance(value, tuple) and parts is not None:
                if len(parts) != len(value):
                    found = found or "of another length"
                    continue
                pairs = list(zip(parts, value))
            elif isinstance(value, Dict):
                pairs = [(sites.keys[number], k) for k, _ in value.table.values()]
                pairs += [(sites.held[number], v) for _, v in value.table.values()]
                this = 1 << FIRST + number
                pairs += [(sites.field(this, k), v) for k, v in value.table.values() if isinstance(k, str)]
            else:
                items = value.elements if isinstance(value, Set) else getattr(value, "items", value)
                pairs = [(sites.held[number], item) for item in items]
            found = next(filter(None, (self.differs(view, c, v, depth - 1) for c, v in pairs)), "")
            if not found:
                return ""
        return f"in {type_name(value)}: {found}"


def settle(sites: Sites) -> None:
    """Let nothing be learnt any more by asking: what is new then is not known."""
    known = sites._numbers
    make = sites.make
    changed = {
        "make": lambda place, kind: make(place, kind) if place in known else kind | UNKNOWN,
        "escape": lambda _value: None,
        "_join": lambda *_args: None,
    }
    for name, instead in changed.items():
        setattr(sites, name, instead)


class Checked:
    """The reference evaluator with a look at every value."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.views: dict[int, Views] = {}
        self.wrong: list[str] = []
        self.looks = 0
        # How many calls are running that are not of known functions by their names.
        self.strange = 0
        # The functions that were made meanwhile: they are of the code for anybody, too.
        self.strangers: list[Any] = []
        self.evaluate = evaluate.evaluate
        self.call = evaluate.call_function
        self.new = evaluate.new_function
        patch.setattr(evaluate, "new_function", self.made)
        patch.setitem(evaluate.EXPRESSIONS, tree.Lambda, self.made)
        patch.setattr(evaluate, "evaluate", self.look)
        patch.setattr(evaluate, "call_function", self.called)

    def of(self, home: Any) -> Views:
        if id(home) not in self.views:
            self.views[id(home)] = Views(home.resolution, home.dialect)
        return self.views[id(home)]

    def look(self, node: tree.Expr, here: Any) -> Any:
        value = self.evaluate(node, here)
        views = self.of(here.home)
        self.looks += 1
        for name, view in (("open", views.open), ("closed", views.closed)):
            wrong = "" if name == "closed" and self.strange else views.refuted(view, node, value)
            if wrong:
                place = here.home.source.position(node.start)
                self.wrong.append(f"{place}: {name} view, {type(node).__name__}: {wrong}")
        return value

    def made(self, node: Any, here: Any) -> Any:
        function = self.new(node, here)
        if self.strange:
            self.strangers.append(function)
        return function

    def called(self, thread: Any, function: Any, args: Any, kwargs: Any) -> Any:
        views = self.of(function.home)
        strange = function.node.start in views.starts and not by_name(views, function.home)
        strange = strange or any(function is one for one in self.strangers)
        self.strange += strange
        try:
            return self.call(thread, function, args, kwargs)
        finally:
            self.strange -= strange


def by_name(views: Views, home: Any) -> bool:
    """Return whether the call that the evaluator is about to make names the function, and has no stars."""
    frame: Any = sys._getframe(3)
    if frame.f_code.co_name != "call_expression" or frame.f_locals["here"].home is not home:
        return False
    node = frame.f_locals["node"]
    plain = not any(isinstance(a, (tree.StarArgument, tree.StarStarArgument)) for a in node.arguments)
    function = node.function
    named = isinstance(function, tree.Name) and views.uses[function.start].scope == GLOBAL
    return plain and named and function.name in views.known


def refuted_claims(
    files: Mapping[str, str], dialect: Any, patch: pytest.MonkeyPatch
) -> tuple[int, list[str]]:
    """Run a program with the reference evaluator: how many values were looked at, and what was wrong."""
    checked = Checked(patch)
    referred(files, dialect)
    return checked.looks, checked.wrong
