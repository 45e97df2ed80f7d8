"""Answers that RFC 9110 and RFC 9112 allow and forbid, byte for byte, and noise."""

from __future__ import annotations

import contextlib
import random
import socket
import unittest
from typing import Optional

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bramble.build.fetch.address import NoUrl, parts_of, resolve
from bramble.build.fetch.joining import Received, http_date, pause_of, rest_of, strong_validator
from bramble.build.fetch.response import Ended, Head, Malformed, Wire, body, framing, read_head
from tests.build.fetch.odd_answers import BAD_CHUNKS, BAD_FIELDS, BAD_LINES, one_round
from tests.build.fetch.server import Answer, Request, close_at_once, ok, ranged, redirect, respond
from tests.build.fetch.test_transfer import BODY, World


def raw(*pieces: bytes) -> Answer:
    """Answer with exactly these bytes."""

    def answer(client: socket.socket, request: Request) -> None:
        for piece in pieces:
            client.sendall(piece)

    return answer


def wire(data: bytes, step: int = 331) -> Wire:
    left = [data]

    def receive(size: int) -> bytes:
        piece, left[0] = left[0][: min(size, step)], left[0][min(size, step) :]
        return piece

    return Wire(receive)


def parsed(data: bytes) -> tuple[Head, bytes]:
    found = wire(data)
    head = read_head(found)
    return head, b"".join(body(found, framing(head)))


OK = b"HTTP/1.1 200 OK\r\n"


