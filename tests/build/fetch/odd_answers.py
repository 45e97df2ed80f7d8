"""A web server that answers oddly, as the dice say, and what may come of it: the right bytes, or an error.

What a server says of its bytes is true here wherever no client could find out that it is not: a body that
ends with the connection is cut by a reset only, a length is never too small, a part with the tag of a file is
a part of that file. All else may be wrong. So what comes out has to be one of the files of the round, whole.
"""

from __future__ import annotations

import gzip
import random
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from bramble.build.fetch.transfer import transfer
from bramble.build.options import FetchOptions
from bramble.build.task import Listener
from bramble.errors import BrambleError
from tests.build.fetch.server import Answer, Request, Server

ATTEMPTS = 4
SECONDS = 5.0  # that a download is given
GRACE = 3.0  # seconds more, on a machine that is busy
_LETTERS = bytes(byte for byte in range(256) if byte not in b"\r\n")

# Statuses and fields that make of any message none at all.
BAD_LINES: tuple[bytes, ...] = (
    b"", b"HTTP/2 200", b"HTTP/1.1 20", b"HTTP/1.1 2000 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1 099",
    b"http/1.1 200 OK", b"ICY 200 OK", b"HTTP/1.1 abc", b"HTTP/1.10 200 OK", b"\0" * 80_000, b"HTTP/1.1",
    b"HTTP/1.1\t200 OK", b"\r\nHTTP/1.1 200 OK", b" HTTP/1.1 200 OK", b"HTTP/1.1 200 O\0K",
    b"HTTP/1.1 200 O\rK", b"HTTP/1.1 +200 OK", b"<html>hello</html>", b"HTTP/1.1 200 " + b"x" * 70_000,
)  # fmt: skip
BAD_FIELDS: tuple[bytes, ...] = (
    b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5, 6", b"Content-Length: -5",
    b"Content-Length: +5", b"Content-Length: 5 ,", b"Content-Length:", b"Content-Length: 0x5",
    b"Content-Length: " + b"9" * 5000, b"Content-Length: \xb2", b"Content-Length: 1e3",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"A b: c", b"A : c", b": c", b"no colon", b"A: b\0c", b"A: b\rc: d", b"A\xff: b", b" A: folded at once",
    b"A: " + b"x" * 70_000, b"A: b\r\n" * 300 + b"C: d", (b"A: " + b"x" * 60_000 + b"\r\n") * 5 + b"C: d",
)  # fmt: skip
BAD_CHUNKS: tuple[bytes, ...] = (
    b"x\r\n", b"\r\n", b"-1\r\nh\r\n0\r\n\r\n", b"1\nh\r\n0\r\n\r\n", b"2\r\nhello\r\n0\r\n\r\n",
    b"f" * 16 + b"\r\nx", b"1 2\r\nh\r\n0\r\n\r\n", b"0x1\r\nh\r\n0\r\n\r\n",
    b"1;" + b"e" * 5000 + b"\r\nh\r\n0\r\n\r\n", b"0\r\nbad trailer\r\n\r\n",
    b"0\r\n" + b"A: b\r\n" * 300 + b"\r\n", b"\xd9\xa1\r\nh\r\n0\r\n\r\n",
)  # fmt: skip
_BAD_PLACES = (
    "ftp://h/x",
    "data:,x",
    "http://[::1/x",
    "http://h:x/",
    "http://",
    "file:///etc/passwd",
    "mailto:a",
)


@dataclass(frozen=True)
class File:
    """One state of what stands behind the URL. It has no line ends, so that no length is right by chance."""

    body: bytes
    proof: tuple[bytes, ...]  # the fields that say which state it is


@dataclass(frozen=True)
class Odd:
    """One answer, and whether a client may go on after it: "good", "passing" or "final"."""

    label: str
    answer: Answer
    effect: str


def random_files(dice: random.Random) -> list[File]:
    """Return the states of a file: one, or two of which the second often has the size of the first.

    Strong validators differ. Weak ones are the same, as they may be: a change within one second has its date.
    """
    size = dice.choice((0, 1, 2, 17, 300, 300, 5000, 5000, 70_000))
    kind = dice.randrange(7)
    files = []
    for number in range(dice.choice((1, 2, 2))):
        later, date = b"Date: Sun, 06 Nov 1994 09:50:37 GMT", b"Sun, 06 Nov 1994 08:4%d:37 GMT" % number
        changed = b"Last-Modified: " + date
        proof = (
            (b'ETag: "v%d"' % number,),
            (b'ETag: "v%d"' % number, changed, later),
            (changed, later),
            (b"Last-Modified: Sun, 06 Nov 1994 09:50:30 GMT", later),
            (b"Last-Modified: Sun, 06 Nov 1994 08:40:37 GMT",),
            (b'ETag: W/"v"', b"Last-Modified: Sun, 06 Nov 1994 08:40:37 GMT", later),
            (),
        )[kind]
        files.append(File(bytes(dice.choices(_LETTERS, k=size)), proof))
        if dice.random() < 0.3:
            size = dice.randrange(size + 10)
    return files


