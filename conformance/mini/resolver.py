"""The rules of a program that can be checked without running it (spec: starlark.scope.blocks).

Fills in which names each `def`, `lambda` and comprehension binds.
"""

from __future__ import annotations

from conformance.mini.reader import Failure, Node


class Failures(Exception):
    """Several errors of one file (spec: starlark.error.all)."""

    def __init__(self, errors):
        super().__init__(errors)
        self.errors = errors


def bound(part):
    """Yield the name nodes that a statement, a target, or a list of these binds, in the order of the text."""
    if isinstance(part, list):
        for one in part:
            yield from bound(one)
    elif part.kind == "name":
        yield part
    elif part.kind in ("tuple", "list", "assign", "augmented", "def"):
        yield from bound(part.parts[0])
    elif part.kind == "for":
        yield from bound([part.parts[0], *part.parts[2]])
    elif part.kind in ("if", "while"):
        yield from bound([*part.parts[1], *part.parts[2]])
    elif part.kind == "load":
        yield from (local for local, _ in part.parts[1])


class Resolver:
    """Walks a tree; `known` are the names that every file knows, `options` those of the dialect."""

    def __init__(self, known, options):
        self.known, self.options, self.errors = known, options, []

    def error(self, code, message, at):
        self.errors.append(Failure("resolve." + code, message, at))

    def file(self, statements):
        """Return the names that a file binds, or raise Failures."""
        names, free, loads = (
            set(),
            set(),
            {id(local) for node in statements if node.kind == "load" for local in bound(node)},
        )
        for node in bound(statements):
            if node.parts[0] in names and not ("global-reassign" in self.options and node.parts[0] in free):
                self.error("reassigned", f"cannot reassign {node.parts[0]}", node.at)
            names.add(node.parts[0])
            free |= set() if id(node) in loads else {node.parts[0]}
        self.walk(statements, (names,), set())
        if self.errors:
            raise Failures(sorted(self.errors, key=lambda error: error.at))
        return names

    def walk(self, part, blocks, inside):
        """Check a part within its blocks, innermost last, and within what is `inside`: def, for, if."""
        if not isinstance(part, Node):
            for one in part if isinstance(part, (list, tuple)) else ():
                self.walk(one, blocks, inside)
            return None
        kind, at, _, parts = part
        if kind in ("if", "for", "while"):
            if kind == "while" and "while" not in self.options:
                self.error("dialect", "this Starlark dialect does not support while loops", at)
            if "def" not in inside and "toplevel-control" not in self.options:
                self.error("control", f"{kind} not within a function", at)
            inside = inside | {kind}
        elif (kind == "return" and "def" not in inside) or (kind == "load" and inside):
            self.error("misplaced", f"{kind} is misplaced", at)
        elif kind in ("break", "continue") and inside.isdisjoint({"for", "while"}):
            self.error("misplaced", f"{kind} not in a loop", at)
        elif kind == "name" and parts[0] not in self.known and not any(parts[0] in block for block in blocks):
            self.error("undefined", f"undefined: {parts[0]}", at)
        elif kind == "call":
            self.order([argument[0] or "" for argument in parts[1]], [argument[2] for argument in parts[1]])
        elif kind in ("def", "lambda"):
            _, parameters, body, names = parts
            self.parameters(parameters)
            names.update(name for _, name, _, _ in parameters if name)
            names.update(node.parts[0] for node in bound(body))
            self.walk([default for _, _, default, _ in parameters], blocks, inside)
            return self.walk(body, (*blocks, names), {"def"})
        elif kind == "comprehension":
            _, entry, clauses, names = parts
            names.update(node.parts[0] for _, targets, _ in clauses if targets for node in bound(targets))
            self.walk(clauses[0][2], blocks, inside)
            return self.walk([clauses[0][1], clauses[1:], entry], (*blocks, names), inside)
        if kind not in ("load", "literal", "dot"):
            self.walk(parts, blocks, inside)
        return self.walk(parts[0], blocks, inside) if kind == "dot" else None

    def parameters(self, parameters):
        """Their order (spec: starlark.parameters)."""
        seen, stars, optional = set(), "", False
        for index, (star, name, default, at) in enumerate(parameters):
            bare = star and not name and (index + 1 == len(parameters) or parameters[index + 1][0])
            required = optional and not (star or stars or default)
            if bare or required or name in seen or stars.endswith("**") or (star and star == stars):
                self.error("parameter", "the parameters do not go together", at)
            seen |= {name} if name else set()
            stars, optional = star or stars, optional or default

    def order(self, names, places):
        """The order of arguments (spec: starlark.arguments)."""
        last = 0
        for index, name in enumerate(names):
            rank = {"": 0, "*": 2, "**": 3}.get(name, 1)
            if rank < last or (rank == last > 1) or (rank and name in names[:index]):
                self.error("keyword", "the arguments do not go together", places[index])
            last = max(rank, last)
