"""The methods of strings and bytes. Each takes the receiver, then the arguments."""

from __future__ import annotations

from ..late import Pattern
from .arguments import bounds, clamp, want_bool, want_int, want_items, want_string, wrong_type
from .interruptible import CHARACTERS, cut, mapped, parts
from .limits import COMPARES_ANEW, SHORT_SEARCH, SHORT_STRIP, search, search_backwards
from .operators import MAX_TEXT
from .values import List, fail_with, type_name
from .views import BytesElems, StringCodepoints, StringElems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .values import Value
    from .views import Elements

# Unicode's White_Space. Python's own `str.split()` takes U+001C to U+001F as well.
# spec: starlark.string.space
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
ASCII_SPACE = "\t\n\v\f\r "
_SPACES = frozenset(SPACE)
_WORD = Pattern(f"[^{SPACE}]+")
_NOT_SPACE = ("\x1c", "\x1d", "\x1e", "\x1f")


def upper_char(char: str) -> str:
    """Return the upper case of one code point, as one code point."""
    full = char.upper()
    return full if len(full) == 1 else title_char(char)


def lower_char(char: str) -> str:
    """Return the lower case of one code point, as one code point."""
    return char.lower()[0]


def title_char(char: str) -> str:
    """Return the title case of one code point, as one code point."""
    full = char.title()
    return full if len(full) == 1 else char


def upper(s: str) -> str:
    return s.upper() if s.isascii() else "".join(map(upper_char, s))


def lower(s: str) -> str:
    return s.lower() if s.isascii() else "".join(map(lower_char, s))


def capitalize(s: str) -> str:
    return title_char(s[0]) + lower(s[1:]) if s else s


def title(s: str) -> str:
    # spec: starlark.string.case
    out = []
    inside = False
    for char in s:
        letter = char.isalpha()
        out.append((lower_char(char) if inside else title_char(char)) if letter else char)
        inside = letter
    return "".join(out)


def isalpha(s: str) -> bool:
    return s.isalpha() if len(s) <= CHARACTERS else all(map(str.isalpha, parts(s, CHARACTERS)))


def isdigit(s: str) -> bool:
    return s.isdecimal() if len(s) <= CHARACTERS else all(map(str.isdecimal, parts(s, CHARACTERS)))


def isalnum(s: str) -> bool:
    return s.isalnum() if s.isascii() else all(c.isalpha() or c.isdecimal() for c in s)


def isspace(s: str) -> bool:
    return bool(s) and _SPACES.issuperset(s)


def _cased(char: str) -> bool:
    return char.islower() or char.isupper() or char.istitle()


def islower(s: str) -> bool:
    return any(map(_cased, s)) and lower(s) == s


def isupper(s: str) -> bool:
    return any(map(_cased, s)) and upper(s) == s


def istitle(s: str) -> bool:
    return s.istitle()


def _search(name: str, s: str, args: tuple[Value, ...]) -> tuple[str, int, int]:
    sub = want_string(name, 1, args[0])
    start, end = bounds(name, 2, args[1:], len(s))
    return sub, start, end


def find(s: str, *args: Value) -> int:
    found = _search("find", s, args)
    search("find", s, found[0])
    return s.find(*found)


def rfind(s: str, *args: Value) -> int:
    found = _search("rfind", s, args)
    search_backwards("rfind", s, found[0])
    return s.rfind(*found)


def index(s: str, *args: Value) -> int:
    found = _search("index", s, args)
    search("index", s, found[0])
    at = s.find(*found)
    return at if at >= 0 else fail_with("eval.value", "index: substring not found")


def rindex(s: str, *args: Value) -> int:
    found = _search("rindex", s, args)
    search_backwards("rindex", s, found[0])
    at = s.rfind(*found)
    return at if at >= 0 else fail_with("eval.value", "rindex: substring not found")


def count(s: str, *args: Value) -> int:
    found = _search("count", s, args)
    search("count", s, found[0])
    return s.count(*found)


def _affixes(name: str, value: Value) -> Value:
    if value.__class__ is tuple:
        for position, item in enumerate(value):
            if item.__class__ is not str:
                fail_with("eval.value", f"{name}: want string, got {type_name(item)}, for element {position}")
    elif value.__class__ is not str:
        wrong_type(name, 1, value, "string or tuple of string")
    return value


