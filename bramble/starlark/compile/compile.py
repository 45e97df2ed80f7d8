"""From the resolved tree to a Python code object: statements, functions, files.

A file becomes one Python function, `<toplevel>`, whose Starlark globals are its
Python globals. A `def` becomes a Python function with a hidden first parameter
`$s`, the running Thread; the Starlark variable holds a `Function` around it, and
`name!` the Python function itself, for calls that need no checking.

Recursion. Every function that may call unknown code notes in `$s.active` that it
is running, and refuses when it finds itself there already. What an error leaves
behind there is cleared where the error is caught (thread.py).
"""

from __future__ import annotations

from _ast import (
    Break,
    Continue,
    Delete,
    For,
    Global,
    Lambda,
    Module,
    Pass,
    Return,
    Try,
    While,
    arg,
    expr,
    stmt,
)

from ..runtime.functions import mangle
from ..syntax import tree
from ..syntax.scopes import FunctionScope, Resolution
from . import python_tree as py
from .emit import TooDeep, Unit
from .emit_assign import AssignEmitter
from .emit_blocks import CHECK, LOCK
from .facts import strip
from .inference import Inference, read
from .kinds import ANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any, Optional, Union

    from ..dialect import Dialect

# Statements of one `elif` chain that are nested; Python's compiler recurses along it.
_BRANCHES = 40
# Python allows 20 blocks inside one another in a function; a locked loop is two.
_MOST_LOOPS = 18
_LOCKED_LOOPS = 2


