"""Getting the bytes behind a URL into a file, over a network that fails.

A transfer is tried several times. What came before a failure is kept when the
server can say that the rest still belongs to it (see `joining`), else the file
starts again. A server that stays silent counts as failed, and so does one that
trickles, or ends before the end of what it sends is proven (see `response`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterable, Iterator
from typing import IO, Optional
from urllib.parse import SplitResult, unquote, urlunsplit

from bramble import __version__
from bramble.build.fetch.address import PORTS, NoUrl, basic, origin, parse_url, resolve, without_user
from bramble.build.fetch.connect import POLL, Passing, dial, proxy_refusal, refuse_inner, tunnel
from bramble.build.fetch.credentials import authorization_for, secrets_of_authorization
from bramble.build.fetch.discretion import redact, scrub, scrubbed, secrets_of, secrets_of_login
from bramble.build.fetch.joining import Received, pause_of, rest_of, strong_validator
from bramble.build.fetch.local import local_path, open_local
from bramble.build.fetch.netrc import login_for
from bramble.build.fetch.patience import Patience
from bramble.build.fetch.proxies import proxy_of
from bramble.build.fetch.response import Ended, Head, Malformed, Wire, body, framing, read_head
from bramble.build.fetch.secure import is_ragged_end, secured, tls_trouble
from bramble.build.options import FetchOptions, Reach
from bramble.build.task import Cancelled, Listener
from bramble.errors import BrambleError
from bramble.record import replace

_PIECE = 1 << 18
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses of a trouble that may be over soon
_LONGEST_PAUSE = 60.0  # seconds
_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)
# Servers say of a compressed file that its content is encoded so; the bytes are those of the file.
_COMPRESSED_NAMES = {
    "gzip": (".gz", ".tgz"),
    "x-gzip": (".gz", ".tgz"),
    "bzip2": (".bz2",),
    "x-bzip2": (".bz2",),
    "xz": (".xz",),
    "x-xz": (".xz",),
}


def transfer(url: str, target: str, options: FetchOptions, listener: Listener, *, known: int = 0) -> int:
    """Write the content of `url` to the new file `target`; return the offset at which it begins.

    `known` is for a file that only grows, of which the caller has so many bytes and checks the whole: the
    server is asked for the rest alone. Where it gives that, `known` is returned, and what is before it in the
    file means nothing; else 0.

    Schemes are http, https and file. Raises Cancelled, and BrambleError with
    fetch.url, fetch.not-found, fetch.status, fetch.redirect, fetch.timeout,
    fetch.unreachable, fetch.cut-short, fetch.protocol, fetch.tls, fetch.proxy,
    fetch.netrc, fetch.credentials, fetch.offline.
    """
    # spec: build.fetch.transfer
    parts = parse_url(url)
    if parts.scheme == "file":
        copy_local(local_path(parts), url, target, options, listener, options.reach)
        return 0
    # spec: build.fetch.offline
    if options.offline:
        raise BrambleError(
            "fetch.offline",
            f"{redact(url)} is not in the store, and nothing may be fetched while offline",
            remedy="run once without --offline, or give a local file for it in the mirror table",
        )
    with open(target, "wb", buffering=0) as out:
        have = Received(known, start=known, checked=True) if known else Received()
        return _Transfer(url, parts, out, options, listener, have).run()


def copy_local(
    path: str, url: str, target: str, options: FetchOptions, listener: Listener, reach: Optional[Reach]
) -> None:
    """Write to `target` what the file `path` of this machine holds, which stands for `url`.

    It is looked up once: what was checked is what is used, whatever has its name later. Raises
    fetch.not-found, fetch.out-of-reach, fetch.too-large, and Cancelled.
    """
    fd = open_local(path, url, reach)
    with open(fd, "rb", buffering=0) as file, open(target, "wb", buffering=0) as out:
        size = os.fstat(fd).st_size
        done = 0
        for piece in iter(lambda: file.read(_PIECE), b""):
            if listener.cancelled.is_set():
                raise Cancelled
            done += len(piece)
            _check_size(done, redact(url), options)
            _write(out, piece)
    listener.progress(done, size)


def _write(out: IO[bytes], piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[out.write(view) :]


def _check_size(size: int, url: str, options: FetchOptions) -> None:
    # spec: build.fetch.size
    if size > options.largest:
        raise BrambleError(
            "fetch.too-large",
            f"{url} is larger than the {options.largest} bytes that a download may have",
            remedy="raise --output-size, if it was given; else the server sends too much",
        )


class _Transfer:
    """The attempts to get one URL, and what is known after them."""

    def __init__(
        self,
        url: str,
        parts: SplitResult,
        out: IO[bytes],
        options: FetchOptions,
        listener: Listener,
        have: Received,
    ) -> None:
        self._url = redact(url)  # for messages
        self._secrets = secrets_of(url)
        self._parts, self._user = without_user(parts)
        self._out = out
        self._options = options
        self._listener = listener
        self._have = have
        self._patience = Patience(self._url, options, listener.cancelled, lambda: self._have.size)

    def run(self) -> int:
        """Return where what was asked for begins in the file."""
        try:
            self._run()
            return self._have.start
        except BrambleError as error:
            raise scrubbed(error, self._secrets) from None

    def _run(self) -> None:
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
                self._listener.retrying(scrub(failure.error.message, self._secrets), wait)
                self._patience.pause(wait, failure.error)

    def _attempt(self) -> None:
        """Follow redirects from the beginning, since a temporary one may have changed."""
        url, first = self._parts, True
        for _ in range(self._options.redirects + 1):
            with self._exchange(url, self._authorisation(url, first)) as (head, wire):
                if head.status not in _REDIRECTS:
                    self._receive(url, head, wire)
                    return
                following = self._redirect(url, head)
            # Once it has led elsewhere, the credentials of the URL are not given out again.
            first = first and origin(following) == origin(url)
            url = following
        raise BrambleError(
            "fetch.redirect",
            f"{self._url} redirects more than {self._options.redirects} times",
            remedy="open the URL in a browser, and write the address that it leads to",
        )

    def _authorisation(self, url: SplitResult, first: bool) -> Optional[str]:
        """Return the credentials for a server: those of the URL for its own, those of files for theirs."""
        # spec: build.fetch.netrc, build.fetch.credentials
        if first and self._user is not None:
            return self._user
        if not first and url.scheme != "https":
            return None
        value = authorization_for(self._options.credentials, url)
        if value is not None:
            self._secrets = (*self._secrets, *secrets_of_authorization(value))
            return value
        login = login_for(self._options.netrc, url.hostname or "", default=first and url.scheme == "https")
        if login is None:
            return None
        self._secrets = (*self._secrets, *secrets_of_login(login.login, login.password))
        return basic(f"{login.login}:{login.password}")

    def _redirect(self, url: SplitResult, head: Head) -> SplitResult:
        # spec: build.fetch.redirect
        locations = set(head.all("location"))
        if not locations:
            raise _status_error(self._url, head.status, "without saying where to")
        location = redact(min(locations))
        try:
            if len(locations) > 1:
                raise NoUrl("the server names two places")
            following = resolve(url, locations.pop())
        except NoUrl as error:
            raise BrambleError(
                "fetch.redirect",
                f'{self._url} redirects to "{location}", which cannot be fetched: {error}',
                remedy="write the URL that it should be fetched from",
            ) from None
        if following.scheme == "file" or (url.scheme, following.scheme) == ("https", "http"):
            raise BrambleError(
                "fetch.redirect",
                f"{self._url} redirects to {redact(urlunsplit(following))}, which is less secure",
                remedy="write the URL that it should be fetched from",
            )
        return following

    @contextlib.contextmanager
    def _exchange(self, url: SplitResult, authorisation: Optional[str]) -> Iterator[tuple[Head, Wire]]:
        """Send the request and give the answer; failures on the way are Passing or final."""
        host, port = url.hostname or "", url.port or PORTS[url.scheme]
        shown = f"[{host}]" if ":" in host else host
        headers = {
            "Host": shown if port == PORTS[url.scheme] else f"{shown}:{port}",
            "User-Agent": f"bramble/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if authorisation:
            headers["Authorization"] = authorisation
        if self._have.continues_at(urlunsplit(url)):
            headers["Range"] = f"bytes={self._have.size}-"
            if not self._have.checked:
                headers["If-Range"] = self._have.validator or ""
        proxy = proxy_of(url, self._options.proxies)
        try:
            with contextlib.ExitStack() as stack:
                sock = stack.enter_context(contextlib.closing(self._dialled(proxy or url, proxy is None)))
                stack.enter_context(self._patience.watching(sock))
                target = urlunsplit(("", "", url.path or "/", url.query, ""))
                if proxy is not None:
                    proxy_headers = self._proxy_headers(proxy)
                    if url.scheme == "https":
                        tunnel(sock, host, port, proxy_headers)
                    else:
                        target = urlunsplit((url.scheme, headers["Host"], url.path or "/", url.query, ""))
                        headers.update(proxy_headers)
                if url.scheme == "https":
                    options = self._options
                    inner = secured(sock, host.rstrip("."), options.ca_file, options.ca_directory)
                    sock = stack.enter_context(contextlib.closing(inner))
                lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
                sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
                wire = Wire(sock.recv)
                yield read_head(wire), wire
        except Malformed as error:
            self._patience.check()
            # What came in a message that is wrong proves nothing.
            self._have = Received()
            raise Passing(_protocol_error(self._url, str(error))) from error
        except Ended as error:
            self._patience.check()
            raise self._cut_short() from error
        except OSError as error:
            self._patience.check()
            raise self._failure(error) from error

    def _proxy_headers(self, proxy: SplitResult) -> dict[str, str]:
        user, at, _ = proxy.netloc.rpartition("@")
        if not at:
            return {}
        self._secrets = (*self._secrets, *secrets_of(f"http://{proxy.netloc}"))
        return {"Proxy-Authorization": basic(unquote(user if ":" in user else user + ":"))}

    def _dialled(self, address: SplitResult, direct: bool) -> socket.socket:
        host, port = address.hostname or "", address.port or PORTS[address.scheme]

        def allow(addresses: Iterable[str]) -> None:
            # A proxy is this machine's own, and knows itself where it leads.
            if direct:
                refuse_inner(self._url, host, addresses, self._options.public_but)

        return dial(host, port, self._patience.timeout, self._listener.cancelled, allow)

    def _receive(self, url: SplitResult, head: Head, wire: Wire) -> None:
        # spec: build.fetch.resume
        where, ends = urlunsplit(url), framing(head)
        asked = self._have.continues_at(where)
        start, end, total = 0, ends.length, ends.length
        if head.status == 206:
            part = rest_of(head, self._have) if asked else None
            if part is None:
                # The file has changed on the server: the next attempt starts from the beginning.
                raise Malformed("the server sent another part than was requested")
            start, end, total = part.start, part.end, part.total
            if ends.length not in (None, end - start):
                raise Malformed("its Content-Length and its Content-Range contradict each other")
            self._have = replace(self._have, total=total)
        elif head.status == 416 and asked:
            raise Malformed("the server does not have the part that was asked for")
        elif head.status == 200:
            self._have = Received(0, where, strong_validator(head), total)
            _check_size(total or 0, self._url, self._options)
        else:
            raise self._refused(url, head)
        self._check_encoding(url, head)
        self._out.seek(start)
        self._out.truncate()
        shown = 0.0
        for piece in body(wire, ends):
            # What has come, and not as much as fits: a server that trickles has to be seen doing so.
            self._patience.check()
            if end is not None and self._have.size + len(piece) > end:
                raise Malformed("it is longer than it states")
            _check_size(self._have.size + len(piece), self._url, self._options)
            _write(self._out, piece)
            self._have = replace(self._have, size=self._have.size + len(piece))
            now = time.monotonic()
            if now - shown > POLL:
                shown = now
                self._listener.progress(self._have.size, total)
        self._patience.check()
        if ends.chunked and end is not None and self._have.size != end:
            raise Malformed("its last chunk comes before the end of the part that it gives")
        if total is not None and self._have.size != total:
            raise self._cut_short()
        self._listener.progress(self._have.size, total)

    def _check_encoding(self, url: SplitResult, head: Head) -> None:
        # spec: build.fetch.encoding
        names = url.path.lower(), self._parts.path.lower()
        codings = ",".join(head.all("content-encoding")).lower().split(",")
        named = [coding for coding in map(str.strip, codings) if coding not in ("", "identity")]
        for number, coding in enumerate(named):
            endings = _COMPRESSED_NAMES.get(coding)
            # A file is compressed once: a second coding is not its own.
            if number == 0 and endings and any(name.endswith(endings) for name in names):
                continue
            raise BrambleError(
                "fetch.protocol",
                f"the server of {self._url} sends it encoded ({coding[:40]}), which was not asked for",
                remedy="fetch from another server, or give a local copy in the mirror table",
            )

    def _refused(self, url: SplitResult, head: Head) -> Exception:
        if head.status == 407 and proxy_of(url, self._options.proxies) is not None:
            return proxy_refusal("http_proxy")
        error = _status_error(self._url, head.status, head.reason)
        if head.status not in _PASSING:
            return error
        return Passing(error, pause=pause_of(head, time.time()))

    def _cut_short(self) -> Passing:
        have = self._have
        how_much = f"{have.size} bytes" if have.total is None else f"{have.size} of {have.total} bytes"
        return Passing(
            BrambleError(
                "fetch.cut-short",
                f"{self._url} ended after {how_much}",
                remedy="try again; if the error repeats, the server is broken: fetch from another one",
            )
        )

    def _failure(self, error: OSError) -> Exception:
        """Return what a failure of the network means for the one who waits."""
        url = self._url
        if is_ragged_end(error):
            return self._cut_short()
        trouble = tls_trouble(error, url)
        if trouble is not None:
            return Passing(trouble[0]) if trouble[1] else trouble[0]
        if isinstance(error, (socket.timeout, TimeoutError)):
            return Passing(
                BrambleError(
                    "fetch.timeout",
                    f"{url} sent nothing for {self._options.timeout:g} seconds",
                    remedy="try again later, or give a local copy in the mirror table",
                )
            )
        if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
            return self._cut_short()
        if error.errno in _DISK_TROUBLE:
            return error
        return Passing(
            BrambleError(
                "fetch.unreachable",
                f"the server of {url} cannot be reached: {error.strerror or error}",
                remedy="check the network and the proxy, or give a local copy in the mirror table",
            )
        )


def _protocol_error(url: str, what: str) -> BrambleError:
    return BrambleError(
        "fetch.protocol",
        f"{url} did not send a valid HTTP response: {what}",
        remedy="check that the URL leads to a web server, and that no proxy answers instead",
    )


def _status_error(url: str, status: int, reason: str) -> BrambleError:
    if status in (404, 410):
        return BrambleError(
            "fetch.not-found",
            f"{url} does not exist: the server answers {status} {reason[:200]}",
            remedy="correct the URL, or give a local copy in the mirror table",
        )
    remedy = "open the URL in a browser to see what the server requires"
    if status == 401:
        remedy = "write a name and a password for the host into ~/.netrc, or a token into "
        remedy += "~/.config/bramble/credentials"
    return BrambleError(
        "fetch.status",
        f"{url} cannot be fetched: the server answers {status} {reason[:200]}",
        remedy=remedy,
    )
