"""Loopback servers for cases: small, and able to misbehave in the ways that networks do."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from conformance.routes import Route, Routes

_TAG = '"half"'


@contextlib.contextmanager
def serving(
    routes: Routes,
    read: Callable[[str], bytes],
    certificate: Optional[str] = None,
    on_request: Callable[[str], object] = lambda path: None,
) -> Iterator[str]:
    """Serve these routes on a free port of 127.0.0.1; the value is the address, no slash at its end.

    `certificate` is a file with a private key and a certificate: with it the server speaks TLS.
    `on_request` is told the path of each request, without a query, before it is answered.
    """
    ended = threading.Event()
    context: Optional[ssl.SSLContext] = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    asked: dict[str, int] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            on_request(self.path.partition("?")[0])
            answer(self, *_routed(routes, self.path.partition("?")[0]), asked, read, ended)

        do_CONNECT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            return

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128  # many ask at once; one that is not taken waits for a second

        def finish_request(self, request: Any, client_address: Any) -> None:
            if context is None:
                super().finish_request(request, client_address)
                return
            # A client that does not trust the server ends the connection.
            with contextlib.suppress(OSError):
                _within_tls(context, request, lambda inner: Handler(inner, client_address, self))

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # Threads that hang must not hold the end of the case up.
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _within_tls(
    context: ssl.SSLContext, connection: socket.socket, handle: Callable[[socket.socket], object]
) -> None:
    """Handle what comes within TLS, and announce its end. Raises OSError."""
    connection.settimeout(10)
    with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True) as inner:
        try:
            handle(inner)
        finally:
            inner.settimeout(0.2)
            with contextlib.suppress(OSError, ValueError):
                inner.unwrap()


def _routed(routes: Routes, path: str) -> tuple[Route, str]:
    """Return the route of a path, and what of the path is below it."""
    if path in routes:
        return routes[path], ""
    for above, route in routes.items():
        if route.how == "below" and path.startswith(above + "/") and ".." not in path:
            return route, path[len(above) :]
    return Route("status", ("404",)), ""


def answer(
    handler: http.server.BaseHTTPRequestHandler,
    route: Route,
    inner: str,
    asked: dict[str, int],
    read: Callable[[str], bytes],
    ended: threading.Event,
) -> None:
    """Answer one request as its route says; a path without one is not found."""
    how, operands = route.how, route.operands
    asked[handler.path] = asked.get(handler.path, 0) + 1
    if route.field and handler.headers.get(route.field, "") != route.value:
        proxy = route.field == "Proxy-Authorization"
        asking = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        _head(handler, 407 if proxy else 401, {asking: 'Basic realm="case"', "Content-Length": "0"})
        return
    if how == "halves" and asked[handler.path] > 1:
        _rest(handler, read(operands[0]))
        return
    if how == "hang" or (how == "late" and asked[handler.path] == 1):
        ended.wait()
        return
    if how == "raw":
        with contextlib.suppress(ConnectionError):
            names = operands[min(asked[handler.path], len(operands)) - 1]
            handler.wfile.write(b"".join(map(read, names.split("+"))))
        handler.close_connection = True
        return
    if how == "redirect":
        _head(handler, 302, {"Location": operands[0], "Content-Length": "0"})
        return
    if how == "status" or (how == "twice" and asked[handler.path] == 1):
        _head(handler, int(operands[0]), {"Content-Length": "0"})
        return
    try:
        content = read(operands[-1] + inner)
    except OSError:
        _head(handler, 404, {"Content-Length": "0"})
        return
    tag = {"ETag": _TAG} if how == "halves" else {}
    _head(
        handler,
        200,
        {"Content-Type": "application/octet-stream", "Content-Length": str(len(content)), **tag},
    )
    length = int(operands[0]) if how == "cut" else len(content) // 2 if how == "halves" else len(content)
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(content[:length])
    handler.close_connection = True


def _rest(handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
    """Send the second half to a client that asks for it with the tag of the first; 404 to all others."""
    half = len(content) // 2
    if (handler.headers.get("Range"), handler.headers.get("If-Range")) != (f"bytes={half}-", _TAG):
        _head(handler, 404, {"Content-Length": "0"})
        return
    place = f"bytes {half}-{len(content) - 1}/{len(content)}"
    _head(handler, 206, {"ETag": _TAG, "Content-Range": place, "Content-Length": str(len(content) - half)})
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(content[half:])


def _head(handler: http.server.BaseHTTPRequestHandler, status: int, fields: Mapping[str, str]) -> None:
    handler.send_response(status)
    for name, value in fields.items():
        handler.send_header(name, value)
    handler.end_headers()