class FunctionCompiler(AssignEmitter):
    """Makes the Python statements of one function."""

    def __init__(self, unit: Unit, scope: FunctionScope, start: int, options: Options) -> None:
        super().__init__(unit, scope, start)
        self.options = options
        self.limited = options.limited
        self.checked = options.check_recursion and start >= 0 and unit.inference.may_recur(start)
        self.cleanup: list[stmt] = []
        # Functions that are to be made right before the statement that is being made.
        self.hoisted: list[stmt] = []

    # -- functions

    def store_name(self, node: tree.Name) -> expr:
        return py.store(mangle(node.name), self.line)

    def info_name(self, node: tree.Node) -> str:
        return f".f{node.start}"

    def parameters_of(self, parameters: Sequence[tree.Parameter]) -> Any:
        """Return Python's parameters; their defaults are expressions of this, the outer function."""
        positional = []
        defaults: list[expr] = []
        only = []
        only_defaults: list[Optional[expr]] = []
        vararg = kwarg = None
        after_star = False
        for parameter in parameters:
            made = None
            if parameter.name is not None:
                made = arg(mangle(parameter.name.name), lineno=self.line, col_offset=0)
            default = None if parameter.default is None else self.value(parameter.default)
            if parameter.star == "**":
                kwarg = made
            elif parameter.star == "*":
                vararg = made
                after_star = True
            elif after_star:
                only.append(made)
                only_defaults.append(default)
            else:
                positional.append(made)
                if default is not None:
                    defaults.append(default)
        hidden = arg("$s", lineno=self.line, col_offset=0)
        return py.parameters(positional, defaults, vararg, only, only_defaults, kwarg, hidden)

    def inner(self, node: tree.Node, unit: Optional[Unit] = None) -> FunctionCompiler:
        unit = unit or self.unit
        scope = unit.resolution.functions[node.start]
        unit.functions[node.start] = (scope, node)
        inner = FunctionCompiler(unit, scope, node.start, self.options)
        inner.line = self.unit.op(node.start, "statement")
        return inner

    def function_value(self, node: tree.Lambda) -> expr:
        parameters = self.parameters_of(node.parameters)
        inner = self.inner(node)
        if inner.checked and self.hoisting and not parameters.defaults and not any(parameters.kw_defaults):
            # A `def` right before the statement has the cheaper check.
            name = f"$f{node.start}"
            returned = tree.Return(node.body.start, node.body.end, node.body)
            self.hoisted.append(py.function(name, parameters, inner.function_body(node, (returned,))))
            return py.helper(
                ".Function", [py.load(name, self.line), py.load(self.info_name(node), self.line)], self.line
            )
        inner.hoisting = False
        body = inner.value(node.body)
        if inner.checked:
            info = self.info_name(node)
            line = self.unit.op(node.start, "recursive")
            active = py.attribute(py.load("$s", line), "active", line)
            key = py.load(info, line)
            check = py.conditional(
                py.compare(key, py.COMPARE["in"], active, line),
                py.helper(".recursive", [key], line),
                py.call(py.attribute(active, "__setitem__", line), [key, py.constant(None, line)], line),
                line,
            )
            done = py.call(py.attribute(active, "__delitem__", line), [key], line)
            steps = py.tuple_of([check, body, done], line)
            body = py.subscript(steps, py.constant(1, line), line)
        body = self.with_keywords(node.parameters, body)
        if self.limited:
            body = py.sequence([self.counted_step(self.line)], body, self.line)
        made = Lambda(parameters, body, lineno=self.line, col_offset=0)
        return py.helper(".Function", [made, py.load(self.info_name(node), self.line)], self.line)

    def with_keywords(self, parameters: Sequence[tree.Parameter], body: expr) -> expr:
        """Make the `**kwargs` of a lambda a Starlark dict before its body."""
        for parameter in parameters:
            if parameter.star == "**" and parameter.name is not None:
                name = mangle(parameter.name.name)
                made = py.walrus(name, py.helper(".Dict", [py.load(name, self.line)], self.line), self.line)
                return py.sequence([made], body, self.line)
        return body

    def stmt_Def(self, node: tree.Def) -> list[stmt]:
        parameters = self.parameters_of(node.parameters)
        name = mangle(node.name.name)
        raw = f"{name}!"
        known = self.unit.inference.known.get(node.name.name) is node
        inner = self.inner(node, self.unit.generic if known and node.parameters else None)
        made = py.function(raw, parameters, inner.function_body(node, node.body))
        value = py.helper(
            ".Function", [py.load(raw, self.line), py.load(self.info_name(node), self.line)], self.line
        )
        statements = [made, py.assign(py.store(name, self.line), value, self.line)]
        if known and node.name.name in self.unit.inference.specialised:
            statements += self.specialised(node, raw)
        return statements

    def specialised(self, node: tree.Def, raw: str) -> list[stmt]:
        """Return a second version of a known function, for the calls whose arguments are known."""
        inner = self.inner(node)
        special = self.unit.raw_name(node.name.name)
        made = py.function(special, parameters_without_defaults(node), inner.function_body(node, node.body))
        if not any(p.default for p in node.parameters):
            return [made]
        both = [py.load(special, self.line), py.load(raw, self.line)]
        return [made, py.expression(py.helper(".share_defaults", both, self.line), self.line)]

    def function_body(
        self, node: Union[tree.Def, tree.Lambda], statements: Sequence[tree.Stmt]
    ) -> list[stmt]:
        start = self.tick()
        for parameter in node.parameters:
            if parameter.star == "**" and parameter.name is not None:
                name = mangle(parameter.name.name)
                start.append(
                    py.assign(
                        py.store(name, self.line),
                        py.helper(".Dict", [py.load(name, self.line)], self.line),
                        self.line,
                    )
                )
        facts = self.unit.inference.facts[node.start]
        for parameter in node.parameters:
            name_node = parameter.name
            if name_node is None or parameter.star or name_node.start in facts.assigned:
                continue
            if name_node.start in facts.called:
                start.append(self.prepare(name_node))
        if self.checked:
            line = self.unit.op(node.start, "recursive")
            key = py.load(self.info_name(node), line)
            active = py.load("$a", line)
            fetch = py.attribute(py.load("$s", line), "active", line)
            start.append(py.assign(py.store("$a", line), fetch, line))
            start.append(
                py.if_statement(
                    py.compare(key, py.COMPARE["in"], active, line),
                    [py.expression(py.helper(".recursive", [key], line), line)],
                    [],
                    line,
                )
            )
            mark = py.subscript(active, key, line, py.STORE)
            start.append(py.assign(mark, py.constant(None, line), line))
            self.cleanup = [
                Delete([py.subscript(active, key, line, py.DELETE)], lineno=line, col_offset=0),
            ]
        body = self.block(statements)
        if self.cleanup and not (body and isinstance(body[-1], Return)):
            body += self.cleanup
        return start + (body or [Pass(lineno=self.line, col_offset=0)])

    # -- statements

    def block(self, body: Sequence[tree.Stmt]) -> list[stmt]:
        made: list[stmt] = []
        outer = self.hoisted
        for node in body:
            self.hoisted = []
            statements = self.statement(node)
            made += self.hoisted
            made += statements
        self.hoisted = outer
        return made or [Pass(lineno=self.line, col_offset=0)]

    def statement(self, node: tree.Stmt) -> list[stmt]:
        outer = self.line
        self.line = self.unit.op(node.start, "statement")
        made: list[stmt] = getattr(self, f"stmt_{node.__class__.__name__}")(node)
        self.line = outer
        return made

    def stmt_Pass(self, _node: tree.Pass) -> list[stmt]:
        return [Pass(lineno=self.line, col_offset=0)]

    def stmt_Break(self, _node: tree.Break) -> list[stmt]:
        return [Break(lineno=self.line, col_offset=0)]

    def stmt_Continue(self, _node: tree.Continue) -> list[stmt]:
        return [Continue(lineno=self.line, col_offset=0)]

    def stmt_ExprStmt(self, node: tree.ExprStmt) -> list[stmt]:
        if isinstance(node.value, tree.Literal):
            return []
        return [py.expression(self.value(node.value), self.line)]

    def stmt_Return(self, node: tree.Return) -> list[stmt]:
        value = py.constant(None, self.line) if node.value is None else self.value(node.value)
        if not self.cleanup:
            return [Return(value, lineno=self.line, col_offset=0)]
        if value.__class__.__name__ == "Constant":
            return [*self.cleanup, Return(value, lineno=self.line, col_offset=0)]
        return [
            py.assign(py.store("$r", self.line), value, self.line),
            *self.cleanup,
            Return(py.load("$r", self.line), lineno=self.line, col_offset=0),
        ]

    def stmt_If(self, node: tree.If) -> list[stmt]:
        otherwise = self.block(node.otherwise) if node.otherwise else []
        branches = [(self.condition(b.condition), self.block(b.body)) for b in node.branches]
        if len(branches) <= _BRANCHES:
            return self.branches(branches, otherwise)
        # A long chain in parts: `pending` says that the parts so far have chosen nothing.
        pending = self.temp()
        parts = [branches[at : at + _BRANCHES] for at in range(0, len(branches), _BRANCHES)]
        made: list[stmt] = []
        for number, part in enumerate(parts):
            nothing = otherwise
            if number < len(parts) - 1:
                nothing = [py.assign(py.store(pending, self.line), py.constant(True, self.line), self.line)]
            body = [
                py.assign(py.store(pending, self.line), py.constant(False, self.line), self.line),
                *self.branches(part, nothing),
            ]
            made += (
                body if number == 0 else [py.if_statement(py.load(pending, self.line), body, [], self.line)]
            )
        return made

    def branches(self, branches: list[tuple[expr, list[stmt]]], otherwise: list[stmt]) -> list[stmt]:
        for test, body in reversed(branches):
            otherwise = [py.if_statement(test, body, otherwise, self.line)]
        return otherwise

    def stmt_While(self, node: tree.While) -> list[stmt]:
        test = self.condition(node.condition)
        return [While(test, self.tick() + self.loop_body(node), [], lineno=self.line, col_offset=0)]

    def loop_body(self, node: Union[tree.For, tree.While]) -> list[stmt]:
        """Return the statements of a loop's body. Raises TooDeep when Python allows no more loops."""
        if self.loops >= _MOST_LOOPS:
            raise TooDeep(node.start)
        self.loops += 1
        made = self.block(node.body)
        self.loops -= 1
        return made

    def tick(self) -> list[stmt]:
        """Return the statements that count a step, where steps are counted."""
        return [py.expression(self.counted_step(self.line), self.line)] if self.limited else []

    def stmt_For(self, node: tree.For) -> list[stmt]:
        # spec: starlark.statement.for
        items, care, parts = self.items(node.iterable, node.start)
        line = self.unit.op(node.start, ".enter")
        start: list[stmt] = []
        target = strip(node.target)
        variable: Optional[expr]
        if isinstance(target, tree.Name):
            variable = self.store_name(target)
        else:
            variable = self.plain_targets(target, parts)
        if variable is None:
            name = self.temp()
            variable = py.store(name, line)
            start = self.assign_to(target, py.load(name, line), ANY, node.start)
        body = self.tick() + start + self.loop_body(node)
        if care == CHECK:
            items = self.checked_items(items, line)
        elif care == LOCK and self.loops >= _LOCKED_LOOPS:
            items = py.helper(".marked", [items], line)
        elif care == LOCK:
            return self.locked_loop(variable, items, body, line)
        return [For(variable, items, body, [], None, lineno=line, col_offset=0)]

    def locked_loop(self, variable: expr, items: expr, body: list[stmt], line: int) -> list[stmt]:
        """Return a loop that marks what it iterates as busy, and unmarks it however it ends."""
        # spec: starlark.iteration.locked
        name = self.temp()
        held = py.load(name, line)
        held_class = py.attribute(held, "__class__", line)
        mark = py.if_statement(
            py.is_class(held, ".List", line),
            [py.assign(py.attribute(held, "__class__", line, py.STORE), py.load(".BusyList", line), line)],
            [py.assign(py.store(name, line), self.rounds(py.helper(".enter", [held], line), line), line)],
            line,
        )
        unmark = py.if_statement(
            py.is_class(held, ".BusyList", line),
            [py.assign(py.attribute(held, "__class__", line, py.STORE), py.load(".List", line), line)],
            [
                py.if_statement(
                    py.compare(held_class, py.IS_NOT, py.class_named("tuple", line), line),
                    [py.expression(py.helper(".leave", [held], line), line)],
                    [],
                    line,
                )
            ],
            line,
        )
        loop = For(variable, held, body, [], None, lineno=line, col_offset=0)
        return [
            py.assign(py.store(name, line), items, line),
            # Marked inside: an interruption may come between any two steps.
            Try([mark, loop], [], [], [unmark], lineno=line, col_offset=0),
        ]

    # -- assignment

    def stmt_Load(self, node: tree.Load) -> list[stmt]:
        line = self.unit.op(node.start, "load")
        names = py.tuple_of([py.constant(s.remote.value, line) for s in node.symbols], line)
        parts = [py.load("$s", line), py.constant(node.module.value, line), names]
        targets = [self.store_name(s.local) for s in node.symbols]
        value = py.helper(".load", parts, line)
        return [py.assign(py.tuple_of(targets, line, py.STORE), value, line)]

    def stmt_LoadModule(self, node: tree.LoadModule) -> list[stmt]:
        line = self.unit.op(node.start, "load")
        parts = [py.load("$s", line), py.constant(node.module.value, line)]
        return [py.assign(self.store_name(node.local), py.helper(".load_module", parts, line), line)]


