"""A registry that is served by a process of its own, beside a world with published packages."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.world import Ran, remove_store
from tests.packages.published import Published, published


@dataclass
class Registry:
    """A served registry: `process` is the server, on loopback at a port of its own."""

    market: Published
    process: subprocess.Popen[bytes]
    url: str

    @property
    def directory(self) -> Path:
        return self.market.base / "registry"

    @property
    def index(self) -> list[str]:
        return (self.directory / "public" / "index").read_text().splitlines()

    def publish(self, name: str, *words: str) -> Ran:
        """Run `bramble publish` in the repository of a package."""
        return self.market.run("publish", "--registry", self.url, *words, cwd=self.market.repository(name))

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        connection = http.client.HTTPConnection(self.url.rpartition("/")[2], timeout=20)
        with contextlib.closing(connection):
            fields = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, fields)
            return json.loads(connection.getresponse().read())

    def job(self, package: str, reference: str = "", *, wait: bool = True) -> dict[str, Any]:
        """Ask for a version to be published, and wait until the job is over."""
        job = self.ask("POST", "/job", {"package": package, "reference": reference})
        until = time.monotonic() + 60
        while wait and job["state"] not in ("published", "failed"):
            assert time.monotonic() < until, job
            time.sleep(0.02)
            job = self.ask("GET", f"/job/{job['id']}")
        assert isinstance(job, dict)
        return job


def serve(market: Published, *words: str) -> Registry:
    """Start a server, or start it again where it was."""
    process = market.start(
        "registry", "serve", "--listen", "127.0.0.1:0", *words, str(market.base / "registry")
    )
    assert process.stdout is not None
    said = process.stdout.readline().decode()
    if not said.startswith("serving "):
        process.wait(10)
        raise AssertionError(process.stderr.read() if process.stderr else "")
    return Registry(market, process, said.split()[1])


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """One registry for a whole file: tests use packages of their own."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen, which a registry signs with")
    base = Path(tempfile.mkdtemp(prefix="br", dir="/tmp"))
    market = published(base)
    # Where packages are is known when the server starts.
    market.repository("example.test/lib")
    served = serve(market)
    yield served
    served.process.terminate()
    served.process.wait(20)
    remove_store(base)
