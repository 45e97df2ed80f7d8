"""From Python's exceptions to Starlark's errors: places, call stacks, and what a failed operation means.

Every line number of compiled code is the number of an operation (compile/context.py). So a
Python traceback tells which operations were running, and the innermost one which
operation failed on which operands.
"""

from __future__ import annotations

import sys

from .bounds import Overtime
from .errors import EvalError, Frame, StarlarkError
from .runtime.attributes import NoAttribute
from .runtime.collection_methods import RefusedKey
from .runtime.functions import INNER_PART, Stopped, mangle
from .runtime.intrinsics import BUILTINS, DisplayError, explain_call
from .runtime.operators import (
    NotSliceable,
    add,
    bit_and,
    bit_or,
    bit_xor,
    divide,
    floor_divide,
    index,
    modulo,
    multiply,
    shift_left,
    shift_right,
    subtract,
)
from .runtime.universe import builtin_max, builtin_min, builtin_sorted, sorted_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, FrameType, TracebackType
    from typing import Any, Optional, Union

    from .errors import Position
    from .program import Program

    Step = tuple[FrameType, int, Optional[int]]  # a frame, its instruction, and the line of that

# Python functions that call back into programs, and appear in tracebacks.
# spec: starlark.error.traceback
_CALLERS = {
    builtin_sorted.__code__: "sorted",
    sorted_by.__code__: "sorted",
    builtin_max.__code__: "max",
    builtin_min.__code__: "min",
}
_INLINE = frozenset({"<listcomp>", "<dictcomp>", "<genexpr>"})


class ModuleState:
    """What a frame of compiled code belongs to: its program and its table of operations."""

    __slots__ = ("program", "operations", "limited")

    def __init__(self, program: Program, operations: tuple[tuple[Any, ...], ...], limited: bool) -> None:
        self.program = program
        self.operations = operations
        # Whether the code counts its steps.
        self.limited = limited

    def position(self, line: int) -> Position:
        """Return the place of an operation."""
        return self.program.position(self.operations[line - 1][0])


def state_of(frame: FrameType) -> Optional[ModuleState]:
    """Return the module whose compiled code a Python frame runs, or None for other code."""
    return frame.f_globals.get("$module")


def _line(code: CodeType, instruction: int, line: Optional[int]) -> int:
    """Return the line of an instruction; of a jump that has none, the line of what was done before it."""
    # What has no line has None, or -1 in Python 3.10.
    if line is not None and line > 0:
        return line
    before = code.co_firstlineno
    for start, _, number in code.co_lines():  # type: ignore[attr-defined,unused-ignore]
        if start > instruction:
            break
        before = before if number is None else number
    return before


def _steps(error: BaseException) -> list[Step]:
    """Return where the frames of a traceback were, outermost first."""
    steps: list[Step] = []
    traceback: Optional[TracebackType] = error.__traceback__
    while traceback is not None:
        # Older Pythons enter a frame twice when what counts its lines raises.
        if not steps or steps[-1][0] is not traceback.tb_frame:
            steps.append((traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno))
        traceback = traceback.tb_next
    if isinstance(error, UnboundLocalError) and steps:
        steps[-1] = _load(*steps[-1])
    return steps


def _load(frame: FrameType, instruction: int, number: Optional[int]) -> Step:
    """Return where the variable without a value was loaded.

    Python 3.11 joins two instructions in a row, in a loop that has run for a while: when the second one
    fails, the place is that of the first.
    """
    state = state_of(frame)
    line = _line(frame.f_code, instruction, number)
    if state is not None and 0 < line <= len(state.operations):
        _offset, helper, *references = state.operations[line - 1]
        if helper != "local" or mangle(references[0][0]) in frame.f_locals:
            return frame, instruction + 2, _line(frame.f_code, instruction + 2, None)
    return frame, instruction, line


def _running() -> Iterator[Step]:
    """Yield where the active frames of this Python thread are, innermost first."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None:
        yield frame, frame.f_lasti, frame.f_lineno
        frame = frame.f_back


def _calls(steps: Iterable[Step], inner: bool = False) -> Iterator[Frame]:
    """Yield the calls of programs among Python's frames; both are innermost first.

    `inner` is whether there is a call inside of all of these: one that could not bind.
    """
    # Where a comprehension was that is a frame of Python's only: there the call around it is, too.
    place: Optional[Position] = None
    # From here on `inner` is whether a call has been yielded, and no built-in function that made it.
    for frame, instruction, line in steps:
        state = state_of(frame)
        if state is None:
            if inner and frame.f_code in _CALLERS:
                yield Frame(_CALLERS[frame.f_code], None)
                inner = False
            continue
        name = frame.f_code.co_name
        if place is None:
            place = state.position(_line(frame.f_code, instruction, line))
        inside = name in _INLINE or name.startswith(INNER_PART)
        if inside or (name == "<lambda>" and not frame.f_code.co_argcount):
            continue
        if name == "<lambda>" or name.startswith("$f"):
            name = "lambda"
        yield Frame(name.rstrip("!$"), place)
        place, inner = None, True


def running_calls() -> Iterator[Frame]:
    """Yield the active calls of this Python thread, innermost first; what is not asked for costs nothing."""
    return _calls(_running())


def translate(error: BaseException) -> BaseException:
    """Return the error that a program's Python exception means, with its place and stack."""
    if isinstance(error, (SystemExit, GeneratorExit)):
        return error
    steps = _steps(error)
    innermost, line = None, 0
    for frame, instruction, number in reversed(steps):
        if state_of(frame) is not None:
            innermost, line = frame, _line(frame.f_code, instruction, number)
            break
    last = steps[-1][0] if steps else None
    made = _meaning(error, innermost, line, error.__traceback__ is None or last is innermost)
    stack = [*_calls(reversed(steps), bool(made.stack))][::-1]
    if stack and not made.stack and innermost is not None:
        stack[-1] = _exact(made, innermost, line, stack[-1])
    made.stack = (*stack, *made.stack)
    if made.position is None:
        _place(made, innermost)
    # What Python was handling would keep the frames of the program alive.
    made.__context__ = None
    return made.with_traceback(None)


