"""Which servers may be reached where strangers choose: those of the public internet, and hosts by name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterable, Sequence
from typing import Optional

from bramble.errors import BrambleError

_PORT = 443


def refuse_inner(shown: str, host: str, addresses: Iterable[str], but: Optional[Collection[str]]) -> None:
    """Demand that all addresses of a host are public, unless the host is in `but`, or `but` is None.

    `shown` is the URL, for messages. Raises fetch.out-of-reach.
    """
    # spec: build.fetch.public
    if but is None or host.lower() in but:
        return
    inner = next((address for address in addresses if not is_public(address)), None)
    if inner is not None:
        raise BrambleError(
            "fetch.out-of-reach",
            f"{shown} is not fetched: its host has the address {inner}, which is not of the public internet",
            remedy="fetch it from a public place, or have whoever runs this allow the host",
        )


def is_public(address: str) -> bool:
    """Tell whether an address, as text, can be reached by everybody and means one machine."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or found
    return bool(inner.is_global and not inner.is_multicast)


def addresses_of(host: str) -> Sequence[str]:
    """Return the addresses of a host, as text. Raises OSError."""
    found = socket.getaddrinfo(host.encode("ascii", "replace"), _PORT, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]
