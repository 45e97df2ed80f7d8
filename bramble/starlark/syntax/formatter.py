"""From a syntax tree back to a file, in the one form that a formatter gives it.

Reading the text that is printed gives an equal tree, and printing that gives
the same text. With the `Source` that the tree was read from, its comments are
kept, and blank lines, and brackets that the author opened over several lines.
"""

from __future__ import annotations

from .layout import INDENT, lay_out
from .printer import WIDTH, Printer
from .tree import (
    Assign,
    AugAssign,
    Branch,
    Break,
    Continue,
    Def,
    ExprStmt,
    For,
    If,
    Load,
    LoadModule,
    Pass,
    Return,
    While,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional, Union

    from ..source import Source
    from .printer import Work
    from .tree import Comment, File, Stmt

    # What is still to be printed: a statement, an `elif`, or the body of an `else`.
    Job = tuple[int, Union[Stmt, Branch, tuple[Stmt, ...]]]

_AROUND_DEF = 2
_WORDS: dict[type, str] = {Pass: "pass", Break: "break", Continue: "continue"}


def print_file(file: File, source: Optional[Source] = None) -> str:
    """Return the text of a program, ending in a line end unless it is empty."""
    return _Formatter(file, source).text()


class _Formatter:
    def __init__(self, file: File, source: Optional[Source]) -> None:
        self.file = file
        self.source = source
        self.printer = Printer(source, file.comments if source is not None else ())
        self.lines: list[str] = []
        self.commented = 0  # how many lines there were when the last of them ended in a comment
        self.last_end = 0  # the offset at which what was printed last ends
        self.after_def = False  # a function at the top level was printed since the last statement there
        self.columns: list[int] = []  # of the blocks around what was printed last

    def text(self) -> str:
        work: list[Job] = [(0, statement) for statement in reversed(self.file.body)]
        while work:
            depth, item = work.pop()
            if isinstance(item, tuple):
                self._header(depth, self._else(item[0].start), ["else:"], item[0].start, tight=True)
                work += [(depth + 1, statement) for statement in reversed(item)]
            else:
                work += self._item(depth, item)
        self._leading(len(self.source.text) if self.source else 0, 0)
        return "".join([line + "\n" for line in self.lines])

    # ---- statements

    def _item(self, depth: int, item: Union[Stmt, Branch]) -> Sequence[Job]:
        """Print a statement, or its header. Return what must be printed next, in reverse."""
        header: list[Work]
        if isinstance(item, If):
            rest: list[Job] = [(depth, item.otherwise)] if item.otherwise else []
            rest += [(depth, branch) for branch in reversed(item.branches[1:])]
            first = item.branches[0]
            return [*rest, *self._block(depth, first.start, ["if ", first.condition, ":"], first.body)]
        if isinstance(item, Branch):
            header = ["elif ", item.condition, ":"]
            return self._block(depth, item.start, header, item.body, tight=True)
        if isinstance(item, Def):
            return self._block(depth, item.start, self._signature(item), item.body, is_def=True)
        if isinstance(item, For):
            header = ["for ", item.target, " in ", item.iterable, ":"]
            return self._block(depth, item.start, header, item.body)
        if isinstance(item, While):
            return self._block(depth, item.start, ["while ", item.condition, ":"], item.body)
        self._leading(item.start, depth)
        self._print(depth, self._simple(item), item.end)
        self._trailing(item.end)
        return ()

    def _block(
        self,
        depth: int,
        start: int,
        header: list[Work],
        body: tuple[Stmt, ...],
        is_def: bool = False,
        tight: bool = False,
    ) -> Sequence[Job]:
        """Print a header; `tight` leaves no blank line before it. Return its body as what comes next."""
        self._header(depth, start, header, body[0].start, is_def, tight)
        return [(depth + 1, statement) for statement in reversed(body)]

    def _header(
        self, depth: int, start: int, header: list[Work], end: int, is_def: bool = False, tight: bool = False
    ) -> None:
        """Print the header of a block whose first statement starts at `end`."""
        self._leading(start, depth, is_def, tight)
        self._print(depth, header, 0)
        self.last_end = max(start, self.last_end)
        comments = self.printer.comments
        at = self.printer.next_comment
        while at < len(comments) and comments[at].start < end and not comments[at].own_line:
            self._append(comments[at])
            at += 1
        self.printer.next_comment = at
        self._enter(start, depth)

    def _else(self, end: int) -> int:
        """Return where the `else` before `end` stands, behind what was printed last."""
        if self.source is None:
            return end
        at = self.source.text.find("else", self.last_end)
        for comment in self.printer.comments[self.printer.next_comment :]:
            if comment.start > at:
                break
            at = self.source.text.find("else", max(at, comment.end))
        return at

    def _signature(self, node: Def) -> list[Work]:
        end = 0
        if node.parameters and self.source is not None:
            end = self.source.text.find(")", node.parameters[-1].end)
        brackets = self.printer.bracket("(", node.parameters, ")", node.name.start, end)
        return ["def ", node.name, *brackets, ":"]

    def _simple(self, node: Union[Stmt, Branch]) -> list[Work]:
        if isinstance(node, Assign):
            return [node.target, " = ", node.value]
        if isinstance(node, AugAssign):
            return [node.target, f" {node.op}= ", node.value]
        if isinstance(node, ExprStmt):
            return [node.value]
        if isinstance(node, Return):
            return ["return"] if node.value is None else ["return ", node.value]
        if isinstance(node, Load):
            operands = [node.module, *node.symbols]
            return ["load", *self.printer.bracket("(", operands, ")", node.start, node.end)]
        if isinstance(node, LoadModule):
            # The local name that the module's name gives starts inside that.
            local = [] if node.local.start > node.module.start else [node.local.name, "="]
            return ["load(", *local, node.module, ")"]
        return [_WORDS[type(node)]]

    # ---- lines

    def _print(self, depth: int, work: list[Work], end: int) -> None:
        """Print one statement or header; comments in it that have no other place go before it."""
        indent = depth * INDENT
        text = lay_out(self.printer.pieces(work), WIDTH, indent)
        for comment in self.printer.take_comments(end):
            self.lines.append(" " * indent + comment.text.rstrip())
        first, *rest = text.split("\n")
        self.lines += [" " * indent + first, *rest]

    def _leading(self, start: int, depth: int, is_def: bool = False, tight: bool = False) -> None:
        """Print what is before a statement that starts at `start`: comments, and blank lines."""
        required = _AROUND_DEF if depth == 0 and (is_def or self.after_def) and self.lines else 0
        source = self.source
        if source is not None:
            for comment in self.printer.take_comments(start):
                if not comment.own_line:
                    self._append(comment)
                    continue
                at = max(depth, self._depth_of(source.position(comment.start).column - 1, depth))
                if at == 0 and required:
                    self._blank(max(required, self._blanks_before(comment.start, 0)))
                    required = 0
                    self.after_def = False
                else:
                    self._blank(self._blanks_before(comment.start, at))
                self.lines.append(" " * (at * INDENT) + comment.text.rstrip())
                self.commented = len(self.lines)
                self.last_end = comment.end
        if source is None or start < len(source.text):
            self._blank(0 if tight else max(required, self._blanks_before(start, depth)))
            self._enter(start, depth)
            if depth == 0:
                self.after_def = is_def

    def _blanks_before(self, start: int, depth: int) -> int:
        """Return how many blank lines the author's text gives before `start`: at most two, in blocks one."""
        if self.source is None or not self.lines or 0 < depth >= len(self.columns):
            return 0
        position = self.source.position
        between = position(start).line - position(self.last_end).line - 1
        return max(0, min(between, 1 if depth else 2))

    def _blank(self, count: int) -> None:
        if self.lines:
            self.lines += [""] * count

    def _depth_of(self, column: int, depth: int) -> int:
        """Return the depth of the block that a comment in this column belongs to."""
        if len(self.columns) <= depth:
            return depth
        while len(self.columns) > 1 and self.columns[-1] > column:
            self.columns.pop()
        return len(self.columns) - 1

    def _enter(self, start: int, depth: int) -> None:
        """Remember the column of a statement at this depth."""
        del self.columns[depth:]
        column = 0 if self.source is None else self.source.position(start).column - 1
        self.columns.append(column)

    def _trailing(self, end: int) -> None:
        """Print the comment behind a statement that ends at `end`."""
        self.last_end = end
        printer = self.printer
        if self.source is None or printer.next_comment == len(printer.comments):
            return
        comment = printer.comments[printer.next_comment]
        if not self.source.text[end : comment.start].strip(" \t;"):
            printer.next_comment += 1
            self._append(comment)

    def _append(self, comment: Comment) -> None:
        """Put a comment behind the last line, or below it where that ends in a comment already."""
        text, last = comment.text.rstrip(), self.lines[-1]
        if self.commented == len(self.lines):
            self.lines.append(last[: len(last) - len(last.lstrip())] + text)
        else:
            self.lines[-1] += "  " + text
        self.commented = len(self.lines)
        self.last_end = comment.end
