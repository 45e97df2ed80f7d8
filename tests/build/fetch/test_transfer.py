"""Getting a URL from servers that work, and from servers that do not."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock
from typing import Any, Optional

from bramble.build.fetch.address import parse_url
from bramble.build.fetch.proxies import proxy_of
from bramble.build.fetch.transfer import transfer
from bramble.build.options import BuildOptions, FetchOptions
from bramble.build.task import Cancelled, Listener
from bramble.errors import BrambleError
from bramble.sandbox.spec import Limits
from tests.build.fetch.server import (
    Answer,
    Request,
    Server,
    close_at_once,
    ok,
    ranged,
    redirect,
    respond,
    silent,
)

BODY = bytes(range(256)) * 2000


class World(unittest.TestCase):
    def setUp(self) -> None:
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.top = top.name
        self.target = os.path.join(self.top, "body")
        self.retries: list[str] = []
        self.shown: list[tuple[int, Optional[int]]] = []
        self.cancelled = threading.Event()

    def server(self, *answers: Answer) -> Server:
        server = Server(*answers)
        self.addCleanup(server.close)
        return server

    def fetch(self, url: str, **options: Any) -> bytes:
        chosen = FetchOptions(**{"timeout": 5.0, "pause": 0.01, "attempts": 3, **options})
        listener = Listener(
            progress=lambda done, total: self.shown.append((done, total)),
            retrying=lambda reason, pause: self.retries.append(reason),
            absent=lambda program, paths, movable: None,
            cancelled=self.cancelled,
        )
        transfer(url, self.target, chosen, listener)
        with open(self.target, "rb") as file:
            return file.read()

    def assertFails(self, code: str, url: str, **options: Any) -> None:
        with self.assertRaises(BrambleError) as caught:
            self.fetch(url, **options)
        self.assertEqual(caught.exception.code, code)
        self.assertTrue(caught.exception.remedy)


class Fetching(World):
    def test_a_file_arrives_whole(self) -> None:
        server = self.server(ok(BODY))
        self.assertEqual(self.fetch(server.url + "/a b?c=d#e"), BODY)
        self.assertEqual(self.shown[-1], (len(BODY), len(BODY)))
        self.assertEqual(server.requests[0].target, "/a%20b?c=d")
        self.assertEqual(server.requests[0].headers["host"], f"127.0.0.1:{server.port}")

    def test_a_server_need_not_say_how_long_a_file_is(self) -> None:
        server = self.server(respond("200 OK", BODY, length=-1))
        self.assertEqual(self.fetch(server.url), BODY)

    def test_pieces_are_put_together(self) -> None:
        body = b"5\r\nhello\r\n3\r\n yo\r\n0\r\n\r\n"
        server = self.server(respond("200 OK", body, length=-1, Transfer_Encoding="chunked"))
        self.assertEqual(self.fetch(server.url), b"hello yo")

    def test_an_empty_file_is_a_file(self) -> None:
        self.assertEqual(self.fetch(self.server(ok(b"")).url), b"")

    def test_a_file_url_is_read_from_the_disk(self) -> None:
        path = os.path.join(self.top, "a file")
        with open(path, "wb") as file:
            file.write(BODY)
        self.assertEqual(self.fetch("file://" + path.replace(" ", "%20"), offline=True), BODY)
        self.assertFails("fetch.not-found", "file://" + self.top + "/none")
        self.assertFails("fetch.not-found", "file://" + self.top)
        os.mkfifo(os.path.join(self.top, "fifo"))
        self.assertFails("fetch.not-found", f"file://{self.top}/fifo")

    def test_nothing_is_fetched_while_offline(self) -> None:
        server = self.server(ok(BODY))
        self.assertFails("fetch.offline", server.url, offline=True)
        self.assertEqual(server.requests, [])

    def test_a_name_and_password_are_sent_and_not_shown_to_others(self) -> None:
        other = self.server(ok(BODY))
        server = self.server(redirect(other.url + "/x"))
        url = server.url.replace("://", "://me:secret@")
        self.assertEqual(self.fetch(url), BODY)
        self.assertEqual(server.requests[0].headers["authorization"], "Basic bWU6c2VjcmV0")
        self.assertNotIn("authorization", other.requests[0].headers)


class Failing(World):
    def test_what_is_not_there_is_asked_for_once(self) -> None:
        server = self.server(respond("404 Not Found", b"sorry"))
        self.assertFails("fetch.not-found", server.url)
        self.assertEqual(len(server.requests), 1)
        self.assertFails("fetch.status", self.server(respond("403 Forbidden")).url)
        self.assertFails("fetch.status", self.server(respond("204 No Content")).url)

    def test_a_passing_trouble_passes(self) -> None:
        server = self.server(respond("503 Busy", Retry_After="0"), respond("429 Slow down"), ok(BODY))
        self.assertEqual(self.fetch(server.url), BODY)
        self.assertEqual(len(self.retries), 2)

    def test_a_trouble_that_does_not_pass_ends(self) -> None:
        server = self.server(respond("500 Broken"))
        self.assertFails("fetch.status", server.url)
        self.assertEqual(len(server.requests), 3)

    def test_a_server_that_closes_early_is_asked_for_the_rest(self) -> None:
        server = self.server(ranged(BODY, give=1000), ranged(BODY, give=70_000), ranged(BODY))
        self.assertEqual(self.fetch(server.url), BODY)
        self.assertEqual([request.start for request in server.requests], [0, 1000, 71_000])

    def test_a_file_that_changed_meanwhile_begins_anew(self) -> None:
        server = self.server(ranged(BODY, give=1000), ranged(BODY[::-1], tag='"v2"'))
        self.assertEqual(self.fetch(server.url), BODY[::-1])

    def test_without_a_validator_the_file_begins_anew(self) -> None:
        server = self.server(respond("200 OK", BODY[:1000], length=len(BODY)), ok(BODY[::-1]))
        self.assertEqual(self.fetch(server.url), BODY[::-1])
        self.assertNotIn("range", server.requests[1].headers)

    def test_a_weak_validator_proves_nothing(self) -> None:
        server = self.server(respond("200 OK", BODY[:9], length=99, ETag='W/"v"'), ok(BODY))
        self.assertEqual(self.fetch(server.url), BODY)
        self.assertNotIn("range", server.requests[1].headers)

    def test_a_shorter_file_leaves_nothing_of_a_longer_one(self) -> None:
        server = self.server(respond("200 OK", BODY, length=len(BODY) + 1), ok(b"short"))
        self.assertEqual(self.fetch(server.url), b"short")

    def test_a_wrong_part_is_not_used(self) -> None:
        wrong = respond("206 Partial Content", b"zzz", Content_Range="bytes 5-7/8")
        server = self.server(ranged(BODY, give=1000), wrong, ok(BODY))
        self.assertEqual(self.fetch(server.url), BODY)

    def test_a_part_that_ends_before_its_end_is_not_used(self) -> None:
        short = b'HTTP/1.1 206 Part\r\nTransfer-Encoding: chunked\r\nETag: "v1"\r\n'
        short += b"Content-Range: bytes 4-7/8\r\n\r\n2\r\nWX\r\n0\r\n\r\n"
        server = self.server(
            ranged(b"abcdefgh", give=4), lambda client, request: client.sendall(short), ranged(b"abcdefgh")
        )
        self.assertEqual(self.fetch(server.url), b"abcdefgh")
        self.assertEqual(server.requests[2].start, 0)

    def test_a_server_that_always_closes_early_is_given_up(self) -> None:
        self.assertFails("fetch.cut-short", self.server(respond("200 OK", b"x", length=9)).url)
        self.assertFails("fetch.cut-short", self.server(close_at_once).url)
        broken = respond("200 OK", b"5\r\nhel", length=-1, Transfer_Encoding="chunked")
        self.assertFails("fetch.cut-short", self.server(broken).url)

    def test_a_server_that_hangs_is_given_up(self) -> None:
        self.assertFails("fetch.timeout", self.server(silent).url, timeout=0.2, attempts=2)
        self.assertEqual(len(self.retries), 1)

    def test_a_server_that_hangs_in_the_middle_is_given_up(self) -> None:
        def halfway(client: socket.socket, request: Request) -> None:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            client.recv(1)

        self.assertFails("fetch.timeout", self.server(halfway).url, timeout=0.2, attempts=1)

    def test_a_server_that_is_not_there_is_unreachable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        self.assertFails("fetch.unreachable", f"http://127.0.0.1:{port}/")
        self.assertFails("fetch.unreachable", "http://no-such-host.invalid/", attempts=1)

    def test_what_does_not_speak_http_is_no_web_server(self) -> None:
        def noise(client: socket.socket, request: Request) -> None:
            client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        self.assertFails("fetch.protocol", self.server(noise).url)

    def test_what_does_not_speak_tls_is_no_secure_server(self) -> None:
        proxy = self.server(respond("200 Connected", b"and no TLS after it", length=-1))
        self.assertFails("fetch.tls", "https://far.test/", proxies={"https": proxy.url}, attempts=1)

    def test_a_wrong_url_is_an_error(self) -> None:
        for url in (
            "",
            "example.com",
            "ftp://example.com/",
            "http://",
            "http:///x",
            "http://h:port/",
            "http://h:+80/",
            "http://h:8_0/",
            "http://h:\u0668\u0660/",
            "http://[::1]x/",
            "http://[1.2.3.4]/",
            "http://[::ffff:999.1.1.1]/",
            "http://a..b/",
            "http://[::1/",
            "http://h/\n",
            "file://host/x",
            "http://b\xfccher/",
        ):
            with self.subTest(url):
                self.assertFails("fetch.url", url)


class Redirects(World):
    def test_a_redirect_is_followed(self) -> None:
        for status in (301, 302, 303, 307, 308):
            server = self.server(redirect("/b?c", status), ok(BODY))
            self.assertEqual(self.fetch(server.url + "/a"), BODY)
            self.assertEqual(server.requests[1].target, "/b?c")

    def test_a_circle_of_redirects_ends(self) -> None:
        server = self.server(redirect("/"))
        self.assertFails("fetch.redirect", server.url, redirects=4)
        self.assertEqual(len(server.requests), 5)

    def test_a_redirect_does_not_lead_to_the_disk(self) -> None:
        self.assertFails("fetch.redirect", self.server(redirect("file:///etc/passwd")).url)
        self.assertFails("fetch.status", self.server(respond("302 Found")).url)
        self.assertFails("fetch.redirect", self.server(redirect("gopher://x/")).url)

    def test_after_a_failure_the_redirects_are_followed_again(self) -> None:
        other = self.server(ranged(BODY, give=1000), ranged(BODY))
        server = self.server(redirect(other.url))
        self.assertEqual(self.fetch(server.url), BODY)
        self.assertEqual((len(server.requests), other.requests[1].start), (2, 1000))


class Cancelling(World):
    def assertStops(self, url: str) -> None:
        timer = threading.Timer(0.2, self.cancelled.set)
        timer.start()
        started = time.monotonic()
        with self.assertRaises(Cancelled):
            self.fetch(url, timeout=60.0)
        self.assertLess(time.monotonic() - started, 30)
        timer.join()

    def test_a_hanging_transfer_stops_when_it_is_cancelled(self) -> None:
        self.assertStops(self.server(silent).url)

    def test_a_pause_stops_when_it_is_cancelled(self) -> None:
        self.assertStops(self.server(respond("503 Busy", Retry_After="50")).url)

    def test_an_endless_file_stops_when_it_is_cancelled(self) -> None:
        def endless(client: socket.socket, request: Request) -> None:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                client.sendall(b"x")
                time.sleep(0.01)

        self.assertStops(self.server(endless).url)

    def test_a_look_up_that_hangs_stops_when_it_is_cancelled(self) -> None:
        gate = threading.Event()
        self.addCleanup(gate.set)
        with unittest.mock.patch("socket.getaddrinfo", lambda *_, **__: gate.wait(60)):
            self.assertStops("http://far.test/a")


def trickling(client: socket.socket, request: Request) -> None:
    """Announce much, and send a byte now and then."""
    client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nETag: "v1"\r\n\r\n')
    while True:
        client.sendall(b"x")
        time.sleep(0.02)


class Patience(World):
    def assertSoon(self, code: str, url: str, words: str, **options: Any) -> None:
        started = time.monotonic()
        with self.assertRaises(BrambleError) as caught:
            self.fetch(url, **{"timeout": 60.0, **options})
        self.assertLess(time.monotonic() - started, 30)
        self.assertEqual(caught.exception.code, code)
        self.assertIn(words, caught.exception.message)

    def test_a_server_that_trickles_is_given_up(self) -> None:
        self.assertSoon("fetch.timeout", self.server(trickling).url, "less than", patience=0.3, attempts=2)
        self.assertEqual(len(self.retries), 1)

    def test_a_head_that_trickles_is_given_up(self) -> None:
        def head(client: socket.socket, request: Request) -> None:
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                client.sendall(b"x: y\r\n")
                time.sleep(0.3)

        self.assertSoon("fetch.timeout", self.server(head).url, "less than", patience=0.3, attempts=1)

    def test_a_slow_server_that_gets_on_is_waited_for(self) -> None:
        def slow(client: socket.socket, request: Request) -> None:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
            for _ in range(6):
                client.sendall(b"x")
                time.sleep(0.1)

        self.assertEqual(self.fetch(self.server(slow).url, patience=0.2, slowest=1, attempts=1), b"xxxxxx")

    def test_the_time_that_is_given_ends_a_transfer_that_gets_on(self) -> None:
        url = self.server(trickling).url
        self.assertSoon("fetch.timeout", url, "longer than the 0.3 seconds", seconds=0.3, slowest=1)
        self.assertEqual(self.retries, [])

    def test_the_time_that_is_given_is_for_all_attempts_and_their_pauses(self) -> None:
        url = self.server(respond("503 Busy", Retry_After="50")).url
        self.assertSoon("fetch.timeout", url, "503", seconds=5.0, attempts=100)
        hanging = self.server(silent)
        self.assertSoon("fetch.timeout", hanging.url, "longer", seconds=0.5, timeout=0.2, attempts=1000)
        self.assertLess(len(hanging.requests), 10)

    def test_a_server_that_never_takes_the_connection_is_given_up(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
            address = deaf.getsockname()
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                self.addCleanup(one.close)
                one.setblocking(False)
                one.connect_ex(address)
            url = f"http://127.0.0.1:{address[1]}/a"
            self.assertSoon("fetch.timeout", url, "longer", seconds=0.5)

    def test_the_limits_of_a_build_are_those_of_its_downloads(self) -> None:
        def bounded(fetch: FetchOptions, **limits: Optional[float]) -> tuple[float, Optional[float]]:
            options = BuildOptions("linux-amd64", lambda: None, limits=Limits(**limits), fetch=fetch)  # type: ignore
            return options.bounded_fetch.timeout, options.bounded_fetch.seconds

        self.assertEqual(bounded(FetchOptions()), (30.0, None))
        self.assertEqual(bounded(FetchOptions(), seconds=7.0), (30.0, 7.0))
        self.assertEqual(bounded(FetchOptions(seconds=3.0), seconds=7.0, silence=2.0), (2.0, 3.0))
        self.assertEqual(bounded(FetchOptions(), silence=100.0), (30.0, None))


class Proxies(World):
    def test_the_table_says_which_proxy(self) -> None:
        proxies = {"http": "proxy:8080", "https": "http://p", "no": "localhost, .example.com,a.b:81"}

        def port(url: str) -> Optional[str]:
            found = proxy_of(parse_url(url), proxies)
            return found and found.netloc

        self.assertEqual(port("http://x/"), "proxy:8080")
        self.assertEqual(port("https://x/"), "p")
        self.assertIsNone(port("http://localhost:99/"))
        self.assertIsNone(port("https://www.example.com/"))
        self.assertIsNone(port("https://example.com/"))
        self.assertEqual(port("https://badexample.com/"), "p")
        self.assertIsNone(port("http://a.b:81/"))
        self.assertEqual(port("http://a.b/"), "proxy:8080")
        self.assertIsNone(proxy_of(parse_url("http://x/"), {"http": "proxy", "no": "*"}))

    def test_a_proxy_of_another_kind_is_an_error(self) -> None:
        for proxy in ("socks5://p:1", "https://p", "http://", "http://p:x"):
            self.assertFails("fetch.proxy", "http://x/", proxies={"http": proxy})

    def test_a_proxy_gets_the_whole_url(self) -> None:
        proxy = self.server(ok(BODY))
        address = proxy.url.replace("://", "://user:word@")
        self.assertEqual(self.fetch("http://far.test/a", proxies={"http": address}), BODY)
        self.assertEqual(proxy.requests[0].target, "http://far.test/a")
        self.assertEqual(proxy.requests[0].headers["host"], "far.test")
        self.assertIn("proxy-authorization", proxy.requests[0].headers)

    def test_a_proxy_that_refuses_a_tunnel_is_an_error(self) -> None:
        proxy = self.server(respond("403 Forbidden"))
        self.assertFails("fetch.unreachable", "https://far.test/a", proxies={"https": proxy.url})
        self.assertEqual(proxy.requests[0].target, "far.test:443")


class Tls(World):
    def setUp(self) -> None:
        super().setUp()
        self.pem = os.path.join(self.top, "pem")
        made = subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ]
            + ["-addext", "subjectAltName=DNS:localhost", "-keyout", self.pem + ".key", "-out", self.pem],
            capture_output=True,
        )
        if made.returncode:
            self.skipTest("no openssl program to make a certificate with")

    def secure(self, answer: Answer) -> Answer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem, self.pem + ".key")

        def talk(client: socket.socket, request: Request) -> None:
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            with context.wrap_socket(client, server_side=True) as inner:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += inner.recv(1)
                answer(inner, Request(head[:-4]))

        return talk

    def test_a_tunnel_carries_a_secure_connection(self) -> None:
        proxy = self.server(self.secure(ok(BODY)))
        proxies = {"https": proxy.url}
        self.assertEqual(self.fetch("https://localhost/a", proxies=proxies, ca_file=self.pem), BODY)

    def test_an_unknown_authority_is_not_trusted(self) -> None:
        proxy = self.server(self.secure(ok(BODY)))
        self.assertFails("fetch.tls", "https://localhost/a", proxies={"https": proxy.url})
        self.assertEqual(self.retries, [])

    def test_a_redirect_does_not_lead_out_of_a_secure_connection(self) -> None:
        proxy = self.server(self.secure(redirect("http://localhost/b")))
        self.assertFails(
            "fetch.redirect", "https://localhost/a", proxies={"https": proxy.url}, ca_file=self.pem
        )
