r"""What Starlark writes in place of what other languages do.

Someone who comes from Python, C or JavaScript writes what is right there, and the error says what is wrong
with it here. This says what to write instead. Each rule looks at the code and the message of an error and at
the line up to its place and behind it; the first that fits counts.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .errors import StarlarkError

_UNEXPECTED, _OPERAND, _UNDEFINED = "syntax.unexpected", "eval.operand", "resolve.undefined"
_FORMATTED = re.compile(r"""(?<![\w"'])(?:[fF][rR]?|[rR][fF])(?=["'])""")
_FIELD = re.compile(r"\{([^{}:!=]+)\}")
_NO_EXCEPTIONS = 'there are no exceptions: ask before (if, in, hasattr), or end with fail("why")'
_NO_VARIABLES_OF_OTHERS = "a function cannot assign the variables of another: return the value"
_NO_WAITING = "nothing runs beside a program: write a plain function, def f(): …"
_NO_TYPES = "there are no types of names: leave the type out"
_RAW = r'write \\ for a backslash, or a raw string: r"…"'
_LAMBDA = "a lambda is one expression, which is what it returns; for statements write def"
_ELEMS = "a string has no elements to go through: write s.elems()"
_NOT_RUN = "a program cannot run commands: a derivation does"

# (code, message, the line from its start to the place of the error, the line behind it, what to write)
_RULES: tuple[tuple[str, str, str, str, str], ...] = (
    (_UNEXPECTED, "word class", "", "", "there are no classes: write functions, and keep data in a dict"),
    (
        _UNEXPECTED,
        "word (import|from)",
        "",
        "",
        'there is no import: write load("MODULE", "name") at the top of the file',
    ),
    (_UNEXPECTED, "word is,", "", r"\s*not\b", "there is no is: write x != y"),
    (_UNEXPECTED, "word is,", "", "", "there is no is: write x == y"),
    (_UNEXPECTED, "word (try|except|finally|raise)", "", "", _NO_EXCEPTIONS),
    (_UNEXPECTED, "word (with|as),", "", "", "there is no with: nothing is open that had to be closed"),
    (_UNEXPECTED, "word del", "", "", "there is no del: write d.pop(key), or a new list without the element"),
    (_UNEXPECTED, "word (global|nonlocal)", "", "", _NO_VARIABLES_OF_OTHERS),
    (_UNEXPECTED, "word yield", "", "", "there are no generators: return a list"),
    (_UNEXPECTED, "word (async|await)", "", "", _NO_WAITING),
    (_UNEXPECTED, r"got \S+ literal|got identifier", r"\bprint\s+\S+", "", 'print is a function: print("x")'),
    (
        _UNEXPECTED,
        "got (.* literal|identifier)",
        r"^\s*assert\s",
        "",
        "assert is a module: write assert.eq(x, y) or assert.true(x)",
    ),
    (_UNEXPECTED, "got string literal", r"\b[uU](\"|')", "", "every string is Unicode: leave the u out"),
    (
        _UNEXPECTED,
        "got string literal",
        r"[\"']\s*[rb]?(\"[^\"]*\"|'[^']*')$",
        "",
        'strings are joined with +: "a" + "b"',
    ),
    (_UNEXPECTED, r"got '\*\*', want primary", "", "", "dicts are joined with |: {…} | d"),
    (_UNEXPECTED, r"got '\*\*'", "", "", "there is no **: multiply, or for a power of two write 1 << n"),
    (
        _UNEXPECTED,
        r"got '\*', want primary",
        r"^[^=\[(]*,\s*$",
        "",
        "a name takes one value: a, b = x[0], x[1:]",
    ),
    (_UNEXPECTED, r"got end of file, want '[])}]'", "", "", "a bracket further up is not closed"),
    (_UNEXPECTED, r"got '\*', want primary", "", "", "lists are joined with +: [a] + x"),
    (_UNEXPECTED, "got newline, want primary", r"\w\s*\+\+\s*$", "", "there is no ++: write x += 1"),
    (_UNEXPECTED, "got newline, want primary", r"\w\s*--\s*$", "", "there is no --: write x -= 1"),
    (_UNEXPECTED, "got '=', want ':'", r"^\s*(if|elif|while)\b", "", "to compare, write =="),
    (_UNEXPECTED, "got '=', want ':'", r"\{", "", 'write {"a": 1}, or dict(a = 1)'),
    (_UNEXPECTED, "got '='", r"\blambda\b", "", _LAMBDA),
    (
        _UNEXPECTED,
        "got '=', want newline",
        r"=.*=$",
        "",
        "an assignment is no value: write b = c, then a = b",
    ),
    (_UNEXPECTED, "got identifier", r"^\s*(let|const|var)\s", "", "a name is not declared: write x = 1"),
    (_UNEXPECTED, "got identifier", r"^\s*(function|func|fn)\s", "", "a function is written def f(): …"),
    (_UNEXPECTED, "got identifier", r"^\s*(match|switch)\s", "", "there is no match: write if and elif"),
    (_UNEXPECTED, "got identifier, want ':'", r"\bthen$", "", "a condition ends in a colon: if x:"),
    (_UNEXPECTED, "got identifier", r"\d_[\d_]*$", "", "a number has no underscores"),
    (
        _UNEXPECTED,
        "got (return|pass|for|if|while)",
        r"\blambda\b",
        "",
        _LAMBDA,
    ),
    (_UNEXPECTED, "got if, want ':'", r"\belse\s+if$", "", "write elif"),
    (_UNEXPECTED, "got ':', want newline", r"^\s*\w+\s*:$", "", _NO_TYPES),
    (_UNEXPECTED, r"got ':', want", "", r"=", "there is no :=: assign in a line of its own"),
    (_UNEXPECTED, r"got ':', want '\)'", r"^\s*def\b", "", _NO_TYPES),
    (_UNEXPECTED, "got '-', want ':'", r"^\s*def\b", ">", _NO_TYPES),
    (_UNEXPECTED, "got '&'", "&$", "", "write and"),
    (_UNEXPECTED, r"got '\|'", r"\|$", "", "write or"),
    (_UNEXPECTED, "got '>', want primary", r"<$", ">", "write !="),
    (_UNEXPECTED, "got for, want ','", "", "", "there are no generators: write a list, [x for x in y]"),
    (_UNEXPECTED, "got (for|','), want ':'", r"\{", "", "a set is made by set([…])"),
    (
        _UNEXPECTED,
        r"got '\{', want ':'",
        "",
        "",
        "blocks are written by indentation: a colon, then a new line",
    ),
    (_UNEXPECTED, r"got '//?', want primary", r"^\s*$", "", "a comment begins with #"),
    (_UNEXPECTED, r"got '\.', want primary", r"", r"\.\.", "write pass"),
    (_UNEXPECTED, "got newline, want ':'", "", "", "the line before must end in a colon"),
    (_UNEXPECTED, "want indent$", "", "", "indent what belongs to the line before"),
    (_UNEXPECTED, "got indent", "", "", "begin the line where the one before it begins"),
    (_UNEXPECTED, ", want in$", "", "", "write x not in y"),
    ("syntax.escape", "^(?!non-ASCII|code point|invalid Unicode)", "", "", _RAW),
    ("syntax.string", "newline", "", "", 'close the quotes, or write three for several lines: """…"""'),
    ("syntax.conditional", "", "", "", "write x if condition else None, or an if statement"),
    ("syntax.parameter", "", r"\blambda\b", "", "parameters have no brackets: lambda x, y: …"),
    ("syntax.operator", "", "", "", "write a < b and b < c"),
    ("syntax.character", "'@'", r"^\s*$", "", "there are no decorators: write f = decorator(f) below it"),
    ("syntax.character", "'!'", "", "", "write not x"),
    ("syntax.character", r"'\?'", "", "", "write a if condition else b"),
    ("syntax.character", "'`'", "", "", _NOT_RUN),
    ("resolve.dialect", "while", "", "", "write for x in LIST; to count, for i in range(N), and break"),
    ("resolve.control", "", "", "", "put it into a function; for a value write x if y else z, or [… for …]"),
    ("resolve.reassigned", "", "", "", "give the second value another name, or assign in a function"),
    (_OPERAND, "NoneType .* not implemented|(<|>|<=|>=) NoneType", "", "", "ask first: if x != None"),
    (_OPERAND, r"op: string \+ (int|float|bool)", "", "", 'write s + str(x), or "{}".format(x)'),
    (_OPERAND, r"op: (int|float|bool) \+ string", "", "", 'write str(x) + s, or "{}".format(x)'),
    (_OPERAND, r"op: (list \+ (tuple|range|set|dict)|range \+ list)", "", "", "write x + list(y)"),
    (_OPERAND, r"op: (dict \+ dict|set \+ set)", "", "", "write x | y"),
    ("eval.iterate", "string value", "", "", _ELEMS),
    ("eval.argument", "got string, want iterable", "", "", _ELEMS),
    ("eval.attribute", r"list has no \.sort ", "", "", "write sorted(x)"),
    ("eval.attribute", r"list has no \.add ", "", "", "write x.append(y)"),
    ("eval.attribute", r"dict has no \.has_key ", "", "", "write key in d"),
    ("eval.attribute", r"dict has no \.append ", "", "", "write d[key] = value"),
    ("eval.attribute", r"(dict has no \.|to \.\w+ field of dict)", "", "", 'write d["key"]'),
    ("eval.attribute", r"string has no \.append ", "", "", "write s + t"),
    ("eval.attribute", "to .* field of string", "", "", "a string does not change: make another"),
    ("eval.type", "string value does not support item", "", "", "a string does not change: make another"),
    ("eval.key", "not in dict", "", "", "write d.get(key, default), or ask first: if key in d"),
    ("eval.recursion", "", "", "", "write a loop: for x in LIST, with a list of what is left to do"),
    ("eval.frozen", "", "", "", "make a copy and change that: list(x), dict(x)"),
)
# Names that Python knows.
_NAMES = {
    "isinstance": 'write type(x) == "string"',
    "sum": "write a loop",
    "map": "write [f(x) for x in y]",
    "filter": "write [x for x in y if f(x)]",
    "reduce": "write a loop",
    "pow": "write a loop, or for a power of two 1 << n",
    "round": "write int(x + 0.5)",
    "divmod": "write x // y, x % y",
    "format": 'write "{}".format(x)',
    "object": "there are no classes: write functions, and keep data in a dict",
    "super": "there are no classes: write functions, and keep data in a dict",
    "self": "there are no classes: write functions, and keep data in a dict",
    "unicode": "write str(x)",
    "frozenset": "write set(x)",
    "null": "write None",
    "nil": "write None",
    "undefined": "write None",
    "eval": "a program cannot make programs",
    "exec": "a program cannot make programs",
    "input": "a program asks nobody: what it is given are its arguments",
    "iter": "write a loop",
    "next": "write a loop",
    "callable": 'write type(x) == "function"',
    "Exception": _NO_EXCEPTIONS,
    "ValueError": _NO_EXCEPTIONS,
}


def instead(error: StarlarkError) -> Optional[str]:
    """Return what to write instead, None when no rule fits."""
    # spec: starlark.error.instead
    if "did you mean" in error.message:
        return None
    line = error.line_text or ""
    at = error.position.column - 1 if error.position is not None else 0
    before, behind = line[:at], line[at:]
    if error.code == _UNEXPECTED and "got string literal" in error.message:
        prefix = list(_FORMATTED.finditer(before))
        if prefix:
            return f"there are no f-strings: write {_formatted(before, prefix[-1].end())}"
    if error.code == _UNDEFINED:
        return _NAMES.get(error.message.split()[1])
    for code, message, left, right, advice in _RULES:
        if (
            code == error.code
            and re.search(message, error.message)
            and re.search(left, before)
            and re.match(right, behind)
        ):
            return advice
    return None


def _formatted(before: str, start: int) -> str:
    """Return the call that does what the f-string at the end of `before` does, if that is simple."""
    literal = before[start:]
    text = _FIELD.sub("{}", literal)
    fields = _FIELD.findall(literal)
    if not fields or re.search("[{}]", text.replace("{}", "")):
        return '"{}".format(…)'
    return f"{text}.format({', '.join(field.strip() for field in fields)})"
