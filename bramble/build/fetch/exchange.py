"""One request to a server that does something, and its answer as it comes: no file, no second attempt.

What `transfer` knows of networks holds here too: proxies, authorities, names and passwords, a server that
stays silent. No redirect is followed: what is sent is for the server that was named.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Optional
from urllib.parse import SplitResult, unquote, urlunsplit

from bramble import __version__
from bramble.build.fetch.address import PORTS, NoUrl, basic, parts_of, without_user
from bramble.build.fetch.connect import Passing, dial, tunnel
from bramble.build.fetch.credentials import authorization_for, secrets_of_authorization
from bramble.build.fetch.discretion import redact, scrubbed, secrets_of, secrets_of_login
from bramble.build.fetch.netrc import login_for
from bramble.build.fetch.proxies import proxy_of
from bramble.build.fetch.response import Ended, Head, Malformed, Wire, body, framing, read_head
from bramble.build.fetch.secure import secured, tls_trouble
from bramble.build.options import FetchOptions
from bramble.errors import BrambleError
from bramble.record import NamedTuple

_SCHEMES = ("http", "https")


class Sent(NamedTuple):
    """What is sent with POST."""

    kind: str  # media type
    data: bytes


@contextlib.contextmanager
def exchange(
    url: str,
    options: FetchOptions,
    cancelled: threading.Event,
    *,
    sent: Optional[Sent] = None,
    accept: str = "application/json",
) -> Iterator[tuple[Head, Iterator[bytes]]]:
    """Send one request, GET or with `sent` POST, and give the head of the answer and its body as it comes.

    Raises fetch.url, fetch.offline, fetch.unreachable, fetch.timeout, fetch.cut-short, fetch.protocol,
    fetch.tls, fetch.proxy, fetch.netrc, fetch.credentials, also while the body is read; Cancelled.
    """
    try:
        address, user = without_user(parts_of(url))
        host = address.hostname or ""
    except NoUrl as error:
        raise _no_url(url, str(error)) from None
    if address.scheme not in _SCHEMES or not host:
        raise _no_url(url, "it begins with http:// or https://")
    # spec: build.fetch.offline
    if options.offline:
        raise BrambleError(
            "fetch.offline", f"{redact(url)} cannot be asked while offline", remedy="omit --offline"
        )
    secrets = list(secrets_of(url))
    try:
        if user is None:
            # spec: build.fetch.credentials
            user = authorization_for(options.credentials, address)
            secrets += secrets_of_authorization(user or "")
        if user is None:
            login = login_for(options.netrc, host, default=address.scheme == "https")
            if login is not None:
                secrets += secrets_of_login(login.login, login.password)
                user = basic(f"{login.login}:{login.password}")
        with contextlib.ExitStack() as stack:
            sock = _connected(address, options, cancelled, stack, secrets)
            sock.sendall(_request(address, options, user, sent, accept))
            wire = Wire(sock.recv)
            head = read_head(wire)
            yield head, body(wire, framing(head))
    except BrambleError as error:
        raise scrubbed(error, secrets) from None
    except Passing as error:
        raise scrubbed(error.error, secrets) from None
    except Malformed as error:
        raise BrambleError(
            "fetch.protocol",
            f"{redact(url)} did not send a valid HTTP response: {error}",
            remedy="check that the URL leads to a registry, and that no proxy answers instead",
        ) from None
    except (Ended, OSError) as error:
        raise _trouble(redact(url), error, options) from None


def _connected(
    address: SplitResult,
    options: FetchOptions,
    cancelled: threading.Event,
    stack: contextlib.ExitStack,
    secrets: list[str],
) -> socket.socket:
    """Return a socket to the server, which the stack closes, or to the proxy that speaks for it."""
    host, port = address.hostname or "", address.port or PORTS[address.scheme]
    proxy = proxy_of(address, options.proxies)
    first = proxy or address
    first_port = first.port or PORTS[first.scheme]
    sock = stack.enter_context(
        contextlib.closing(dial(first.hostname or "", first_port, options.timeout, cancelled))
    )
    if address.scheme == "https":
        if proxy is not None:
            secrets += secrets_of(f"http://{proxy.netloc}")
            tunnel(sock, host, port, _proxy_fields(proxy))
        inner = secured(sock, host.rstrip("."), options.ca_file, options.ca_directory)
        sock = stack.enter_context(contextlib.closing(inner))
    return sock


def _request(
    address: SplitResult, options: FetchOptions, user: Optional[str], sent: Optional[Sent], accept: str
) -> bytes:
    host, port = address.hostname or "", address.port or PORTS[address.scheme]
    shown = f"[{host}]" if ":" in host else host
    fields = {
        "Host": shown if port == PORTS[address.scheme] else f"{shown}:{port}",
        "User-Agent": f"bramble/{__version__}",
        "Accept": accept,
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if user:
        fields["Authorization"] = user
    if sent is not None:
        fields.update({"Content-Type": sent.kind, "Content-Length": str(len(sent.data))})
    target = urlunsplit(("", "", address.path or "/", address.query, ""))
    proxy = proxy_of(address, options.proxies)
    if proxy is not None and address.scheme == "http":
        target = urlunsplit(("http", fields["Host"], address.path or "/", address.query, ""))
        fields.update(_proxy_fields(proxy))
    lines = [f"{'GET' if sent is None else 'POST'} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if sent is None else sent.data)


def _proxy_fields(proxy: SplitResult) -> dict[str, str]:
    user, at, _ = proxy.netloc.rpartition("@")
    return {"Proxy-Authorization": basic(unquote(user if ":" in user else user + ":"))} if at else {}


def _no_url(url: str, why: str) -> BrambleError:
    return BrambleError("fetch.url", f"{redact(url)} cannot be asked: {why}", remedy="correct the URL")


def _trouble(url: str, error: Exception, options: FetchOptions) -> BrambleError:
    known = tls_trouble(error, url)
    if known is not None:
        return known[0]
    if isinstance(error, (Ended, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return BrambleError(
            "fetch.cut-short", f"{url} ended before the end of its answer", remedy="try again"
        )
    if isinstance(error, (socket.timeout, TimeoutError)):
        return BrambleError(
            "fetch.timeout",
            f"{url} sent nothing for {options.timeout:g} seconds",
            remedy="try again later",
        )
    reason = getattr(error, "strerror", None) or error
    return BrambleError(
        "fetch.unreachable",
        f"the server of {url} cannot be reached: {reason}",
        remedy="check the URL, the network and the proxy; is the server running?",
    )