class Messages(unittest.TestCase):
    def assertBody(self, expected: bytes, data: bytes) -> None:
        self.assertEqual(parsed(data)[1], expected, data[:200])

    def assertMalformed(self, data: bytes) -> None:
        with self.assertRaises(Malformed, msg=data[:200]):
            parsed(data)

    def test_the_end_of_a_body(self) -> None:
        self.assertBody(b"hello", OK + b"Content-Length: 5\r\n\r\nhello and more")
        self.assertBody(b"hello", OK + b"Content-Length: 5, 5\r\ncontent-length: 5\r\n\r\nhello")
        self.assertBody(b"to the end", b"HTTP/1.0 200\r\n\r\nto the end")
        self.assertBody(b"to the end", OK + b"Connection: close\r\n\r\nto the end")
        self.assertBody(b"", b"HTTP/1.1 204 No\r\n\r\nwhat")
        self.assertBody(
            b"hello yo", OK + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n3\r\n yo\r\n0\r\n\r\n"
        )
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        self.assertBody(
            b"x" * 26, chunked + b'001A;name="v"; b\r\n' + b"x" * 26 + b"\r\n0\r\nA: b\r\nC: d\r\n\r\n"
        )

    def test_a_line_may_end_with_lf_and_go_on_in_the_next(self) -> None:
        head, data = parsed(b"HTTP/1.1 200 OK\nA: b\r\n  c\r\n\td \r\nContent-Length: 2\n\nhi")
        self.assertEqual((head.one("a"), data), ("b c d", b"hi"))

    def test_informational_answers_are_passed_over(self) -> None:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n"
        for count in (1, 3, 64):
            self.assertBody(
                b"hi",
                hints * count
                + b"HTTP/1.1 100\r\n\r\n"[: 9999 if count < 64 else 0]
                + OK
                + b"Content-Length: 2\r\n\r\nhi",
            )
        self.assertMalformed(hints * 65 + OK + b"Content-Length: 2\r\n\r\nhi")
        self.assertMalformed(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n")

    def test_what_contradicts_itself_is_refused(self) -> None:
        for fields in BAD_FIELDS:
            self.assertMalformed(OK + fields + b"\r\n\r\nhello")
        self.assertMalformed(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_what_is_no_status_line_is_refused(self) -> None:
        for line in BAD_LINES:
            self.assertMalformed(line + b"\r\n\r\n")

    def test_a_chunk_that_cannot_be_read_is_refused(self) -> None:
        for chunks in BAD_CHUNKS:
            self.assertMalformed(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)

    def test_an_early_end_is_no_end(self) -> None:
        whole = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"
        for cut in range(len(whole)):
            with self.assertRaises((Ended, Malformed)):
                parsed(whole[:cut])
        with self.assertRaises(Ended):
            parsed(OK + b"Content-Length: 5\r\n\r\nhell")

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=300), st.sampled_from([b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"]))
    @example(b"\r\n\r\n", b"")
    def test_noise_is_refused_and_nothing_else(self, noise: bytes, before: bytes) -> None:
        with contextlib.suppress(Malformed, Ended):
            parsed(before + noise)


def head(**fields: str) -> Head:
    return Head(1, 206, "", tuple((name.replace("_", "-"), value) for name, value in fields.items()))


class Joining(unittest.TestCase):
    DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
    LATER = "Sun, 06 Nov 1994 08:50:37 GMT"

    def test_only_a_strong_validator_proves(self) -> None:
        self.assertEqual(strong_validator(head(etag='"a"')), '"a"')
        for tag in ('W/"a"', "a", '"a', '"a" "b"', '"a"b"', ""):
            self.assertIsNone(strong_validator(head(etag=tag, last_modified=self.DATE, date=self.LATER)), tag)
        self.assertEqual(strong_validator(head(last_modified=self.DATE, date=self.LATER)), self.DATE)
        self.assertIsNone(strong_validator(head(last_modified=self.DATE, date=self.DATE)))
        self.assertIsNone(strong_validator(head(last_modified=self.DATE)))
        self.assertIsNone(strong_validator(head(last_modified="yesterday", date=self.LATER)))

    def test_only_the_rest_of_the_same_file_is_added(self) -> None:
        def rest(place: Optional[str], tag: str = '"a"', total: Optional[int] = 8, **more: str) -> bool:
            fields = {"etag": tag, **({} if place is None else {"content_range": place}), **more}
            return rest_of(head(**fields), Received(4, "u", '"a"', total)) is not None

        self.assertTrue(rest("bytes 4-7/8"))
        self.assertTrue(rest("bytes 4-5/8"))
        self.assertTrue(rest("bytes 4-7/8", total=None))
        for place in (
            None,
            "bytes 3-7/8",
            "bytes 5-7/8",
            "bytes 4-8/8",
            "bytes 4-7/9",
            "bytes 4-7/*",
            "bytes */8",
            "bytes 4-3/8",
            "items 4-7/8",
            "4-7/8",
            "bytes 4-7/8, 4-7/8",
            "bytes -4-7/8",
            "",
        ):
            self.assertFalse(rest(place), place)
        self.assertFalse(rest("bytes 4-7/8", '"b"'))
        self.assertFalse(rest("bytes 4-7/8", 'W/"a"'))
        self.assertFalse(rest("bytes 4-7/8", content_type="multipart/byteranges; boundary=x"))
        with self.assertRaises(Malformed):
            rest("bytes 4-7/" + "8" * 5000)
        dated = Received(4, "u", self.DATE, 8)
        self.assertIsNotNone(rest_of(head(last_modified=self.DATE, content_range="bytes 4-7/8"), dated))
        self.assertIsNone(rest_of(head(last_modified=self.LATER, content_range="bytes 4-7/8"), dated))
        self.assertIsNone(
            rest_of(head(etag='"x"', last_modified=self.DATE, content_range="bytes 4-7/8"), dated)
        )

    def test_dates_and_pauses(self) -> None:
        self.assertEqual(http_date(self.DATE), 784111777)
        for text in (
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 32 Nov 1994 08:49:37 GMT",
        ):
            self.assertIsNone(http_date(text))
        self.assertEqual(pause_of(head(retry_after="7"), 0), 7)
        self.assertEqual(pause_of(head(retry_after=self.DATE), 784111770), 7)
        for text in ("-1", "9" * 5000, "²", "soon", ""):
            self.assertEqual(pause_of(head(retry_after=text), 0), 0)

    def test_a_reference_is_resolved_as_rfc_3986_says(self) -> None:
        base = parts_of("http://a/b/c/d;p?q")
        for location, expected in (
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y#s", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("HTTPS://G/x", "https://G/x"),
            ("http://user:word@g/", "http://g/"),
            ("/caf\xc3\xa9 \t", "http://a/caf%C3%A9%20%09"),
        ):
            self.assertEqual(resolve(base, location).geturl(), expected)
        for location in (
            "g:h",
            "http:g",
            "http://",
            "//",
            "http://h:99999999/",
            "http://[::1/x",
            "mailto:x",
            "data:,x",
            "http://h:0/",
            "http://a b/",
            "javascript:1",
            "http://[::g]/",
            "http://h:" + "9" * 5000,
        ):
            with self.assertRaises(NoUrl, msg=location):
                resolve(base, location)


class Joined(World):
    def part(self, place: str, data: bytes, **fields: str) -> Answer:
        return respond("206 Partial Content", data, **{"ETag": '"a"', "Content_Range": place, **fields})

    def assertJoins(self, expected: bytes, *answers: Answer, attempts: int = 4) -> list[Optional[str]]:
        server = self.server(respond("200 OK", b"abcd", length=8, ETag='"a"'), *answers)
        self.assertEqual(self.fetch(server.url + "/f", attempts=attempts), expected)
        return [request.headers.get("range") for request in server.requests]

    def test_a_part_that_is_shorter_than_the_rest_is_gone_on_from(self) -> None:
        asked = self.assertJoins(
            b"abcdefgh", self.part("bytes 4-5/8", b"ef"), self.part("bytes 6-7/8", b"gh")
        )
        self.assertEqual(asked, [None, "bytes=4-", "bytes=6-"])

    def test_a_part_of_another_file_is_not_added(self) -> None:
        before = b'HTTP/1.1 206 P\r\nETag: "a"\r\nContent-Range: bytes 4-7/8\r\n'
        for answer in (
            self.part("bytes 4-7/8", b"WXYZ", ETag='"b"'),
            self.part("bytes 4-8/9", b"WXYZ1"),
            self.part("bytes 4-7/*", b"WXYZ"),
            self.part("bytes 0-7/8", b"STUVWXYZ"),
            self.part("bytes 4-7/8", b"WXYZ9"),
            self.part("bytes 4-7/8", b"WX"),
            self.part("bytes 4-7/8", b"WXYZ", Content_Type="multipart/byteranges; boundary=b"),
            respond("206 Partial Content", b"WXYZ", Content_Range="bytes 4-7/8"),
            respond("416 Range Not Satisfiable", Content_Range="bytes */8"),
            raw(before + b"\r\nWXYZ9"),
            raw(before + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ):
            asked = self.assertJoins(b"STUVWXYZ", answer, ok(b"STUVWXYZ", ETag='"b"'))
            self.assertEqual(asked[1:], ["bytes=4-", None])

    def test_the_whole_in_answer_to_a_part_begins_anew(self) -> None:
        self.assertEqual(self.assertJoins(b"STUV", ok(b"STUV", ETag='"b"')), [None, "bytes=4-"])

    def test_a_part_that_was_not_asked_for_is_no_file(self) -> None:
        self.assertFails("fetch.protocol", self.server(self.part("bytes 0-3/4", b"abcd")).url + "/f")

    def test_the_same_validator_of_another_url_proves_nothing(self) -> None:
        one, two = self.server(ranged(BODY, give=1000)), self.server(ranged(BODY[::-1]))
        server = self.server(redirect(one.url + "/x"), redirect(two.url + "/x"))
        self.assertEqual(self.fetch(server.url + "/f"), BODY[::-1])
        self.assertNotIn("range", two.requests[0].headers)

    def test_early_hints_are_no_answer(self) -> None:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        server = self.server(raw(hints * 5, OK + b"Content-Length: 2\r\n\r\nhi"))
        self.assertEqual(self.fetch(server.url + "/f"), b"hi")

    def test_what_was_encoded_unasked_is_refused(self) -> None:
        self.assertFails("fetch.protocol", self.server(ok(b"x", Content_Encoding="gzip")).url + "/f.txt")
        self.assertFails("fetch.protocol", self.server(ok(b"x", Content_Encoding="br")).url + "/f.tar.gz")
        self.assertFails("fetch.protocol", self.server(ok(b"x", Content_Encoding="gzip, gzip")).url + "/f.gz")
        compressed = self.server(ok(b"x", Content_Encoding="x-gzip"))
        self.assertEqual(self.fetch(compressed.url + "/f.tar.gz"), b"x")

    def test_a_redirect_to_no_place_is_an_error(self) -> None:
        for location in ("http://[::1/x", "ftp://h/x", "http://h:x/", "data:,x", "http://a\tb/"):
            self.assertFails("fetch.redirect", self.server(redirect(location)).url + "/f")

    def test_credentials_do_not_come_back_after_a_detour(self) -> None:
        home = self.server(lambda client, request: None)
        other = self.server(redirect(home.url + "/b"))
        home.answer_with(redirect(other.url + "/a"), ok(b"1"))
        url = home.url.replace("://", "://me:secret@") + "/f"
        self.assertEqual(self.fetch(url), b"1")
        self.assertEqual(
            [("authorization" in r.headers) for r in home.requests + other.requests], [True, False, False]
        )

    def test_a_connection_that_is_reset_is_no_end(self) -> None:
        def reset(client: socket.socket, request: Request) -> None:
            client.sendall(OK + b"\r\nhalf")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            raise OSError

        self.assertFails("fetch.cut-short", self.server(reset).url + "/f", attempts=1)
        self.assertFails("fetch.cut-short", self.server(close_at_once).url + "/f", attempts=1)

    def test_an_odd_server_gives_the_right_bytes_or_an_error(self) -> None:
        # tests/stress/fuzz_http.py tries thousands.
        for number in range(30):
            wrong, happened = one_round(random.Random(number), self.top, waits=False)
            self.assertEqual(wrong, "", f"{number}: {happened}")
