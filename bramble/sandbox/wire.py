"""What the caller and the helper have in common: how they write to each other, and what the helper looks for.

They write values of Python, each with its length before it. Both are one program, run by one interpreter, so
they use the form that this one has for its own bytecode. It is there without importing anything, and the
helper starts in less than two thirds of the time.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Devices that a sandbox may have: name → major and minor number.
DEVICES = {
    "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
}  # fmt: skip
# Files of the machine that a sandbox with the network needs, where they exist.
NETWORK_FILES = (
    "/etc/hosts", "/etc/nsswitch.conf", "/etc/protocols", "/etc/resolv.conf", "/etc/services",
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)  # fmt: skip
_LENGTH = 4  # bytes, little endian


def packed(value: Any) -> bytes:
    """Return a value of plain Python (None, numbers, text, bytes, tuples, lists, dicts) as a message."""
    # spec: sandbox.launcher
    data = marshal.dumps(value)
    return len(data).to_bytes(_LENGTH, "little") + data


def unpacked(received: bytearray) -> Iterator[Any]:
    """Yield the values whose messages have come whole, and take each from the beginning of `received`."""
    while len(received) >= _LENGTH:
        end = _LENGTH + int.from_bytes(received[:_LENGTH], "little")
        if len(received) < end:
            return
        value = marshal.loads(received[_LENGTH:end])
        del received[:end]
        yield value
