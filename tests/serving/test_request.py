"""Requests are read strictly: what is odd is refused, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bramble.serving.request import Refused, Request, byte_range, read_request


def read(*lines: str) -> Request:
    return read_request("\r\n".join(lines).encode("latin-1"))


def get(target: str, *fields: str) -> Request:
    return read(f"GET {target} HTTP/1.1", "Host: x", *fields)


def refused(*lines: str) -> int:
    with pytest.raises(Refused) as found:
        read(*lines)
    return found.value.status


def test_a_request() -> None:
    found = get("/package/a.b/c%40d?q=x+y%26&q=z&e", "Accept: text/html", "X: 1", "x: 2")
    assert (found.method, found.path) == ("GET", ("package", "a.b", "c@d"))
    assert found.parameters == {"q": "x y&", "e": ""}
    assert (found.fields["accept"], found.fields["x"]) == ("text/html", "1, 2")
    assert get("/").path == get("http://other").path == ("",) and get("http://other/a").path == ("a",)
    assert get("/").keeps_alive and not get("/", "Connection: Close").keeps_alive
    assert not read("GET / HTTP/1.0").keeps_alive


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        # spec: registry.http.message
        (400, ["GET  / HTTP/1.1", "Host: x"]),
        (400, ["GET / HTTP/1.1 ", "Host: x"]),
        (400, ["nonsense"]),
        (400, [""]),
        (400, ["GET / HTTP/1.1"]),
        (400, ["GET / HTTP/1.1", "Host: x", "Host: y"]),
        (400, ["GET / HTTP/1.1", "Host : x"]),
        (400, ["GET / HTTP/1.1", "Host: x", " folded"]),
        (400, ["GET / HTTP/1.1", "Host: x", "Content-Length: 1", "Content-Length: 1"]),
        (400, ["GET / HTTP/1.1", "Host: x", "Content-Length: +1"]),
        (400, ["GET / HTTP/1.1", "Host: x", "Content-Length: -1"]),
        (400, ["GET / HTTP/1.1", "Host: x", "A: b\0"]),
        (400, ["GET / HTTP/1.1", "Host: x", "A: b\nB: c"]),
        (400, ["GET a HTTP/1.1", "Host: x"]),
        (400, ["GET /%zz HTTP/1.1", "Host: x"]),
        (400, ["GET /%00 HTTP/1.1", "Host: x"]),
        (400, ["GET /%ff HTTP/1.1", "Host: x"]),
        (400, ["GET /?%0a HTTP/1.1", "Host: x"]),
        (411, ["POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"]),
        (411, ["POST / HTTP/1.1", "Host: x", "Content-Length: 3", "Transfer-Encoding: chunked"]),
        (414, [f"GET /{'a' * 5000} HTTP/1.1", "Host: x"]),
        (431, ["GET / HTTP/1.1", "Host: x", *(["A: b"] * 64)]),
        (505, ["GET / HTTP/2.0", "Host: x"]),
        # spec: registry.http.paths
        (404, ["GET /../etc/passwd HTTP/1.1", "Host: x"]),
        (404, ["GET /%2e%2e/etc/passwd HTTP/1.1", "Host: x"]),
        (404, ["GET /a%2f..%2fb HTTP/1.1", "Host: x"]),
        (404, ["GET //a HTTP/1.1", "Host: x"]),
        (404, ["GET /a/./b HTTP/1.1", "Host: x"]),
    ],
)
def test_what_is_odd_is_refused(status: int, lines: list[str]) -> None:
    assert refused(*lines) == status


@given(st.binary(max_size=200))
@example(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999")
def test_no_bytes_bring_anything_but_a_request_or_a_refusal(data: bytes) -> None:
    for head in (data, b"GET /" + data + b" HTTP/1.1\r\nHost: x", b"GET / HTTP/1.1\r\nHost: x\r\n" + data):
        try:
            found = read_request(head)
        except Refused as refused:
            assert 400 <= refused.status < 600
        else:
            assert not {".", ".."} & set(found.path) and not any("/" in part for part in found.path)
            found.prefers("text/html", "application/json")


def test_ranges() -> None:
    # spec: registry.http.ranges
    assert byte_range("bytes=0-4", 10) == (0, 5)
    assert byte_range("bytes=5-", 10) == (5, 10)
    assert byte_range("bytes=-3", 10) == (7, 10)
    assert byte_range("bytes=-30", 10) == (0, 10)
    assert byte_range("bytes=5-100", 10) == (5, 10)
    for ignored in (None, "", "bytes=", "bytes=-", "bytes=4-3", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b"):
        assert byte_range(ignored, 10) is None
    for absent in ("bytes=10-", "bytes=10-20", "bytes=-0"):
        with pytest.raises(Refused) as found:
            byte_range(absent, 10)
        assert (found.value.status, found.value.fields) == (416, (("Content-Range", "bytes */10"),))


def test_what_a_client_would_rather_have() -> None:
    # spec: registry.http.errors
    def html(accept: str) -> bool:
        return get("/", *([f"Accept: {accept}"] if accept else [])).prefers("text/html", "application/json")

    assert html("text/html,application/xhtml+xml,*/*;q=0.8") and html("text/*")
    assert html("application/json;q=0.5, text/html;q=0.6")
    assert not html("") and not html("*/*") and not html("application/json") and not html("text/html;q=0")
    assert not html("text/html;q=high")