def _exact(error: EvalError, frame: FrameType, line: int, found: Frame) -> Frame:
    """Return the innermost frame with a better place, for the few errors that are not at their operation."""
    state = state_of(frame)
    if state is None:
        return found
    operation = state.operations[line - 1]
    offset = None
    if isinstance(error, RefusedKey):
        offset = state.operations[error.operation - 1][0]
    unsliceable = isinstance(error, NotSliceable) and operation[1] == ".slice_of"
    if unsliceable or (isinstance(error, NoAttribute) and operation[1] == "method"):
        offset = operation[2][0]
    elif isinstance(error, DisplayError) and operation[1] == "display":
        offset = operation[2][0][error.entry]
    return found if offset is None else Frame(found.name, state.program.position(offset))


def _place(error: EvalError, frame: Optional[FrameType]) -> None:
    position = next((f.position for f in reversed(error.stack) if f.position is not None), None)
    if position is None:
        return
    error.position = position
    state = None if frame is None else state_of(frame)
    if state is not None and state.program.filename == position.file:
        error.line_text = state.program.source.line_text(position.line)


def meaning_of_stop(error: Union[MemoryError, KeyboardInterrupt]) -> EvalError:
    """Return the EvalError for what stops a program, or its compilation, anywhere; without a place."""
    if isinstance(error, MemoryError):
        short = EvalError("eval.limit", "out of memory")
        short.limit = "memory"
        return short
    if isinstance(error, Overtime):
        return Stopped("eval.limit", str(error), "time")
    stopped = Stopped("eval.interrupted", "interrupted")
    stopped.__cause__ = error
    return stopped


def _meaning(error: BaseException, frame: Optional[FrameType], line: int, native: bool) -> EvalError:
    """Return the EvalError for an exception, still without a place."""
    if isinstance(error, EvalError):
        return error
    if isinstance(error, RecursionError):
        return EvalError("eval.limit", "Starlark stack overflow")
    if isinstance(error, (MemoryError, KeyboardInterrupt)):
        return meaning_of_stop(error)
    if native and frame is not None:
        found = _failed_operation(error, frame, line)
        if found is not None:
            return found
    made = EvalError("eval.host", str(error) or error.__class__.__name__)
    if isinstance(error, StarlarkError):
        made = EvalError(error.code, error.message)
    made.__cause__ = error
    return made


def _failed_operation(error: BaseException, frame: FrameType, line: int) -> Optional[EvalError]:
    """Return the error of an operation that Python itself has refused."""
    state = state_of(frame)
    if state is None or not 0 < line <= len(state.operations):
        return None
    _offset, helper, *references = state.operations[line - 1]
    if helper in ("global", "local"):
        name = references[0][0]
        return EvalError("eval.unbound", f"{helper} variable {name} referenced before assignment")
    operands = [_operand(frame, reference) for reference in references]
    if helper == "call":
        if not operands:
            return None
        callee, (positional, words), *stars = operands
        star, star_star = stars or (None, None)
        try:
            return explain_call(callee, positional, words, star, star_star)
        except EvalError as failure:
            return failure.with_traceback(None)
    function = BUILTINS.get(helper)
    if function is None:
        return None
    try:
        function(*operands)
    except EvalError as failure:
        return failure.with_traceback(None)
    except RecursionError:
        return EvalError("eval.limit", "Starlark stack overflow")
    if isinstance(error, OverflowError):
        return EvalError("eval.value", "int too large to convert to float")
    return None


def _operand(frame: FrameType, reference: Any) -> Any:
    """Return the value of an operand.

    It is the value of a variable, by its name; a literal, in a tuple; or the result
    of an operation, in a tuple of its name and two operands.
    """
    if isinstance(reference, tuple):
        if len(reference) == 1:
            return reference[0]
        op, left, right = reference
        return _AGAIN[op](_operand(frame, left), _operand(frame, right))
    for variables in (frame.f_locals, frame.f_globals, BUILTINS):
        if reference in variables:
            return variables[reference]
    return None


_AGAIN = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": modulo,
    "|": bit_or,
    "&": bit_and,
    "^": bit_xor,
    "<<": shift_left,
    ">>": shift_right,
    "[]": index,
}
