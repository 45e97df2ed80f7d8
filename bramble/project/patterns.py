"""The pattern language of files(): names with `*`, `?`, `[…]`, and `**` for any directories."""

from __future__ import annotations

import re
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple

_WILD = re.compile(r"[*?\[]")
ANY_DEPTH = None  # "**" among the parts of a pattern


class Pattern(NamedTuple):
    """A pattern in parts: `base` is the literal beginning, `parts` the rest, None for `**`.

    Both are relative to the project's root once the pattern is placed. A
    pattern without parts names one file.
    """

    text: str
    base: tuple[str, ...]
    parts: tuple[Optional[re.Pattern[str]], ...]
    hidden: bool  # whether wildcards match a leading dot

    def matches(self, path: tuple[str, ...]) -> bool:
        """Return whether the pattern matches a whole path, given as its names."""
        if path[: len(self.base)] != self.base:
            return False
        return self._matches_rest(path[len(self.base) :])

    def _matches_rest(self, names: tuple[str, ...]) -> bool:
        # The set of positions in `parts` that can be reached: linear in names times parts.
        reached = self._skip({0})
        for name in names:
            following = set()
            for at in reached:
                if at == len(self.parts):
                    continue
                part = self.parts[at]
                if part is not ANY_DEPTH:
                    if part.fullmatch(name) is not None:
                        following.add(at + 1)
                    continue
                if name.startswith(".") and not self.hidden:
                    continue
                following.add(at)
                if at + 1 == len(self.parts):
                    following.add(at + 1)
            reached = self._skip(following)
        return len(self.parts) in reached

    def _skip(self, reached: set[int]) -> set[int]:
        """Return the positions reached if every `**` may match no directory.

        Not the last one: at the end, `**` matches what is in a directory.
        """
        found = set(reached)
        for at in reached:
            while at + 1 < len(self.parts) and self.parts[at] is ANY_DEPTH:
                at += 1
                found.add(at)
        return found

    def covers(self, directory: tuple[str, ...]) -> bool:
        """Return whether the pattern is `DIRECTORY/**`, so that all below the directory matches."""
        if not self.parts or self.parts[-1] is not ANY_DEPTH:
            return False
        inner = Pattern(self.text, self.base, self.parts[:-1], self.hidden)
        return inner.matches(directory)


def parse_pattern(text: str, directory: str, *, hidden: bool) -> Pattern:
    """Return the pattern `text`, meant relative to `directory` of the project, placed at its root.

    With `hidden`, wildcards match a leading dot. Raises load.source-pattern for a
    pattern that is not valid and load.source-outside for one that leaves the project.
    """
    # spec: project.files.patterns
    if not text:
        raise _broken(text, "it is empty", "name a file, or use * for all files of the directory")
    if "\x00" in text:
        raise _broken(text, "it holds a NUL character", "remove the character")
    if text.startswith("/"):
        raise outside(text, "it is absolute")
    base = [name for name in directory.split("/") if name]
    parts: list[Optional[re.Pattern[str]]] = []
    for name in text.split("/"):
        if name in ("", "."):
            continue
        if name == "..":
            if parts:
                raise _broken(text, '".." is after a wildcard', "write .. at the beginning")
            if not base:
                raise outside(text, "it leads above the project's root")
            base.pop()
        elif name == "**":
            parts.append(ANY_DEPTH)
        elif parts or _WILD.search(name):
            parts.append(_compile(name, text, hidden))
        else:
            base.append(name)
    return Pattern(text, tuple(base), tuple(parts), hidden)


def outside(text: str, why: str) -> BrambleError:
    """Return the error for a pattern or a source that is not in the project."""
    # spec: project.files.outside
    return BrambleError(
        "load.source-outside",
        f'"{text}" is outside the project: {why}',
        remedy="copy the file into the project; a build sees nothing else",
    )


def _broken(text: str, why: str, remedy: str) -> BrambleError:
    return BrambleError("load.source-pattern", f"{ascii(text)} is not a pattern: {why}", remedy=remedy)


def _compile(name: str, text: str, hidden: bool) -> re.Pattern[str]:
    """Return the expression for one name of a pattern."""
    if "**" in name:
        raise _broken(text, '"**" is not alone between slashes', "write **/*.c for all .c files below")
    pieces = [] if hidden or name.startswith(".") else [r"(?!\.)"]
    at = 0
    while at < len(name):
        character = name[at]
        at += 1
        if character == "*":
            pieces.append(".*")
        elif character == "?":
            pieces.append(".")
        elif character == "[":
            piece, at = _class(name, at, text)
            pieces.append(piece)
        else:
            pieces.append(re.escape(character))
    return re.compile("".join(pieces), re.DOTALL)


def _class(name: str, start: int, text: str) -> tuple[str, int]:
    """Return the expression for `[…]`, whose first character is at `start`, and its end."""
    at = start
    negated = name.startswith(("!", "^"), at)
    at += negated
    # A bracket that comes first is a member of the class and does not close it.
    end = name.find("]", at + 1)
    if end < 0:
        raise _broken(text, '"[" is not closed', "write [[] for the character itself")
    members = name[at:end]
    pieces = []
    while members:
        if len(members) >= 3 and members[1] == "-":
            low, high, members = members[0], members[2], members[3:]
            if low > high:
                raise _broken(text, f"the range {low}-{high} is empty", f"write {high}-{low}")
            pieces.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            pieces.append(re.escape(members[0]))
            members = members[1:]
    return f"[{'^' if negated else ''}{''.join(pieces)}]", end + 1