def _strong(file: File) -> Optional[str]:
    """Return what If-Range has to be for a part of this file."""
    fields = dict(field.decode().split(": ", 1) for field in file.proof)
    return fields.get("ETag") or fields.get("Last-Modified")


def play(*steps: Any) -> Answer:
    """Return the answer that sends bytes, waits so many seconds, or resets (None)."""

    def answer(client: socket.socket, request: Request) -> None:
        for step in steps:
            if step is None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                raise OSError
            if isinstance(step, float):
                time.sleep(step)
            else:
                client.sendall(step)

    return answer


def _message(
    file: File, request: Request, dice: random.Random, *, framed: bool = False, half: bool = False
) -> tuple[bytes, bytes]:
    """Return the head and body of an answer with the file, or with the part that was asked for.

    `framed` means that it says where it ends, `half` that a part is only the first half of the rest.
    """
    start = request.start if request.headers.get("if-range") == _strong(file) else 0
    part = file.body[start:]
    if start >= len(file.body) > 0:
        # All that was missing is the end of the message; what was received is taken for nothing then.
        return b"HTTP/1.1 416 No\r\nContent-Range: bytes */%d\r\nContent-Length: 0\r\n\r\n" % start, b""
    fields = list(file.proof)
    if start:
        end = max(1, len(part) // 2) if half else len(part)
        fields.append(b"Content-Range: bytes %d-%d/%d" % (start, start + end - 1, len(file.body)))
        part = part[:end]
    way = dice.choice(("length", "length", "chunked") if framed else ("length", "chunked", "close", "old"))
    if way == "length":
        fields += [b"Content-Length: %d" % len(part)] * dice.choice((1, 1, 2))
    elif way == "chunked":
        fields.append(b"Transfer-Encoding: " + dice.choice((b"chunked", b"Chunked", b" chunked ")))
    fields += dice.sample(
        [
            b"A: b\r\n  folded",
            b"Server: x",
            b"X-Long: " + b"y" * 5000,
            b"Connection: close",
            b"B:\tc\t",
            b"Age:",
        ],
        2,
    )
    dice.shuffle(fields)
    line = (b"HTTP/1.%d " % (way != "old")) + (
        b"206 Part" if start else dice.choice((b"200 OK", b"200", b"200 "))
    )
    ending = dice.choice((b"\r\n", b"\r\n", b"\n"))
    hints = b"HTTP/1.1 103 Hints\r\nLink: </a>\r\nContent-Length: 3\r\n\r\n" * dice.choice((0, 0, 0, 1, 63))
    head = hints + ending.join([line, *fields, b"", b""])
    return head, _chunked(part, dice) if way == "chunked" else part


def _chunked(data: bytes, dice: random.Random) -> bytes:
    out = []
    while data:
        size = dice.choice((1, 2, 10, 1000, len(data)))
        piece, data = data[:size], data[size:]
        line = dice.choice((b"%x", b"%X", b"000%x")) % len(piece) + dice.choice(
            (b"", b"", b";a=b", b' ; x="y"')
        )
        out.append(line + b"\r\n" + piece + b"\r\n")
    return b"".join([*out, b"0\r\n", dice.choice((b"", b"", b"A: b\r\nC: d\r\n")), b"\r\n"])


def good(file: File, dice: random.Random) -> Odd:
    """Answer rightly, in one of the many ways."""
    return Odd("good", _later(dice, lambda one, request: play(*_message(file, request, one))), "good")


def half(file: File, dice: random.Random) -> Odd:
    """Answer rightly, but give of a part only the first half."""
    return Odd(
        "half", _later(dice, lambda one, request: play(*_message(file, request, one, half=True))), "half"
    )


def _later(dice: random.Random, made: Any) -> Answer:
    """Return an answer that is made when the request is there; its dice are thrown apart."""
    seed = dice.random()
    return lambda client, request: made(random.Random(seed), request)(client, request)


def cut(file: File, dice: random.Random, *, waits: bool) -> Odd:
    """Answer rightly up to a point before the end; then close, reset, or say nothing more."""
    way = dice.choice(("close", "close", "reset") + (("silence",) if waits else ()))

    def made(one: random.Random, request: Request) -> Answer:
        head, body = _message(file, request, one, framed=way != "reset")
        whole = head + body
        # Half of them after the head, where something can be kept.
        at = (
            one.randrange(len(whole))
            if one.random() < 0.5 or not body
            else len(head) + one.randrange(len(body))
        )
        ends: dict[str, list[Any]] = {"close": [], "reset": [None], "silence": [2.5]}
        return play(whole[:at], *ends[way])

    return Odd(f"cut by {way}", _later(dice, made), "passing")


def drip(file: File, dice: random.Random) -> Odd:
    """Send byte after byte: the next one comes in time, and yet it goes on for ever."""

    def made(one: random.Random, request: Request) -> Answer:
        head, body = _message(file, request, one)
        steps: list[Any] = [head]
        for at in range(min(len(body), 60)):
            steps += [0.05, body[at : at + 1]]
        return play(*steps, body[60:])

    return Odd("drip", _later(dice, made), "passing")


def wrong_part(file: File, dice: random.Random) -> Odd:
    """Answer what was asked for a part with another part, or with a part of nothing known."""

    def made(one: random.Random, request: Request) -> Answer:
        have, size = request.start, len(file.body)
        start = one.choice((have + 1, max(0, have - 1), 0, have))
        end = one.choice((size, size - 1, start + 1))
        total: bytes = one.choice((b"%d", b"%d", b"%d", b"%d", b"*", b"%d1", b"-%d")).replace(
            b"%d", b"%d" % size
        )
        place = b"Content-Range: %s %d-%d/%s" % (
            one.choice((b"bytes", b"bytes", b"bytes", b"items")),
            start,
            end - 1,
            total,
        )
        more: tuple[bytes, ...] = one.choice(
            (
                (),
                (place,),
                (place,),
                (place,),
                (place,),
                (b"Content-Type: multipart/byteranges; boundary=x", place),
            )
            + ((place, place + b"0"), (b"Content-Range: bytes */%d" % size,))
        )
        proof: tuple[bytes, ...] = one.choice((file.proof, file.proof, (), (b'ETag: "other"',)))
        data = file.body[start:end]
        if one.random() < 0.2:
            data += b"more"
        fields = [*proof, *more]
        if one.random() < 0.7:
            fields.append(b"Content-Length: %d" % len(data))
        return play(b"\r\n".join([b"HTTP/1.1 206 Part", *fields, b"", b""]) + data)

    return Odd("another part", _later(dice, made), "passing")


def careless(file: File, dice: random.Random) -> Odd:
    """Answer with the part that was asked for, whichever file it was asked of."""

    def made(one: random.Random, request: Request) -> Answer:
        start, size = request.start, len(file.body)
        if not 0 < start < size:
            return play(*_message(file, request, one))
        fields = [*file.proof, b"Content-Range: bytes %d-%d/%d" % (start, size - 1, size)]
        return play(b"\r\n".join([b"HTTP/1.1 206 Part", *fields, b"", b""]) + file.body[start:])

    return Odd("careless", _later(dice, made), "passing")


def broken(file: File, dice: random.Random) -> Odd:
    """Answer with what is no HTTP/1.1 message, with the file in it all the same."""
    way = dice.randrange(5)
    if way == 0:
        data = dice.choice(BAD_LINES) + b"\r\nContent-Length: %d\r\n\r\n" % len(file.body) + file.body
    elif way == 1:
        data = b"HTTP/1.1 200 OK\r\n" + dice.choice(BAD_FIELDS) + b"\r\n\r\n" + file.body
    elif way == 2:
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + dice.choice(BAD_CHUNKS)
    elif way == 3:
        data = b"HTTP/1.1 103 Hints\r\n\r\n" * 64 + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    else:
        data = b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n" + file.body
    return Odd("broken", play(data), "passing")


def status(dice: random.Random) -> Odd:
    """Answer with another status, perhaps with a wish to be left alone for a while."""
    code = dice.choice((503, 500, 429, 408, 404, 410, 401, 403, 204, 304, 416, 300, 299, 999, 407))
    after: bytes = dice.choice(
        (b"", b"0", b"-1", b"soon", b"9" * 400, b"Sun, 06 Nov 1994 08:49:37 GMT", b"3600")
    )
    fields = b"Retry-After: " + after + b"\r\n" if after else b""
    passing = code in (503, 500, 429, 408) and after != b"3600"
    data = b"HTTP/1.1 %d What\r\n%sContent-Length: 3\r\n\r\nno\n" % (code, fields)
    return Odd(f"status {code}", play(data), "passing" if passing else "final")


def led(dice: random.Random, server: str) -> Odd:
    """Lead elsewhere: to the next answer, round and round, or to what is no place."""
    code = dice.choice((301, 302, 303, 307, 308))
    right = dice.random() < 0.6
    place = dice.choice((server + "/x/f", "/x/f", "f", "../f", "?a", "//" + server.partition("//")[2] + "/f"))
    fields = b"Location: " + (place if right else dice.choice(_BAD_PLACES)).encode() + b"\r\n"
    if not right and dice.random() < 0.3:
        fields = dice.choice((b"", b"Location: /a\r\nLocation: /b\r\n"))
    data = b"HTTP/1.1 %d There\r\n%sContent-Length: 0\r\n\r\n" % (code, fields)
    return Odd("redirect" if right else "redirect to nowhere", play(data), "on" if right else "final")


def encoded(file: File, dice: random.Random) -> Odd:
    """Send the file packed, which was not asked for."""
    packed = gzip.compress(file.body)
    coding = dice.choice((b"gzip", b"br", b"deflate", b"gzip, identity", b"x-gzip"))
    size = len(packed) + dice.choice((0, 0, 5))
    data = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, size)
    return Odd("encoded", play(data + packed), "final")


