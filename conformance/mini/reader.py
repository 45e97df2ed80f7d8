"""Text to tree: the tokens and the grammar of Starlark (spec: starlark.tokens, starlark.grammar).

One token is read ahead, and reading stops at the first error (spec: starlark.error.first).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections import namedtuple

KEYWORDS = frozenset(
    [
        "and",
        "break",
        "continue",
        "def",
        "elif",
        "else",
        "for",
        "if",
        "in",
        "lambda",
        "load",
        "not",
        "or",
        "pass",
        "return",
        "while",
    ]
)
KEYWORDS |= frozenset(
    [
        "as",
        "async",
        "await",
        "class",
        "del",
        "except",
        "finally",
        "from",
        "global",
        "import",
        "is",
        "nonlocal",
        "raise",
        "try",
    ]
)
KEYWORDS |= {"with", "yield"}
SIGNS = (
    "//= <<= >>= // << >> ** <= >= == != += -= *= /= %= &= |= ^= + - * / % ~ & | ^ . , = ; : ( ) [ ] { } < >"
)
AUGMENTED = frozenset(["+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", "<<=", ">>="])
# From the loosest to the tightest.
LEVELS = (
    ("or",),
    ("and",),
    ("not",),
    tuple(["==", "!=", "<", ">", "<=", ">=", "in", "not"]),
    ("|",),
    ("^",),
    ("&",),
)
LEVELS += (("<<", ">>"), ("+", "-"), ("*", "/", "//", "%"))
DEEPEST = 120
TOKEN = re.compile(
    r"(?P<blank>[ \t]+|\\\n|#[^\n]*)|(?P<newline>\n)"
    r"|(?P<string>(?:rb|r|b)?(?:\"\"\"(?:\\[\s\S]|[^\\])*?\"\"\"|'''(?:\\[\s\S]|[^\\])*?'''"
    r"|(?!(?:rb|r|b)?(?:\"\"\"|'''))(?:\"(?:\\[\s\S]|[^\\\"\n])*\"|'(?:\\[\s\S]|[^\\'\n])*')))|(?P<open>(?:rb|r|b)?[\"'])"
    r"|(?P<number>0[xX][0-9a-fA-F]*|0[oO][0-7]*|0[bB][01]*|(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]*)?)"
    r"|(?P<name>[^\W0-9]\w*)|(?P<sign>" + "|".join(map(re.escape, SIGNS.split())) + ")"
)
ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))")
ESCAPES = dict(zip("abfnrtv\n\\'\"", ("\a", "\b", "\f", "\n", "\r", "\t", "\v", "", "\\", "'", '"')))

# A sign and a keyword are kinds of their own. `end` is the place behind the token.
Token = namedtuple("Token", "kind value at end")
# `at` is where errors of a node are (spec: starlark.error.columns), `start` where its text begins.
Node = namedtuple("Node", "kind at start parts")


class Failure(Exception):
    """An error: its code, its message, its place (line, column) and its file, as far as they are known."""

    def __init__(self, code, message, at=None, file=None):
        super().__init__(message)
        self.code, self.message, self.at, self.file = code, message, at, file


def tokens(text):
    """Yield the tokens of a program, with its lines and indentation (spec: starlark.indentation)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    place, depth, columns, fresh = 0, 0, [0], True

    def at(offset):
        line = bisect(starts, offset)
        return line, offset - starts[line - 1] + 1

    def token(kind, value=None, start=None):
        return Token(kind, value, at(place if start is None else start), at(place))

    while place < len(text):
        blank = re.compile(r"[ \t]*(?![ \t#\n])").match(text, place)
        if fresh and not depth and blank and blank.end() < len(text):
            width, place = len(blank[0].expandtabs(8)), blank.end()
            if width > columns[-1]:
                columns.append(width)
                yield token("indent")
            while width < columns[-1]:
                columns.pop()
                yield token("outdent")
            if width != columns[-1]:
                raise Failure("syntax.indentation", "unindent does not match any outer level", at(place))
        found, start = TOKEN.match(text, place), place
        kind = found and found.lastgroup
        if not found or (
            kind == "name" and any(c > "~" and unicodedata.category(c)[0] != "L" for c in found[0])
        ):
            raise Failure("syntax.character", f"unexpected input character {text[place]!r}", at(place))
        place = found.end()
        if kind == "open":
            raise Failure("syntax.string", "the literal does not end", at(start))
        if kind == "newline" and not depth and not fresh:
            yield token("newline", start=start)
        elif kind == "string":
            value = unescaped(found[0], start, at)
            yield token("bytes" if isinstance(value, bytes) else kind, value, start)
        elif kind == "number":
            value = number(found[0], text[place : place + 1], at(start))
            yield token(type(value).__name__, value, start)
        elif kind == "sign" or found[0] in KEYWORDS:
            depth += (found[0] in "([{") - (found[0] in ")]}")
            if depth < 0:
                raise Failure("syntax.unexpected", f"unexpected {found[0]!r}", at(start))
            yield token(found[0], None, start)
        elif kind == "name":
            yield token(kind, found[0], start)
        fresh = kind == "newline" or (fresh and kind == "blank")
    yield from [] if fresh else [token("newline")]
    yield from [token("outdent")] * (len(columns) - 1)
    yield token("end")


