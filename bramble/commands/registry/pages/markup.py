"""HTML as a separate type: text becomes part of a page only by being escaped. Pure.

Packages are strangers' and everything in them may be an attack on who reads about them. So no page is made
by joining strings: what is not an `Html` is escaped, and control characters are shown instead of obeyed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union
from urllib.parse import quote

# Those that turn the direction of text around: a name could look like another one (Unicode, UAX #9).
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
_CONTROLS = (*set(range(0x20)).difference(b"\n\t"), *range(0x7F, 0xA0), *range(0xD800, 0xE000))
_ESCAPES = {
    **{code: f"\\u{{{code:x}}}" for code in (*_CONTROLS, *_TURNING)},
    **str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}),
}


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
        return Html(part.translate(_ESCAPES))
    return Html("".join(map(html, part)))


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
    # A part can be neither a scheme nor `..`: special characters are escaped, and the root comes first.
    return root + "/".join(quote(part, safe="@+~") for part in parts)