def noise(file: File, dice: random.Random) -> Odd:
    """Send a right answer of which some bytes are others: anything may come of it but a fault."""

    def made(one: random.Random, request: Request) -> Answer:
        data = bytearray(b"".join(_message(file, request, one)))
        for _ in range(one.choice((1, 3, 30))):
            data[one.randrange(len(data))] = one.choice((one.randrange(256), 13, 10, 48, 57, 32))
        return play(bytes(data))

    return Odd("noise", _later(dice, made), "noise")


def answers(files: Sequence[File], dice: random.Random, server: str, *, waits: bool) -> list[Odd]:
    """Return up to five answers; the last one is often right, and given to whoever asks further."""
    found = []
    for _ in range(dice.choice((0, 1, 1, 2, 2, 3, 4))):
        file = dice.choice(files)
        ways = [
            *[lambda file=file: cut(file, dice, waits=waits)] * 4,
            *[lambda file=file: wrong_part(file, dice)] * 3,
            *[lambda file=file: careless(file, dice)] * 2,
            *[lambda file=file: broken(file, dice)] * 2,
            *[lambda: led(dice, server)] * 2,
            lambda: status(dice),
            lambda file=file: half(file, dice),
            lambda file=file: noise(file, dice),
            lambda file=file: encoded(file, dice),
            lambda: Odd("nothing", play(), "passing"),
            *([lambda file=file: drip(file, dice)] if waits else []),
        ]
        found.append(dice.choice(ways)())
    if dice.random() < 0.8 or not found:
        found.append(good(dice.choice(files), dice))
    return found


