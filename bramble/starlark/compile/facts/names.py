"""Names of the language by what they do to containers."""

from __future__ import annotations

MUTATORS = frozenset(
    {
        *("append", "clear", "extend", "insert", "pop", "remove"),
        *("popitem", "setdefault", "update", "add", "discard"),
    }
)
# Universal functions that keep none of their arguments. Those with a key function may call anything.
KEEPS_NOTHING = frozenset(
    {
        *("abs", "all", "any", "bool", "bytes", "chr", "dict", "dir", "enumerate", "fail", "float"),
        *("hasattr", "hash", "int", "len", "list", "ord", "print", "range", "repr", "reversed", "set"),
        *("sorted", "str", "tuple", "type", "zip", "max", "min"),
    }
)
# Universal functions that make a new container.
FRESH = frozenset({"dir", "enumerate", "list", "range", "reversed", "set", "sorted", "tuple", "zip", "dict"})

# The methods of built-in types: what has one with another name is a struct, or a value of the host's.
METHODS = MUTATORS | frozenset(
    {
        *("capitalize", "codepoint_ords", "codepoints", "count", "elem_ords", "elems", "endswith", "find"),
        *("format", "index", "isalnum", "isalpha", "isdigit", "islower", "isspace", "istitle", "isupper"),
        *("join", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind"),
        *("rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip"),
        *("title", "upper", "get", "items", "keys", "values"),
        *("difference", "intersection", "issubset", "issuperset", "symmetric_difference", "union"),
    }
)
