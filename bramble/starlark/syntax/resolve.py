"""From names to variables: scopes, and the rules that can be checked before a program runs.

The unit of work is a body: the file, or the body of one `def` or `lambda`. A
walk over its statements binds every name that it assigns and collects its
expressions; these are resolved afterwards, when all names of the body are
known. Bodies inside it wait in a queue until then. So each name is looked up
once, and nothing here recurses.

A variable that a function uses and another one around it owns becomes a CELL
of its owner, and a FREE variable of the user and of every function between.
"""

from __future__ import annotations

from collections import deque

from ..errors import ResolveError, ResolveFailure
from ..spell import suggestion
from .argument_order import argument_faults, parameter_faults
from .scopes import (
    CELL,
    FREE,
    GLOBAL,
    KEYWORD_ONLY,
    KWARGS,
    LOCAL,
    POSITIONAL,
    PREDECLARED,
    UNIVERSAL,
    VARARGS,
    Binding,
    FunctionScope,
    ParameterScope,
    Resolution,
)
from .tree import (
    Assign,
    AugAssign,
    Binary,
    Break,
    Call,
    Comprehension,
    Conditional,
    Continue,
    Def,
    Dict,
    DictEntry,
    Dot,
    Expr,
    ExprStmt,
    For,
    ForClause,
    If,
    Index,
    Lambda,
    List,
    Literal,
    Load,
    LoadModule,
    Name,
    NamedArgument,
    Paren,
    Return,
    Slice,
    StarArgument,
    StarStarArgument,
    Tuple,
    Unary,
    While,
    docstring_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Optional, Union

    from ..dialect import Dialect
    from ..source import Source
    from .tree import File, Node, Parameter, Stmt

# A text of ten megabytes can hold millions of unknown names.
MOST_ERRORS = 1000
# Suggestions are for people, who stop reading earlier still.
MOST_SUGGESTIONS = 20

_NOT_POSITIONAL = frozenset([NamedArgument, StarArgument, StarStarArgument])


def resolve(
    source: Source,
    file: File,
    *,
    dialect: Dialect,
    predeclared: Collection[str],
    universal: Collection[str],
    globals: Collection[str] = (),
    load_globally: bool = False,
) -> Resolution:
    """Return what every name of `file` means.

    Raises ResolveFailure with all the faults found, in the order of the text, up
    to MOST_ERRORS of them.

    A REPL resolves one input after another: `globals` are the names that earlier
    ones defined (they may be assigned again), and `load_globally` makes the names
    that `load` binds globals as well.
    """
    # spec: starlark.scope.blocks
    resolver = _Resolver(source, dialect, frozenset(predeclared), frozenset(universal))
    for name in globals:
        resolver.globals[name] = resolver.variable(name, GLOBAL, -1, None, earlier=True)
    resolver.load_globally = load_globally
    return resolver.resolve(file)


class _Variable:
    """A `Binding` that is still being found out: locals become cells when they are captured."""

    __slots__ = ("name", "scope", "index", "declared", "bound", "earlier", "owner", "binding")

    def __init__(self, name: str, scope: str, index: int, declared: int, owner: Optional[_Function]) -> None:
        self.name = name
        self.scope = scope
        self.index = index
        self.declared = declared
        self.bound = declared  # the offset from which on it is bound, in reading order
        self.earlier = False  # an earlier input of a REPL defined it
        self.owner = owner
        self.binding: Optional[Binding] = None


class _Function:
    """One function, or the file."""

    __slots__ = ("name", "start", "parent", "parameters", "locals", "freevars", "outer", "docstring")

    def __init__(self, name: str, start: int, parent: Optional[_Function], docstring: Optional[str]) -> None:
        self.name = name
        self.start = start
        self.parent = parent
        self.parameters: list[ParameterScope] = []
        self.locals: list[_Variable] = []
        self.freevars: dict[_Variable, _Variable] = {}  # a cell of some outer function: its variable here
        self.outer: list[_Variable] = []  # what each of them is to the enclosing function
        self.docstring = docstring


class _Block:
    """The names of one scope: a file, a function or a comprehension."""

    __slots__ = ("function", "parent", "names")

    def __init__(self, function: _Function, parent: Optional[_Block]) -> None:
        self.function = function
        self.parent = parent
        self.names: dict[str, _Variable] = {}


class _Resolver:
    def __init__(
        self, source: Source, dialect: Dialect, predeclared: frozenset[str], universal: frozenset[str]
    ) -> None:
        self.source = source
        self.dialect = dialect
        self.predeclared = predeclared
        self.universal = universal
        self.load_globally = False
        self.globals: dict[str, _Variable] = {}
        self.outside: dict[str, _Variable] = {}  # predeclared and universal names in use
        self.variables: list[_Variable] = []
        self.uses: dict[int, _Variable] = {}
        self.functions: list[_Function] = []
        self.queue: deque[tuple[Union[Def, Lambda], _Block]] = deque()
        self.faults: list[tuple[int, str, str]] = []
        self.undefined: list[tuple[Name, _Block]] = []

    def resolve(self, file: File) -> Resolution:
        toplevel = _Function("<toplevel>", file.start, None, docstring_of(file.body))
        self.file_block = _Block(toplevel, None)
        self._body(self.file_block, file.body)
        queue = self.queue
        while queue:
            self._function(*queue.popleft())
        self._report()
        for variable in self.variables:
            variable.binding = Binding(variable.name, variable.scope, variable.index, variable.declared)
        return Resolution(
            file,
            _frozen(toplevel),
            {function.start: _frozen(function) for function in self.functions},
            {start: _binding(variable) for start, variable in self.uses.items()},
            tuple(self.globals),
            frozenset(name for name, variable in self.outside.items() if variable.scope == PREDECLARED),
        )

    def variable(
        self, name: str, scope: str, declared: int, owner: Optional[_Function], *, earlier: bool = False
    ) -> _Variable:
        if scope == LOCAL and owner is not None:
            index = len(owner.locals)
        elif scope == FREE and owner is not None:
            index = len(owner.freevars)
        else:
            index = len(self.globals) if scope == GLOBAL else -1
        made = _Variable(name, scope, index, declared, owner)
        made.earlier = earlier
        self.variables.append(made)
        if scope == LOCAL and owner is not None:
            owner.locals.append(made)
        return made

    def fault(self, offset: int, code: str, message: str) -> None:
        self.faults.append((offset, code, message))

    # ---- binding

    def _bind(self, block: _Block, name: Name, bound: int) -> None:
        """Make `name` a variable of `block`; it is bound from the offset `bound` on."""
        text = name.name
        if block is self.file_block:
            known = block.names.get(text) or self.globals.get(text)
            if known is None:
                known = self.variable(text, GLOBAL, name.start, None)
                known.bound = bound
                self.globals[text] = known
            elif known.earlier:
                known.earlier = False
            elif not self.dialect.global_reassign:
                self._reassigned(name, known)
        else:
            known = block.names.get(text)
            if known is None:
                known = block.names[text] = self.variable(text, LOCAL, name.start, block.function)
        self.uses[name.start] = known

    def _bind_loaded(self, block: _Block, name: Name) -> None:
        """Bind a name of a `load`: it is seen in the whole file but by nobody who loads the file."""
        # spec: starlark.load.names
        text = name.name
        if block is not self.file_block or self.load_globally or text in self.globals:
            self._bind(block, name, name.start)
            return
        known = block.names.get(text)
        if known is None:
            known = block.names[text] = self.variable(text, LOCAL, name.start, block.function)
        elif not self.dialect.global_reassign:
            self._reassigned(name, known)
        self.uses[name.start] = known

    def _reassigned(self, name: Name, known: _Variable) -> None:
        # spec: starlark.scope.once
        where = self.source.position(known.declared)
        message = f"cannot reassign {known.scope} {name.name} declared at {where}"
        self.fault(name.start, "resolve.reassigned", message)

    def _bind_target(self, block: _Block, target: Expr, bound: int, expressions: list[Node]) -> None:
        """Bind the names of an assignment's left side; collect the expressions in it."""
        if isinstance(target, Name):
            self._bind(block, target, bound)
            return
        work = [target]
        while work:
            node = work.pop()
            if isinstance(node, Name):
                self._bind(block, node, bound)
            elif isinstance(node, Paren):
                work.append(node.value)
            elif isinstance(node, (Tuple, List)):
                work += reversed(node.items)
            else:
                expressions.append(node)

    # ---- bodies

    def _function(self, node: Union[Def, Lambda], outer: _Block) -> None:
        """Resolve the body of a function whose definition is in the block `outer`."""
        if isinstance(node, Def):
            function = _Function(node.name.name, node.start, outer.function, docstring_of(node.body))
        else:
            function = _Function("lambda", node.start, outer.function, None)
        self.functions.append(function)
        block = _Block(function, outer)
        self._parameters(block, node.parameters)
        if isinstance(node, Def):
            self._body(block, node.body)
        else:
            self._expressions(block, [node.body])

    def _parameters(self, block: _Block, parameters: Sequence[Parameter]) -> None:
        # spec: starlark.parameters
        function = block.function
        self.faults += parameter_faults(parameters)
        kind = POSITIONAL
        for parameter in parameters:
            if parameter.star == "*":
                kind = KEYWORD_ONLY
            name = parameter.name
            if name is None:
                continue
            if name.name in block.names:
                self.fault(name.start, "resolve.parameter", f"duplicate parameter: {name.name}")
            self._bind(block, name, name.start)
            function.parameters.append(
                ParameterScope(
                    name.name,
                    {"": kind, "*": VARARGS, "**": KWARGS}[parameter.star],
                    parameter.default is not None,
                    block.names[name.name].index,
                )
            )

    def _body(self, block: _Block, statements: Sequence[Stmt]) -> None:
        """Resolve statements and all that is in them but the bodies of functions."""
        expressions: list[Node] = []
        in_file = block is self.file_block
        # The blocks around the present statement, each as what is left of it and what kind it is.
        stack: list[tuple[Iterator[Stmt], str]] = [(iter(statements), "")]
        loops = 0
        while stack:
            iterator, kind = stack[-1]
            for statement in iterator:
                inner = self._statement(block, statement, expressions, loops)
                if isinstance(statement, (Load, LoadModule)) and (len(stack) > 1 or not in_file):
                    self._misplaced_load(statement, in_file, loops)
                if inner:
                    if in_file:
                        self._toplevel_control(statement)
                    loop = isinstance(statement, (For, While))
                    loops += loop
                    stack += [(iter(body), "loop" if loop else "if") for body in reversed(inner)]
                    break
            else:
                stack.pop()
                loops -= kind == "loop"
        self._expressions(block, expressions)

    def _statement(
        self, block: _Block, statement: Stmt, expressions: list[Node], loops: int
    ) -> Sequence[tuple[Stmt, ...]]:
        """Bind what a statement binds, collect its expressions, and return the blocks in it."""
        if isinstance(statement, Assign):
            expressions.append(statement.value)
            self._bind_target(block, statement.target, statement.end, expressions)
        elif isinstance(statement, ExprStmt):
            expressions.append(statement.value)
        elif isinstance(statement, If):
            expressions += [branch.condition for branch in statement.branches]
            return [*[branch.body for branch in statement.branches], statement.otherwise]
        elif isinstance(statement, Return):
            if statement.value is not None:
                expressions.append(statement.value)
            if block is self.file_block:
                message = "return statement not within a function"
                self.fault(statement.start, "resolve.misplaced", message)
        elif isinstance(statement, For):
            expressions.append(statement.iterable)
            self._bind_target(block, statement.target, statement.iterable.end, expressions)
            return (statement.body,)
        elif isinstance(statement, Def):
            self._bind(block, statement.name, statement.name.start)
            expressions += [p.default for p in statement.parameters if p.default is not None]
            self.queue.append((statement, block))
        elif isinstance(statement, AugAssign):
            expressions.append(statement.value)
            self._bind_target(block, statement.target, statement.end, expressions)
        elif isinstance(statement, (Break, Continue)):
            if not loops:
                word = "break" if isinstance(statement, Break) else "continue"
                self.fault(statement.start, "resolve.misplaced", f"{word} not in a loop")
        elif isinstance(statement, While):
            expressions.append(statement.condition)
            if not self.dialect.while_loops:
                message = "this Starlark dialect does not support while loops"
                self.fault(statement.start, "resolve.dialect", message)
            return (statement.body,)
        elif isinstance(statement, Load):
            for symbol in statement.symbols:
                self._bind_loaded(block, symbol.local)
        elif isinstance(statement, LoadModule):
            self._bind_loaded(block, statement.local)
        return ()

    def _misplaced_load(self, statement: Stmt, in_file: bool, loops: int) -> None:
        where = ("loop" if loops else "conditional") if in_file else "function"
        self.fault(statement.start, "resolve.misplaced", f"load statement within a {where}")

    def _toplevel_control(self, statement: Stmt) -> None:
        # spec: starlark.dialect.toplevel-control
        if not self.dialect.toplevel_control:
            what = {If: "if statement", For: "for loop", While: "while loop"}[type(statement)]
            self.fault(statement.start, "resolve.control", f"{what} not within a function")

    # ---- expressions

    def _expressions(self, block: _Block, work: list[Node]) -> None:
        """Resolve every name in these expressions. Uses up the list."""
        work.reverse()
        comprehensions: list[tuple[Comprehension, _Block]] = []
        while True:
            self._names(block, work, comprehensions)
            if not comprehensions:
                return
            comprehension, outer = comprehensions.pop()
            block = _Block(outer.function, outer)
            work = self._comprehension(block, comprehension)

    def _comprehension(self, block: _Block, comprehension: Comprehension) -> list[Node]:
        """Bind the variables of a comprehension. Return its expressions, less the first operand of `in`."""
        # spec: starlark.scope.comprehension
        expressions: list[Node] = []
        for position, clause in enumerate(comprehension.clauses):
            if isinstance(clause, ForClause):
                if position > 0:
                    expressions.append(clause.iterable)
                self._bind_target(block, clause.target, clause.start, expressions)
            else:
                expressions.append(clause.condition)
        expressions.append(comprehension.body)
        return expressions

    def _names(
        self, block: _Block, work: list[Node], comprehensions: list[tuple[Comprehension, _Block]]
    ) -> None:
        """Resolve the names in `work`; put comprehensions and lambdas aside for later."""
        uses = self.uses
        while work:
            node = work.pop()
            kind = type(node)
            if kind is Name:
                uses[node.start] = self._use(block, node)  # type: ignore[arg-type]
            elif kind is Literal:
                pass
            elif isinstance(node, Call):
                work.append(node.function)
                arguments = node.arguments
                if arguments:
                    work += arguments
                    if any(type(argument) in _NOT_POSITIONAL for argument in arguments):
                        self.faults += argument_faults(arguments)
            elif isinstance(node, Dot):
                work.append(node.operand)
            elif isinstance(node, (NamedArgument, StarArgument, StarStarArgument, Paren)):
                work.append(node.value)
            elif isinstance(node, Binary):
                work += (node.left, node.right)
            elif isinstance(node, (List, Tuple)):
                work += node.items
            elif isinstance(node, Dict):
                work += node.entries
            elif isinstance(node, DictEntry):
                work += (node.key, node.value)
            elif isinstance(node, Index):
                work += (node.operand, node.index)
            elif isinstance(node, Comprehension):
                first = node.clauses[0]
                assert isinstance(first, ForClause)
                work.append(first.iterable)
                comprehensions.append((node, block))
            elif isinstance(node, Conditional):
                work += (node.then, node.condition, node.otherwise)
            elif isinstance(node, Unary):
                work.append(node.operand)
            elif isinstance(node, Lambda):
                work += [p.default for p in node.parameters if p.default is not None]
                self.queue.append((node, block))
            elif isinstance(node, Slice):
                parts = (node.operand, node.lower, node.upper, node.step)
                work += [part for part in parts if part is not None]

    def _use(self, block: _Block, node: Name) -> _Variable:
        """Return the variable that a name used in `block` means."""
        text = node.name
        scope: Optional[_Block] = block
        while scope is not None:
            found = scope.names.get(text)
            if found is not None:
                return found if scope.function is block.function else _captured(self, found, block.function)
            scope = scope.parent
        found = self.globals.get(text)
        if found is not None and not (
            self.dialect.global_reassign and block is self.file_block and found.bound > node.start
        ):
            return found
        # With global_reassign, a use at the top level before the first assignment means
        # the name's outer meaning: so a file can say `len = len`.
        outside = self.outside.get(text)
        if outside is None:
            if text in self.predeclared:
                scope_name = PREDECLARED
            elif text in self.universal:
                scope_name = UNIVERSAL
            else:
                if found is not None:
                    return found
                self.undefined.append((node, block))
                scope_name = UNIVERSAL
                return _Variable(text, scope_name, -1, -1, None)
            outside = self.outside[text] = self.variable(text, scope_name, -1, None)
        return outside

    # ---- errors

    def _report(self) -> None:
        """Raise all the faults that were found, if there are any."""
        suggestions: dict[str, str] = {}
        self.undefined.sort(key=lambda use: use[0].start)
        for name, block in self.undefined[:MOST_ERRORS]:
            text = name.name
            if text not in suggestions and len(suggestions) < MOST_SUGGESTIONS:
                suggestions[text] = suggestion(text, self._visible(block))
            self.fault(name.start, "resolve.undefined", f"undefined: {text}{suggestions.get(text, '')}")
        if not self.faults:
            return
        lines: dict[int, str] = {}
        errors: list[ResolveError] = []
        for offset, code, message in sorted(self.faults, key=_offset)[:MOST_ERRORS]:
            position = self.source.position(offset)
            line = position.line
            if line not in lines:
                lines[line] = self.source.line_text(line)
            errors.append(ResolveError(code, message, position, lines[line]))
        raise ResolveFailure(errors)

    def _visible(self, block: Optional[_Block]) -> Iterator[str]:
        """Return the names that can be used in a block."""
        while block is not None:
            yield from block.names
            block = block.parent
        yield from self.globals
        yield from self.predeclared
        yield from self.universal


def _captured(resolver: _Resolver, cell: _Variable, function: _Function) -> _Variable:
    """Return what a variable of an outer function is to `function`: a free variable."""
    cell.scope = CELL
    chain: list[_Function] = []
    owner = cell.owner
    inner: Optional[_Function] = function
    while inner is not None and inner is not owner and cell not in inner.freevars:
        chain.append(inner)
        inner = inner.parent
    assert inner is not None
    outer = cell if inner is owner else inner.freevars[cell]
    for inner in reversed(chain):
        free = resolver.variable(cell.name, FREE, cell.declared, inner)
        inner.freevars[cell] = free
        inner.outer.append(outer)
        outer = free
    return outer


def _frozen(function: _Function) -> FunctionScope:
    return FunctionScope(
        function.name,
        function.start,
        tuple(function.parameters),
        tuple([_binding(variable) for variable in function.locals]),
        tuple([_binding(variable) for variable in function.outer]),
        function.docstring,
    )


def _binding(variable: _Variable) -> Binding:
    assert variable.binding is not None
    return variable.binding


def _offset(fault: tuple[int, str, str]) -> int:
    return fault[0]
