"""Running programs: threads, modules, `execute` and `call`."""

from __future__ import annotations

import gc
import sys
from time import monotonic
from types import FunctionType

from .errors import EvalError, StarlarkError
from .faults import ModuleState, running_calls, translate
from .runtime.freezing import Freezing
from .runtime.functions import (
    INNER_PART,
    ModuleValue,
    Stopped,
    apply,
    check_value,
    freeze_defaults,
    mangle,
)
from .runtime.intrinsics import BUILTINS
from .runtime.iteration import leave, leave_again
from .runtime.values import fail_with
from .spell import suggestion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import CodeType
    from typing import Optional, Union

    from .errors import Frame, Position
    from .program import Program
    from .runtime.values import Value

    Printer = Callable[[str, Optional[Position]], None]
    Loaded = Union["Module", ModuleValue, Mapping[str, Value]]
    Loader = Callable[["Thread", str, Optional[Position]], Loaded]

# Steps between two looks at the clock.
_CLOCK_STEPS = 1000


class Module:
    """What running a program gives: its globals by name, all frozen, and its docstring."""

    __slots__ = ("name", "globals", "docstring", "limited")

    def __init__(
        self, name: str, globals: Mapping[str, Value], docstring: Optional[str] = None, limited: bool = False
    ) -> None:
        self.name = name
        self.globals = globals
        self.docstring = docstring
        self.limited = limited

    def __repr__(self) -> str:
        return f"Module({self.name!r}, {list(self.globals)!r})"


class Thread:
    """One run of programs: what they may use of the host, their limits, and where they are.

    print(text, position)          writes a line for `print`; None writes to standard error
    load(thread, module, position) returns what a `load` statement gets; None refuses
    max_steps                      how many loop rounds and calls may happen, None: any number
    deadline                       until when (as `time.monotonic()` counts) it may run
    interruptible                  whether `interrupt` may be called from another Python thread
    host                           the host's own, for its built-ins to find

    A thread runs in one Python thread at a time. Different threads may run at
    once, and may share the frozen values of modules. Programs run faster in a
    thread without any of max_steps, deadline and interruptible.
    """

    __slots__ = (
        *("print", "load", "host", "active", "noted", "held", "locked", "odd"),
        *("limited", "max_steps", "deadline", "steps", "left", "stopped"),
    )

    def __init__(
        self,
        *,
        print: Optional[Printer] = None,
        load: Optional[Loader] = None,
        max_steps: Optional[int] = None,
        deadline: Optional[float] = None,
        interruptible: bool = False,
        host: object = None,
    ) -> None:
        self.print = print
        self.load = load
        self.host = host
        # The functions that are running, where recursion is refused.
        self.active: dict[object, None] = {}
        # Those that run without being in `active`, while something is called that may call them again.
        self.noted: dict[object, None] = {}
        # Lists and dicts that are being iterated and may not be changed, by identity.
        self.locked: dict[int, Value] = {}
        # Whether a dict of Python's own has got a key that Python would take for another one (values.py).
        self.odd = False
        # What comprehensions are iterating and have locked.
        self.held: list[Value] = []
        self.max_steps = max_steps
        self.deadline = deadline
        self.limited = max_steps is not None or deadline is not None or interruptible
        self.stopped = False
        # Steps until the next look at the limits, and those granted so far.
        self.left = 0
        self.steps = 0

    @property
    def stack(self) -> tuple[Frame, ...]:
        """The active calls, outermost first; for built-ins that need their callers."""
        return tuple(reversed([*running_calls()]))

    @property
    def calls(self) -> Iterator[Frame]:
        """The active calls, innermost first; cheaper than `stack` for who needs only the first of them."""
        return running_calls()

    @property
    def position(self) -> Optional[Position]:
        """Where the program is: in a built-in, the place of its call."""
        call = next(running_calls(), None)
        return None if call is None else call.position

    def tick(self) -> bool:
        """Count one step. Raises EvalError at the limit; always returns True."""
        # spec: starlark.limit.steps
        self.left -= 1
        if self.left < 0:
            self._grant()
        return True

    def _grant(self) -> None:
        if self.stopped:
            raise Stopped("eval.interrupted", "interrupted")
        if self.deadline is not None and monotonic() >= self.deadline:
            raise Stopped("eval.limit", "deadline exceeded", "time")
        grant = _CLOCK_STEPS
        if self.max_steps is not None:
            grant = min(grant, self.max_steps - self.steps)
            if grant <= 0:
                raise Stopped("eval.limit", "too many steps", "steps")
        self.steps += grant
        self.left = grant - 1

    def interrupt(self) -> None:
        """Let the program end with `eval.interrupted` at its next look at the limits. From any thread."""
        # spec: starlark.limit.interrupt
        self.stopped = True

    def emit(self, text: str) -> None:
        """Print a line for the program."""
        if self.print is None:
            sys.stderr.write(f"{text}\n")
        else:
            self.print(text, self.position)

    def _loaded(self, module: str) -> Loaded:
        # spec: starlark.load.failure
        if self.load is None:
            return fail_with("eval.load", f"cannot load {module}: loading is not possible here")
        try:
            return self.load(self, module, self.position)
        except StarlarkError as error:
            if isinstance(error, Stopped):
                raise
            failure = EvalError("eval.load", f"cannot load {module}: {error.message}")
            failure.__cause__ = error
            raise failure from error
        except Exception as error:
            raise EvalError("eval.load", f"cannot load {module}: {error}") from error

    def load_names(self, module: str, names: Sequence[str]) -> tuple[Value, ...]:
        """Return the globals of a module that a `load` statement names."""
        loaded = self._loaded(module)
        found = attributes_of(loaded)
        for name in names:
            if name not in found:
                hint = suggestion(name, [n for n in found if not n.startswith("_")])
                fail_with("eval.load", f"load: name {name} not found in module {module}{hint}")
        return tuple([found[name] for name in names])

    def load_value(self, module: str) -> Value:
        """Return a module as a value, whose attributes are its public globals."""
        # spec: starlark.dialect.load
        loaded = self._loaded(module)
        if isinstance(loaded, ModuleValue):
            return loaded
        found = {name: v for name, v in attributes_of(loaded).items() if not name.startswith("_")}
        return ModuleValue(module, found, loaded.docstring if isinstance(loaded, Module) else None)


