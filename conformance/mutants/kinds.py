"""Single faults of a Python program, found in its syntax tree. Pure.

A site is a place where one thing can be wrong, and what is wrong there. Sites of a text have an order, so
that the number of one means the same fault wherever the text is the same.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Union

Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPOUND = (
    ast.If,
    ast.While,
    ast.For,
    ast.AsyncFor,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    *Function,
    ast.ClassDef,
)
_SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_MOVED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
# A text for people, which may change while the statement stays what it is.
_SENTENCE = re.compile(r"""'[^'"]* [^'"]*'|"[^'"]* [^'"]*\"""")
# Calls that raise an error of a user, and others that make one.
_RAISING = ("refuse", "_refuse", "fail_with")
_SAYING = (*_RAISING, "BrambleError")
# What an error advises, and tells besides.
_FOR_PEOPLE = ("remedy", "detail")
# Calls whose first argument is the name of a function, for the words of an error.
_NAMING = (
    *("want_string", "want_int", "want_small_int", "want_bool", "want_items", "want_sized"),
    *("wrong_type", "no_keywords", "count_between", "named_arguments"),
    *("bind", "Checker", "caller.within_function"),
)
# Parts of a program that do nothing when it runs.
_SILENT_FUNCTIONS = ("__repr__", "__str__")
_SILENT_TESTS = ("TYPE_CHECKING", "__name__ == '__main__'")


@dataclass(frozen=True)
class Fault:
    """One fault: what kind, and where.

    `first` and `last` are the lines that run when the place is reached. `inside` is the qualified name of the
    function that the fault is in, "" outside of functions. `key` stays the same while the `statement` does,
    which is its text without what is in it and without sentences.
    """

    number: int
    kind: str
    line: int
    first: int
    last: int
    inside: str
    key: str
    statement: str


@dataclass(frozen=True)
class _Site:
    kind: str
    statement: ast.stmt
    inside: str
    node: ast.AST
    apply: Callable[[], object]


def faults(text: str) -> tuple[Fault, ...]:
    """Return every fault of a program, in order."""
    found = []
    heads: dict[int, str] = {}
    seen: dict[tuple[str, str], int] = {}
    # The tree lives as long as the numbers of its nodes are used as keys.
    tree = ast.parse(text)
    unseen = set(_unseen(tree))
    for number, site in enumerate(_sites(tree.body, "", "")):
        if id(site.statement) not in heads:
            heads[id(site.statement)] = _SENTENCE.sub("''", _head(site.statement))
        head = heads[id(site.statement)]
        one = f"{site.kind}\n{head}"
        count = seen[site.inside, one] = seen.get((site.inside, one), 0) + 1
        key = base64.b32encode(hashlib.sha256(f"{one}\n{count}".encode()).digest()[:5]).decode().lower()
        if (site.kind, id(site.node)) in unseen:
            continue
        line = getattr(site.node, "lineno", site.statement.lineno)
        found.append(Fault(number, site.kind, line, *_span(site.statement, line), site.inside, key, head))
    return tuple(found)


def _unseen(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the kind of a fault and the node for those that nobody sees: words, and one instant of a clock.

    They are counted in the keys of others, which stay the same.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in _NAMING:
            yield "text", id(node.args[0])
        elif isinstance(node, ast.Compare) and "monotonic()" in ast.unparse(node):
            yield "boundary", id(node)


def shown(text: str, number: int) -> str:
    """Return what a statement says, and what it says with this fault."""
    tree = ast.parse(text)
    for count, site in enumerate(_sites(tree.body, "", "")):
        if count == number:
            before = _head(site.statement)
            replaced = site.apply()
            return f"{before}  ->  {_head(replaced if isinstance(replaced, ast.stmt) else site.statement)}"
    raise IndexError(number)


def mutated(text: str, number: int) -> ast.Module:
    """Return the tree of a program with this fault in it; its lines have the numbers that they had."""
    tree = ast.parse(text)
    for count, site in enumerate(_sites(tree.body, "", "")):
        if count == number:
            site.apply()
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


def _head(statement: ast.stmt) -> str:
    """Return a statement as text, without the statements in it."""
    ast.fix_missing_locations(statement)
    if isinstance(statement, ast.Try):
        return "try: " + "; ".join(
            f"except {ast.unparse(one.type) if one.type else ''}: {'raise' if _raises(one) else '...'}"
            for one in statement.handlers
        )
    text = ast.unparse(statement)
    return text.split("\n")[0] if isinstance(statement, _COMPOUND) else text


def _raises(handler: ast.ExceptHandler) -> bool:
    first = handler.body[0]
    return isinstance(first, ast.Raise) and first.exc is None


def _span(statement: ast.stmt, line: int) -> tuple[int, int]:
    if isinstance(statement, Function):
        return statement.body[0].lineno, statement.end_lineno or statement.lineno
    if isinstance(statement, ast.Try):
        return line, next(one.body[0].lineno for one in statement.handlers if one.lineno == line)
    if isinstance(statement, (ast.If, ast.While)):
        return statement.lineno, statement.test.end_lineno or statement.lineno
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return statement.lineno, statement.iter.end_lineno or statement.lineno
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return statement.lineno, statement.items[-1].context_expr.end_lineno or statement.lineno
    return statement.lineno, statement.end_lineno or statement.lineno


def _sites(body: list[ast.stmt], inside: str, prefix: str, ends: bool = False) -> Iterator[_Site]:
    """Yield the sites of statements; `ends`: the function ends where they do."""
    for index, statement in enumerate(body):
        last = ends and index == len(body) - 1
        if _is_silent(statement):
            continue
        if isinstance(statement, ast.ClassDef):
            yield from _sites(statement.body, inside, f"{prefix}{statement.name}.")
        elif isinstance(statement, Function):
            if statement.name in _SILENT_FUNCTIONS:
                continue
            name = prefix + statement.name
            yield from _defaults(statement, inside or name)
            yield from _sites(statement.body, inside or name, name + ".", ends=True)
        else:
            if not (last and _returns_nothing(statement)):
                yield from _of_statement(body, index, statement, inside)
            for part in _expressions(statement):
                for node, raised in _walk(part, isinstance(statement, ast.Raise)):
                    yield from _of_expression(node, statement, inside, raised)
            for name in ("body", "orelse", "finalbody"):
                within = last and name != "finalbody" and _ends_with(statement, name)
                yield from _sites(getattr(statement, name, []), inside, prefix, within)
            for handler in getattr(statement, "handlers", []):
                yield from _sites(handler.body, inside, prefix, last)


def _ends_with(statement: ast.stmt, part: str) -> bool:
    """Say whether nothing of a statement is done after this part of it."""
    if isinstance(statement, ast.Try):
        return part == "orelse" or not statement.orelse
    return isinstance(statement, (ast.If, ast.With))


def _returns_nothing(statement: ast.stmt) -> bool:
    """Say whether a statement does what the end of its function does."""
    if not isinstance(statement, ast.Return):
        return False
    return statement.value is None or ast.unparse(statement.value) == "None"


def _raises_in_any_case(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) in _RAISING


def _is_silent(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Assert, ast.Global, ast.Nonlocal)):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    if isinstance(statement, ast.If) and ast.unparse(statement.test) in _SILENT_TESTS:
        return True
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0]) in ("TYPE_CHECKING", "__all__", "__slots__")
    return False


def _defaults(function: Union[ast.FunctionDef, ast.AsyncFunctionDef], inside: str) -> Iterator[_Site]:
    for one in (*function.args.defaults, *function.args.kw_defaults):
        if isinstance(one, ast.Constant) and (isinstance(one.value, int) or one.value is None):
            yield _Site("default", function, inside, one, _setting(one, "value", _other(one.value)))


def _other(value: object) -> object:
    if value is None:
        return 0
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else value


def _of_statement(body: list[ast.stmt], index: int, statement: ast.stmt, inside: str) -> Iterator[_Site]:
    def replace(new: ast.stmt) -> Callable[[], object]:
        def apply() -> ast.stmt:
            body[index] = ast.copy_location(new, statement)
            return new

        return apply

    if isinstance(statement, (ast.Break, ast.Continue)):
        yield _Site("leaving", statement, inside, statement, replace(ast.Pass()))
    elif isinstance(statement, ast.Return):
        if statement.value is not None and ast.unparse(statement.value) != "None":
            if _raises_in_any_case(statement.value):
                return
            yield _Site("leaving", statement, inside, statement, replace(ast.Expr(statement.value)))
        elif inside:
            yield _Site("leaving", statement, inside, statement, replace(ast.Pass()))
    elif _does_something(statement) and inside:
        yield _Site("deleted", statement, inside, statement, replace(ast.Pass()))
    elif isinstance(statement, (ast.If, ast.While)):
        negated = ast.UnaryOp(ast.Not(), statement.test)
        yield _Site("negated", statement, inside, statement.test, _setting(statement, "test", negated))
    elif isinstance(statement, ast.Try):
        for handler in statement.handlers:
            if not _raises(handler):
                yield _Site("except", statement, inside, handler, _setting(handler, "body", [ast.Raise()]))


def _does_something(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        # Without a plain name everything behind it would stop, which says little of the cases.
        return not isinstance(statement.targets[0], (ast.Name, ast.Tuple))
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, (ast.Yield, ast.YieldFrom))
    return isinstance(statement, (ast.AugAssign, ast.Delete, ast.Raise))


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(statement):
        if name in ("body", "orelse", "finalbody", "handlers", "annotation", "targets", "target"):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                yield one


def _walk(node: ast.AST, raised: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the expressions in one; `raised`: it is an exception, and its sentences are for people."""
    if raised and _is_for_people(node):
        return
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        raised = raised or called in _SAYING
        yield node, raised
        if called in ("cast", "TypeVar", "import_module"):
            return
    else:
        yield node, raised
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword) and child.arg in _FOR_PEOPLE:
            continue
        # The pieces between the values of a sentence are a sentence, too.
        if not (_is_sentence(node) and isinstance(child, ast.Constant)) and not _names_encoding(node, child):
            yield from _walk(child, raised)