def startswith(s: str, *args: Value) -> bool:
    affixes = _affixes("startswith", args[0])
    if len(args) == 1:
        return s.startswith(affixes)
    return s.startswith(affixes, *bounds("startswith", 2, args[1:], len(s)))


def endswith(s: str, *args: Value) -> bool:
    affixes = _affixes("endswith", args[0])
    if len(args) == 1:
        return s.endswith(affixes)
    return s.endswith(affixes, *bounds("endswith", 2, args[1:], len(s)))


def strip(s: str, *args: Value) -> str:
    chars = _chars("strip", args)
    return s.strip(chars) if len(chars) <= SHORT_STRIP else _stripped(s, chars, left=True, right=True)


def lstrip(s: str, *args: Value) -> str:
    chars = _chars("lstrip", args)
    return s.lstrip(chars) if len(chars) <= SHORT_STRIP else _stripped(s, chars, left=True, right=False)


def rstrip(s: str, *args: Value) -> str:
    chars = _chars("rstrip", args)
    return s.rstrip(chars) if len(chars) <= SHORT_STRIP else _stripped(s, chars, left=False, right=True)


def _stripped(s: str, chars: str, *, left: bool, right: bool) -> str:
    # Python looks through all of `chars` for each character of `s`, and hears nothing meanwhile.
    # spec: starlark.limit.interrupt
    unwanted = frozenset().union(*parts(chars, CHARACTERS))
    start, end = 0, len(s)
    while left and start < end and s[start] in unwanted:
        start += 1
    while right and start < end and s[end - 1] in unwanted:
        end -= 1
    return s[start:end]


def _chars(name: str, args: tuple[Value, ...]) -> str:
    return SPACE if not args or args[0] is None else want_string(name, 1, args[0])


def split(s: str, *args: Value) -> List:
    return _split("split", s, args)


def rsplit(s: str, *args: Value) -> List:
    return _split("rsplit", s, args)


def _split(name: str, s: str, args: tuple[Value, ...]) -> List:
    # spec: starlark.string.split
    most = clamp(want_int(name, 2, args[1])) if len(args) > 1 else -1
    most = max(most, -1)
    if not args or args[0] is None:
        if len(s) <= CHARACTERS and (s.isprintable() or not any(char in s for char in _NOT_SPACE)):
            return s.split(None, most) if name == "split" else s.rsplit(None, most)
        return _split_space(s, most) if name == "split" else _rsplit_space(s, most)
    separator = want_string(name, 1, args[0])
    if not separator:
        fail_with("eval.value", f"{name}: empty separator")
    search(name, s, separator)
    if most < 0 and (name == "split" or len(separator) == 1):
        # From which end one character is looked for makes no difference.
        return cut(List(), s, separator)
    if name == "split":
        return s.split(separator, most)
    search_backwards(name, s, separator)
    return s.rsplit(separator, most)


def split_at(s: str, separator: str) -> List:
    """Return `s.split(separator)` where both are known to be strings."""
    return s.split(separator) if separator and len(s) <= CHARACTERS else split(s, separator)


def split_words(s: str) -> List:
    """Return `s.split()`."""
    return s.split() if len(s) <= CHARACTERS and s.isprintable() else split(s)


def _split_space(s: str, most: int) -> list[str]:
    parts: list[str] = []
    for word in _WORD().finditer(s):
        if len(parts) == most:
            parts.append(s[word.start() :])
            break
        parts.append(word[0])
    return parts


def _rsplit_space(s: str, most: int) -> list[str]:
    return [part[::-1] for part in reversed(_split_space(s[::-1], most))]


def splitlines(s: str, *args: Value) -> List:
    # spec: starlark.string.splitlines
    keep = want_bool("splitlines", 1, args[0]) if args else False
    if not s:
        return List()
    lines: list[str] = cut([], s, "\n")
    last = lines.pop()
    made = [line + "\n" for line in lines] if keep else lines
    if last:
        made.append(last)
    return made


def partition(s: str, separator: Value) -> tuple[str, str, str]:
    if not want_string("partition", 1, separator):
        fail_with("eval.value", "partition: empty separator")
    search("partition", s, separator)
    return s.partition(separator)


