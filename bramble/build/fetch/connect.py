"""Reaching a server: what a URL means, which proxy leads to it, and a connected socket."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import select
import socket
import threading
import time
from collections.abc import Mapping
from queue import Empty, Queue
from typing import Any, Optional, Union
from urllib.parse import SplitResult, quote, unquote, urlsplit

from bramble.build.task import Cancelled
from bramble.errors import BrambleError

PORTS = {"http": 80, "https": 443}
POLL = 0.1  # seconds until a cancellation is noticed
_Address = tuple[Any, Any, int, str, Any]  # as socket.getaddrinfo gives them
_ANSWER_LIMIT = 1 << 16  # bytes of a proxy's answer
_KEEP = "%/:=&?~#+!$,;'@()*[]"  # characters that quoting leaves as they are (RFC 3986)


class Passing(Exception):
    """A failure that another attempt may not meet; `error` is for when none is left."""

    def __init__(self, error: BrambleError, pause: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.pause = pause


def parse_url(url: str) -> SplitResult:
    """Return the parts of `url`, quoted as they travel. Raises fetch.url."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises when it is no number)
    except ValueError as error:
        raise _url_error(url, str(error)) from error
    if parts.scheme not in ("http", "https", "file"):
        raise _url_error(url, f'the scheme is "{parts.scheme}"')
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in url):
        raise _url_error(url, "there is a control character in it")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise _url_error(url, "a file URL has an absolute path of this machine")
        return parts
    host = parts.hostname or ""
    if (
        not host
        or not host.isascii()
        or any(not 0 < len(label) < 64 for label in host.rstrip(".").split("."))
    ):
        raise _url_error(
            url, "it names no host" if not host else "its host has to be written in ASCII (xn--…)"
        )
    return parts._replace(path=quote(parts.path, safe=_KEEP), query=quote(parts.query, safe=_KEEP))


def _url_error(url: str, why: str) -> BrambleError:
    return BrambleError(
        "fetch.url",
        f'"{url}" cannot be fetched: {why}',
        remedy="write an http, https or file URL, such as https://example.com/name.tar.gz",
    )


def without_user(parts: SplitResult) -> tuple[SplitResult, Optional[str]]:
    """Return the URL without a name and password, and these as a header's value."""
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return parts, None
    secret = base64.b64encode(unquote(user).encode()).decode()
    return parts._replace(netloc=host), "Basic " + secret


def proxy_of(url: SplitResult, proxies: Mapping[str, str]) -> Optional[SplitResult]:
    """Return the proxy for `url`, None for none. `proxies` is as in FetchOptions.

    Raises fetch.proxy when it is not an http URL.
    """
    # spec: build.fetch.proxy
    host = (url.hostname or "").lower()
    for entry in proxies.get("no", "").lower().replace(",", " ").split():
        name, _, port = entry.partition(":")
        name = name.lstrip("*").lstrip(".")
        fits = entry == "*" or host == name or bool(name and host.endswith("." + name))
        if fits and (not port or port == str(url.port or PORTS[url.scheme])):
            return None
    proxy = proxies.get(url.scheme)
    if not proxy:
        return None
    try:
        parts = urlsplit(proxy if "://" in proxy else "http://" + proxy)
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BrambleError(
            "fetch.proxy",
            f'the proxy "{proxy}" for {url.scheme} cannot be used',
            remedy=f"set {url.scheme}_proxy to http://HOST:PORT, or unset it",
        )
    return parts


def dial(host: str, port: int, timeout: float, cancelled: threading.Event) -> socket.socket:
    """Return a connected socket, trying the host's addresses in turn, each for its part of the time."""
    failure: OSError = OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    addresses = _addresses(host, port, timeout, cancelled)
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
    found: Queue[Union[list[_Address], OSError, UnicodeError]] = Queue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
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


def tunnel(sock: socket.socket, host: str, port: int, headers: Mapping[str, str]) -> None:
    """Have a proxy connect the socket through to `host` (RFC 9110, 9.3.6)."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    # One byte at a time: what follows the header belongs to TLS.
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte or len(answer) > _ANSWER_LIMIT:
            raise ConnectionResetError(errno.ECONNRESET, "the proxy closed the connection")
        answer += byte
    status = answer.split(b"\r\n")[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise Passing(
            BrambleError(
                "fetch.unreachable",
                f"the proxy does not connect to {host}: {status}",
                remedy="check https_proxy, and no_proxy for hosts that need none",
            )
        )