def number(text, following, at):
    """Return the value of a number (spec: starlark.int.literals, starlark.float.literals)."""
    try:
        if text[:2].lower() not in ("0x", "0o", "0b") and not text.isdigit():
            return float(text)
        if text == "0" and following and following in "eo":
            raise ValueError
        return int(text, 0)
    except ValueError:
        raise Failure("syntax.number", f"invalid number {text}", at) from None


def unescaped(text, start, at):
    """Return what a string literal stands for (spec: starlark.string.escapes)."""
    text, prefix = text.lstrip("rb"), text[: len(text) - len(text.lstrip("rb"))]
    raw, binary, size = "r" in prefix, "b" in prefix, 3 if text[:3] in ('"""', "'''") else 1

    def one(found):
        octal, short, *long, sign = found.groups()
        code = int(octal, 8) if octal else int(short or long[0] or long[1] or "0", 16)
        limit = (0xFF if binary else 0x7F) if octal or short else 0x10FFFF
        if code > limit or 0xD800 <= code < 0xE000 or (sign and sign not in ESCAPES):
            raise Failure(
                "syntax.escape",
                f"invalid escape sequence {found[0]}",
                at(start + len(prefix) + found.start()),
            )
        # A byte that is not a character is a lone surrogate until it is encoded.
        return ESCAPES[sign] if sign else chr(code + 0xDC00 if limit == 0xFF and code > 0x7F else code)

    text = text[size:-size] if raw else ESCAPE.sub(one, text)[size:-size]
    return text.encode(errors="surrogateescape") if binary else text


