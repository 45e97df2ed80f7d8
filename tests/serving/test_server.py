"""Connections: many requests on one, clients that are slow or too many, and what a fault looks like."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from bramble.errors import BrambleError
from bramble.serving.answer import Answer, Coming, of_file
from bramble.serving.files import open_below
from bramble.serving.request import Refused, Request
from bramble.serving.server import Address, Bounds, Server

QUICK = Bounds(connections=3, head=0.3, body=0.3, idle=5.0, stuck=0.3, largest_body=100)
SAID = [("Content-Type", "text/plain")]


def explain(_request: Optional[Request], refused: Refused) -> Answer:
    return Answer(refused.status, [*SAID, *refused.fields], refused.fact.encode())


@contextlib.contextmanager
def serving(respond: Callable[[Request], Answer], bounds: Bounds = QUICK) -> Iterator[tuple[int, list[str]]]:
    faults: list[str] = []
    server = Server(Address("127.0.0.1", 0), respond, explain, faults.append, bounds)
    thread = threading.Thread(target=server.run, kwargs={"patience": 0.2})
    thread.start()
    try:
        yield server.address.port, faults
    finally:
        server.stop()
        thread.join(5)
        assert not thread.is_alive()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def asked(port: int, *requests: str) -> bytes:
    """Send requests on one connection, the last of which closes it; return all that comes back."""
    with connected(port) as sock:
        sock.sendall("".join(requests).encode("latin-1"))
        return b"".join(iter(lambda: sock.recv(65536), b""))


def text(target: str, *fields: str, method: str = "GET", minor: int = 1, body: str = "") -> str:
    return "\r\n".join([f"{method} {target} HTTP/1.{minor}", "Host: x", *fields, "", body])


LAST = "Connection: close"


def echo(request: Request) -> Answer:
    return Answer(200, SAID, f"{request.method} {request.path[-1]} {request.body.decode()};".encode())


def test_many_requests_on_one_connection() -> None:
    with serving(echo) as (port, faults):
        said = asked(
            port, text("/a"), text("/b", "Content-Length: 3", method="POST", body="xyz"),
            text("/c", method="HEAD"), text("/d", LAST),
        )  # fmt: skip
        assert [said.count(one) for one in (b"GET a ;", b"POST b xyz;", b"GET d ;")] == [1, 1, 1]
        assert said.count(b"HTTP/1.1 200 OK\r\n") == 4 and said.count(b"Content-Length: ") == 4
        assert b"HEAD c" not in said and said.count(b"Connection: close") == 1
        assert asked(port, text("/e", minor=0)).endswith(b"GET e ;")
    assert not faults


def test_what_cannot_be_read_ends_the_connection() -> None:
    # spec: registry.http.message
    with serving(echo) as (port, _):
        said = asked(port, "nonsense\r\n\r\n", text("/b", LAST))
        assert said.startswith(b"HTTP/1.1 400 ") and b"GET b" not in said
        said = asked(port, text("/a", "Content-Length: 101", method="POST"), text("/b", LAST))
        assert said.startswith(b"HTTP/1.1 413 ") and b"GET b" not in said
        assert asked(port, f"GET / HTTP/1.1\r\nA: {'b' * 20000}").startswith(b"HTTP/1.1 431 ")
        # Lost in the middle: nothing is answered to nobody.
        with connected(port) as sock:
            sock.sendall(b"GET / HTT")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""


def test_a_client_that_is_slow_is_given_up() -> None:
    # spec: registry.http.bounds
    with serving(echo) as (port, _), connected(port) as slow, connected(port) as half:
        half.sendall(text("/a", "Content-Length: 9", method="POST", body="x").encode())
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for letter in text("/a"):
                slow.sendall(letter.encode())
                time.sleep(0.05)
        assert time.monotonic() - began < 3
        assert half.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    # spec: registry.http.bounds
    (tmp_path / "large").write_bytes(bytes(64 << 20))
    ended = threading.Event()

    def respond(request: Request) -> Answer:
        if request.path == ("file",):
            top = os.open(tmp_path, os.O_RDONLY)
            opened = open_below(top, ["large"])
            os.close(top)
            assert opened is not None
            return of_file(request, *opened, SAID)
        pieces = iter(lambda: bytes(1 << 16), b"")
        return Answer(200, SAID, Coming(pieces, ended.set))

    with serving(respond) as (port, _), connected(port) as one, connected(port) as other:
        one.sendall(text("/coming").encode())
        other.sendall(text("/file").encode())
        assert ended.wait(5)
        # The answer was announced whole, and is not: the client can tell.
        assert len(b"".join(iter(lambda: other.recv(1 << 20), b""))) < 64 << 20


def test_the_oldest_that_is_idle_makes_room() -> None:
    # spec: registry.http.bounds
    goes_on, waiting = threading.Event(), threading.Semaphore(0)

    def respond(request: Request) -> Answer:
        if request.path == ("wait",):
            waiting.release()
            goes_on.wait(10)
        return echo(request)

    with serving(respond) as (port, _), contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(port)) for _ in range(3)]
        for sock in idle:
            sock.sendall(text("/a").encode())
            assert sock.recv(1000)
        new = stack.enter_context(connected(port))
        new.sendall(text("/b").encode())
        assert b"GET b" in new.recv(1000)
        # Which one has been idle for longest, only the server knows to the microsecond.
        gone, _, _ = select.select(idle, [], [], 5)
        assert [sock.recv(1000) for sock in gone] == [b""]
        for sock in {*idle, new} - set(gone):
            sock.sendall(text("/wait").encode())
            assert waiting.acquire(timeout=5)
        # None is idle now: the newest is told so, if it has not said too much by then to hear it.
        with contextlib.suppress(ConnectionResetError):
            assert asked(port, text("/c", LAST)).startswith(b"HTTP/1.1 503 ")
        goes_on.set()
        assert b"GET wait" in new.recv(1000)


def test_clients_that_ask_slowly_keep_nobody_out() -> None:
    # spec: registry.http.bounds
    bounds = QUICK._replace(head=20.0, body=20.0)
    with serving(echo, bounds) as (port, _), contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(port)) for _ in range(3)]
        slow[0].sendall(b"GET / HTTP/1.1\r\nHost:")
        slow[1].sendall(text("/", "Content-Length: 5", method="POST", body="x").encode())
        slow[2].sendall(b"GET")
        began = time.monotonic()
        for _ in range(4):
            assert asked(port, text("/b", LAST)).endswith(b"GET b ;")
        assert time.monotonic() - began < 5
        gone, _, _ = select.select(slow, [], [], 5)
        assert len(gone) >= 1


def test_a_fault_is_told_to_nobody_but_the_owner() -> None:
    def respond(_request: Request) -> Answer:
        raise ValueError("what is secret")

    with serving(respond) as (port, faults):
        said = asked(port, text("/a", LAST))
        assert said.startswith(b"HTTP/1.1 500 ") and b"secret" not in said
    assert len(faults) == 1 and "what is secret" in faults[0]


def test_what_comes_in_pieces_is_chunked_and_left_when_nobody_listens() -> None:
    closed: list[int] = []

    def respond(request: Request) -> Answer:
        if request.path == ("long",):
            pieces: Any = iter(lambda: time.sleep(0.01) or b"", None)
            return Answer(200, SAID, Coming(pieces, lambda: closed.append(2)))
        return Answer(200, SAID, Coming(iter([b"one", b"", b"two"]), lambda: closed.append(1)))

    with serving(respond) as (port, _):
        said = asked(port, text("/a"), text("/b", LAST))
        assert said.count(b"Transfer-Encoding: chunked") == 1
        assert b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK" in said
        assert said.endswith(b"onetwo")
        with connected(port) as sock:
            sock.sendall(text("/long").encode())
            sock.recv(1000)
        until = time.monotonic() + 5
        while 2 not in closed and time.monotonic() < until:
            time.sleep(0.01)
    assert closed == [1, 1, 2]


def test_files_parts_and_what_has_not_changed(tmp_path: Path) -> None:
    # spec: registry.http.conditional, registry.http.ranges
    (tmp_path / "file").write_bytes(b"0123456789")
    top = os.open(tmp_path, os.O_RDONLY)

    def respond(request: Request) -> Answer:
        opened = open_below(top, ["file"])
        assert opened is not None
        try:
            return of_file(request, *opened, SAID)
        except Refused:
            os.close(opened[0])
            raise

    with serving(respond) as (port, _):
        whole = asked(port, text("/", LAST))
        assert whole.startswith(b"HTTP/1.1 200 ") and whole.endswith(b"\r\n\r\n0123456789")
        fields = dict(line.split(b": ", 1) for line in whole.split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
        tag, date = fields[b"ETag"].decode(), fields[b"Last-Modified"].decode()
        part = asked(port, text("/", "Range: bytes=3-5", f"If-Range: {tag}", LAST))
        assert part.startswith(b"HTTP/1.1 206 ") and part.endswith(b"\r\n\r\n345")
        assert b"Content-Range: bytes 3-5/10\r\n" in part
        assert asked(port, text("/", "Range: bytes=3-5", 'If-Range: "x"', LAST)).endswith(b"0123456789")
        assert asked(port, text("/", "Range: bytes=30-", LAST)).startswith(b"HTTP/1.1 416 ")
        for same in (f"If-None-Match: {tag}", f'If-None-Match: "x", W/{tag}', f"If-Modified-Since: {date}"):
            said = asked(port, text("/", same, LAST))
            assert said.startswith(b"HTTP/1.1 304 ") and said.endswith(b"\r\n\r\n")
        assert asked(port, text("/", 'If-None-Match: "x"', f"If-Modified-Since: {date}", LAST)).startswith(
            b"HTTP/1.1 200 "
        )
        assert asked(port, text("/", "If-Modified-Since: never", LAST)).startswith(b"HTTP/1.1 200 ")
    os.close(top)


def test_no_way_leads_out_of_a_directory(tmp_path: Path) -> None:
    # spec: registry.http.paths
    inside = tmp_path / "public"
    (inside / "a").mkdir(parents=True)
    (inside / "a" / "file").write_text("x")
    (inside / ".hidden").write_text("x")
    (tmp_path / "key").write_text("secret")
    (inside / "link").symlink_to("../key")
    (inside / "up").symlink_to("..")
    os.mkfifo(inside / "fifo")
    top = os.open(inside, os.O_RDONLY)
    found = open_below(top, ["a", "file"])
    assert found is not None
    os.close(found[0])
    for parts in (
        ["link"], ["up", "key"], ["..", "key"], ["a"], ["a", ""], ["fifo"], [".hidden"], ["a/file"],
        ["a", "file", "x"], ["x" * 300], ["\0"], [""],
    ):  # fmt: skip
        assert open_below(top, parts) is None, parts
    os.close(top)


def test_addresses() -> None:
    assert Address.parse("127.0.0.1:80") == ("127.0.0.1", 80) and Address.parse("0") == ("127.0.0.1", 0)
    assert Address.parse("[::1]:80") == ("::1", 80) and str(Address("::1", 80)) == "[::1]:80"
    for wrong in ("", "a", "a:b", "a:99999", "::1", "a:1:2"):
        with pytest.raises(ValueError):
            Address.parse(wrong)
    with serving(echo) as (port, _), pytest.raises(BrambleError) as found:
        Server(Address("127.0.0.1", port), echo, explain, print)
    assert found.value.code == "registry.listen"