def parameters_without_defaults(node: tree.Def) -> Any:
    """Return Python's parameters of a function that gets its defaults from another one."""
    positional = []
    only = []
    vararg = kwarg = None
    after_star = False
    for parameter in node.parameters:
        made = None
        if parameter.name is not None:
            made = arg(mangle(parameter.name.name), lineno=1, col_offset=0)
        if parameter.star == "**":
            kwarg = made
        elif parameter.star == "*":
            vararg = made
            after_star = True
        elif after_star:
            only.append(made)
        else:
            positional.append(made)
    hidden = arg("$s", lineno=1, col_offset=0)
    return py.parameters(positional, [], vararg, only, [None] * len(only), kwarg, hidden)


class Options:
    """How code is made: whether recursion is refused, and whether steps are counted."""

    def __init__(self, check_recursion: bool, limited: bool) -> None:
        self.check_recursion = check_recursion
        self.limited = limited


def compile_file(resolution: Resolution, dialect: Dialect, limited: bool) -> tuple[CodeType, Unit]:
    """Return the code of the function `<toplevel>`, and the tables that belong to it."""
    known, loaded = _toplevel_names(resolution.file.body)
    if dialect.global_reassign:
        known = {}
    facts = read(resolution, known)
    open_view = Inference(resolution, known, facts)
    operations: list[tuple[Any, ...]] = []
    generic = Unit(resolution, open_view, loaded, operations)
    roots = {name for name, node in known.items() if not node.parameters}
    closed_view = Inference(resolution, known, facts, roots=roots, closed=True)
    closed_view.keep_useful(open_view)
    unit = Unit(resolution, closed_view, loaded, operations, generic)
    return _compile(resolution, unit, dialect, limited)