def rpartition(s: str, separator: Value) -> tuple[str, str, str]:
    if not want_string("rpartition", 1, separator):
        fail_with("eval.value", "rpartition: empty separator")
    search_backwards("rpartition", s, separator)
    return s.rpartition(separator)


def replace(s: str, old: Value, new: Value, *counts: Value) -> str:
    if (
        not counts
        and old.__class__ is str
        and new.__class__ is str
        and len(s) <= CHARACTERS
        and len(new) <= SHORT_SEARCH
        and (len(old) <= SHORT_SEARCH or not COMPARES_ANEW)
    ):
        return s.replace(old, new)
    want_string("replace", 1, old)
    want_string("replace", 2, new)
    most = clamp(want_int("replace", 3, counts[0])) if counts else -1
    search("replace", s, old)
    if (
        len(new) > len(old)
        and len(new) * (len(s) + 1) > MAX_TEXT
        and len(new) * s.count(old) + len(s) > MAX_TEXT
    ):
        fail_with("eval.limit", "replace: result is too long")
    if most < 0 and old:
        return mapped(lambda part: part.replace(old, new), s, old)
    return s.replace(old, new, max(most, -1))


def removeprefix(s: str, prefix: Value) -> str:
    return s[len(prefix) :] if s.startswith(want_string("removeprefix", 1, prefix)) else s


def removesuffix(s: str, suffix: Value) -> str:
    wanted = want_string("removesuffix", 1, suffix)
    return s[: len(s) - len(wanted)] if s.endswith(wanted) else s


def join(s: str, iterable: Value) -> str:
    items = want_items("join", 1, iterable)
    total = len(s) * len(items)
    if total > MAX_TEXT:
        fail_with("eval.limit", "join: result is too long")
    try:
        return s.join(items)
    except TypeError:
        wrong = next(item for item in items if item.__class__ is not str)
        return fail_with("eval.value", f"join: in list, want string, got {type_name(wrong)}")


def elems(s: str) -> Elements:
    return StringElems(s, s, "elems")


def elem_ords(s: str) -> Elements:
    return StringElems(s, tuple(map(ord, s)), "elem_ords")


def codepoints(s: str) -> Elements:
    return StringCodepoints(s, s, "codepoints")


def codepoint_ords(s: str) -> Elements:
    return StringCodepoints(s, tuple(map(ord, s)), "codepoint_ords")


def bytes_elems(b: bytes) -> Elements:
    return BytesElems(b, b, "elems")


# Name: the function, and the least and most arguments. `format` takes keywords and stands elsewhere.
# spec: starlark.string.methods
STRING_METHODS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "capitalize": (capitalize, 0, 0),
    "codepoint_ords": (codepoint_ords, 0, 0),
    "codepoints": (codepoints, 0, 0),
    "count": (count, 1, 3),
    "elem_ords": (elem_ords, 0, 0),
    "elems": (elems, 0, 0),
    "endswith": (endswith, 1, 3),
    "find": (find, 1, 3),
    "index": (index, 1, 3),
    "isalnum": (isalnum, 0, 0),
    "isalpha": (isalpha, 0, 0),
    "isdigit": (isdigit, 0, 0),
    "islower": (islower, 0, 0),
    "isspace": (isspace, 0, 0),
    "istitle": (istitle, 0, 0),
    "isupper": (isupper, 0, 0),
    "join": (join, 1, 1),
    "lower": (lower, 0, 0),
    "lstrip": (lstrip, 0, 1),
    "partition": (partition, 1, 1),
    "removeprefix": (removeprefix, 1, 1),
    "removesuffix": (removesuffix, 1, 1),
    "replace": (replace, 2, 3),
    "rfind": (rfind, 1, 3),
    "rindex": (rindex, 1, 3),
    "rpartition": (rpartition, 1, 1),
    "rsplit": (rsplit, 0, 2),
    "rstrip": (rstrip, 0, 1),
    "split": (split, 0, 2),
    "splitlines": (splitlines, 0, 1),
    "startswith": (startswith, 1, 3),
    "strip": (strip, 0, 1),
    "title": (title, 0, 0),
    "upper": (upper, 0, 0),
}
BYTES_METHODS: dict[str, tuple[Callable[..., Value], int, int]] = {"elems": (bytes_elems, 0, 0)}
