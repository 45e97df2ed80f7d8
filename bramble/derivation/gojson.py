"""JSON as Go's encoder has written it since long before 1.22: one spelling for every value.

Ids and digests are taken over these bytes, so each choice that JSON leaves open
is made here: which characters are escaped and how, no spaces, `null` for what is
empty. The keys of an object are written in the order in which they are given.

A document is put together as text, strings by `text` and the rest as it stands,
and becomes bytes once, in `encoded`. What Python's own encoder escapes otherwise
than Go's is looked for only there: in the whole, since outside of strings a
document has no such character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from json.encoder import encode_basestring

from bramble.errors import BrambleError

NULL = "null"

# What is left to be escaped when each string has been escaped as JSON demands. An escaped backslash is
# matched, and stays, so that what follows it is not taken for the end of an escape.
# spec: derivation.json.strings
_SPECIAL = re.compile("[<>&\u2028\u2029]|\\\\[\\\\bf]")
_SPELLED = {"\\\\": "\\\\", "\\b": "\\u0008", "\\f": "\\u000c"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

text = encode_basestring  # a JSON string with its quotes


def texts(values: Iterable[str]) -> str:
    """Return a JSON array of strings, or `null` when there are none."""
    # spec: derivation.json.empty
    return array(map(text, values))


def array(items: Iterable[str]) -> str:
    """Return a JSON array of values that are JSON already, or `null` when there are none."""
    listed = ",".join(items)
    return "[" + listed + "]" if listed else NULL


def mapping(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a JSON object from text to text in the order given, or `null` when there are none."""
    listed = ",".join([text(key) + ":" + text(value) for key, value in pairs])
    return "{" + listed + "}" if listed else NULL


def encoded(document: str) -> bytes:
    """Return the bytes of a document that was composed by the other functions of this module.

    Raises derivation.text for a lone surrogate, which no UTF-8 can hold.
    """
    # One look for each character: a pattern that looks for all of them at once is fifty times as slow.
    # spec: derivation.json.strings
    if (
        "<" in document
        or ">" in document
        or "&" in document
        or "\\" in document
        or "\u2028" in document
        or "\u2029" in document
    ):
        document = _SPECIAL.sub(_spell, document)
    try:
        return document.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _no_unicode(document, error.start) from error


def _spell(found: re.Match[str]) -> str:
    return _SPELLED.get(found[0]) or f"\\u{ord(found[0]):04x}"


def _no_unicode(document: str, place: int) -> BrambleError:
    # spec: derivation.json.utf8
    culprit = next(string for string in _STRING.finditer(document) if string.end() > place)
    return BrambleError(
        "derivation.text",
        f"the text {ascii(json.loads(culprit[0]))} is not Unicode, and cannot be part of a derivation",
        remedy="use UTF-8 in file names and in strings",
    )
