"""From text to tokens, one logical line at a time.

A logical line ends at a line end outside brackets. Reading line by line keeps
the tokens of a large file out of memory, and lets the parser do indentation
where blocks are known. A fault in the text becomes an ERROR token, which the
parser raises when it gets there: so the first fault of the text is the one
that is reported, whichever of the two finds it.
"""

from __future__ import annotations

import re

from .literals import LiteralFault, bytes_value, number_value, text_value
from .tree import MAX_NESTING, Comment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    Value = Union[str, bytes, int, float, "ScanFault"]

# The kind of a keyword or of punctuation is its own text; the other kinds are these,
# and their texts are what an error calls them.
NAME = "identifier"
INT = "int literal"
FLOAT = "float literal"
STRING = "string literal"
BYTES = "bytes literal"
NEWLINE = "newline"
EOF = "end of file"
RESERVED = "reserved word"
ERROR = "error"

# fmt: off
KEYWORDS = frozenset([
    "and", "break", "continue", "def", "elif", "else", "for", "if",
    "in", "lambda", "load", "not", "or", "pass", "return", "while",
])
# spec: starlark.keywords
RESERVED_WORDS = frozenset([
    "as", "async", "await", "class", "del", "except", "finally", "from",
    "global", "import", "is", "nonlocal", "raise", "try", "with", "yield",
])
PUNCTUATION = [
    "+", "-", "*", "/", "//", "%", "&", "|", "^", "<<", ">>", "~", "**",
    "=", "+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", "<<=", ">>=",
    "==", "!=", "<", ">", "<=", ">=", ".", ",", ";", ":",
]
# fmt: on
TAB = 8

_KINDS = {word: word for word in (*KEYWORDS, *PUNCTUATION)}
_KINDS.update(dict.fromkeys(RESERVED_WORDS, RESERVED))

# The groups of _TOKEN, by number.
_G_STRING, _G_OPENER, _G_NAME, _G_OPERATOR, _G_OPEN, _G_CLOSE = 1, 2, 3, 4, 5, 6
_G_NEWLINE, _G_NUMBER, _G_COMMENT = 7, 8, 9

# Expressions are compiled where they are first used (`re` keeps them): a program that was
# compiled before is not scanned, and starting up should not pay for it.
_TOKEN = r"""[ \t]*(?:
      ((?:rb|[rb])?(?:"(?!"")[^"\\\r\n]*"|'(?!'')[^'\\\r\n]*'))      # 1 a string without escapes
    | ((?:rb|[rb])?(?:\"\"\"|'''|["']))                              # 2 the start of any other string
    | (NAME)                                                         # 3
    | ([,:]|\.(?![0-9])|//=?|>>=?|<<=?|\*\*|[-+*/%&|^=<>!]=|[-+*/%&|^=<>~;])   # 4
    | ([(\[{])                                                       # 5
    | ([)\]}])                                                       # 6
    | (\r\n?|\n)                                                     # 7
    | (0[xX][0-9a-fA-F]* | 0[oO][0-7]* | 0[bB][01]*
      | (?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]*)?)        # 8
    | (\#[^\r\n]*)                                                   # 9
    | \\(\r\n?|\n)                                                   # a line that goes on
    )"""
_ASCII_TOKEN = _TOKEN.replace("NAME", "[A-Za-z_][A-Za-z0-9_]*")
# This takes in more than letters and ASCII digits; what is too much is cut off again.
_UNICODE_TOKEN = _TOKEN.replace("NAME", r"[^\W\d]\w*")
_INDENTATION = r"([ \t]*)(#[^\r\n]*)?(\r\n?|\n)?"
# Bounded repetition: the matcher keeps a record for every turn of a group's loop.
_STRING_PIECES = {
    '"': r'(?:[^"\\\r\n]+|\\(?:\r\n|[\s\S])){1,5000}',
    "'": r"(?:[^'\\\r\n]+|\\(?:\r\n|[\s\S])){1,5000}",
    '"""': r'(?:[^"\\]+|\\[\s\S]|"(?!"")){1,5000}',
    "'''": r"(?:[^'\\]+|\\[\s\S]|'(?!'')){1,5000}",
}