def one_round(dice: random.Random, directory: str, *, waits: bool) -> tuple[str, str]:
    """Fetch once from an odd server; return what is wrong, "" if nothing, and what happened in a few words.

    With `waits` the server is also silent or slow, which takes seconds.
    """
    files = random_files(dice)
    server = Server()
    try:
        odd = answers(files, dice, server.url, waits=waits)
        server.answer_with(*(one.answer for one in odd))
        options = FetchOptions(
            timeout=1.0 if waits else 10.0, pause=0.01, attempts=ATTEMPTS, seconds=SECONDS, patience=1.0
        )
        shown = ", ".join(one.label for one in odd)
        begin = time.monotonic()
        result = _fetched(server.url + "/f", f"{directory}/body", options)
        took = time.monotonic() - begin
    finally:
        server.close()
    if took > SECONDS + GRACE:
        return f"took {took:.1f} s", shown
    if isinstance(result, bytes):
        right = any(result == file.body for file in files) or any(one.effect == "noise" for one in odd)
        return "" if right else "other bytes came out", shown
    if not isinstance(result, BrambleError) or not result.code.startswith("fetch."):
        return f"{result!r}", shown
    if not waits and _has_to_succeed(odd):
        return f"it failed: {result}", shown
    return "", f"{shown}: {result.code}"


def _fetched(url: str, target: str, options: FetchOptions) -> object:
    """Return the bytes, or what was raised instead."""
    listener = Listener(
        progress=lambda done, total: None,
        retrying=lambda reason, pause: None,
        absent=lambda program, names, linked: None,
        cancelled=threading.Event(),
    )
    try:
        transfer(url, target, options, listener)
    except Exception as error:
        return error
    with open(target, "rb") as file:
        return file.read()


def _has_to_succeed(odd: Sequence[Odd]) -> bool:
    """Say whether a client gets to the first right answer in the attempts that it has, one left for a 416."""
    effects = [one.effect for one in odd]
    if "good" not in effects:
        return False
    before = effects[: effects.index("good")]
    return set(before) <= {"passing"} and len(before) < ATTEMPTS - 1
