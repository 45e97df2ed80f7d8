"""Checksums of downloaded bytes, in the spellings in which upstreams publish them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import dataclass

# Strongest first. The sizes are bytes.
_SIZES = {"sha512": 64, "sha384": 48, "sha256": 32}
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Checksum:
    """What the bytes of a file must hash to."""

    algorithm: str  # a name that hashlib knows
    digest: bytes


def checksum_of(name: str, env: Mapping[str, str]) -> Optional[Checksum]:
    """Return the checksum that the variables of a download state; None if they state none.

    `sha256` and `sha512` hold hexadecimal or base64 digits, or the SRI form; `integrity`
    holds the SRI form, of which the strongest algorithm counts (W3C Subresource
    Integrity, 3.3.2). `name` is the derivation's, for messages. Raises fetch.checksum.
    """
    # spec: build.fetch.checksum
    found = {}
    for variable in ("sha256", "sha512"):
        text = env.get(variable, "")
        if text:
            digest = _digest(text.removeprefix(variable + "-"), _SIZES[variable])
            if digest is None:
                raise _broken(name, variable, text, f"{_SIZES[variable] * 2} hexadecimal digits, or base64")
            found[variable] = digest
    integrity = env.get("integrity", "")
    stated = [word.partition("?")[0].partition("-")[::2] for word in integrity.split()]
    known = [(algorithm, digits) for algorithm, digits in stated if algorithm in _SIZES]
    if integrity and not known:
        raise _broken(name, "integrity", integrity, "such as sha512-… with base64")
    for algorithm, digits in known:
        digest = _digest(digits, _SIZES[algorithm])
        if digest is None:
            raise _broken(name, "integrity", integrity, "such as sha512-… with base64")
        if found.setdefault(algorithm, digest) != digest:
            raise _broken(name, "integrity", integrity, f"one {algorithm} and not two")
    for algorithm in _SIZES:
        if algorithm in found:
            return Checksum(algorithm, found[algorithm])
    return None


def verify(path: str, want: Checksum, *, name: str, url: str) -> None:
    """Raise fetch.checksum-mismatch unless the file has the checksum. `name` and `url` are for messages."""
    hasher = hashlib.new(want.algorithm)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            hasher.update(block)
    if hasher.digest() != want.digest:
        raise BrambleError(
            "fetch.checksum-mismatch",
            f'"{name}": the {want.algorithm} of {url} is {hasher.hexdigest()}, '
            f"but should be {want.digest.hex()}",
            remedy="nothing was stored. If the file was meant to change, correct the checksum; "
            "if not, it was changed in transit or on the server",
        )


def _digest(digits: str, size: int) -> Optional[bytes]:
    if re.fullmatch(r"[0-9a-fA-F]*", digits) and len(digits) == size * 2:
        return bytes.fromhex(digits)
    try:
        found = base64.b64decode(digits.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return found if len(found) == size else None


def _broken(name: str, variable: str, text: str, wanted: str) -> BrambleError:
    return BrambleError(
        "fetch.checksum",
        f'"{name}": {variable} is "{text}", which is not a checksum',
        remedy=f"write {wanted}; leave it out, and the first build pins the download in the lock",
    )
