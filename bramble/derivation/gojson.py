"""JSON as Go's encoder has written it since long before 1.22: one spelling for every value.

Ids and digests are taken over these bytes, so each choice that JSON leaves open
is made here: which characters are escaped and how, no spaces, `null` for what is
empty. The keys of an object are written in the order in which they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bramble.errors import BrambleError

NULL = "null"

# spec: derivation.json.strings
_SPECIAL = re.compile('["\\\\<>&\x00-\x1f\u2028\u2029\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text(value: str) -> str:
    """Return `value` as a JSON string with its quotes.

    Raises derivation.text for a lone surrogate, which no UTF-8 can hold.
    """
    if _SPECIAL.search(value) is None:
        return '"' + value + '"'
    return '"' + _SPECIAL.sub(_escape, value) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if "\ud800" <= character <= "\udfff":
        # spec: derivation.json.utf8
        raise BrambleError(
            "derivation.text",
            f"the text {ascii(found.string)} is not Unicode, and cannot be part of a derivation",
            remedy="use UTF-8 in file names and in strings",
        )
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def texts(values: Iterable[str]) -> str:
    """Return a JSON array of strings, or `null` when there are none."""
    # spec: derivation.json.empty
    items = [text(value) for value in values]
    return "[" + ",".join(items) + "]" if items else NULL


def array(items: Iterable[str]) -> str:
    """Return a JSON array of values that are JSON already, or `null` when there are none."""
    listed = list(items)
    return "[" + ",".join(listed) + "]" if listed else NULL


def mapping(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a JSON object from text to text in the order given, or `null` when there are none."""
    items = [text(key) + ":" + text(value) for key, value in pairs]
    return "{" + ",".join(items) + "}" if items else NULL


def record(fields: Iterable[tuple[str, str]]) -> str:
    """Return a JSON object; the keys are plain words and the values are JSON already."""
    return "{" + ",".join(['"' + key + '":' + value for key, value in fields]) + "}"
