"""Connections: one thread each, of which there are only so many, and none that a client can hold for long.

A client that is slow to ask, slow to read or silent is given up; when there are too many, the one that has
been idle for longest has to go, or else the one that has been asking for longest. Only where all are being
answered the newest gets an answer to try again. So silent or slow clients cannot block others.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple, dataclass
from bramble.serving.answer import Answer, Coming, Stored, has_body, head_bytes
from bramble.serving.request import END_OF_HEAD, LONGEST_HEAD, Refused, Request, read_request

_PIECE = 1 << 16
_SMALL = 1 << 16  # bytes of a file that are sent together with the head
_BACKLOG = 128
_TELL = 0.2  # seconds for the answer to a refused connection


class Bounds(NamedTuple):
    """What clients may use. Times are in seconds."""

    connections: int = 256
    of_one_address: int = 128  # loopback excepted: what comes from there has been let in by somebody
    head: float = 10.0  # from the first byte of a request to the end of its head
    body: float = 10.0
    idle: float = 15.0  # between two requests
    stuck: float = 30.0  # while a client takes nothing of what it asked for
    slowest: int = 1024  # bytes a second that a client takes, after `stuck`
    largest_body: int = 16 << 10  # bytes


USUAL = Bounds()


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int  # 0: any that is free

    @staticmethod
    def parse(text: str) -> Address:
        """Return what ADDRESS:PORT, [ADDRESS]:PORT or PORT means. Raises ValueError."""
        host, colon, port = text.rpartition(":")
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{text!r} has no port: ADDRESS:PORT is expected")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{text!r}: an IPv6 address is written [ADDRESS]:PORT")
        return Address(host if colon else "127.0.0.1", int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass
class _Connection:
    """A client that is connected. `waits_since` is None while it is answered, else since when it is not."""

    sock: socket.socket
    client: str
    waits_since: Optional[float]
    asks: bool = False  # a part of a request has come


class Server:
    """Listens, and answers requests with `respond`, which is called in many threads at once.

    `respond` may raise Refused, which `explain` turns into an answer; anything else that it raises is a
    fault of the program: its traceback goes to `on_fault` and not to the client.
    """

    def __init__(
        self,
        address: Address,
        respond: Callable[[Request], Answer],
        explain: Callable[[Optional[Request], Refused], Answer],
        on_fault: Callable[[str], None],
        bounds: Bounds = USUAL,
    ) -> None:
        """Listen, so that clients can connect; they are answered by `run`. Raises registry.listen."""
        self._respond, self._explain, self._on_fault, self._bounds = respond, explain, on_fault, bounds
        self._listening = _listen(address)
        host, port = self._listening.getsockname()[:2]
        self.address = Address(host, port)
        self._wake_reader, self._wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._lock = threading.Lock()
        self._connections: dict[int, _Connection] = {}
        self.closing = threading.Event()

    def stop(self) -> None:
        """Have `run` end. For signal handlers: it only writes into a pipe."""
        with contextlib.suppress(OSError):
            os.write(self._wake_writer, b".")

    def run(self, patience: float = 5.0, on_closing: Callable[[], None] = lambda: None) -> None:
        """Answer clients until `stop`; answers that are on their way then have `patience` seconds left.

        `on_closing` is called first, and ends those that would go on.
        """
        poll = select.poll()
        poll.register(self._listening, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        try:
            while all(fd != self._wake_reader for fd, _ in poll.poll()):
                self._accept()
        finally:
            self._listening.close()
            self.closing.set()
            on_closing()
            self._end(patience)
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _end(self, patience: float) -> None:
        until = time.monotonic() + patience
        while True:
            with self._lock:
                left = list(self._connections.values())
            late = time.monotonic() > until
            for one in left:
                if late or one.waits_since is not None:
                    _shut(one.sock)
            if not left or late:
                return
            time.sleep(0.02)

    def _accept(self) -> None:
        try:
            sock, address = self._listening.accept()
        except OSError:
            # The client has disconnected, or there are no descriptors: others have to end first.
            time.sleep(0.01)
            return
        client = str(address[0])
        connection = _Connection(sock, client, time.monotonic())
        if not self._admit(connection):
            self._turn_away(sock)
            return
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            threading.Thread(target=self._serve, args=(connection,), name="client", daemon=True).start()
        except RuntimeError:
            # No more threads can be started.
            self._forget(connection)
            self._turn_away(sock)

    def _admit(self, new: _Connection) -> bool:
        """Count a connection in; where there are too many, one that is not answered has to go (`_first`)."""
        # spec: registry.http.bounds
        with self._lock:
            known = self._connections.values()
            same = sum(one.client == new.client for one in known)
            if same >= self._bounds.of_one_address and not new.client.startswith(("127.", "::1")):
                return False
            if len(known) >= self._bounds.connections:
                waiting = [one for one in known if one.waits_since is not None]
                if not waiting:
                    return False
                first = min(waiting, key=_first)
                _shut(first.sock)
                del self._connections[id(first)]
            self._connections[id(new)] = new
            return True

    def _forget(self, connection: _Connection) -> None:
        with self._lock:
            self._connections.pop(id(connection), None)

    def _turn_away(self, sock: socket.socket) -> None:
        refused = Refused(503, "too many clients are connected", [("Retry-After", "5")])
        answer = self._explain(None, refused)
        with contextlib.suppress(OSError), contextlib.closing(sock):
            sock.settimeout(_TELL)
            body = answer.body if isinstance(answer.body, bytes) else b""
            sock.sendall(head_bytes(answer, len(body), time.time(), False) + body)
            sock.shutdown(socket.SHUT_WR)
            # Unread data of the client would reset the connection before the answer; for more there is no
            # time.
            sock.setblocking(False)
            sock.recv(_PIECE)

    def _serve(self, connection: _Connection) -> None:
        sock = connection.sock
        try:
            held = b""
            while not self.closing.is_set():
                stays, held = self._one(connection, held)
                if not stays:
                    _linger(sock)
                    return
        except (OSError, _Gone):
            pass
        finally:
            self._forget(connection)
            sock.close()

    def _one(self, connection: _Connection, held: bytes) -> tuple[bool, bytes]:
        """Answer one request; return whether another may follow, and what has come of it."""
        sock, request = connection.sock, None
        try:
            head, held = self._head(connection, held)
            request = read_request(head, connection.client)
            request, held = self._with_body(sock, request, held)
            connection.waits_since = None
            answer = self._answer(request)
        except Refused as refused:
            connection.waits_since = None
            answer = self._explain(request, refused)
            # Where a request ends that could not be read is not known.
            request = None
        stays = request is not None and request.keeps_alive and not self.closing.is_set()
        minor = 1 if request is None else request.minor
        stays = _send(sock, answer, "GET" if request is None else request.method, minor, stays, self._bounds)
        connection.waits_since, connection.asks = time.monotonic(), False
        return stays, held

    def _answer(self, request: Request) -> Answer:
        try:
            return self._respond(request)
        except Refused as refused:
            return self._explain(request, refused)
        except Exception:
            self._on_fault(traceback.format_exc())
            return self._explain(request, Refused(500, "internal error of the server"))

    def _head(self, connection: _Connection, held: bytes) -> tuple[bytes, bytes]:
        """Return the head of the next request and what follows it. Raises _Gone, Refused."""
        sock = connection.sock
        until = None
        while True:
            # An empty line before a request is passed over (RFC 9112, 2.2).
            held = held.lstrip(b"\r\n") if held[:1] in (b"\r", b"\n") else held
            at = held.find(END_OF_HEAD)
            if 0 <= at <= LONGEST_HEAD:
                return held[:at], held[at + len(END_OF_HEAD) :]
            if len(held) > LONGEST_HEAD:
                raise Refused(431, f"the head of the request is longer than {LONGEST_HEAD} bytes")
            if held and until is None:
                until = time.monotonic() + self._bounds.head
                connection.waits_since, connection.asks = time.monotonic(), True
            left = self._bounds.idle if until is None else until - time.monotonic()
            try:
                sock.settimeout(max(left, 0.001))
                more = sock.recv(_PIECE)
            except socket.timeout:
                if until is None:
                    raise _Gone from None
                raise Refused(408, "the request did not come in time") from None
            if not more:
                raise _Gone
            held += more

    def _with_body(self, sock: socket.socket, request: Request, held: bytes) -> tuple[Request, bytes]:
        if request.length > self._bounds.largest_body:
            raise Refused(413, f"the body is larger than {self._bounds.largest_body} bytes")
        if request.length > len(held) and request.fields.get("expect", "").lower() == "100-continue":
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        until = time.monotonic() + self._bounds.body
        while len(held) < request.length:
            try:
                sock.settimeout(max(until - time.monotonic(), 0.001))
                more = sock.recv(_PIECE)
            except socket.timeout:
                raise Refused(408, "the body did not come in time") from None
            if not more:
                raise _Gone
            held += more
        return request._replace(body=held[: request.length]), held[request.length :]


class _Gone(Exception):
    """The client has left, or says nothing more."""


def _first(connection: _Connection) -> tuple[bool, float]:
    """Return what orders connections by when they have to go: first the idle ones, then the slow ones."""
    return connection.asks, connection.waits_since or 0.0


def _listen(address: Address) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(where)
            sock.listen(_BACKLOG)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise BrambleError(
            "registry.listen",
            f"connections cannot be accepted at {address}: {error.strerror}",
            remedy="choose another address or port: --listen ADDRESS:PORT",
        ) from error
    return sock


def _send(sock: socket.socket, answer: Answer, method: str, minor: int, stays: bool, bounds: Bounds) -> bool:
    """Send an answer; return whether the connection can be used again. Raises OSError, _Gone."""
    body = answer.body
    sock.settimeout(bounds.stuck)
    now = time.time()
    if isinstance(body, bytes):
        head = head_bytes(answer, len(body), now, stays)
        _all(sock, [head + body if has_body(answer, method) else head], bounds)
    elif isinstance(body, Stored):
        try:
            _send_file(
                sock, answer, body, method, head_bytes(answer, body.end - body.start, now, stays), bounds
            )
        finally:
            os.close(body.fd)
    else:
        try:
            stays = stays and minor == 1
            _all(sock, [head_bytes(answer, None, now, stays)], bounds)
            if has_body(answer, method):
                _send_coming(sock, body, stays, bounds)
        finally:
            body.close()
    return stays


def _send_file(
    sock: socket.socket, answer: Answer, body: Stored, method: str, head: bytes, bounds: Bounds
) -> None:
    size = body.end - body.start
    if not has_body(answer, method):
        _all(sock, [head], bounds)
        return
    if size <= _SMALL:
        data = os.pread(body.fd, size, body.start)
        if len(data) == size:
            _all(sock, [head + data], bounds)
            return
        raise _Gone  # It has been cut since it was opened: what was announced is not there.
    _all(sock, [head], bounds)
    began, at = time.monotonic(), body.start
    while at < body.end:
        try:
            sent = os.sendfile(sock.fileno(), body.fd, at, min(body.end - at, 1 << 20))
        except BlockingIOError:
            if not _waited(sock, select.POLLOUT, bounds.stuck):
                raise _Gone from None
            continue
        if not sent:
            raise _Gone
        at += sent
        _check_pace(at - body.start, began, bounds)


def _send_coming(sock: socket.socket, body: Coming, stays: bool, bounds: Bounds) -> None:
    for piece in body.pieces:
        if piece:
            _all(sock, [b"%x\r\n%b\r\n" % (len(piece), piece) if stays else piece], bounds)
        elif _has_left(sock):
            raise _Gone
    if stays:
        _all(sock, [b"0\r\n\r\n"], bounds)


def _all(sock: socket.socket, parts: Sequence[bytes], bounds: Bounds) -> None:
    began = time.monotonic()
    for part in parts:
        view, sent = memoryview(part), 0
        while sent < len(part):
            sent += sock.send(view[sent : sent + (1 << 18)])
            _check_pace(sent, began, bounds)


def _check_pace(sent: int, began: float, bounds: Bounds) -> None:
    # spec: registry.http.bounds
    if time.monotonic() - began > bounds.stuck + sent / bounds.slowest:
        raise _Gone


def _has_left(sock: socket.socket) -> bool:
    """Return whether the other side has closed the connection; one that only sends more has not."""
    try:
        return _waited(sock, select.POLLIN, 0) and not sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _waited(sock: socket.socket, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, event)
    return bool(poll.poll(seconds * 1000))


def _linger(sock: socket.socket) -> None:
    """Let a client read an answer that comes before the end of what it sends (RFC 9112, 9.6)."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(_TELL)
        until = time.monotonic() + 1
        while time.monotonic() < until and sock.recv(_PIECE):
            pass


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
