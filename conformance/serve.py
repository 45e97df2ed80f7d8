"""Loopback servers for cases: small, and able to misbehave in the ways that networks do.

A section of routes says what is answered, one path a line (spec: conformance.verbs.serve):

    /a.tar.gz  file a.tar.gz        a file of $WORK
    /old       redirect /a.tar.gz
    /gone      status 404
    /half      cut 10 a.tar.gz      the length of the whole, ten bytes, and an early end
    /flaky     twice 503 a.tar.gz   that status for the first request, the file afterwards
    /silent    hang                 no answer until the case ends
"""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_SHAPES: Mapping[str, int] = {"file": 1, "redirect": 1, "status": 1, "cut": 2, "twice": 2, "hang": 0}


class BadRoutes(Exception):
    """A section of routes that cannot be read."""


Routes = Mapping[str, tuple[str, ...]]


def parse_routes(text: str) -> Routes:
    """Return path → (what to do, its operands). Raises BadRoutes."""
    routes: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith("/") or len(words) < 2 or _SHAPES.get(words[1]) != len(words) - 2:
            raise BadRoutes(f"no route: {line!r}")
        if words[0] in routes:
            raise BadRoutes(f"the path {words[0]} stands twice")
        routes[words[0]] = tuple(words[1:])
    if not routes:
        raise BadRoutes("there are no routes")
    return routes


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
