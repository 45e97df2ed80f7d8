"""Packages over ssh: a server of our own on the loopback; keys are those of the agent."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.packages.published import Published

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
pytestmark = pytest.mark.skipif(
    SSHD is None or not all(map(shutil.which, ("ssh", "ssh-agent", "ssh-add", "ssh-keygen"))),
    reason="there is no sshd or no ssh (Debian: openssh-server, openssh-client)",
)


class Server(NamedTuple):
    port: int
    agent: str  # its socket
    known: str  # the line of its key

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    directory = Path(tempfile.mkdtemp(prefix="bs", dir="/tmp"))
    running: list[subprocess.Popen[bytes]] = []
    try:
        yield begun(directory, running)
    finally:
        for process in running:
            process.terminate()
            process.wait()
        shutil.rmtree(directory)


def begun(directory: Path, running: list[subprocess.Popen[bytes]]) -> Server:
    for name in ("host", "key"):
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(made, check=True)
    shutil.copy(directory / "key.pub", directory / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": directory / "host", "PidFile": "none",
        "AuthorizedKeysFile": directory / "authorized", "StrictModes": "no", "UsePAM": "no",
        "PasswordAuthentication": "no", "PermitRootLogin": "prohibit-password",
    }  # fmt: skip
    (directory / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    command = [str(SSHD), "-D", "-e", "-f", str(directory / "config")]
    if os.geteuid() == 0:
        # Of root it wants a directory, which is made where nobody else sees it.
        script = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, "sh", *command]
    with open(directory / "log", "wb") as log:
        running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    agent = str(directory / "agent")
    running.append(subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL))
    until = time.monotonic() + 20
    while not (os.path.exists(agent) and answers(port)):
        assert time.monotonic() < until and running[0].poll() is None, (directory / "log").read_text()
        time.sleep(0.05)
    subprocess.run(
        ["ssh-add", "-q", str(directory / "key")], env={**os.environ, "SSH_AUTH_SOCK": agent}, check=True
    )
    key = (directory / "host.pub").read_text().split()[:2]
    return Server(port, agent, f"[127.0.0.1]:{port} {' '.join(key)}\n")


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as client:
            return client.recv(4) == b"SSH-"
    except OSError:
        return False


@pytest.fixture
def near(market: Published, server: Server) -> Published:
    """A world with a package, whose person knows the server and has a key in the agent."""
    market.publish("example.test/lib", "1.0.0", default="v = 1\n")
    known = market.base / "home" / ".ssh" / "known_hosts"
    known.parent.mkdir()
    known.write_text(server.known)
    market.environ["SSH_AUTH_SOCK"] = server.agent
    return market


def test_a_package_comes_over_ssh(near: Published, server: Server) -> None:
    # spec: build.fetch-git.ssh
    url = server.url(near.repository("example.test/lib"))
    done = near.run("add", "--git", url, "example.test/lib")
    assert done.status == 0, done.err
    near.publish("example.test/lib", "1.1.0", default="v = 2\n")
    assert near.run("update").status == 0
    assert '"example.test/lib@1.1.0"' in near.lock
    assert near.run("deps", "--locked", "--offline").status == 0


def test_without_an_agent_no_key_is_used(near: Published, server: Server) -> None:
    del near.environ["SSH_AUTH_SOCK"]
    url = server.url(near.repository("example.test/lib"))
    done = near.run("add", "--git", url, "example.test/lib")
    assert done.codes == ["packages.unknown"] and "ssh-add" in done.errors[0]["remedy"]


def test_a_server_that_is_not_known_is_not_believed(near: Published, server: Server) -> None:
    known = near.base / "home" / ".ssh" / "known_hosts"
    url = server.url(near.repository("example.test/lib"))
    other = near.base / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    wrong = f"{server.known.split()[0]} {' '.join(Path(f'{other}.pub').read_text().split()[:2])}\n"
    for text in ("", wrong):
        known.write_text(text)
        done = near.run("add", "--git", url, "example.test/lib")
        assert done.codes == ["packages.unknown"], done.err
        assert "known_hosts" in done.errors[0]["remedy"]
        assert known.read_text() == text


def test_what_is_not_there_is_unknown(near: Published, server: Server) -> None:
    done = near.run("add", "--git", server.url(near.base / "nowhere"), "example.test/lib")
    assert done.codes == ["packages.unknown"]
