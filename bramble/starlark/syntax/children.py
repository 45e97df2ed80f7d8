"""Which nodes are directly inside a node."""

from __future__ import annotations

from . import tree
from .tree import Node

_NOT_NODES = frozenset(
    {"start", "end", "at", "name", "name_start", "raw", "op", "star", "parenthesised", "text"}
)
_FIELDS: dict[type[Node], tuple[str, ...]] = {
    kind: tuple(field for field in kind._fields if field not in _NOT_NODES)
    for kind in vars(tree).values()
    if isinstance(kind, type) and issubclass(kind, Node)
}
_FIELDS[tree.Literal] = _FIELDS[tree.Name] = ()
_FIELDS[tree.Def] = _FIELDS[tree.Lambda] = ("parameters",)
_FIELDS[tree.Parameter] = ("default",)


def children(node: Node) -> list[Node]:
    """Return the nodes directly inside a node; of a function only its parameters (for their defaults)."""
    found: list[Node] = []
    for field in _FIELDS[node.__class__]:
        value = getattr(node, field)
        if value.__class__ is tuple:
            found += value
        elif value is not None:
            found.append(value)
    return found