def attributes_of(loaded: Loaded) -> Mapping[str, Value]:
    """Return the names that a loaded module offers."""
    if isinstance(loaded, Module):
        return loaded.globals
    if isinstance(loaded, ModuleValue):
        return loaded.attributes
    return loaded


def execute(
    program: Program, *, predeclared: Optional[Mapping[str, Value]] = None, thread: Optional[Thread] = None
) -> Module:
    """Run a program and return its module, frozen. Raises EvalError.

    `predeclared` must have the names that the program was compiled for and uses;
    without one of them, or with one that is not a Starlark value, nothing runs (`eval.host`).
    """
    # spec: starlark.module, starlark.freeze
    thread = thread or Thread()
    variables = _variables(program, predeclared or {}, thread)
    parts, _operations = program.code(thread.limited)
    try:
        run_parts(thread, parts, variables)
    finally:
        found = freeze_globals(variables, program.globals)
    return Module(program.filename, found, program.docstring, thread.limited)


def run_program(program: Program, *, predeclared: Mapping[str, Value], thread: Thread) -> dict[str, Value]:
    """Run a program for what it does; as `execute`, but that nothing is frozen, since nobody has its globals.

    Return what keeps its values alive, which is not for use.
    """
    variables = _variables(program, predeclared, thread)
    parts, _operations = program.code(thread.limited)
    run_parts(thread, parts, variables)
    return variables


def _variables(program: Program, given: Mapping[str, Value], thread: Thread) -> dict[str, Value]:
    """Return the Python globals that a program begins with. Raises EvalError."""
    _parts, operations = program.code(thread.limited)
    variables: dict[str, Value] = {
        "__builtins__": BUILTINS,
        "$module": ModuleState(program, operations, thread.limited),
    }
    variables.update(program.function_infos())
    missing = [name for name in program.predeclared if name not in given]
    if missing:
        # spec: starlark.predeclared.missing
        raise EvalError("eval.host", f"{program.filename}: no value for predeclared {', '.join(missing)}")
    for name in program.predeclared:
        value = variables[mangle(name)] = given[name]
        check_value(f"{program.filename}: predeclared {name}", value, thread)
    return variables


def freeze_globals(variables: dict[str, Value], names: Sequence[str]) -> dict[str, Value]:
    """Freeze the globals of a file that has run, and return those of them that have a value, by name."""
    # spec: starlark.freeze
    walk = Freezing()
    found = {}
    collecting = gc.isenabled()
    # What is made is kept: to look for garbage among many lists takes longer than to freeze them.
    gc.disable()
    try:
        for name in names:
            variable = mangle(name)
            if variable in variables:
                found[name] = variables[variable] = walk.frozen(variables[variable])
        for value in variables.values():
            if value.__class__ is FunctionType:
                # The versions of functions that only calls by name know.
                freeze_defaults(value, walk.frozen)
        walk.finish()
    finally:
        if collecting:
            gc.enable()
    return found


def run_parts(thread: Thread, parts: Sequence[CodeType], variables: dict[str, Value]) -> Value:
    """Run the parts of a file one after the other and return the value of the last. Raises EvalError.

    `variables` are its globals.
    """

    def entry(thread: Thread) -> Value:
        value = None
        for part in parts:
            if part.co_name.startswith(INNER_PART):
                variables[part.co_name] = FunctionType(part, variables)
                continue
            value = FunctionType(part, variables)(thread)
        return value

    return run(thread, entry, (), {})


def call(
    thread: Thread,
    function: Value,
    args: Sequence[Value] = (),
    kwargs: Optional[Mapping[str, Value]] = None,
) -> Value:
    """Call a function of a program, or anything that can be called. Raises EvalError.

    Arguments that are not Starlark values are `eval.host`.
    """
    for number, value in enumerate([*args, *(kwargs or {}).values()], 1):
        check_value(f"argument {number}", value, thread)

    def entry(thread: Thread) -> Value:
        return apply(thread, function, tuple(args), dict(kwargs or {}))

    return run(thread, entry, (), {})


def run(
    thread: Thread, entry: Callable[..., Value], args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value:
    """Run compiled code; whatever it raises leaves as an EvalError with its place and stack."""
    active, noted, locked = thread.active, thread.noted, thread.locked
    before, noted_before, outer = dict(active), dict(noted), dict(locked)
    held = len(thread.held)
    try:
        return entry(thread, *args, **kwargs)
    except BaseException as error:
        caught = error
    # Outside the handler: the error must not keep the frames of the program alive by its context.
    active.clear()
    active.update(before)
    noted.clear()
    noted.update(noted_before)
    while len(thread.held) > held:
        leave(thread, thread.held.pop())
    leave_again(caught)
    locked.clear()
    locked.update(outer)
    raise translate(caught)
