"""Regular expressions whose search takes no longer than pattern times text, and can be stopped.

Python's `re` goes back and tries again: with `(a+)+$` forty letters take hours, and neither Ctrl-C nor a
limit on steps ends it. Here all ways through the pattern are followed at once, one character of the text
after another (K. Thompson, Regular Expression Search Algorithm, 1968).

A pattern is a list of instructions, each a tuple; jumps are relative to their own instruction:

- `("in", bounds)` takes one code point of a set;
- `("at", name)` takes nothing, and holds at certain places: `^`, `$`, `b`, `B`;
- `("split", first, second)` goes on at both, `("jump", to)` at one.

The bounds of a set are in order: its members begin at the first, end before the second, begin again at the
third and so on. The position after the last instruction is the end of a match.
"""

from __future__ import annotations

from bisect import bisect_right

from .errors import EvalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn, Optional

    Instruction = tuple[Any, ...]
    Code = list[Instruction]
    Set = tuple[int, ...]

# The most code points of a pattern, instructions that it becomes, and times that something is repeated.
MAX_PATTERN = 10_000
_MAX_CODE = 10_000
_MAX_REPEAT = 1000
# The first number that is not a code point.
_BEYOND = 0x110000

_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PLACES = {"A": "^", "z": "$", "b": "b", "B": "B"}


class _Bad(Exception):
    """The text is not a regular expression."""


def _set_of(ranges: Iterable[tuple[int, int]]) -> Set:
    """Return the bounds of the set of the code points of ranges, whose last ones belong to them."""
    bounds: list[int] = []
    for low, high in sorted(ranges):
        if bounds and low <= bounds[-1]:
            bounds[-1] = max(bounds[-1], high + 1)
        else:
            bounds += [low, high + 1]
    return tuple(bounds)


def _others(bounds: Set) -> Set:
    return bounds[1:] if bounds[:1] == (0,) else (0, *bounds)


def _has(bounds: Set, char: str) -> bool:
    return bisect_right(bounds, ord(char)) % 2 == 1


def _set(*ranges: str) -> Set:
    return _set_of((ord(pair[0]), ord(pair[-1])) for pair in ranges)


_WORD = _set("09", "AZ", "_", "az")
_SETS = {"d": _set("09"), "w": _WORD, "s": _set("\t\n", "\f\r", " ")}
_IN_LINE = _others(_set("\n"))


def compile_pattern(text: str) -> Optional[Code]:
    """Return the instructions of a regular expression, or None for a text that is not one.

    Raises EvalError for one that is too large.
    """
    # spec: starlark.assert.pattern
    if len(text) > MAX_PATTERN:
        _too_large()
    try:
        return _Parser(text).whole()
    except _Bad:
        return None


def _too_large() -> NoReturn:
    # spec: starlark.assert.pattern.limit
    raise EvalError("eval.limit", "fails: pattern is too large")