class ScanFault:
    """The value of an ERROR token: what is wrong with the text, and where."""

    __slots__ = ("code", "message", "offset", "incomplete")

    def __init__(self, code: str, message: str, offset: int, incomplete: bool = False) -> None:
        self.code = code
        self.message = message
        self.offset = offset
        self.incomplete = incomplete  # more text could correct it


class Scanner:
    """Reads tokens. After `next_line`, four lists of equal length hold the tokens of one logical line.

    `kinds`, `values` (of names their text, of literals their value, else the
    text), `starts` and `ends` (offsets). The last token is NEWLINE, EOF or ERROR.
    `depth` is the number of brackets that were open where the text ended.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self._token = re.compile(_ASCII_TOKEN if text.isascii() else _UNICODE_TOKEN, re.VERBOSE)
        self._indentation = re.compile(_INDENTATION)
        self.comments: list[Comment] = []
        self.kinds: list[str] = []
        self.values: list[Value] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def next_line(self) -> int:
        """Read the next logical line that is not blank. Return its indentation in columns (EOF: 0)."""
        # spec: starlark.indentation
        self.kinds, self.values, self.starts, self.ends = [], [], [], []
        text, size = self.text, len(self.text)
        while True:
            match = self._indentation.match(text, self.position)
            assert match is not None
            blanks, comment, line_end = match.groups()
            if comment is not None:
                start = match.start(2)
                self.comments.append(Comment(start, start + len(comment), comment, True))
            elif line_end is None:
                break
            self.position = match.end()
        self.position += len(blanks)
        if self.position >= size:
            self._add(EOF, "", size, size)
            return 0
        self._read_line()
        return len(blanks.expandtabs(TAB)) if "\t" in blanks else len(blanks)

    def _read_line(self) -> None:
        """Read tokens up to the end of the logical line."""
        text = self.text
        kind_of = _KINDS.get
        add_kind, add_value = self.kinds.append, self.values.append
        add_start, add_end = self.starts.append, self.ends.append
        match_token = self._token.match
        position = self.position
        depth = 0
        while True:
            match = match_token(text, position)
            if match is None:
                self._odd_character(position, depth)
                return
            group = match.lastindex
            assert group is not None
            value = match[group]
            position = end = match.end()
            start = end - len(value)
            if group == _G_NAME:
                if not value.isascii():
                    good = _letters(value)
                    if good < len(value):
                        position = end = start + good
                        value = value[:good]
                    if not good:
                        self._odd_character(start, depth)
                        return
                kind = kind_of(value, NAME)
            elif group == _G_OPERATOR:
                kind = _KINDS[value]
            elif group == _G_STRING:
                kind, content = _simple_string(value)
                add_kind(kind)
                add_value(content)
                add_start(start)
                add_end(end)
                continue
            elif group == _G_OPEN:
                depth += 1
                if depth > MAX_NESTING:
                    self._fail(nesting_fault(start))
                    return
                kind = value
            elif group == _G_CLOSE:
                depth -= 1
                if depth < 0:
                    self._fail(ScanFault("syntax.unexpected", f"unexpected '{value}'", start))
                    return
                kind = value
            elif group == _G_NEWLINE:
                if depth:
                    continue
                self._add(NEWLINE, value, start, end)
                self.position = end
                return
            elif group == _G_NUMBER:
                try:
                    number = number_value(value)
                except LiteralFault as fault:
                    self._fail(ScanFault(fault.code, fault.message, start))
                    return
                self._add(INT if isinstance(number, int) else FLOAT, number, start, end)
                continue
            elif group == _G_COMMENT:
                before = text[self.ends[-1] if self.ends else self.position : start]
                own_line = "\n" in before or "\r" in before
                self.comments.append(Comment(start, end, value, own_line))
                continue
            elif group == _G_OPENER:
                if not self._long_string(start, value):
                    return
                position = self.ends[-1]
                continue
            else:
                continue
            add_kind(kind)
            add_value(value)
            add_start(start)
            add_end(end)

    def _add(self, kind: str, value: Value, start: int, end: int) -> None:
        self.kinds.append(kind)
        self.values.append(value)
        self.starts.append(start)
        self.ends.append(end)

    def _fail(self, fault: ScanFault) -> None:
        self._add(ERROR, fault, fault.offset, fault.offset)
        self.position = len(self.text)

    def _odd_character(self, position: int, depth: int) -> None:
        """End the line at a character that starts no token, or at the end of the text."""
        text = self.text
        while position < len(text) and text[position] in " \t":
            position += 1
        if position == len(text):
            self._add(EOF, "", position, position)
            self.position, self.depth = position, depth
        elif text[position] == "\\":
            last = position + 1 == len(text)
            self._fail(ScanFault("syntax.character", "stray backslash in program", position, last))
        else:
            shown = _quoted(text[position])
            self._fail(ScanFault("syntax.character", f"unexpected input character {shown}", position))

    def _long_string(self, start: int, opener: str) -> bool:
        """Add the string that starts with `opener` (prefix and quotes). Return whether it is sound."""
        text = self.text
        quote = opener.lstrip("rb")
        body = start + len(opener)
        end = body
        pieces = re.compile(_STRING_PIECES[quote])
        match = pieces.match(text, end)
        while match is not None:
            end = match.end()
            match = pieces.match(text, end)
        if not text.startswith(quote, end):
            triple = len(quote) == 3
            # A lone backslash may be the last character of the text.
            if end >= len(text) - 1 and not text[end:].strip("\\"):
                fault = ScanFault("syntax.string", "unexpected EOF in string", start, triple)
            elif triple:
                fault = ScanFault("syntax.string", "unexpected EOF in string", start, True)
            else:
                fault = ScanFault("syntax.string", "unexpected newline in string", start)
            self._fail(fault)
            return False
        prefix, content = opener[: -len(quote)], text[body:end]
        try:
            if "b" in prefix:
                self._add(BYTES, bytes_value(content, "r" in prefix), start, end + len(quote))
            else:
                self._add(STRING, text_value(content, "r" in prefix), start, end + len(quote))
        except LiteralFault as fault:
            self._fail(ScanFault(fault.code, fault.message, body + fault.offset))
            return False
        return True


def nesting_fault(offset: int) -> ScanFault:
    """Return the fault of an expression whose parts are nested too deeply."""
    # spec: starlark.limit.nesting
    return ScanFault("syntax.nesting", f"expression is nested more than {MAX_NESTING} levels deep", offset)


def _simple_string(raw: str) -> tuple[str, Union[str, bytes]]:
    """Return the kind and value of a string literal that holds no backslash and no line end."""
    first = raw[0]
    if first in "\"'":
        return STRING, raw[1:-1]
    if first == "b":
        return BYTES, raw[2:-1].encode()
    if raw[1] == "b":
        return BYTES, raw[3:-1].encode()
    return STRING, raw[2:-1]


def _letters(word: str) -> int:
    """Return how many characters of `word` may be in a name: letters, ASCII digits, underscores."""
    # spec: starlark.names
    for count, character in enumerate(word):
        if not (character.isascii() or character.isalpha()):
            return count
    return len(word)


def _quoted(character: str) -> str:
    if character.isprintable():
        return f"'{character}'"
    code = ord(character)
    if code < 0x80:
        return f"'\\x{code:02x}'"
    return f"'\\u{code:04x}'" if code < 0x10000 else f"'\\U{code:08x}'"
