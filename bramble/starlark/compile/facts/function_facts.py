"""What is noted of one function while its text is read."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    from ...syntax import tree


class LoopFacts:
    """What happens while a loop, or a comprehension, runs."""

    __slots__ = ("unsafe", "changed", "others", "augmented", "calls", "value_calls", "methods", "seldom")

    def __init__(self) -> None:
        # Whether code is called that is not known.
        self.unsafe = False
        # Local variables whose containers are changed, by declaration, and other expressions that are.
        self.changed: set[int] = set()
        self.others: list[tree.Expr] = []
        self.augmented: list[tree.AugAssign] = []
        # Known global functions that are called, and the receivers of method calls.
        self.calls: set[str] = set()
        # Calls of values, and of functions of the language that call what they are given.
        self.value_calls: list[tree.Call] = []
        self.methods: list[tree.Expr] = []
        # The receivers of methods that have the name of a built-in one (runtime/seldom.py).
        self.seldom: list[tree.Expr] = []


class FunctionFacts:
    """What one function does. `whole` is about its body, `loops` about its loops by their start."""

    __slots__ = (
        "assigned",
        "escapes",
        "whole",
        "loops",
        "inner",
        "iterables",
        "iterated",
        "locked",
        "aliases",
        "fresh",
        "narrowed",
        "called",
        "calls",
        "star_calls",
        "how",
        "steps",
    )

    def __init__(self) -> None:
        # Per variable (by declaration), how and from what it is assigned: "is" an expression, "aug" an
        # augmented assignment, "item" of an iterable, "part" of one of these, "function", or "any"thing.
        self.assigned: dict[int, list[tuple[str, Any]]] = {}
        # Where each variable escapes first: the start of the statement, or of the outermost loop around it.
        self.escapes: dict[int, int] = {}
        self.whole = LoopFacts()
        self.loops: dict[int, LoopFacts] = {}
        # The functions directly inside this one.
        self.inner: list[Union[tree.Def, tree.Lambda]] = []
        # What each loop iterates.
        self.iterated: list[tuple[int, tree.Expr]] = []
        # The loops that iterate a variable, and the variables that are changed in such a loop.
        self.iterables: list[tuple[int, tree.Name]] = []
        self.locked: set[int] = set()
        # Pairs of variables of which one is assigned the other's value, and where.
        self.aliases: list[tuple[int, int, int]] = []
        # For a loop its end, and the variables that are given a new container before it in the same block.
        self.fresh: dict[int, tuple[int, dict[int, int]]] = {}
        # The names that surely are not None, by where they stand.
        self.narrowed: set[int] = set()
        # Local variables that are called in a loop.
        self.called: set[int] = set()
        # Calls of known global functions.
        self.calls: list[tuple[str, tree.Call]] = []
        # Those that are called with starred arguments.
        self.star_calls: list[str] = []
        # In which ways each variable is used, other than by assigning to it.
        self.how: dict[int, set[str]] = {}
        # Where values go, in about the order of the text: to a variable, into a container, to somebody else.
        self.steps: list[tuple[Any, ...]] = []
