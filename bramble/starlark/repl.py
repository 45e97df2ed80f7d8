"""The terminal session: reads statements, runs them, and prints the values of expressions."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from types import FunctionType

from .bounds import bounded_memory
from .command import PREDECLARED, FileLoader
from .compile import compile_input
from .dialect import Dialect
from .errors import EvalError, StarlarkError, SyntaxFailure
from .faults import ModuleState
from .functions import Builtin, Function, FunctionInfo, mangle
from .methods import attribute_names
from .operations import BUILTINS
from .parse import parse
from .program import Program
from .resolve import resolve
from .source import Source
from .syntax import Def, For, If, While
from .text import to_repr, to_str
from .thread import Thread, run
from .translate import function_row
from .universe import UNIVERSE
from .values import List, type_name

try:
    import readline
except ImportError:
    # Python may be built without it; lines are then read without history.
    readline = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, TextIO

    from .values import Value

PROMPT, CONTINUATION = ">>> ", "... "
HISTORY = "~/.starlark_history"
HISTORY_LENGTH = 1000


class Session:
    """The globals of a session and all its text so far.

    Every input is compiled as if it stood below the ones before it, so that places
    in error messages tell the inputs apart. Globals may be assigned again, and
    control statements may stand alone, whatever the dialect says.
    """

    def __init__(self, dialect: Dialect, filename: str = "<stdin>") -> None:
        self.dialect = Dialect(
            recursion=dialect.recursion,
            while_loops=dialect.while_loops,
            global_reassign=True,
            toplevel_control=True,
            load_binds_module=dialect.load_binds_module,
        )
        self.filename = filename
        self.text = ""
        self.names: list[str] = []
        self.operations: tuple[tuple[Any, ...], ...] = ()
        loader = FileLoader(dialect)
        self.thread = Thread(load=loader.load)
        self.predeclared: dict[str, Value] = {
            **PREDECLARED,
            "dir": Builtin("dir", self._dir),
            "help": Builtin("help", self._help),
        }
        self.variables: dict[str, Value] = {"__builtins__": BUILTINS}
        for name, value in self.predeclared.items():
            self.variables[mangle(name)] = value

    def run(self, text: str) -> Value:
        """Run one input and return the value of the expression at its end, else None.

        Raises StarlarkError; what the input has done before that stays done.
        """
        # Blanks for what came before: every offset and line is that of the whole session.
        before = "".join("\n" if char == "\n" else " " for char in self.text)
        source = Source.read(before + text, self.filename)
        whole = Source.read(self.text + text, self.filename)
        tree = parse(source, self.dialect)
        resolution = resolve(
            source,
            tree,
            dialect=self.dialect,
            predeclared=self.predeclared,
            universal=UNIVERSE,
            globals=self.names,
            load_globally=True,
        )
        code, unit = compile_input(resolution, self.dialect, self.operations)
        self.text = whole.text if whole.text.endswith("\n") else f"{whole.text}\n"
        self.operations = tuple(unit.operations)
        self.names = sorted({*self.names, *resolution.globals})
        program = Program(whole, self.dialect, {}, {})
        for scope, node in unit.functions.values():
            row = function_row(whole, scope, node, False)
            self.variables[f".f{scope.start}"] = FunctionInfo(row, whole.position)
        self.variables["$module"] = ModuleState(program, self.operations, False)
        return run(self.thread, FunctionType(code, self.variables, "<toplevel>"), (), {})

    def bound(self) -> dict[str, Value]:
        """Return the globals that have values now."""
        return {name: self.variables[mangle(name)] for name in self.names if mangle(name) in self.variables}

    def needs_more(self, text: str) -> bool:
        """Return whether an input is the beginning of something longer."""
        try:
            tree = parse(Source.read(text, self.filename), self.dialect)
        except SyntaxFailure as error:
            at_end = error.position is not None and error.position.line > text.count("\n")
            return at_end or error.message == "unexpected EOF in string"
        last = tree.body[-1] if tree.body else None
        return isinstance(last, (Def, For, If, While)) and not text.endswith("\n\n")

    def complete(self, text: str) -> list[str]:
        """Return how a name, or a dotted name, may go on."""
        head, dot, prefix = text.rpartition(".")
        known = {**UNIVERSE, **self.predeclared, **self.bound()}
        if not dot:
            return [name for name in sorted(known) if name.startswith(prefix)]
        names = head.split(".")
        value = known.get(names[0], _NOTHING)
        for name in names[1:]:
            fields = getattr(value, "fields", None) or getattr(value, "attributes", None) or {}
            value = fields.get(name, _NOTHING)
        if value is _NOTHING:
            return []
        return [f"{head}.{name}" for name in attribute_names(value) if name.startswith(prefix)]

    def _dir(self, _thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
        if args or kwargs:
            return UNIVERSE["dir"].function(_thread, args, kwargs)
        return List(sorted(self.bound()))

    def _help(self, thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
        if len(args) != 1 or kwargs:
            raise EvalError("eval.argument", "help: want one value")
        thread.emit(describe_value(args[0]))


_NOTHING = object()


def describe_value(value: Value) -> str:
    """Return what a person wants to know of a value: how it is called, and its documentation."""
    if isinstance(value, Function):
        lines = [f"{value.name}({value.info.text})"]
        if value.docstring:
            lines.append(clean_docstring(value.docstring))
        return "\n".join(lines)
    if isinstance(value, Builtin):
        return f"{to_str(value)}\n{value.docstring}" if value.docstring else to_str(value)
    names = attribute_names(value)
    listing = f"\n{', '.join(names)}" if names else ""
    return f"{type_name(value)}: {to_repr(value)}{listing}"


def clean_docstring(text: str) -> str:
    """Return a docstring without the indentation of the function that it stands in."""
    first, *rest = text.strip("\n").split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in rest)]).rstrip()


def read_input(session: Session, terminal: bool) -> Optional[str]:
    """Return the next input, or None at the end of the text. Raises KeyboardInterrupt."""
    text = ""
    while True:
        line = _read_line(CONTINUATION if text else PROMPT, terminal)
        if line is None:
            return text or None
        text += f"{line}\n"
        if not text.strip():
            return ""
        if not session.needs_more(text):
            return text


def _read_line(prompt: str, terminal: bool) -> Optional[str]:
    if terminal:
        try:
            return input(prompt)
        except EOFError:
            return None
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def report(error: StarlarkError, out: TextIO, excerpt: bool) -> None:
    """Write an error."""
    lines = []
    for one in error.errors:
        lines.append(one.traceback() if isinstance(one, EvalError) else str(one))
        if excerpt and one.excerpt():
            lines.append(one.excerpt())
    out.write("\n".join(lines) + "\n")


def interact(dialect: Dialect) -> int:
    """Run a session on standard input until its end, and return the exit status."""
    terminal = sys.stdin.isatty()
    session = Session(dialect)
    if terminal:
        _prepare_line_editor(session)
    while True:
        try:
            text = read_input(session, terminal)
            if text is None:
                if terminal:
                    sys.stdout.write("\n")
                return 0
            if text:
                with bounded_memory():
                    value = session.run(text)
                    shown = "" if value is None else f"{to_repr(value)}\n"
                sys.stdout.write(shown)
                sys.stdout.flush()
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        except StarlarkError as error:
            report(error, sys.stderr, sys.stderr.isatty())


def _prepare_line_editor(session: Session) -> None:
    if readline is None:
        return
    path = os.path.expanduser(HISTORY)
    with suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(HISTORY_LENGTH)
    atexit.register(_save_history, path)

    def completer(text: str, number: int) -> Optional[str]:
        found = session.complete(text)
        return found[number] if number < len(found) else None

    readline.set_completer(completer)
    readline.set_completer_delims(" \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?")
    readline.parse_and_bind("tab: complete")


def _save_history(path: str) -> None:
    # A home that cannot be written to is no reason to complain at the end of a session.
    with suppress(OSError):
        readline.write_history_file(path)
