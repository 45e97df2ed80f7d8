"""From text to the syntax tree: statements and blocks. Expressions are read in parse_expressions.py.

Blocks are kept on a stack of our own, so that a program's indentation cannot
use up Python's stack.
"""

from __future__ import annotations

from .cursor import Cursor, shown
from .parse_constructs import WholeExpression, WholeTargets, WholeTest, identifier, parameter_head
from .parse_expressions import expression
from .parse_loads import load_statement
from .parse_targets import check_target
from .scan import EOF, NEWLINE
from .tree import (
    MAX_BLOCKS,
    Assign,
    AugAssign,
    Branch,
    Break,
    Continue,
    Def,
    ExprStmt,
    File,
    For,
    If,
    Name,
    Parameter,
    Pass,
    Return,
    While,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional

    from ..dialect import Dialect
    from ..errors import SyntaxFailure
    from ..source import Source
    from .tree import Stmt

    Finish = Callable[[tuple[Stmt, ...]], None]

_AUGMENTED = frozenset(["+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", "<<=", ">>="])
_WORDS = {"pass": Pass, "break": Break, "continue": Continue}


def parse(source: Source, dialect: Dialect) -> File:
    """Return the tree of a program. Raises SyntaxFailure at the first fault."""
    return _Parser(source, dialect).file()


class _Block:
    """A block being read: its column, its statements, and the `if` that may still go on.

    `finish` puts the finished block into the tree.
    """

    __slots__ = ("column", "statements", "chain", "finish")

    def __init__(self, column: int, finish: Finish) -> None:
        self.column = column
        self.statements: list[Stmt] = []
        self.chain: list[Branch] = []
        self.finish = finish

    def end_chain(self, otherwise: tuple[Stmt, ...] = ()) -> None:
        """Make a statement of the branches read so far."""
        chain = self.chain
        if chain:
            end = otherwise[-1].end if otherwise else chain[-1].end
            self.statements.append(If(chain[0].start, end, tuple(chain), otherwise))
            self.chain = []


class _Parser:
    def __init__(self, source: Source, dialect: Dialect) -> None:
        self.cursor = Cursor(source)
        self.dialect = dialect
        self.blocks: list[_Block] = []

    def file(self) -> File:
        cursor = self.cursor
        body: list[tuple[Stmt, ...]] = []
        blocks = self.blocks
        blocks.append(_Block(0, body.append))
        header: list[Finish] = []  # the finish of the block whose first line comes next
        while True:
            column = cursor.next_line()
            kind = cursor.kinds[0]
            if kind == EOF:
                break
            block = blocks[-1]
            if column < block.column:
                self._check_dedent(column)
            if header:
                if column <= block.column:
                    got = "outdent" if column < block.column else cursor.shown_token()
                    raise self._indentation_failure(f"got {got}, want indent")
                block = _Block(column, header.pop())
                blocks.append(block)
                if len(blocks) > MAX_BLOCKS + 1:
                    message = f"blocks are nested more than {MAX_BLOCKS} levels deep"
                    raise cursor.failure("syntax.nesting", message, cursor.start)
            elif column > block.column:
                raise self._indentation_failure("got indent, want primary expression")
            while column < block.column:
                self._close_block()
                block = blocks[-1]
            finish = self._line(block)
            if finish is not None:
                header.append(finish)
        if header:
            raise self._end_failure()
        while blocks:
            self._close_block()
        return File(0, len(cursor.text), body[0], tuple(cursor.scanner.comments))

    def _close_block(self) -> None:
        block = self.blocks.pop()
        block.end_chain()
        block.finish(tuple(block.statements))

    def _check_dedent(self, column: int) -> None:
        if all(block.column != column for block in self.blocks):
            # spec: starlark.indentation
            message = "unindent does not match any outer indentation level"
            raise self.cursor.source.failure("syntax.indentation", message, self.cursor.start)

    def _indentation_failure(self, message: str) -> SyntaxFailure:
        cursor = self.cursor
        cursor.raise_scan_fault()
        return cursor.source.failure("syntax.unexpected", message, cursor.start)

    def _end_failure(self) -> SyntaxFailure:
        """Return the error that the text ended where a block had to begin."""
        got = "outdent" if len(self.blocks) > 1 else EOF
        error = self.cursor.failure("syntax.unexpected", f"got {got}, want indent", self.cursor.start)
        error.incomplete = True
        return error

    # ---- lines

    def _line(self, block: _Block) -> Optional[Finish]:
        """Read one logical line into `block`. Return what to do with the block that it opens, if it does."""
        cursor = self.cursor
        kind = cursor.kinds[0]
        if block.chain:
            if kind == "elif":
                return self._suite(self._branch(block))
            if kind == "else":
                cursor.index = 1
                return self._suite(block.end_chain)
            block.end_chain()
        if kind == "if":
            return self._suite(self._branch(block))
        if kind == "def":
            return self._suite(self._def(block))
        if kind == "for":
            return self._suite(self._for(block))
        if kind == "while":
            return self._suite(self._while(block))
        self._simple_line(block.statements)
        return None

    def _suite(self, finish: Finish) -> Optional[Finish]:
        """Read `:` and what follows it: statements on the same line, or a block that is still to come."""
        cursor = self.cursor
        cursor.expect(":")
        if cursor.kind == NEWLINE:
            return finish
        if cursor.kind == EOF:
            error = cursor.unexpected("primary expression", at_start=True)
            error.incomplete = True
            raise error
        statements: list[Stmt] = []
        self._simple_line(statements)
        finish(tuple(statements))
        return None

    def _branch(self, block: _Block) -> Finish:
        cursor = self.cursor
        start = cursor.start
        cursor.index += 1
        condition = expression(cursor, WholeTest())
        chain = block.chain

        def finish(body: tuple[Stmt, ...]) -> None:
            chain.append(Branch(start, body[-1].end, condition, body))

        return finish

    def _def(self, block: _Block) -> Finish:
        cursor = self.cursor
        start = cursor.start
        cursor.index += 1
        name = identifier(cursor)
        cursor.expect("(")
        parameters = self._parameters()

        def finish(body: tuple[Stmt, ...]) -> None:
            block.statements.append(Def(start, body[-1].end, name, parameters, body))

        return finish

    def _parameters(self) -> tuple[Parameter, ...]:
        """Read the parameters of a `def` and the closing bracket."""
        cursor = self.cursor
        parameters: list[Parameter] = []
        while not cursor.accept(")"):
            if parameters and cursor.kind not in (":", EOF):
                cursor.expect(",")
                if cursor.accept(")"):
                    break
            if cursor.kind in (":", EOF):
                raise cursor.unexpected(shown(")"))
            head = parameter_head(cursor)
            if isinstance(head, Name):
                default = expression(cursor, WholeTest())
                head = Parameter(head.start, default.end, "", head, default)
            parameters.append(head)
        return tuple(parameters)

    def _for(self, block: _Block) -> Finish:
        cursor = self.cursor
        start = cursor.start
        cursor.index += 1
        target = expression(cursor, WholeTargets())
        cursor.expect("in")
        check_target(cursor, target)
        iterable = expression(cursor, WholeExpression())

        def finish(body: tuple[Stmt, ...]) -> None:
            block.statements.append(For(start, body[-1].end, target, iterable, body))

        return finish

    def _while(self, block: _Block) -> Finish:
        cursor = self.cursor
        start = cursor.start
        cursor.index += 1
        condition = expression(cursor, WholeTest())

        def finish(body: tuple[Stmt, ...]) -> None:
            block.statements.append(While(start, body[-1].end, condition, body))

        return finish

    # ---- statements of one line

    def _simple_line(self, statements: list[Stmt]) -> None:
        """Read statements separated by semicolons, up to the end of the line."""
        cursor = self.cursor
        while True:
            statements.append(self._small_statement())
            if not cursor.accept(";") or cursor.kind in (NEWLINE, EOF):
                break
        if cursor.kind not in (NEWLINE, EOF):
            raise cursor.unexpected(NEWLINE)

    def _small_statement(self) -> Stmt:
        cursor = self.cursor
        index = cursor.index
        kind = cursor.kinds[index]
        start = cursor.starts[index]
        word = _WORDS.get(kind)
        if word is not None:
            cursor.index += 1
            return word(start, cursor.ends[index])
        if kind == "return":
            cursor.index += 1
            if cursor.kind in (NEWLINE, EOF, ";"):
                return Return(start, cursor.ends[index], None)
            value = expression(cursor, WholeExpression())
            return Return(start, value.end, value)
        if kind == "load":
            return load_statement(cursor, self.dialect)
        target = expression(cursor, WholeExpression())
        kind = cursor.kind
        if kind == "=":
            at = cursor.start
            cursor.index += 1
            value = expression(cursor, WholeExpression())
            check_target(cursor, target)
            return Assign(start, value.end, target, at, value)
        if kind in _AUGMENTED:
            at = cursor.start
            cursor.index += 1
            value = expression(cursor, WholeExpression())
            check_target(cursor, target, augmented=True)
            return AugAssign(start, value.end, target, kind[:-1], at, value)
        return ExprStmt(start, target.end, target)
