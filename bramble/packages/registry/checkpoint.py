"""What the owner of a registry signs: how long the index is, and what it holds so far. Pure.

    bramble registry 1
    packages.example.com
    18371
    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    -----BEGIN SSH SIGNATURE-----
    …

The first line is the form's name and version, the second the *origin*, by which the owner calls the
registry wherever it is served; then come the size in bytes and the SHA-256 of what the index holds up to
there. The signature is one of ssh-keygen, in a separate namespace, over these four lines.
"""

from __future__ import annotations

import hashlib
import re
from typing import NoReturn, Optional

from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_CHECKPOINT, LARGEST_INDEX
from bramble.record import NamedTuple
from bramble.signatures.sshsig import NoSignature, key_text, parse_key, parse_signature

CHECKPOINT = "index.signed"
NAMESPACE = "bramble-registry"
_FORM = re.compile(
    r"bramble registry 1\n"
    r"([!-~]{1,255})\n"
    r"(0|[1-9][0-9]{0,14})\n"
    r"([0-9a-f]{64})\n"
)  # fmt: skip
_ORIGIN = re.compile(r"[!-~]{1,255}")


class Checkpoint(NamedTuple):
    """What an index was at some time."""

    origin: str
    size: int  # in bytes
    sha256: str  # of these bytes, 64 digits

    @property
    def text(self) -> bytes:
        """The four lines that are signed."""
        return f"bramble registry 1\n{self.origin}\n{self.size}\n{self.sha256}\n".encode("ascii")


def is_origin(text: str) -> bool:
    """Return whether a registry can be called so."""
    # spec: registry.checkpoint
    return _ORIGIN.fullmatch(text) is not None


def checkpoint_of(origin: str, index: bytes) -> Checkpoint:
    """Return the checkpoint of an index. Raises registry.checkpoint for an origin that is not valid."""
    # spec: registry.checkpoint
    if not is_origin(origin):
        _refuse(f"{ascii(origin)} is not a valid origin: 1 to 255 printable ASCII characters without spaces")
    return Checkpoint(origin, len(index), hashlib.sha256(index).hexdigest())


def signed_form(checkpoint: Checkpoint, signature: str) -> bytes:
    """Return the content of the file: the checkpoint, then its signature as ssh-keygen writes it."""
    return checkpoint.text + signature.rstrip("\n").encode("ascii") + b"\n"


def verified(data: bytes, key: str) -> Checkpoint:
    """Return the checkpoint in the content of `index.signed`, which `key` has signed.

    `key` is a public key as ssh writes it. Raises registry.checkpoint if the form is another,
    registry.signature if that key has not signed it, config.registries if `key` is not valid.
    """
    # spec: registry.checkpoint, registry.signature
    checkpoint, signature = _parted(data)
    try:
        wanted = parse_key(key)
    except NoSignature as error:
        raise BrambleError(
            "config.registries",
            f"{ascii(key[:100])} is not a valid public key: {error}",
            remedy='write the line of the registry\'s public key: "ssh-ed25519 AAAA…"',
        ) from None
    try:
        found = parse_signature(signature)
    except NoSignature as error:
        raise _unsigned(f"it has no valid signature: {error}") from None
    if found.key != wanted:
        raise _unsigned(f"it is signed with {key_text(found.key)}, but {key_text(wanted)} is trusted")
    if not found.is_of(checkpoint.text, NAMESPACE):
        raise _unsigned("the signature does not belong to this text")
    return checkpoint


def signer(data: bytes) -> str:
    """Return the public key, as ssh writes it, that the signature in the content of `index.signed` names.

    For the registry itself, as `believed`. Raises registry.checkpoint, registry.signature.
    """
    try:
        return key_text(parse_signature(_parted(data)[1]).key)
    except NoSignature as error:
        raise _unsigned(f"it has no valid signature: {error}") from None


def believed(data: bytes) -> Checkpoint:
    """Read the checkpoint of `index.signed`, without checking who signed it. Raises registry.checkpoint.

    For the registry itself, which reads what it wrote.
    """
    return _parted(data)[0]


def refuse_rewritten(before: Optional[Checkpoint], now: Checkpoint, index: bytes) -> None:
    """Check that `index`, up to its size, is what `now` states, and continues what `before` stated.

    Raises registry.history if another origin speaks, where the index is shorter than it was, and where
    its beginning is another; registry.index where it is not what was signed.
    """
    # spec: registry.history
    if before is not None:
        refuse_older(before, now)
        _refuse_another(before, hashlib.sha256(index[: before.size]).hexdigest())
    found = hashlib.sha256(index[: now.size]).hexdigest()
    if found != now.sha256:
        raise BrambleError(
            "registry.index",
            f"the first {now.size} bytes of the index have the SHA-256 {found}, but {now.sha256} is signed",
            remedy="only the operator of the registry can correct this; nothing from it is used until then",
        )


def refuse_older(before: Checkpoint, now: Checkpoint) -> None:
    """Demand that `now` can be later than `before`, as far as the two alone tell. Raises registry.history."""
    # spec: registry.history
    if now.origin != before.origin:
        raise _rewritten(f'its name is "{now.origin}" now, and was "{before.origin}"')
    if now.size < before.size:
        raise _rewritten(f"its index had {before.size} bytes, and is signed with {now.size} now")
    if now.size == before.size:
        _refuse_another(before, now.sha256)


def _refuse_another(before: Checkpoint, found: str) -> None:
    if found != before.sha256:
        raise _rewritten(
            f"the first {before.size} bytes of its index had the SHA-256 {before.sha256}, "
            f"and have {found} now"
        )


def _parted(data: bytes) -> tuple[Checkpoint, str]:
    if len(data) > LARGEST_CHECKPOINT:
        _refuse(f"it has {len(data)} bytes, and at most {LARGEST_CHECKPOINT} are read")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        _refuse("it has characters outside of ASCII")
    found = _FORM.match(text)
    if found is None:
        _refuse(f"it begins with {ascii(text[:60])}")
    if int(found[2]) > LARGEST_INDEX:
        _refuse(f"an index of {found[2]} bytes is signed, and at most {LARGEST_INDEX} are read")
    return Checkpoint(found[1], int(found[2]), found[3]), text[found.end() :]


def _refuse(fact: str) -> NoReturn:
    raise BrambleError(
        "registry.checkpoint",
        f"{CHECKPOINT} is not a checkpoint of a registry: {fact}",
        remedy="check the URL; its content is not used",
    )


def _unsigned(fact: str) -> BrambleError:
    return BrambleError(
        "registry.signature",
        f"{CHECKPOINT} is not what the trusted key has signed: {fact}",
        remedy="nothing from this registry is used; ask its operator for the key over another channel",
    )


def _rewritten(fact: str) -> BrambleError:
    return BrambleError(
        "registry.history",
        f"the registry has rewritten its history: {fact}",
        remedy="nothing from it is used, since versions may have been changed; ask its operator why",
    )
