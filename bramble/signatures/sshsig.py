"""The envelope of signatures by ssh keys, as `ssh-keygen -Y sign` writes it (OpenSSH, PROTOCOL.sshsig). Pure.

What is signed is not the message but a text that holds its hash and a *namespace*: a signature that was
given for one purpose is not valid for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from bramble.record import dataclass
from bramble.signatures.ed25519 import verifies

KEY_TYPE = b"ssh-ed25519"
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_ARMOUR = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END SSH SIGNATURE-----\r?\n?"
)
_LARGEST = 1 << 16  # characters of an envelope


class NoSignature(ValueError):
    """The data is not a valid signature or key.

    The message gives the reason, as a phrase without a full stop.
    """


@dataclass(frozen=True)
class Signature:
    """What an envelope holds."""

    key: bytes  # the public key, 32 bytes
    namespace: bytes
    hash: bytes  # the name of the hash that was signed
    number: bytes  # the signature itself, 64 bytes

    def is_of(self, message: bytes, namespace: str) -> bool:
        """Return whether this is its key's signature of `message`, given for `namespace`."""
        if self.namespace != namespace.encode():
            return False
        hashed = _HASHES[self.hash](message).digest()
        fields = (self.namespace, b"", self.hash, hashed)
        return verifies(self.key, _MAGIC + b"".join(map(_packed, fields)), self.number)


def parse_signature(text: str) -> Signature:
    """Return what the text between the lines `BEGIN SSH SIGNATURE` and `END …` holds. Raises NoSignature."""
    found = _ARMOUR.fullmatch(text) if len(text) <= _LARGEST else None
    if found is None:
        raise NoSignature("it is not an ssh signature")
    reader = _Reader(_unarmoured("".join(found[1].split())))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != _VERSION:
        raise NoSignature("it is an ssh signature of another version")
    key, namespace, reserved, hashed = _key(reader.text()), reader.text(), reader.text(), reader.text()
    inner = _Reader(reader.text())
    kind, number = inner.text(), inner.text()
    if reserved or reader.rest or inner.rest or not namespace:
        raise NoSignature("it contains something that does not belong in an ssh signature")
    if kind != KEY_TYPE or hashed not in _HASHES:
        raise NoSignature(f"it is of the kind {ascii(kind)} with {ascii(hashed)}; ssh-ed25519 is needed")
    return Signature(key, namespace, hashed, number)


def parse_key(line: str) -> bytes:
    """Return the 32 bytes of a key in a line `ssh-ed25519 BASE64 [COMMENT]`. Raises NoSignature."""
    words = line.split(None, 2)
    if len(words) < 2 or words[0].encode() != KEY_TYPE:
        raise NoSignature("a key is written ssh-ed25519 AAAA…")
    return _key(_unarmoured(words[1]))


def key_text(key: bytes) -> str:
    """Return a public key as ssh writes it, without a comment."""
    return f"{KEY_TYPE.decode()} {base64.b64encode(_packed(KEY_TYPE) + _packed(key)).decode()}"


def _key(data: bytes) -> bytes:
    reader = _Reader(data)
    kind, key = reader.text(), reader.text()
    if kind != KEY_TYPE or len(key) != 32 or reader.rest:
        raise NoSignature(f"the key is of the kind {ascii(kind)}; ssh-ed25519 is needed")
    return key


def _unarmoured(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoSignature("it is damaged: base64 is expected") from None


def _packed(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


class _Reader:
    """Reads numbers and texts as ssh packs them (RFC 4251, section 5)."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, size: int) -> bytes:
        if len(self.rest) < size:
            raise NoSignature("it is cut off")
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def text(self) -> bytes:
        return self.take(self.number())
