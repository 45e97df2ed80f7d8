"""Loopback servers for cases: small, and able to misbehave in the ways that networks do."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from conformance.routes import Routes


@contextlib.contextmanager
def serving(routes: Routes, read: Callable[[str], bytes]) -> Iterator[str]:
    """Serve these routes on a free port of 127.0.0.1; the value is the address, no slash at its end."""
    ended = threading.Event()
    asked: dict[str, int] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, routes.get(self.path.partition("?")[0]), asked, read, ended)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # Threads that hang must not hold the end of the case up.
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def answer(
    handler: http.server.BaseHTTPRequestHandler,
    route: Any,
    asked: dict[str, int],
    read: Callable[[str], bytes],
    ended: threading.Event,
) -> None:
    """Answer one request as its route says; a path without one is not found."""
    how, operands = (route[0], route[1:]) if route else ("status", ("404",))
    asked[handler.path] = asked.get(handler.path, 0) + 1
    if how == "hang":
        ended.wait()
        return
    if how == "raw":
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(read(os.fspath(operands[min(asked[handler.path], len(operands)) - 1])))
        handler.close_connection = True
        return
    if how == "redirect":
        handler.send_response(302)
        handler.send_header("Location", operands[0])
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    if how == "status" or (how == "twice" and asked[handler.path] == 1):
        handler.send_response(int(operands[0]))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    content = read(os.fspath(operands[-1]))
    handler.send_response(200)
    handler.send_header("Content-Type", "application/octet-stream")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(content[: int(operands[0])] if how == "cut" else content)
    handler.close_connection = True