def _is_for_people(node: ast.AST) -> bool:
    """Say whether an expression is a sentence, or one of several."""
    if isinstance(node, ast.IfExp):
        return _is_for_people(node.body) and _is_for_people(node.orelse)
    if isinstance(node, ast.BinOp):
        return _is_for_people(node.left) or _is_for_people(node.right)
    return _is_sentence(node) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and _has_blank(node.value)
    )


def _names_encoding(node: ast.AST, child: ast.AST) -> bool:
    """Say whether `child` is the name of an encoding, which Python reads without a mark at its end."""
    if isinstance(node, ast.keyword):
        return node.arg == "encoding"
    method = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    return method in ("encode", "decode") and isinstance(node, ast.Call) and child in node.args[:1]


def _is_sentence(node: ast.AST) -> bool:
    pieces = node.values if isinstance(node, ast.JoinedStr) else []
    return any(isinstance(one, ast.Constant) and _has_blank(str(one.value)) for one in pieces)


def _has_blank(text: str) -> bool:
    return any(character.isspace() for character in text.rstrip("\n"))


def _of_expression(node: ast.AST, statement: ast.stmt, inside: str, raised: bool) -> Iterator[_Site]:
    def site(kind: str, apply: Callable[[], object]) -> _Site:
        return _Site(kind, statement, inside, node, apply)

    if isinstance(node, ast.Compare):
        for place, one in enumerate(node.ops):
            yield site("comparison", _setting(node.ops, place, _SWAPPED[type(one)]()))
            if type(one) in _MOVED:
                yield site("boundary", _setting(node.ops, place, _MOVED[type(one)]()))
    elif isinstance(node, ast.BoolOp):
        yield site("and/or", _setting(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
    elif isinstance(node, ast.IfExp):
        yield site("negated", _setting(node, "test", ast.UnaryOp(ast.Not(), node.test)))
    elif isinstance(node, ast.comprehension):
        for place, one_test in enumerate(node.ifs):
            yield site("negated", _setting(node.ifs, place, ast.UnaryOp(ast.Not(), one_test)))
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.Add, ast.Sub)) and not any(map(_is_text, (node.left, node.right))):
            yield site("+/-", _setting(node, "op", ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()))
    elif isinstance(node, ast.Call):
        said = raised and bool(node.args) and _is_for_people(node.args[-1])
        if len(node.args) > 1 and not said and not any(isinstance(one, ast.Starred) for one in node.args):
            yield site("argument", _setting(node, "args", node.args[:-1]))
        for place, keyword in enumerate(node.keywords):
            if keyword.arg not in (None, *_FOR_PEOPLE):
                rest = [*node.keywords[:place], *node.keywords[place + 1 :]]
                yield site("argument", _setting(node, "keywords", rest))
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node, site)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _of_constant(node: ast.Constant, site: Callable[[str, Callable[[], object]], _Site]) -> Iterator[_Site]:
    value = node.value
    if isinstance(value, (bool, int)):
        yield site("constant", _setting(node, "value", _other(value)))
    elif isinstance(value, str):
        # A text with a blank in it is a sentence for a user: presentation.
        if value and not _has_blank(value):
            yield site("text", _setting(node, "value", value + "~"))
    elif isinstance(value, bytes) and value:
        yield site("text", _setting(node, "value", value + b"~"))


def _setting(
    node: Union[ast.AST, list[ast.cmpop], list[ast.expr]], name: Union[str, int], value: object
) -> Callable[[], object]:
    def apply() -> None:
        if isinstance(name, str):
            setattr(node, name, value)
        else:
            node[name] = value  # type: ignore[index]

    return apply