def compile_input(
    resolution: Resolution, dialect: Dialect, operations: Sequence[tuple[Any, ...]], limited: bool
) -> tuple[CodeType, Unit]:
    """Return the code of one input of a REPL, which returns the value of a last expression.

    Other inputs may assign its globals. `operations` are those of earlier inputs. `limited`
    code counts its steps.
    """
    loaded = _toplevel_names(resolution.file.body)[1]
    inference = Inference(resolution, {}, read(resolution, {}), open_globals=True)
    return _compile(resolution, Unit(resolution, inference, loaded, list(operations)), dialect, limited)


def _compile(resolution: Resolution, unit: Unit, dialect: Dialect, limited: bool) -> tuple[CodeType, Unit]:
    options = Options(not dialect.recursion, limited)
    compiler = FunctionCompiler(unit, resolution.toplevel, -1, options)
    body = compiler.block(resolution.file.body)
    names = {mangle(name) for name in resolution.globals}
    names.update([f"{name}!" for name in names])
    names.update([f"{mangle(name)}!!" for name in unit.inference.specialised])
    names.update(mangle(b.name) for b in resolution.toplevel.locals if b.declared in unit.loaded)
    last = resolution.file.body[-1] if unit.inference.open_globals and resolution.file.body else None
    if isinstance(last, tree.ExprStmt):
        body[-1:] = [Return(compiler.value(last.value), lineno=compiler.line, col_offset=0)]
    if names:
        body.insert(0, Global(sorted(names), lineno=1, col_offset=0))
    hidden = arg("$s", lineno=1, col_offset=0)
    parameters = py.parameters([], [], None, [], [], None, hidden)
    toplevel = py.function("<toplevel>", parameters, body)
    module = compile(Module([toplevel], []), "<starlark>", "exec", dont_inherit=True, optimize=0)
    code: CodeType = next(c for c in module.co_consts if hasattr(c, "co_code"))
    return code, unit


def _toplevel_names(body: Sequence[tree.Stmt]) -> tuple[dict[str, tree.Def], set[int]]:
    """Return the global functions, and the places where `load` binds names."""
    known: dict[str, tree.Def] = {}
    loaded: set[int] = set()
    work: list[tree.Stmt] = list(body)
    while work:
        node = work.pop()
        if isinstance(node, tree.Def):
            known[node.name.name] = node
        elif isinstance(node, tree.Load):
            loaded.update(s.local.start for s in node.symbols)
        elif isinstance(node, tree.LoadModule):
            loaded.add(node.local.start)
        elif isinstance(node, (tree.For, tree.While)):
            work += node.body
        elif isinstance(node, tree.If):
            for branch in node.branches:
                work += branch.body
            work += node.otherwise
    return known, loaded
