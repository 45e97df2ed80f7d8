"""Keeping secrets out of what is shown and kept: passwords and tokens in URLs, and texts that repeat them.

Loaded by every build that has a lock: little is needed here.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, unquote_to_bytes

from bramble.errors import BrambleError

HIDDEN = "***"

# A scheme is short: a server may send one long word, and each letter of it could begin a scheme.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}:/{1,3}[^\s\"'<>]*")
# Names of query parameters that carry what a signature or a password is worth.
_SECRET_NAMES = (
    r"(?:[A-Za-z0-9]+[-_.])*"
    r"(?:(?:access|auth|private|job|session|security)?token|(?:api|access|secret|private)[-_]?key|sig|signature|"
    r"(?:client)?secret|pass|passwd|password|pwd|auth|authorization|credentials?|jwt)"
)
_SECRET_QUERY = re.compile(rf"([?&;]{_SECRET_NAMES}=)[^&;#\s]*", re.IGNORECASE)
_WORTH_HIDING = 3  # characters; a shorter secret would take ordinary words with it


def redact(url: str) -> str:
    """Return `url` without its user information and without tokens in its query. Any text is a URL here.

    Of a URL that is not http or https a name alone stays, since it is needed and no secret (`git@host`).
    """
    # spec: build.fetch.secrets
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/{1,3}|/{2,3}", url)
    start = found.end() if found else 0
    scheme = ((found.group(1) if found else None) or "").lower()
    rest = url[start:]
    if scheme == "file":
        return _SECRET_QUERY.sub(rf"\g<1>{HIDDEN}", url)
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    at = authority.rfind("@")
    if at < 0 and re.search(r":(?!\d*$)", authority.rpartition("]")[2]) and "@" in rest:
        # A password with a slash in it: what looks like a port is its beginning.
        at = rest.rfind("@")
    if at >= 0 and (start or ":" in rest[:at]):
        user = rest[:at]
        if scheme in ("", "http", "https") or ":" in user:
            name = user.partition(":")[0] if scheme not in ("", "http", "https") else ""
            rest = (f"{name}:{HIDDEN}" if name else HIDDEN) + rest[at:]
    return _SECRET_QUERY.sub(rf"\g<1>{HIDDEN}", url[:start] + rest)


def anonymous(url: str) -> str:
    """Return `url` as a key that holds no secret: what `redact` hides is left out."""
    # spec: build.fetch.key
    return redact(url).replace(f":{HIDDEN}@", "@").replace(f"{HIDDEN}@", "")


def secrets_of(url: str) -> tuple[str, ...]:
    """Return the passwords of a URL in the shapes in which they may be repeated."""
    found: list[str] = []
    match = re.match(r"(?:[A-Za-z][A-Za-z0-9+.-]*:/{1,3})?([^/?#]*)@", url)
    scheme = url.partition(":")[0].lower()
    if match:
        user, colon, password = match.group(1).partition(":")
        if colon or scheme in ("http", "https"):
            found.append(password if colon else user)
            # As in a header: a name alone has an empty password there (RFC 7617).
            both = unquote_to_bytes(match.group(1) if colon else match.group(1) + ":")
            found.append(base64.b64encode(both).decode())
    found += [each.group(0)[len(each.group(1)) :] for each in _SECRET_QUERY.finditer(url)]
    shapes = {shape for one in found for shape in (one, unquote(one), quote(unquote_to_bytes(one), safe=""))}
    return tuple(sorted((shape for shape in shapes if len(shape) >= _WORTH_HIDING), key=len, reverse=True))


def secrets_of_login(name: str, password: str) -> tuple[str, ...]:
    """Return the forms in which a name and a password that are not part of a URL may be repeated."""
    user, word = (quote(os.fsencode(text), safe="") for text in (name, password))
    return secrets_of(f"http://{user}:{word}@host/") if password else ()


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with every URL in it redacted, and without the `secrets`."""
    # spec: build.fetch.secrets
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _URL.sub(lambda url: redact(url.group(0)), text)


def scrubbed(error: BrambleError, secrets: Iterable[str]) -> BrambleError:
    """Return the error without the secrets in its message, remedy and detail."""
    known = tuple(secrets)
    return BrambleError(
        error.code,
        scrub(error.message, known),
        place=error.place,
        remedy=None if error.remedy is None else scrub(error.remedy, known),
        detail=scrub(error.detail, known),
    )
