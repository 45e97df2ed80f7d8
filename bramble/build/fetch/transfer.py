"""Getting the bytes behind a URL into a file, over a network that fails.

A transfer is tried several times. What came before a failure is kept when the
server can say that the rest still belongs to it (a validator, RFC 9110 section
13.1.5), else the file begins anew. A server that stays silent counts as failed,
and so does one that trickles, or closes before it has sent what it announced.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import socket
import stat
import time
from collections.abc import Iterator
from typing import IO, Optional
from urllib.parse import SplitResult, unquote, urljoin, urlunsplit

from bramble import __version__
from bramble.build.fetch.connect import (
    POLL,
    PORTS,
    Passing,
    dial,
    parse_url,
    proxy_of,
    tunnel,
    without_user,
)
from bramble.build.fetch.patience import Patience
from bramble.build.options import FetchOptions
from bramble.build.task import Cancelled, Listener
from bramble.errors import BrambleError

# An optional part of Python, which plain http does without.
try:
    import ssl
except ImportError:
    ssl = None  # type: ignore[assignment]

_PIECE = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses of a trouble that may be over soon
_LONGEST_PAUSE = 60.0  # seconds
_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)


def transfer(url: str, target: str, options: FetchOptions, listener: Listener) -> None:
    """Write what stands behind `url` to the new file `target`.

    Schemes are http, https and file. Raises Cancelled, and BrambleError with
    fetch.url, fetch.not-found, fetch.status, fetch.redirect, fetch.timeout,
    fetch.unreachable, fetch.cut-short, fetch.protocol, fetch.tls, fetch.offline.
    """
    # spec: build.fetch.transfer
    parts = parse_url(url)
    if parts.scheme == "file":
        with open(target, "wb", buffering=0) as out:
            _copy_file(url, parts, out, listener)
        return
    # spec: build.fetch.offline
    if options.offline:
        raise BrambleError(
            "fetch.offline",
            f"{url} is not in the store, and nothing may be fetched while offline",
            remedy="build once with the network, or give a local file for it in the mirror table",
        )
    with open(target, "wb", buffering=0) as out:
        _Transfer(url, out, options, listener).run()


def _copy_file(url: str, parts: SplitResult, out: IO[bytes], listener: Listener) -> None:
    path = unquote(parts.path, errors="surrogateescape")
    try:
        # A fifo would block for ever without O_NONBLOCK.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BrambleError(
            "fetch.not-found",
            f"{url} cannot be read: {os.strerror(error.errno or 0)}",
            remedy="correct the path",
        ) from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise BrambleError("fetch.not-found", f"{url} is not a file", remedy="name a file")
    with open(fd, "rb") as file:
        done = 0
        for piece in iter(lambda: file.read(_PIECE), b""):
            if listener.cancelled.is_set():
                raise Cancelled
            _write(out, piece)
            done += len(piece)
    listener.progress(done, found.st_size)


def _write(out: IO[bytes], piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[out.write(view) :]


class _Transfer:
    """The attempts to get one URL, and what is known after them."""

    def __init__(self, url: str, out: IO[bytes], options: FetchOptions, listener: Listener) -> None:
        self._url = url
        self._out = out
        self._options = options
        self._listener = listener
        self._received = 0
        self._validator: Optional[str] = None  # of the bytes received so far
        self._patience = Patience(url, options, listener.cancelled, lambda: self._received)

    def run(self) -> None:
        pause = self._options.pause
        for attempt in range(1, self._options.attempts + 1):
            try:
                self._attempt()
                return
            except Passing as failure:
                if attempt == self._options.attempts:
                    raise failure.error from failure
                wait = min(max(pause, failure.pause), _LONGEST_PAUSE)
                pause *= 2
                self._listener.retrying(failure.error.message, wait)
                self._patience.pause(wait, failure.error)

    def _attempt(self) -> None:
        """Follow redirects from the beginning, since a temporary one may have changed."""
        url, authorisation = without_user(parse_url(self._url))
        for _ in range(self._options.redirects + 1):
            with self._exchange(url, authorisation) as response:
                if response.status not in _REDIRECTS:
                    self._receive(response)
                    return
                following = self._redirect(url, response)
                if following.netloc != url.netloc:
                    authorisation = None
                url = following
        raise BrambleError(
            "fetch.redirect",
            f"{self._url} redirects more than {self._options.redirects} times",
            remedy="look at the URL in a browser, and write where it really leads",
        )

    def _redirect(self, url: SplitResult, response: http.client.HTTPResponse) -> SplitResult:
        location = response.headers.get("Location")
        if not location:
            raise _status_error(self._url, response.status, "without saying where to")
        following, _ = without_user(parse_url(urljoin(urlunsplit(url), location)))
        if following.scheme == "file" or (url.scheme, following.scheme) == ("https", "http"):
            raise BrambleError(
                "fetch.redirect",
                f"{self._url} redirects to {urlunsplit(following)}, which is less safe",
                remedy="write the URL that it should be fetched from",
            )
        return following

    @contextlib.contextmanager
    def _exchange(self, url: SplitResult, authorisation: Optional[str]) -> Iterator[http.client.HTTPResponse]:
        """Send the request and give the response; failures on the way are Passing or final."""
        headers = {
            "User-Agent": f"bramble/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if authorisation:
            headers["Authorization"] = authorisation
        if self._received and self._validator:
            headers["Range"] = f"bytes={self._received}-"
            headers["If-Range"] = self._validator
        proxy = proxy_of(url, self._options.proxies)
        try:
            with contextlib.ExitStack() as stack:
                sock = stack.enter_context(contextlib.closing(self._dialled(proxy or url)))
                stack.enter_context(self._patience.watching(sock))
                target = urlunsplit(("", "", url.path or "/", url.query, ""))
                if proxy is not None:
                    authorisation = without_user(proxy)[1]
                    proxy_headers = {"Proxy-Authorization": authorisation} if authorisation else {}
                    if url.scheme == "https":
                        tunnel(sock, url.hostname or "", url.port or PORTS[url.scheme], proxy_headers)
                    else:
                        target = urlunsplit(url._replace(path=url.path or "/", fragment=""))
                        headers.update(proxy_headers)
                if url.scheme == "https":
                    sock = stack.enter_context(contextlib.closing(self._secured(sock, url)))
                connection = http.client.HTTPConnection(url.hostname or "", url.port or PORTS[url.scheme])
                connection.default_port = PORTS[url.scheme]
                connection.sock = sock
                connection.request("GET", target, headers=headers)
                yield stack.enter_context(contextlib.closing(connection.getresponse()))
        except (OSError, http.client.HTTPException) as error:
            self._patience.check()
            raise self._failure(error) from error

    def _dialled(self, address: SplitResult) -> socket.socket:
        port = address.port or PORTS[address.scheme]
        return dial(address.hostname or "", port, self._patience.timeout, self._listener.cancelled)

    def _secured(self, sock: socket.socket, url: SplitResult) -> socket.socket:
        if ssl is None:
            raise BrambleError(
                "fetch.tls",
                f"{self._url} needs TLS, and this Python was built without it",
                remedy="install Python's ssl module, or fetch it into the mirror by other means",
            )
        context = ssl.create_default_context(cafile=self._options.ca_file)
        return context.wrap_socket(sock, server_hostname=url.hostname)

    def _receive(self, response: http.client.HTTPResponse) -> None:
        if response.status == 206 and self._continues(response):
            start = self._received
        elif response.status == 200:
            start = 0
        elif response.status in (206, 416):
            # Its idea of the file is not ours: the next attempt begins anew.
            self._received, self._validator = 0, None
            raise Passing(_protocol_error(self._url, "the server sent another part than was asked for"))
        else:
            raise self._refused(response)
        self._out.seek(start)
        self._out.truncate()
        self._received = start
        self._validator = _validator(response.headers)
        total = None if response.length is None else start + response.length
        shown = 0.0
        # Not more than was announced: whoever asks for more waits for the end of the connection.
        while total is None or self._received < total:
            # What has come, and not as much as fits: a server that trickles has to be seen doing so.
            piece = response.read1(_PIECE if total is None else min(_PIECE, total - self._received))
            self._patience.check()
            if not piece:
                break
            _write(self._out, piece)
            self._received += len(piece)
            now = time.monotonic()
            if now - shown > POLL:
                shown = now
                self._listener.progress(self._received, total)
        if total is not None and self._received != total:
            raise Passing(
                BrambleError(
                    "fetch.cut-short",
                    f"{self._url} ended after {self._received} of {total} bytes",
                    remedy="try again; if it stays, the server is broken: fetch from another one",
                )
            )
        self._listener.progress(self._received, total)

    def _continues(self, response: http.client.HTTPResponse) -> bool:
        given = response.headers.get("Content-Range", "")
        return bool(self._received) and given.startswith(f"bytes {self._received}-")

    def _refused(self, response: http.client.HTTPResponse) -> Exception:
        status = response.status
        error = _status_error(self._url, status, response.reason)
        if status not in _PASSING:
            return error
        after = response.headers.get("Retry-After", "")
        return Passing(error, pause=float(after) if after.isdecimal() else 0.0)

    def _failure(self, error: Exception) -> Exception:
        """Return what a failure of the network means for the one who waits."""
        url = self._url
        if ssl is not None and isinstance(error, ssl.SSLCertVerificationError):
            return BrambleError(
                "fetch.tls",
                f"the certificate of {url} is not trusted: {error.verify_message}",
                remedy="check the clock; for a private authority set SSL_CERT_FILE to its certificate",
            )
        if ssl is not None and isinstance(error, ssl.SSLError):
            return Passing(
                BrambleError(
                    "fetch.tls",
                    f"no secure connection for {url}: {error.reason or error}",
                    remedy="check whether the server speaks TLS on this port",
                )
            )
        if isinstance(error, (socket.timeout, TimeoutError)):
            return Passing(
                BrambleError(
                    "fetch.timeout",
                    f"{url} sent nothing for {self._options.timeout:g} seconds",
                    remedy="try again later, or give a local copy in the mirror table",
                )
            )
        broken = (http.client.IncompleteRead, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
        if isinstance(error, broken):
            return Passing(
                BrambleError(
                    "fetch.cut-short",
                    f"the connection to {url} broke after {self._received} bytes",
                    remedy="try again; if it stays, fetch from another server",
                )
            )
        if isinstance(error, http.client.HTTPException):
            return Passing(_protocol_error(url, f"{type(error).__name__}: {error}"))
        if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
            return error
        return Passing(
            BrambleError(
                "fetch.unreachable",
                f"the server of {url} cannot be reached: {getattr(error, 'strerror', None) or error}",
                remedy="check the network and the proxy, or give a local copy in the mirror table",
            )
        )


def _protocol_error(url: str, what: str) -> BrambleError:
    return BrambleError(
        "fetch.protocol",
        f"{url} did not answer as HTTP should: {what}",
        remedy="check that the URL leads to a web server, and that no proxy is in the way",
    )


def _status_error(url: str, status: int, reason: str) -> BrambleError:
    if status in (404, 410):
        return BrambleError(
            "fetch.not-found",
            f"{url} is not there: the server answers {status} {reason}",
            remedy="correct the URL, or give a local copy in the mirror table",
        )
    return BrambleError(
        "fetch.status",
        f"{url} cannot be fetched: the server answers {status} {reason}",
        remedy="open the URL in a browser to see what the server wants",
    )


def _validator(headers: http.client.HTTPMessage) -> Optional[str]:
    """Return what proves that two answers are parts of the same bytes (RFC 9110, 8.8)."""
    tag = headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    modified: Optional[str] = headers.get("Last-Modified")
    return modified
