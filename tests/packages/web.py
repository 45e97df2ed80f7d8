"""A web server on the loopback for git: `git http-backend` behind it, by https too, and ways to misbehave."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

Trouble = Callable[["Handler"], bool]  # answers in the place of git, and says whether it has

BACKEND = Path("/usr/lib/git-core/git-http-backend")


class GitWeb:
    """Serves the repositories below `root`; who asks for CONNECT gets TLS with the certificate `pem`."""

    def __init__(self, root: Path, pem: Optional[Path] = None) -> None:
        self.root = root
        self.troubles: list[Trouble] = []
        self.seen: list[tuple[str, str, Optional[str]]] = []  # host, path, Authorization
        self.over = threading.Event()
        self.context: Optional[ssl.SSLContext] = None
        if pem is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(str(pem), f"{pem}.key")
        web = self

        class Bound(Handler):
            at = web

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """One client."""

    protocol_version = "HTTP/1.1"
    at: GitWeb

    def do_CONNECT(self) -> None:
        assert self.at.context is not None
        self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        self.connection = self.at.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        self.at.seen.append((self.headers["Host"], self.path, self.headers["Authorization"]))
        if not any(trouble(self) for trouble in self.at.troubles):
            self.git()

    do_POST = do_GET

    def git(self) -> None:
        """Answer as git does (git-http-backend(1))."""
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.at.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self.at.root),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }
        done = subprocess.run([BACKEND], env=environment, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        fields = {name: value for name, value in lines}
        self.answer(int(fields.pop("Status", "200").split()[0]), content, **fields)

    def answer(self, status: int, content: bytes = b"", **fields: str) -> bool:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name.replace("_", "-"), value)
            if "Content_Length" not in fields:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        return True

    def log_message(self, format: str, *arguments: Any) -> None:
        return

    def hang(self) -> bool:
        self.at.over.wait(30)
        self.close_connection = True
        return True

    def cut(self) -> bool:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        return True


@contextlib.contextmanager
def git_web(root: Path, pem: Optional[Path] = None) -> Iterator[GitWeb]:
    """Serve the repositories below a directory. Skips the test on a machine without what it needs."""
    if not BACKEND.exists():
        pytest.skip("there is no git-http-backend (Debian: git)")
    web = GitWeb(root, pem)
    try:
        yield web
    finally:
        web.close()


def certificate(directory: Path, *hosts: str) -> Path:
    """Return a certificate for these hosts that signs itself; its key is beside it, in NAME.key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    pem = directory / "pem"
    names = ",".join(f"DNS:{host}" for host in hosts)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-days", "2", "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}"]
        + ["-out", str(pem), "-keyout", f"{pem}.key"],
        check=True,
        capture_output=True,
    )
    return pem
