"""A web server on the loopback that can be told to misbehave."""

from __future__ import annotations

import socket
import threading
from typing import Callable, Optional

Answer = Callable[[socket.socket, "Request"], None]


class Request:
    """One request as it came."""

    def __init__(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ", 2)
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        self.headers = {name.lower(): value for name, value in pairs}

    @property
    def start(self) -> int:
        """The first byte that is asked for."""
        value = self.headers.get("range", "bytes=0-")
        return int(value[len("bytes=") :].rstrip("-"))


class Server:
    """Answers the n-th request with the n-th answer, and all further ones with the last."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[Request] = []
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer_with(self, *answers: Answer) -> None:
        """Have other answers, which may need to know the URL."""
        self._answers = answers

    def close(self) -> None:
        self._over.set()
        # Wakes accept(), which closing alone does not.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            client, _ = self._socket.accept()
            if self._over.is_set():
                client.close()
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            client.settimeout(20)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = client.recv(1)
                if not byte:
                    return
                head += byte
            request = Request(head[:-4])
            self.requests.append(request)
            answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
            try:
                answer(client, request)
                client.shutdown(socket.SHUT_WR)
                # Leaves the closing to the other side, so that nothing that was sent is lost.
                while client.recv(4096):
                    pass
            except OSError:
                pass


def respond(status: str, body: bytes = b"", *, length: Optional[int] = None, **headers: str) -> Answer:
    """Answer with this status and body; `length` is what is announced, -1 for nothing."""

    def answer(client: socket.socket, request: Request) -> None:
        lines = [f"HTTP/1.1 {status}"]
        if length != -1:
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def ok(body: bytes, **headers: str) -> Answer:
    return respond("200 OK", body, **headers)


def redirect(location: str, status: int = 302) -> Answer:
    return respond(f"{status} Elsewhere", Location=location)


def silent(client: socket.socket, request: Request) -> None:
    """Say nothing until the other side gives up."""
    client.recv(1)


def close_at_once(client: socket.socket, request: Request) -> None:
    """Say nothing and go."""


def ranged(body: bytes, tag: str = '"v1"', give: Optional[int] = None) -> Answer:
    """Answer a request for a part with that part; send at most `give` bytes of it."""

    def answer(client: socket.socket, request: Request) -> None:
        start = request.start if request.headers.get("if-range") == tag else 0
        part = body[start:]
        status = "206 Partial Content" if start else "200 OK"
        place = f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}\r\n" if start else ""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(part)}\r\nETag: {tag}\r\n{place}\r\n"
        client.sendall(head.encode() + part[:give])

    return answer
