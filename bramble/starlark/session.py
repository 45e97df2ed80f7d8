"""A session: one input after another, each of which sees what the earlier ones have defined.

Nothing here reads or writes a terminal; `repl.py` does.
"""

from __future__ import annotations

from bisect import bisect_right

from .compile.toplevel import compile_input
from .compile.translate import function_row
from .dialect import Dialect
from .errors import EvalError, Frame, Position, StarlarkError, SyntaxFailure
from .faults import ModuleState
from .program import Program
from .runtime.attributes import attribute_names
from .runtime.functions import INNER_PART, Builtin, Function, FunctionInfo, ModuleValue, mangle
from .runtime.intrinsics import BUILTINS
from .runtime.text import to_repr, to_str
from .runtime.universe import UNIVERSE
from .runtime.values import List, type_name
from .source import Source
from .syntax.parse import parse
from .syntax.resolve import resolve
from .syntax.tree import Def, For, If, While
from .thread import run_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

    from .runtime.values import Value
    from .thread import Thread

STDIN = "<stdin>"
# What tracebacks call the statements of an input.
INPUT = "<expr>"
# From this many lines on, an unfinished input is looked at again only when a line begins at the margin.
_LONG = 200
_NO_TEXTS: Mapping[str, str] = {}


class Session:
    """The globals of a session and all its text so far.

    Every input is compiled as if it stood below the ones before it; errors count lines
    from the number that `run` is given. Globals may be assigned again, and control
    statements may stand alone, whatever the dialect says. `predeclared` are names that
    every input knows, `thread` is where inputs run, `texts` is what `help` says of
    built-in functions, by their names.
    """

    def __init__(
        self,
        dialect: Dialect,
        predeclared: Mapping[str, Value],
        thread: Thread,
        texts: Mapping[str, str] = _NO_TEXTS,
    ) -> None:
        self.dialect = Dialect(
            recursion=dialect.recursion,
            while_loops=dialect.while_loops,
            global_reassign=True,
            toplevel_control=True,
            load_binds_module=dialect.load_binds_module,
        )
        self.filename = STDIN
        self.text = ""
        # For each input its first line in the text, and the number that errors give to it.
        self.first_lines: list[int] = []
        self.numbers: list[int] = []
        self.texts = texts
        self.names: list[str] = []
        self.operations: tuple[tuple[Any, ...], ...] = ()
        self.thread = thread
        self.predeclared: dict[str, Value] = {
            **predeclared,
            "dir": Builtin("dir", self._dir),
            "help": Builtin("help", self._help),
        }
        self.variables: dict[str, Value] = {"__builtins__": BUILTINS}
        for name, value in self.predeclared.items():
            self.variables[mangle(name)] = value

    def run(self, text: str, number: int = 1) -> Value:
        """Run one input and return the value of the expression at its end, else None.

        Errors call its first line `number`. Raises StarlarkError; what the input has done
        before that stays done.
        """
        self.first_lines.append(self.text.count("\n") + 1)
        self.numbers.append(number)
        try:
            return self._run(text)
        except StarlarkError as error:
            self._renumber(error)
            raise

    def _run(self, text: str) -> Value:
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
        parts, unit = compile_input(resolution, self.dialect, self.operations, self.thread.limited)
        self.text = whole.text if whole.text.endswith("\n") else f"{whole.text}\n"
        self.operations = tuple(unit.operations)
        self.names = sorted({*self.names, *resolution.globals})
        program = Program(whole, self.dialect, {}, {})
        for scope, node in unit.functions.values():
            row = function_row(whole, scope, node, False)
            self.variables[f".f{scope.start}"] = FunctionInfo(row, whole.position)
        self.variables["$module"] = ModuleState(program, self.operations, self.thread.limited)
        # Each input may take as many steps as the thread allows.
        self.thread.steps = self.thread.left = 0
        named = [
            part if part.co_name.startswith(INNER_PART) else part.replace(co_name=INPUT) for part in parts
        ]
        return run_parts(self.thread, named, self.variables)

    def _renumber(self, error: StarlarkError) -> None:
        """Count the lines of an error's places as those who typed them do."""
        for one in error.errors:
            one.position = self.typed(one.position)
            if isinstance(one, EvalError):
                one.stack = tuple([Frame(frame.name, self.typed(frame.position)) for frame in one.stack])
        error.position = error.errors[0].position

    def typed(self, position: Optional[Position]) -> Optional[Position]:
        """Return a place in the whole text as a place in the input that was typed."""
        if position is None or position.file != self.filename:
            return position
        index = bisect_right(self.first_lines, position.line) - 1
        line = position.line - self.first_lines[index] + self.numbers[index]
        return Position(position.file, line, position.column)

    def bound(self) -> dict[str, Value]:
        """Return the globals that have values now."""
        return {name: self.variables[mangle(name)] for name in self.names if mangle(name) in self.variables}

    def needs_more(self, text: str) -> bool:
        """Return whether an input is the beginning of something longer."""
        if text.count("\n") > _LONG and text[text.rfind("\n", 0, -1) + 1 :][:1] in (" ", "\t"):
            return True
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
            raise EvalError("eval.argument", "help: want one value, as in help(len)")
        value = args[0]
        known = next((name for name, given in self.predeclared.items() if given is value), "")
        thread.emit(self.texts.get(known) or describe_value(value))


_NOTHING = object()


def describe_value(value: Value) -> str:
    """Return help for a value: how it is called, and its documentation."""
    if isinstance(value, Function):
        lines = [f"{value.name}({value.info.text})"]
        if value.docstring:
            lines.append(clean_docstring(value.docstring))
        return "\n".join(lines)
    if isinstance(value, Builtin):
        return f"{to_str(value)}\n{value.docstring}" if value.docstring else to_str(value)
    if isinstance(value, ModuleValue):
        lines = [to_repr(value)]
        if value.docstring:
            lines.append(clean_docstring(value.docstring))
        for name, found in sorted(value.attributes.items()):
            function = isinstance(found, Function)
            lines.append(f"    {name}({found.info.text})" if function else f"    {name}: {type_name(found)}")
        return "\n".join(lines)
    names = attribute_names(value)
    listing = f"\n{', '.join(names)}" if names else ""
    return f"{type_name(value)}: {to_repr(value)}{listing}"


def clean_docstring(text: str) -> str:
    """Return a docstring without the indentation of its function."""
    first, *rest = text.strip("\n").split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in rest)]).rstrip()
