"""Which types a value can have, as far as the text of a program tells: sets of types as bits of an int.

The compiler leaves out checks that cannot fail. To know which these are it needs types, and a Starlark
program declares none. It need not know much: that `i` in `for i in range(n)` is an int, and that `x + 1`
is one then, saves most of the checks of a loop.

**What is claimed.** A *kind* is one bit for each type, and the kinds of an expression are the types that
its value can have: an upper bound. `INT | STRING` says that the value is an int or a string and nothing
else, `ANY` says nothing, and 0 says that there is no value: the expression always fails, or is never
reached. What is true of all types in the set may be relied on, so more bits are always safe, and fewer
make faster code.

**How it is found.** The kinds of a variable are the union of the kinds of all that is assigned to it
(collect.py). The rule of each expression (kind_rules.py) is monotonic: more kinds of the operands never
give fewer kinds of the result. So `Flow` starts with 0 for every variable and adds until nothing changes.
It takes no account of the order of statements, for one variable has one claim in the whole function. What
comes out of a container is known from what was put in (sites.py).

**Why it is safe.** Every way by which a variable gets a value is seen or given up: parameters and what a
`load` binds are `ANY`, as are names of the host, globals that other inputs of a session may assign, and
all that is too deep to look at. A parameter of a known function is less than `ANY` only in code that no
stranger can call (inference.py: the closed view). The rules below are about operators that do not fail:
an operation that raises has no value, so `of_binary("+", INT, STRING)` is 0. Values of a host may
overload operators and give more values of a host, which is why `OTHER` in an operand gives `OTHER` in the
result.

**What breaks it.** A new way to assign that collect.py does not see; a built-in that returns a type which
the tables below do not have; a host whose value gives a `bool` where an operator of its own is used
(functions.py tells hosts what they may give); a rule that claims less for more. The tests compile random
programs with all kinds forgotten and demand the same results.
"""

from __future__ import annotations

INT = 1
FLOAT = 2
STRING = 4
BYTES = 8
BOOL = 16
NONE = 32
LIST = 64
DICT = 128
TUPLE = 256
SET = 512
RANGE = 1024
FUNCTION = 2048
OTHER = 4096  # structs, modules, values of the host, views of strings
ANY = 8191

NUMBER = INT | FLOAT
# A private list or dict that is Python's own; no value of a program, so not among ANY.
RAW_LIST = 8192
RAW_DICT = 16384

# What an arithmetic operator of a host's value may give (functions.py says so to the host).
# Numbers and strings may come as well: taking them for values of the host does no harm.
OF_HOST = OTHER

_SEQUENCES = STRING | BYTES | LIST | TUPLE


def of_constant(value: object) -> int:
    """Return the kind of a literal's value."""
    return OF_CONSTANT[value.__class__]


OF_CONSTANT: dict[type, int] = {
    int: INT,
    float: FLOAT,
    str: STRING,
    bytes: BYTES,
    bool: BOOL,
    type(None): NONE,
}


def of_binary(op: str, a: int, b: int) -> int:
    """Return the kinds of `x op y` for kinds `a` and `b` of the operands, when it does not fail."""
    if op in _COMPARISONS:
        return BOOL
    if op == "/":
        return FLOAT | (OF_HOST if (a | b) & OTHER else 0)
    numbers = 0
    if a & NUMBER and b & NUMBER:
        numbers = INT if (a & INT and b & INT) else 0
        if (a | b) & FLOAT and op in ("+", "-", "*", "//", "%"):
            numbers |= FLOAT
    result = numbers
    if op == "+":
        result |= a & b & _SEQUENCES
    elif op == "*":
        result |= (a & _SEQUENCES) if b & INT else 0
        result |= (b & _SEQUENCES) if a & INT else 0
    elif op == "%":
        result |= a & STRING
    elif op == "|":
        result |= a & b & (DICT | SET)
    elif op in ("&", "^", "-"):
        result |= a & b & SET
    if (a | b) & OTHER and not (op == "*" and (not a & ~_SEQUENCES or not b & ~_SEQUENCES)):
        # To repeat a sequence by a value of the host's is not possible.
        result |= OF_HOST
    return result


def of_unary(op: str, a: int) -> int:
    """Return the kinds of `op x`."""
    if op == "not":
        return BOOL
    result = a & (INT if op == "~" else NUMBER)
    return result | (OF_HOST if a & OTHER else 0)


_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})

# Kinds of the results of universal functions, whatever their arguments.
OF_UNIVERSAL: dict[str, int] = {
    "abs": NUMBER,
    "all": BOOL,
    "any": BOOL,
    "bool": BOOL,
    "bytes": BYTES,
    "chr": STRING,
    "dict": DICT,
    "dir": LIST,
    "enumerate": LIST,
    "fail": 0,
    "float": FLOAT,
    "hasattr": BOOL,
    "hash": INT,
    "int": INT,
    "len": INT,
    "list": LIST,
    "ord": INT,
    "print": NONE,
    "range": RANGE,
    "repr": STRING,
    "reversed": LIST,
    "set": SET,
    "sorted": LIST,
    "str": STRING,
    "tuple": TUPLE,
    "type": STRING,
    "zip": LIST,
}

# Kinds of the results of methods, when the receiver is known to be of the type.
OF_METHOD: dict[int, dict[str, int]] = {
    STRING: {
        **dict.fromkeys(("count", "find", "index", "rfind", "rindex"), INT),
        **dict.fromkeys(
            (
                "endswith",
                "isalnum",
                "isalpha",
                "isdigit",
                "islower",
                "isspace",
                "istitle",
                "isupper",
                "startswith",
            ),
            BOOL,
        ),
        **dict.fromkeys(
            (
                *("capitalize", "format", "join", "lower", "lstrip", "removeprefix", "removesuffix"),
                *("replace", "rstrip", "strip", "title", "upper"),
            ),
            STRING,
        ),
        **dict.fromkeys(("rsplit", "split", "splitlines"), LIST),
        **dict.fromkeys(("partition", "rpartition"), TUPLE),
        **dict.fromkeys(("codepoint_ords", "codepoints", "elem_ords", "elems"), OTHER),
    },
    LIST: {
        **dict.fromkeys(("append", "clear", "extend", "insert", "remove"), NONE),
        "index": INT,
        "pop": ANY,
    },
    DICT: {
        **dict.fromkeys(("items", "keys", "values"), LIST),
        **dict.fromkeys(("clear", "update"), NONE),
        "popitem": TUPLE,
    },
    SET: {
        **dict.fromkeys(("difference", "intersection", "symmetric_difference", "union"), SET),
        **dict.fromkeys(("add", "clear", "discard", "remove", "update"), NONE),
        **dict.fromkeys(("issubset", "issuperset"), BOOL),
    },
}
