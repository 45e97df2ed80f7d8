"""HTML as a type of its own: text becomes part of a page by being escaped, and in no other way. Pure.

Packages are strangers' and everything in them may be an attack on who reads about them. So no page is made
by joining strings: what is no `Html` is escaped, and control characters are shown instead of obeyed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union
from urllib.parse import quote

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
# Those that turn the direction of text around: a name could look like another one (Unicode, UAX #9).
_TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Part = Union[str, Html, Iterable["Part"]]


def html(part: Part) -> Html:
    """Return something as HTML: text is escaped, what is `Html` stays, several are joined."""
    # spec: registry.pages.escaped
    if isinstance(part, Html):
        return part
    if isinstance(part, str):
        return Html("".join(map(_character, part)))
    return Html("".join(map(html, part)))


def _character(char: str) -> str:
    escaped = _ESCAPES.get(char)
    if escaped is not None:
        return escaped
    code = ord(char)
    if (
        (code < 0x20 and char not in "\n\t")
        or 0x7F <= code < 0xA0
        or code in _TURNING
        or 0xD800 <= code < 0xE000
    ):
        return f"\\u{{{code:x}}}"
    return char


def element(name: str, /, *parts: Part, **attributes: str) -> Html:
    """Return an element with these parts in it; `klass` and `for_` are the attributes class and for."""
    names = {"klass": "class", "for_": "for"}
    said = "".join(f' {names.get(key, key)}="{html(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{said}>{html(parts)}</{name}>")


def void(name: str, /, **attributes: str) -> Html:
    """Return an element that can have nothing in it."""
    said = "".join(f' {key.replace("_", "-")}="{html(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{said}>")


def link(address: str, /, *parts: Part, **attributes: str) -> Html:
    """Return a link to an address of this registry, which `address` made."""
    return element("a", *parts, href=address, **attributes)


def address(root: str, *parts: str) -> str:
    """Return an address below the root of a registry; `root` leads there from the page: "./", "../" …"""
    # A part is no scheme and no way up: what may be odd in it is escaped, and the root comes first.
    return root + "/".join(quote(part, safe="@+~") for part in parts)
