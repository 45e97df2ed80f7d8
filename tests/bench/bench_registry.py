"""How fast the server of a registry hands out files, beside nginx with the same files, in one run.

    python3 tests/bench/bench_registry.py [--seconds 2] [--rounds 5] [--versions 200] [--nginx PROGRAM]

Two processes with four connections each ask again and again: for the index, for the documentation of a
version, for an archive of 1 MiB, for an answer that nothing has changed, and (of Bramble alone) for pages
and JSON. The two servers take turns, so that whatever else the machine does falls on both alike. Printed are
the medians of requests a second and of the server's processor time for one, and their ratios. The client is
Python, and takes most of the time where the server is fast: the processor time is the better measure.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bramble.commands.packages.registry.writing import Owner, Publication, publish, settle  # noqa: E402
from bramble.packages.registry.documents import Documentation, Function, Module  # noqa: E402
from bramble.packages.registry.index import Entry  # noqa: E402
from bramble.store.digest import digest  # noqa: E402

PROCESSES, CONNECTIONS = 2, 4
TICK = os.sysconf("SC_CLK_TCK")
NGINX = """
worker_processes 1; daemon off; pid {base}/nginx.pid; error_log {base}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; if_modified_since before;
  client_body_temp_path {base}/t1; proxy_temp_path {base}/t2; fastcgi_temp_path {base}/t3;
  uwsgi_temp_path {base}/t4; scgi_temp_path {base}/t5;
  server {{ listen 127.0.0.1:{port}; root {public}; }}
}}
"""


@dataclass(frozen=True)
class Served:
    """A server: its processes, and where it listens."""

    name: str
    pids: tuple[int, ...]
    port: int

    def cpu(self) -> float:
        """Return the processor time of its processes, in seconds."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids]
        return sum(int(one[11]) + int(one[12]) for one in fields) / TICK


def fill(public: Path, versions: int) -> None:
    """Make a registry with some packages; nobody signs it, as nobody verifies it here."""
    owner = Owner("bench", lambda _: "-----BEGIN SSH SIGNATURE-----\nx\n")
    settle(str(public), owner)
    functions = tuple(Function(f"f{n}", "x, y=1", "What it makes. " * 5) for n in range(20))
    for number in range(versions):
        source = hashlib.sha256(str(number).encode()).digest() * (32768 if number == 0 else 64)
        name = f"example.test/p{number // 4}"
        entry = Entry(name, f"1.{number}.0", hashlib.sha1(source).hexdigest(), digest(source))
        docs = Documentation(*entry[:2], "A package.", (Module(name, "Text.", functions),), ())
        config = f'[package]\nname = "{name}"\nversion = "1.{number}.0"\n'.encode()
        publish(str(public), owner, Publication(entry, config, docs, lambda write, data=source: write(data)))


def request(port: int, path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *fields, "", ""]).encode()


def answer(sock: socket.socket) -> int:
    """Read one answer that has a Content-Length, or no body; return its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(1 << 18)
        if not more:
            raise AssertionError("the server has closed the connection")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    at = head.lower().find(b"content-length: ")
    left = 0 if status == 304 else int(head[at + 16 :].split(b"\r\n", 1)[0]) - len(body)
    while left > 0:
        left -= len(sock.recv(min(left, 1 << 18)))
    return status


def load(port: int, data: bytes, status: int, seconds: float) -> int:
    """Ask over several connections for so long; return how many answers came."""
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for sock in socks:
            sock.sendall(data)
        for sock in socks:
            found = answer(sock)
            if found != status:
                raise AssertionError(f"the server answers {found}")
        count += len(socks)
    for sock in socks:
        sock.close()
    return count


def measured(served: Served, data: bytes, status: int, seconds: float) -> tuple[float, float]:
    """Return requests a second, and seconds of the server's processors for one."""
    before, began = served.cpu(), time.monotonic()
    pipes = []
    for _ in range(PROCESSES):
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                os.write(writer, str(load(served.port, data, status, seconds)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        pipes.append(reader)
    count = sum(int(os.read(reader, 100) or b"0") for reader in pipes)
    took = time.monotonic() - began
    for reader in pipes:
        os.close(reader)
        os.wait()
    return count / took, (served.cpu() - before) / max(count, 1)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def started(base: Path, registry: Path, program: str) -> tuple[list[subprocess.Popen[bytes]], list[Served]]:
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(base), "BRAMBLE_PATH": str(base / "s")}
    words = [sys.executable, "-I", str(ROOT / "bramble"), "registry", "serve", "--listen", "127.0.0.1:0"]
    ours = subprocess.Popen([*words, str(registry)], env=environ, stdout=subprocess.PIPE)
    assert ours.stdout is not None
    port = int(ours.stdout.readline().rpartition(b":")[2])
    processes, found = [ours], [Served("bramble", (ours.pid,), port)]
    if program:
        port = free_port()
        config = base / "nginx.conf"
        config.write_text(NGINX.format(base=base, port=port, public=registry / "public"))
        where = ["-e", str(base / "error.log"), "-c", str(config), "-p", str(base)]
        theirs = subprocess.Popen([program, *where])
        processes.append(theirs)
        time.sleep(0.5)
        children = Path(f"/proc/{theirs.pid}/task/{theirs.pid}/children").read_text().split()
        found.append(Served("nginx", (theirs.pid, *map(int, children)), port))
    return processes, found


def compare(servers: Sequence[Served], seconds: float, rounds: int) -> None:
    """Print a line for each kind of request."""
    docs = "/package/docs/example.test/p1@1.4.0"
    kinds = [
        ("the index", "/index", (), 200, False),
        ("documentation", docs, (), 200, False),
        ("1 MiB", "/package/source/example.test/p0@1.0.0", (), 200, False),
        ("not modified", docs, ("If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT",), 304, False),
        ("a page", "/package/example.test/p1", ("Accept: text/html",), 200, True),
        ("the versions, as JSON", "/package/example.test/p1", (), 200, True),
    ]
    print(f"{'':24} {'':8} {'requests/s':>10} {'µs of CPU':>10}")
    for what, path, fields, status, alone in kinds:
        figures: dict[str, list[tuple[float, float]]] = {}
        for _ in range(rounds):
            for served in servers[: 1 if alone else None]:
                data = request(served.port, path, *fields)
                figures.setdefault(served.name, []).append(measured(served, data, status, seconds))
        medians = {
            name: (statistics.median(one[0] for one in all_of), statistics.median(one[1] for one in all_of))
            for name, all_of in figures.items()
        }
        for name, (rate, cpu) in medians.items():
            print(f"{what:24} {name:8} {rate:10.0f} {cpu * 1e6:10.1f}")
        if len(medians) == 2:
            (rate, cpu), (other, others_cpu) = medians.values()
            print(f"{'':24} {'ratio':8} {rate / other:10.2f} {cpu / max(others_cpu, 1e-9):10.1f}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--versions", type=int, default=200)
    parser.add_argument("--nginx", default=shutil.which("nginx", path="/usr/bin:/usr/sbin") or "")
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    base.chmod(0o755)
    registry = base / "registry"
    fill(registry / "public", options.versions)
    processes, servers = started(base, registry, options.nginx)
    try:
        compare(servers, options.seconds, options.rounds)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