class _Parser:
    """Reads one pattern. Groups are kept in a list, not on Python's stack, since they may nest deeply."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Code:
        # Of each open group, the outermost being the pattern: the alternatives before the last `|`, if
        # there are any, what comes before the last atom, and that atom, if it can be repeated.
        groups: list[tuple[Optional[Code], Code]] = []
        earlier: Optional[Code] = None
        before: Code = []
        atom: Optional[Code] = None
        while self.at < len(self.text):
            char = self.text[self.at]
            repeated = self.repetition()
            if repeated is not None:
                if atom is None:
                    raise _Bad
                before = _joined(before, _repeat(atom, *repeated))
                atom = None
                continue
            before = _joined(before, atom or [])
            atom = None
            self.at += 1
            if char == "(":
                self.group()
                groups.append((earlier, before))
                earlier, before = None, []
            elif char == "|":
                earlier = _either(earlier, before)
                before = []
            elif char == ")":
                if not groups:
                    raise _Bad
                atom = _either(earlier, before)
                earlier, before = groups.pop()
            else:
                atom = self.atom(char)
        if groups:
            raise _Bad
        return _either(earlier, _joined(before, atom or []))

    def take(self) -> str:
        if self.at >= len(self.text):
            raise _Bad
        self.at += 1
        return self.text[self.at - 1]

    def group(self) -> None:
        """Read what may follow an opening parenthesis: `?:`, and nothing else with a question mark."""
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self.text.startswith("?", self.at):
            raise _Bad

    def repetition(self) -> Optional[tuple[int, Optional[int]]]:
        """Read `*`, `+`, `?` or `{…}` if one stands here, and return the least and most times."""
        char = self.text[self.at]
        if char in "*+?":
            self.at += 1
            found: tuple[int, Optional[int]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        else:
            counted = self.counted() if char == "{" else None
            if counted is None:
                return None
            found = counted
        # How much is matched makes no difference to whether something is.
        if self.text.startswith("?", self.at):
            self.at += 1
        return found

    def counted(self) -> Optional[tuple[int, Optional[int]]]:
        """Read `{2}`, `{2,}` or `{2,5}`; any other brace is a literal character."""
        close = self.text.find("}", self.at, self.at + 16)
        if close < 0:
            return None
        least, comma, most = self.text[self.at + 1 : close].partition(",")
        if not all(part.isascii() and part.isdigit() for part in (least, most or "0")):
            return None
        self.at = close + 1
        bounds = int(least), int(most) if most else None if comma else int(least)
        if bounds[0] > _MAX_REPEAT or (bounds[1] is not None and not bounds[0] <= bounds[1] <= _MAX_REPEAT):
            raise _Bad
        return bounds

    def atom(self, char: str) -> Code:
        if char == ".":
            return [("in", _IN_LINE)]
        if char in "^$":
            return [("at", char)]
        if char == "[":
            return [self.set()]
        if char != "\\":
            return [("in", _set(char))]
        char = self.take()
        if char in _PLACES:
            return [("at", _PLACES[char])]
        return [("in", self.escaped(char))]

    def escaped(self, char: str) -> Set:
        """Return what a letter, digit or sign behind a backslash means."""
        if char.lower() in _SETS:
            return _others(_SETS[char.lower()]) if char.isupper() else _SETS[char.lower()]
        if char == "x":
            digits = self.take() + self.take()
            if not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise _Bad
            plain = chr(int(digits, 16))
        elif char in _CONTROLS:
            plain = _CONTROLS[char]
        elif char.isascii() and not char.isalnum():
            plain = char
        else:
            raise _Bad
        return _set(plain)

    def set(self) -> Instruction:
        """Read `[…]` behind its bracket."""
        negated = self.text.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[int, int]] = []
        first = True
        while True:
            char = self.take()
            if char == "]" and not first:
                found = _set_of(ranges)
                return "in", _others(found) if negated else found
            first = False
            low = self.member(char)
            if low is None:
                # `\d` and its like cannot be bounds of a range.
                named = self.escaped(self.text[self.at - 1])
                ranges += [(a, b - 1) for a, b in zip(named[::2], (*named[1::2], _BEYOND))]
            elif self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at):
                self.at += 1
                high = self.member(self.take())
                if high is None or high < low:
                    raise _Bad
                ranges.append((low, high))
            else:
                ranges.append((low, low))

    def member(self, char: str) -> Optional[int]:
        """Return the code point of a member of a set, or None for a member that is itself a set."""
        if char == "[" and self.text.startswith(":", self.at):
            raise _Bad
        if char != "\\":
            return ord(char)
        char = self.take()
        return None if char.lower() in _SETS else self.escaped(char)[0]


# ---- instructions of parts


def _joined(first: Code, second: Code) -> Code:
    if len(first) + len(second) > _MAX_CODE:
        _too_large()
    first.extend(second)
    return first


def _either(first: Optional[Code], second: Code) -> Code:
    if first is None:
        return second
    if len(first) + len(second) + 2 > _MAX_CODE:
        _too_large()
    return [("split", 1, len(first) + 2), *first, ("jump", len(second) + 1), *second]


def _repeat(code: Code, least: int, most: Optional[int]) -> Code:
    if (len(code) + 1) * max(least + 1, most or 0) > _MAX_CODE:
        _too_large()
    made = code * least
    if most is None:
        return [*made, ("split", 1, len(code) + 2), *code, ("jump", -len(code) - 1)]
    for left in range(most - least, 0, -1):
        made.append(("split", 1, left * (len(code) + 1)))
        made.extend(code)
    return made


# ---- searching


def is_found(code: Code, text: str, tick: Callable[[], object]) -> bool:
    """Return whether a pattern matches somewhere in a text. `tick` is called once for each step.

    What `tick` raises ends the search.
    """
    waiting: list[int] = []
    for at in range(len(text) + 1):
        states = _followed(code, [*waiting, 0], text, at, tick)
        if states is None:
            return True
        if at < len(text):
            char = text[at]
            waiting = [state + 1 for state in states if _has(code[state][1], char)]
    return False


def _followed(
    code: Code, todo: list[int], text: str, at: int, tick: Callable[[], object]
) -> Optional[list[int]]:
    """Return the instructions that take a code point and can be reached without one; None: the end can be."""
    seen: set[int] = set()
    states = []
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        tick()
        if state == len(code):
            return None
        instruction = code[state]
        kind = instruction[0]
        if kind == "in":
            states.append(state)
        elif kind == "split":
            todo += [state + instruction[1], state + instruction[2]]
        elif kind == "jump":
            todo.append(state + instruction[1])
        elif _holds(instruction[1], text, at):
            todo.append(state + 1)
    return states


def _holds(place: str, text: str, at: int) -> bool:
    """Return whether a place of a text is its beginning, its end, or a word's."""
    if place == "^":
        return at == 0
    if place == "$":
        return at == len(text)
    before = at > 0 and _has(_WORD, text[at - 1])
    behind = at < len(text) and _has(_WORD, text[at])
    return (before != behind) == (place == "b")