class Reader:
    """Reads one program; each method reads what the grammar calls by its name (spec: starlark.grammar)."""

    def __init__(self, text, load_module=False):
        self.tokens, self.depth, self.load_module, self.branch = tokens(text), 0, load_module, False
        self.token = next(self.tokens)

    def take(self, *kinds):
        """Return the token and go on, if it is one of these kinds; else None."""
        token = self.token
        if token.kind not in kinds:
            return None
        self.token = next(self.tokens, token)
        return token

    def want(self, kind):
        """Return the token and go on; it must be of this kind."""
        return self.take(kind) or self.refuse(
            "unexpected", f"got {self.token.kind}, want {kind}", self.token.end
        )

    def refuse(self, code, message, at=None):
        raise Failure("syntax." + code, message, at or self.token.at)

    def deeper(self, read, *arguments):
        """Read what may stand within itself (spec: starlark.limit.nesting)."""
        self.depth += 1
        if self.depth > DEEPEST:
            self.refuse("nesting", "the program nests too deep")
        result = read(*arguments)
        self.depth -= 1
        return result

    def file(self):
        """Read the whole program: a list of statements."""
        statements = []
        while self.token.kind != "end":
            statements += [] if self.take("newline") else self.statement()
        return statements

    def statement(self):
        word = self.take("def", "if", "for", "while", *(["elif"] if self.branch else []))
        self.branch = False
        if not word:
            return self.line()
        if word.kind == "def":
            name = self.want("name")
            self.want("(")
            parameters = self.parameters(")")
            self.want(")")
            parts = (Node("name", name.at, name.at, (name.value,)), parameters, self.suite(), set())
        elif word.kind == "for":
            targets = self.targets()
            self.want("in")
            parts = (targets, self.expression(), self.suite())
        else:
            test, body = self.test(), self.suite()
            self.branch = word.kind != "while" and self.token.kind == "elif"
            rest = self.deeper(self.statement) if self.branch else []
            parts = (test, body, self.suite() if word.kind != "while" and self.take("else") else rest)
        return [Node(word.kind.replace("elif", "if"), word.at, word.at, parts)]

    def suite(self):
        self.want(":")
        if not self.take("newline"):
            return self.line()
        self.want("indent")
        statements = []
        while not self.take("outdent"):
            statements += self.deeper(self.statement)
        return statements

    def line(self):
        statements = [self.small()]
        while self.take(";") and self.token.kind != "newline":
            statements.append(self.small())
        self.want("newline")
        return statements

    def small(self):
        word = self.token
        if self.take("pass", "break", "continue"):
            return Node(word.kind, word.at, word.at, ())
        if self.take("return"):
            value = None if self.token.kind in ("newline", ";") else self.expression()
            return Node("return", word.at, word.at, (value,))
        if self.take("load"):
            return Node("load", word.at, word.at, self.load())
        left, sign = self.expression(), self.take("=", *AUGMENTED)
        if not sign:
            return Node("expression", word.at, word.at, (left,))
        if sign.kind == "=":
            return Node("assign", sign.at, word.at, (self.target(left), self.expression()))
        if left.kind not in ("name", "index", "dot"):
            self.refuse("target", f"can't use {left.kind} in augmented assignment", left.start)
        return Node("augmented", sign.at, word.at, (left, sign.kind[:-1], self.expression()))

    def load(self):
        """Return the module, the pairs of local and other name, the module's place (spec: starlark.load)."""

        def operand():
            at, local = self.token.at, self.take("name")
            if (local and not self.take("=")) or self.token.kind != "string":
                self.refuse("load", 'an operand of load is "x" or x="originalname"')
            name, place = self.token.value, self.token.at
            self.take("string")
            return name, Node("name", at, at, (local.value if local else name,)), bool(local), place

        self.want("(")
        if not self.load_module and self.token.kind != "string":
            self.refuse("load", "first operand of load statement must be a string literal")
        (module, local, is_named, place), names = operand(), []
        while self.take(",") and self.token.kind != ")":
            names.append(operand())
        if self.token.kind != ")":
            self.want(")")
        if (
            (names and is_named)
            or not (names or self.load_module)
            or any(name[:1] == "_" for name, *_ in names)
        ):
            self.refuse("load", "load takes names that do not begin with _")
        self.want(")")
        if not is_named:
            local = local._replace(parts=(module.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace(".", ""),))
        return module, [(local, name) for name, local, *_ in names] or [(local, None)], place

    def target(self, node):
        """Return a node that can be assigned to (spec: starlark.assign)."""
        if node.kind not in ("name", "index", "dot", "tuple", "list"):
            self.refuse("target", f"can't assign to {node.kind}", node.start)
        for part in node.parts[0] if node.kind in ("tuple", "list") else ():
            self.target(part)
        return node

    def targets(self):
        start, items = self.token.at, [self.primary()]
        while self.take(","):
            items.append(self.primary())
        return self.target(Node("tuple", start, start, (items,)) if items[1:] else items[0])

    def parameters(self, end):
        """Return (stars, name, default, place) for each parameter."""
        found, comma = [], True
        while comma and (self.token.kind != end or (found and end == ":")):
            star, default = self.take("*", "**"), None
            name = self.take("name")
            if (
                not name
                and (star.kind == "**" if star else self.token.kind not in (":", "newline", "end"))
                or (not star and found and end == ":" and not name)
            ):
                self.refuse("parameter", "not an identifier", self.token.end)
            if not name and not star:
                self.refuse("unexpected", f"got {self.token.kind}, want {end}", self.token.end)
            if not star and self.take("="):
                default = self.test()
            found.append((star.kind if star else "", name and name.value, default, (star or name).at))
            comma = self.take(",")
        return found

    def expression(self):
        start, items = self.token.at, [self.test()]
        while self.token.kind == ",":
            comma = self.take(",")
            if self.token.kind in ("newline", ";", ")", "]", "}", "=", *AUGMENTED):
                self.refuse("tuple", "unparenthesized tuple with trailing comma", comma.at)
            items.append(self.test())
        return Node("tuple", start, start, (items,)) if items[1:] else items[0]

    def test(self, conditional=True):
        return self.deeper(self.open_test, conditional)

    def open_test(self, conditional):
        word = self.take("lambda")
        if word:
            parameters = self.parameters(":")
            self.want(":")
            body = self.test(conditional)
            return Node(
                "lambda",
                word.at,
                word.at,
                (None, parameters, [Node("return", body.at, body.at, (body,))], set()),
            )
        value = self.binary(0)
        word = conditional and self.take("if")
        if not word:
            return value
        test = self.binary(0)
        if not self.take("else"):
            self.refuse("conditional", "conditional expression without else clause", word.at)
        return Node("conditional", word.at, value.start, (test, value, self.test()))

    def binary(self, level):
        if level == len(LEVELS):
            return self.unary()
        word = self.token
        if level == 2 and self.take("not"):
            return Node("not", word.at, word.at, (self.deeper(self.binary, 2),))
        left = self.binary(level + 1)
        while level != 2 and self.token.kind in LEVELS[level]:
            sign = self.take(*LEVELS[level])
            name, at = ("not in", self.want("in").at) if sign.kind == "not" else (sign.kind, sign.at)
            left = Node("binary", at, left.start, (name, left, self.binary(level + 1)))
            if level == 3 and self.token.kind in LEVELS[3]:
                self.refuse("operator", f"{name} does not associate (use parens)")
        return left

    def unary(self):
        sign = self.take("+", "-", "~")
        return (
            Node("unary", sign.at, sign.at, (sign.kind, self.deeper(self.unary))) if sign else self.primary()
        )

    def primary(self):
        value = self.operand()
        while self.token.kind in (".", "(", "["):
            sign = self.take(".", "(", "[")
            if sign.kind == ".":
                kind, parts = "dot", (value, self.want("name").value)
            elif sign.kind == "(":
                kind, parts = "call", (value, self.arguments())
            else:
                kind, parts = self.subscript(value)
            value = Node(kind, sign.at, value.start, parts)
        return value

    def subscript(self, value):
        bounds = [None if self.token.kind == ":" else self.expression(), None, None]
        if self.take("]"):
            return "index", (value, bounds[0])
        self.want(":")
        bounds[1] = None if self.token.kind in (":", "]") else self.test()
        bounds[2] = self.test() if self.take(":") and self.token.kind != "]" else None
        self.want("]")
        return "slice", (value, bounds)

    def arguments(self):
        """Return (None, stars or `=NAME`; value; place) for each argument."""
        found, comma = [], True
        while comma and self.token.kind != ")":
            word, star = self.token, self.take("*", "**")
            value, name = self.test(), star and star.kind
            if not star and self.token.kind == "=":
                if value.kind != "name" or word.kind != "name":
                    self.refuse("argument", "keyword argument must have form name=expr")
                self.take("=")
                name, value = "=" + value.parts[0], self.test()
            found.append((name, value, word.at))
            comma = self.take(",")
        self.want(")")
        return found

    def operand(self):
        word = self.take("name", "int", "float", "string", "bytes", "(", "[", "{")
        if not word:
            self.refuse("unexpected", f"got {self.token.kind}, want primary expression")
        if word.kind not in "([{":
            return Node("name" if word.kind == "name" else "literal", word.at, word.at, (word.value,))
        end, kind = {"(": (")", "tuple"), "[": ("]", "list"), "{": ("}", "dict")}[word.kind]
        items, comma = [], True
        while comma and self.token.kind != end:
            items.append(self.entry() if kind == "dict" else self.test())
            comma = self.take(",")
        one = len(items) == 1 and not comma
        clauses = self.clauses() if one and kind != "tuple" else []
        self.want(end)
        if clauses:
            return Node("comprehension", word.at, word.at, (kind, items[0], clauses, set()))
        return items[0] if one and kind == "tuple" else Node(kind, word.at, word.at, (items,))

    def entry(self):
        key = self.test()
        return key, self.want(":").at, self.test()

    def clauses(self):
        """Return (place, targets or None for `if`, operand) for each clause."""
        found = []
        while self.token.kind == "for" or (found and self.token.kind == "if"):
            word = self.take("for", "if")
            targets = self.targets() if word.kind == "for" and self.token else None
            if targets:
                self.want("in")
            found.append((word.at, targets, self.binary(0) if targets else self.test(False)))
        return found
