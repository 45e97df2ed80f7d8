"""The evaluator: for each construct one function of the tree's node and of the call that runs it.

An expression gives its value. A statement gives None, or how its block ends: BREAK, CONTINUE, or a
`Returned`. Whatever can fail says first where it is: `here.at` is the offset that an error has, and when
an error leaves a call, the call puts its name and place before those that the error has already.
"""

from __future__ import annotations

from ..dialect import Dialect
from ..errors import EvalError, StarlarkError
from ..runtime.functions import Stopped
from ..source import Source
from ..spell import suggestion
from ..syntax import tree
from ..syntax.parse import parse
from ..syntax.resolve import resolve
from ..syntax.scopes import FREE, GLOBAL, PREDECLARED, UNIVERSAL
from .calls import Activation, Home, add_keywords, bind_arguments, left, refuse
from .methods import attribute, items_or_fail
from .operators import BINARY, augmented, can_be_sliced, index, set_index, slice_of, unary
from .universe import UNIVERSE
from .values import (
    Builtin,
    Dict,
    Function,
    List,
    Module,
    Variable,
    fail,
    freeze,
    held,
    items_of,
    key_of,
    length_of_range,
    to_repr,
    truth,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn, Optional, Union

    from .values import Value

    Ending = Union[None, str, "Returned"]


BREAK, CONTINUE = "break", "continue"
_STANDARD = Dialect()
_NOTHING: Mapping[str, Value] = {}


class Returned:
    """The end of a function by `return`."""

    def __init__(self, value: Value) -> None:
        self.value = value


class Thread:
    """One run of programs: where `print` writes, what `load` gets, how many rounds and calls there may be.

    `load(path, file)` returns the globals of a module by name; `file` is the one that loads it.
    """

    def __init__(
        self,
        print: Callable[[str], None],
        load: Optional[Callable[[str, str], Mapping[str, Value]]] = None,
        max_steps: Optional[int] = None,
    ) -> None:
        self.print = print
        self.load = load
        self.left = max_steps
        # The running functions, as definitions in the text.
        self.active: set[tuple[int, int]] = set()

    def tick(self) -> None:
        """Count a call, or a round of a loop."""
        # spec: starlark.limit.steps
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Stopped("eval.limit", "too many steps", "steps")

    def call(self, function: Value, args: Sequence[Value], kwargs: Mapping[str, Value] = _NOTHING) -> Value:
        """Call any value."""
        # spec: starlark.call
        if isinstance(function, Function):
            return call_function(self, function, list(args), dict(kwargs))
        if isinstance(function, Builtin):
            return function.function(self, tuple(args), dict(kwargs))
        return fail("eval.call", f"invalid call of non-function ({type_name(function)})")


# ---- files


def run(
    text: Union[str, bytes],
    filename: str,
    thread: Thread,
    *,
    dialect: Dialect = _STANDARD,
    predeclared: Mapping[str, Value] = _NOTHING,
) -> dict[str, Value]:
    """Run a file and return its globals, frozen. Raises StarlarkError, also if they are not needed."""
    # spec: starlark.module, starlark.freeze, starlark.error.phases
    source = Source.read(text, filename)
    file = parse(source, dialect)
    resolution = resolve(source, file, dialect=dialect, predeclared=predeclared, universal=UNIVERSE)
    home = Home(source, resolution, dialect, predeclared)
    here = Activation(thread, home, "<toplevel>", [Variable() for _ in resolution.toplevel.locals], [], 0)
    try:
        execute(file.body, here)
    except (EvalError, RecursionError) as caught:
        error = left(here, caught)
        error.position = [frame.position for frame in error.stack if frame.position is not None][-1]
        raise error from None
    finally:
        freeze(tuple(home.globals.values()))
    return home.globals


def load(node: tree.Load, here: Activation) -> None:
    """`load("m", "a", b = "c")`."""
    # spec: starlark.load, starlark.load.names
    here.at = node.start
    found = _loaded(path_of(node), here)
    for symbol in node.symbols:
        name = str(symbol.remote.value)
        if name not in found:
            hint = suggestion(name, [known for known in found if not known.startswith("_")])
            fail("eval.load", f"load: name {name} not found in module {path_of(node)}{hint}")
    for symbol in node.symbols:
        bind(symbol.local, found[str(symbol.remote.value)], here)


def path_of(node: Union[tree.Load, tree.LoadModule]) -> str:
    return str(node.module.value)


def load_module(node: tree.LoadModule, here: Activation) -> None:
    """`load("a/b")` where it binds a module."""
    # spec: starlark.dialect.load
    here.at = node.start
    found = _loaded(path_of(node), here)
    public = {name: value for name, value in found.items() if not name.startswith("_")}
    bind(node.local, Module(path_of(node), public), here)


def _loaded(path: str, here: Activation) -> Mapping[str, Value]:
    # spec: starlark.load.failure
    load = here.thread.load
    if load is None:
        fail("eval.load", f"cannot load {path}: loading is not possible here")
    try:
        return load(path, here.home.source.filename)
    except Stopped:
        raise
    except StarlarkError as error:
        raise EvalError("eval.load", f"cannot load {path}: {error.message}") from error


# ---- statements


def execute(statements: Sequence[tree.Stmt], here: Activation) -> Ending:
    """Run statements in order, until one of them ends the block."""
    for statement in statements:
        ending = STATEMENTS[type(statement)](statement, here)
        if ending is not None:
            return ending
    return None


def expression_statement(node: tree.ExprStmt, here: Activation) -> None:
    """An expression for its effects."""
    evaluate(node.value, here)


def assign(node: tree.Assign, here: Activation) -> None:
    """`target = value`: the value, then the target."""
    # spec: starlark.assign
    store(node.target, evaluate(node.value, here), node.at, here)


def store(target: tree.Expr, value: Value, at: int, here: Activation) -> None:
    """Give a value to a target; `at` is where an error of unpacking is."""
    if isinstance(target, tree.Paren):
        store(target.value, value, at, here)
    elif isinstance(target, tree.Name):
        bind(target, value, here)
    elif isinstance(target, tree.Index):
        x = evaluate(target.operand, here)
        i = evaluate(target.index, here)
        here.at = target.at
        set_index(x, i, value)
    elif isinstance(target, tree.Dot):
        set_attribute(target, evaluate(target.operand, here), here)
    elif isinstance(target, (tree.Tuple, tree.List)):
        here.at = at
        for part, item in zip(target.items, unpacked(value, len(target.items))):
            store(part, item, at, here)


def unpacked(value: Value, count: int) -> Sequence[Value]:
    """Return the items of a value that must have so many."""
    # spec: starlark.assign.unpack
    length = length_of_range(value) if isinstance(value, range) else None
    items = () if length not in (None, count) else items_of(value)
    if items is None:
        fail("eval.unpack", f"got {type_name(value)} in sequence assignment")
    length = len(items) if length is None else length
    if length != count:
        few = "few" if length < count else "many"
        fail("eval.unpack", f"too {few} values to unpack (got {length}, want {count})")
    return items


def set_attribute(target: tree.Dot, x: Value, here: Activation) -> NoReturn:
    """`x.f = value`: no type of the language allows it."""
    # spec: starlark.assign.element
    here.at = target.at
    fail("eval.attribute", f"can't assign to .{target.name} field of {type_name(x)}")


def assign_augmented(node: tree.AugAssign, here: Activation) -> None:
    """`x op= y`: the parts of x, its value, y, the operation, and x again."""
    # spec: starlark.assign.augmented
    target: tree.Expr = node.target
    while isinstance(target, tree.Paren):
        target = target.value
    if isinstance(target, tree.Index):
        x = evaluate(target.operand, here)
        i = evaluate(target.index, here)
        here.at = target.at
        old = index(x, i)
    elif isinstance(target, tree.Dot):
        x = evaluate(target.operand, here)
        here.at = target.at
        old = attribute(x, target.name)
    else:
        old = evaluate(target, here)
    y = evaluate(node.value, here)
    here.at = node.at
    new = augmented(node.op, old, y)
    if isinstance(target, tree.Index):
        here.at = target.at
        set_index(x, i, new)
    elif isinstance(target, tree.Dot):
        set_attribute(target, x, here)
    elif isinstance(target, tree.Name):
        bind(target, new, here)


def if_statement(node: tree.If, here: Activation) -> Ending:
    """`if`, `elif`, `else`: the first block whose condition is true, or the last."""
    # spec: starlark.statement.if
    for branch in node.branches:
        if truth(evaluate(branch.condition, here)):
            return execute(branch.body, here)
    return execute(node.otherwise, here)


def for_statement(node: tree.For, here: Activation) -> Ending:
    """`for t in x`: x once, then t and the body for each item; until the end nobody can change x."""
    # spec: starlark.statement.for, starlark.iteration.locked, starlark.statement.break
    x = evaluate(node.iterable, here)
    here.at = node.start
    with held(x):
        for item in rounds(x, here):
            store(node.target, item, node.start, here)
            ending = execute(node.body, here)
            if ending == BREAK:
                break
            if isinstance(ending, Returned):
                return ending
    return None


def rounds(x: Value, here: Activation) -> Value:
    """Yield what a loop goes through, and count its rounds."""
    items = x if isinstance(x, range) else items_of(x)
    if items is None:
        fail("eval.iterate", f"{type_name(x)} value is not iterable")

    def each() -> Value:
        for item in items:
            here.thread.tick()
            yield item

    return each()


def while_statement(node: tree.While, here: Activation) -> Ending:
    """`while c`: the body as long as c is true."""
    # spec: starlark.statement.while
    while truth(evaluate(node.condition, here)):
        here.thread.tick()
        ending = execute(node.body, here)
        if ending == BREAK:
            break
        if isinstance(ending, Returned):
            return ending
    return None


def return_statement(node: tree.Return, here: Activation) -> Returned:
    """`return x`."""
    # spec: starlark.statement.return
    return Returned(None if node.value is None else evaluate(node.value, here))


def def_statement(node: tree.Def, here: Activation) -> None:
    """`def f(p): body`: a new function, then f."""
    # spec: starlark.def
    bind(node.name, new_function(node, here), here)


STATEMENTS: dict[type, Callable[..., Ending]] = {
    tree.ExprStmt: expression_statement,
    tree.Assign: assign,
    tree.AugAssign: assign_augmented,
    tree.Pass: lambda _node, _here: None,
    tree.Break: lambda _node, _here: BREAK,
    tree.Continue: lambda _node, _here: CONTINUE,
    tree.If: if_statement,
    tree.For: for_statement,
    tree.While: while_statement,
    tree.Return: return_statement,
    tree.Def: def_statement,
    tree.Load: load,
    tree.LoadModule: load_module,
}


# ---- variables


def bind(node: tree.Name, value: Value, here: Activation) -> None:
    """Give a value to the variable that a name means; it is never one of a function around."""
    # spec: starlark.scope.function, starlark.scope.global
    meaning = here.home.resolution.uses[node.start]
    if meaning.scope == GLOBAL:
        here.home.globals[node.name] = value
    else:
        here.locals[meaning.index].value = value


def variable(node: tree.Name, here: Activation) -> Value:
    """`x`: the value of the variable that the name means."""
    # spec: starlark.scope.blocks, starlark.scope.unbound
    meaning = here.home.resolution.uses[node.start]
    here.at = node.start
    if meaning.scope == UNIVERSAL:
        return UNIVERSE[node.name]
    if meaning.scope == PREDECLARED:
        return here.home.predeclared[node.name]
    if meaning.scope == GLOBAL:
        if node.name not in here.home.globals:
            fail("eval.unbound", f"global variable {node.name} referenced before assignment")
        return here.home.globals[node.name]
    found = (here.captured if meaning.scope == FREE else here.locals)[meaning.index]
    if not found.bound:
        fail("eval.unbound", f"local variable {node.name} referenced before assignment")
    return found.value


# ---- expressions


def evaluate(node: tree.Expr, here: Activation) -> Value:
    """Return the value of an expression."""
    return EXPRESSIONS[type(node)](node, here)


def binary(node: tree.Binary, here: Activation) -> Value:
    """`a op b`: a, then b, then the operator; `and` and `or` evaluate b only where it is needed."""
    # spec: starlark.expr.order, starlark.expr.logic
    a = evaluate(node.left, here)
    if node.op == "and":
        return evaluate(node.right, here) if truth(a) else a
    if node.op == "or":
        return a if truth(a) else evaluate(node.right, here)
    b = evaluate(node.right, here)
    here.at = node.at
    return BINARY[node.op](a, b)


def unary_operation(node: tree.Unary, here: Activation) -> Value:
    """`-x`, `+x`, `~x`, `not x`."""
    x = evaluate(node.operand, here)
    here.at = node.at
    return not truth(x) if node.op == "not" else unary(node.op, x)


def conditional(node: tree.Conditional, here: Activation) -> Value:
    """`a if c else b`: c, then one of the others."""
    # spec: starlark.expr.logic
    return evaluate(node.then if truth(evaluate(node.condition, here)) else node.otherwise, here)


def tuple_display(node: tree.Tuple, here: Activation) -> Value:
    """`(a, b)`."""
    return tuple([evaluate(item, here) for item in node.items])


def list_display(node: tree.List, here: Activation) -> Value:
    """`[a, b]`: a new list."""
    # spec: starlark.display
    return List([evaluate(item, here) for item in node.items])


def dict_display(node: tree.Dict, here: Activation) -> Value:
    """`{k: v}`: all keys and values in the order of the text, then a new dict."""
    # spec: starlark.display, starlark.expr.order
    parts = [(entry.at, evaluate(entry.key, here), evaluate(entry.value, here)) for entry in node.entries]
    made = Dict()
    for at, key, value in parts:
        here.at = at
        if key_of(key) in made.table:
            fail("eval.duplicate-key", f"duplicate key: {to_repr(key)}")
        made.put(key, value)
    return made


def comprehension(node: tree.Comprehension, here: Activation) -> Value:
    """`[e for t in x if c]`, `{k: v for …}`: the clauses nested from left to right, the entry innermost."""
    # spec: starlark.comprehension, starlark.scope.comprehension
    made: Union[List, Dict] = Dict() if isinstance(node.body, tree.DictEntry) else List()
    first = node.clauses[0]
    assert isinstance(first, tree.ForClause)
    outer = evaluate(first.iterable, here)
    for clause in node.clauses:
        if isinstance(clause, tree.ForClause):
            renew(clause.target, here)
    run_clauses(node, 0, outer, made, here)
    return made


def renew(target: tree.Expr, here: Activation) -> None:
    """Make the variables of a comprehension's clause new ones, without values."""
    if isinstance(target, tree.Paren):
        renew(target.value, here)
    elif isinstance(target, (tree.Tuple, tree.List)):
        for item in target.items:
            renew(item, here)
    elif isinstance(target, tree.Name):
        here.locals[here.home.resolution.uses[target.start].index] = Variable()


def run_clauses(
    node: tree.Comprehension, number: int, outer: Value, made: Union[List, Dict], here: Activation
) -> None:
    """Run the clauses from a number on; `outer` is the value of the first operand of `in`."""
    if number == len(node.clauses):
        add_entry(node.body, made, here)
        return
    clause = node.clauses[number]
    if isinstance(clause, tree.IfClause):
        if truth(evaluate(clause.condition, here)):
            run_clauses(node, number + 1, outer, made, here)
        return
    x = outer if number == 0 else evaluate(clause.iterable, here)
    here.at = clause.start
    with held(x):
        for item in rounds(x, here):
            store(clause.target, item, clause.start, here)
            run_clauses(node, number + 1, outer, made, here)


def add_entry(body: Union[tree.Expr, tree.DictEntry], made: Union[List, Dict], here: Activation) -> None:
    """Add what a comprehension makes of one round."""
    if isinstance(body, tree.DictEntry):
        assert isinstance(made, Dict)
        key = evaluate(body.key, here)
        value = evaluate(body.value, here)
        here.at = body.at
        made.put(key, value)
    else:
        assert isinstance(made, List)
        made.items.append(evaluate(body, here))


def index_expression(node: tree.Index, here: Activation) -> Value:
    """`x[i]`: x, then i."""
    x = evaluate(node.operand, here)
    i = evaluate(node.index, here)
    here.at = node.at
    return index(x, i)


def slice_expression(node: tree.Slice, here: Activation) -> Value:
    """`x[a:b:c]`: x, then the bounds and the step."""
    # spec: starlark.error.columns
    x = evaluate(node.operand, here)
    bounds = [None if part is None else evaluate(part, here) for part in (node.lower, node.upper, node.step)]
    here.at = node.at if can_be_sliced(x) else node.operand.start
    return slice_of(x, *bounds)


def dot(node: tree.Dot, here: Activation) -> Value:
    """`x.name`."""
    # spec: starlark.attribute
    x = evaluate(node.operand, here)
    here.at = node.at
    return attribute(x, node.name)


# ---- functions


def new_function(node: Union[tree.Def, tree.Lambda], here: Activation) -> Function:
    """Make a function: its defaults are evaluated now, the variables around it are shared."""
    # spec: starlark.parameters, starlark.closure
    scope = here.home.resolution.functions[node.start]
    defaults = {
        parameter.name.name: evaluate(parameter.default, here)
        for parameter in node.parameters
        if parameter.name is not None and parameter.default is not None
    }
    captured = [(here.captured if v.scope == FREE else here.locals)[v.index] for v in scope.freevars]
    return Function(node, scope, here.home, defaults, captured)


def call_expression(node: tree.Call, here: Activation) -> Value:
    """`f(a, b = c, *d, **e)`: f, then the arguments in the order of the text, then the call."""
    # spec: starlark.arguments, starlark.expr.order
    function = evaluate(node.function, here)
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    star: list[Value] = []
    star_star: list[Value] = []
    for argument in node.arguments:
        if isinstance(argument, tree.NamedArgument):
            kwargs[argument.name] = evaluate(argument.value, here)
        elif isinstance(argument, tree.StarArgument):
            star.append(evaluate(argument.value, here))
        elif isinstance(argument, tree.StarStarArgument):
            star_star.append(evaluate(argument.value, here))
        else:
            args.append(evaluate(argument, here))
    here.at = node.at
    for value in star:
        args += items_or_fail(value, f"argument after * must be iterable, not {type_name(value)}")
    for value in star_star:
        add_keywords(function, kwargs, value)
    return here.thread.call(function, args, kwargs)


def call_function(thread: Thread, function: Function, args: list[Value], kwargs: dict[str, Value]) -> Value:
    """Call a function of a program: bind the parameters, then run the body."""
    # spec: starlark.recursion
    bound = bind_arguments(function, args, kwargs)
    key = (id(function.home), function.node.start)
    running = key in thread.active
    if running and not function.home.dialect.recursion:
        refuse(function, "eval.recursion", f"function {function.name} called recursively")
    thread.tick()
    locals = [Variable() for _ in function.scope.locals]
    for parameter in function.scope.parameters:
        locals[parameter.index].value = bound[parameter.name]
    here = Activation(thread, function.home, function.name, locals, function.captured, function.node.start)
    thread.active.add(key)
    try:
        if isinstance(function.node, tree.Lambda):
            return evaluate(function.node.body, here)
        ending = execute(function.node.body, here)
        return ending.value if isinstance(ending, Returned) else None
    except (EvalError, RecursionError) as caught:
        raise left(here, caught) from None
    finally:
        if not running:
            thread.active.remove(key)


EXPRESSIONS: dict[type, Callable[..., Value]] = {
    tree.Name: variable,
    tree.Literal: lambda node, _here: node.value,
    tree.Paren: lambda node, here: evaluate(node.value, here),
    tree.Tuple: tuple_display,
    tree.List: list_display,
    tree.Dict: dict_display,
    tree.Unary: unary_operation,
    tree.Binary: binary,
    tree.Conditional: conditional,
    tree.Lambda: new_function,
    tree.Comprehension: comprehension,
    tree.Call: call_expression,
    tree.Dot: dot,
    tree.Index: index_expression,
    tree.Slice: slice_expression,
}
