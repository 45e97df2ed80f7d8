"""Reaching a server: a connected socket, perhaps through a proxy."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import select
import socket
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from queue import Empty, Queue
from typing import Any, Callable, Optional, Union

from bramble.build.fetch.response import Wire, read_head
from bramble.build.task import Cancelled
from bramble.errors import BrambleError

_HTTPS = 443
POLL = 0.1  # seconds until a cancellation is noticed
# Of IPv6, only this is given to anybody to be reached (RFC 4291, 2.4); elsewhere, kernels and routers may
# take an address for one of IPv4, or of the site, and Pythons differ in what they know of that.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_NO_UNICAST = tuple(
    ipaddress.IPv6Network(one)
    for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")  # RFC 2928, 3849, 3056, 9637
)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_Address = tuple[Any, Any, int, str, Any]  # as socket.getaddrinfo gives them


class Passing(Exception):
    """A failure after which another attempt may succeed; `error` is raised if no attempt is left."""

    def __init__(self, error: BrambleError, pause: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.pause = pause


def dial(
    host: str,
    port: int,
    timeout: float,
    cancelled: threading.Event,
    allow: Callable[[Iterable[str]], None] = lambda _: None,
) -> socket.socket:
    """Return a connected socket, trying the host's addresses in turn, each for its part of the time.

    `allow` is given the addresses, as text, and raises what speaks against them.
    """
    failure: OSError = OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    addresses = _addresses(host, port, timeout, cancelled)
    allow(str(one[4][0]) for one in addresses)
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code == errno.EINPROGRESS:
                code = _connected(sock, timeout / len(addresses), cancelled)
            if code:
                raise OSError(code, os.strerror(code))
            sock.settimeout(timeout)
            return sock
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure


def _addresses(host: str, port: int, timeout: float, cancelled: threading.Event) -> list[_Address]:
    """Look a host up, in a thread that is left alone when it is waited for no longer: nothing can stop it."""
    found: Queue[Union[list[_Address], Exception]] = Queue()
    # Given as text, it would be encoded by rules that ASCII needs not, with tables that a Python may lack.
    name = host.encode() if host.isascii() else host

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except Exception as error:  # whatever it is, it is waited for
            found.put(error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    until = time.monotonic() + timeout
    while not cancelled.is_set():
        with contextlib.suppress(Empty):
            addresses = found.get(timeout=POLL)
            if isinstance(addresses, list):
                return addresses
            raise addresses
        if time.monotonic() > until:
            raise TimeoutError(errno.ETIMEDOUT, f"{host} could not be looked up in time")
    raise Cancelled


def _connected(sock: socket.socket, timeout: float, cancelled: threading.Event) -> int:
    """Wait for a connection that was begun; return its errno, 0 for success."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    until = time.monotonic() + timeout
    while not poll.poll(POLL * 1000):
        if cancelled.is_set():
            raise Cancelled
        if time.monotonic() > until:
            return errno.ETIMEDOUT
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def proxy_refusal(variable: str) -> BrambleError:
    """Return the error for a proxy that answers 407."""
    return BrambleError(
        "fetch.proxy",
        "the proxy requires a name and a password, or does not accept those that it was given",
        remedy=f"write NAME:PASSWORD@ before the host in {variable} (or all_proxy)",
    )


def tunnel(sock: socket.socket, host: str, port: int, headers: Mapping[str, str]) -> None:
    """Have a proxy connect the socket through to `host` (RFC 9110, 9.3.6).

    Raises Malformed, Ended, OSError, Passing, fetch.proxy.
    """
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    # One byte at a time: what follows the header belongs to TLS.
    head = read_head(Wire(sock.recv, ahead=1))
    if head.status == 407:
        raise proxy_refusal("https_proxy")
    if not 200 <= head.status < 300:
        raise Passing(
            BrambleError(
                "fetch.unreachable",
                f"the proxy does not connect to {host}: {head.status} {head.reason[:200]}",
                remedy="check https_proxy, and list hosts that need no proxy in no_proxy",
            )
        )


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
            f"{shown} is not fetched: its host has the address {inner}, which is not public",
            remedy="fetch it from a public place, or ask the operator to allow the host",
        )


def is_public(address: str) -> bool:
    """Return whether an address, as text, can be reached by everybody and means one machine."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or (_translated(found) if found in _TRANSLATED else None)
        if inner is not None:
            found = inner
        elif found not in _UNICAST or any(found in other for other in _NO_UNICAST):
            return False
    return bool(found.is_global and not found.is_multicast)


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    """Return the address of IPv4 to which a translator (RFC 6052) leads."""
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def addresses_of(host: str) -> Sequence[str]:
    """Return the addresses of a host, as text. Raises OSError."""
    found = socket.getaddrinfo(host.encode("ascii", "replace"), _HTTPS, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]
