"""Registries for tests: a signed directory, served from the disk or by a web server that may misbehave."""

from __future__ import annotations

import functools
import hashlib
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Callable

from bramble.commands.packages.registry.writing import Owner, Publication, publish
from bramble.packages.registry.checkpoint import Checkpoint, signed_form
from bramble.packages.registry.documents import Documentation, Function, Module, Requirement
from bramble.packages.registry.index import Entry, line
from bramble.project.config import load_config
from bramble.project.lockfile import COMMITS, DEPENDENCIES, parse_lock
from bramble.store.disk import Store
from bramble.store.transfer.stream import write_archive
from tests.build.fetch.server import Answer, Request, Server, respond
from tests.packages.published import Published, toml
from tests.packages.registry.signing import Signer

ORIGIN = "packages.example.test"
COMMIT = "5d41402abc4b2a76b9719d911017c592ae5a6bf1"


class Web(Server):
    """Serves a directory; `answers` maps paths, or "" for all, to what is answered instead."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answers: dict[str, Answer] = {}
        super().__init__(self._file)

    @property
    def asked(self) -> list[str]:
        return [request.target.lstrip("/") for request in self.requests]

    def _file(self, client: socket.socket, request: Request) -> None:
        path = request.target.lstrip("/")
        other = self.answers.get(path) or self.answers.get("")
        if other is not None:
            other(client, request)
            return
        file = self.root / path
        if not file.is_file():
            respond("404 Not Found")(client, request)
            return
        data = file.read_bytes()
        if "range" not in request.headers:
            respond("200 OK", data)(client, request)
        elif request.start >= len(data):
            respond("416 Range Not Satisfiable", Content_Range=f"bytes */{len(data)}")(client, request)
        else:
            place = f"bytes {request.start}-{len(data) - 1}/{len(data)}"
            respond("206 Partial Content", data[request.start :], Content_Range=place)(client, request)


class Register:
    """A registry in a directory."""

    def __init__(self, root: Path, signer: Signer) -> None:
        self.root, self.signer = root, signer
        self.owner = Owner(ORIGIN, signer.sign)

    @property
    def index(self) -> bytes:
        return (self.root / "index").read_bytes()

    def sign(self, index: bytes, *, origin: str = ORIGIN, signer: Signer | None = None) -> None:
        """Make `index` the index, whatever it holds."""
        checkpoint = Checkpoint(origin, len(index), hashlib.sha256(index).hexdigest())
        signature = (signer or self.signer).sign(checkpoint.text)
        self.root.mkdir(exist_ok=True)
        (self.root / "index").write_bytes(index)
        (self.root / "index.signed").write_bytes(signed_form(checkpoint, signature))

    def list(self, *entries: Entry) -> None:
        """Have an index with these entries, and nothing else."""
        self.sign(b"".join(map(line, entries)))

    def take(self, market: Published, needs: dict[str, str]) -> None:
        """Publish what a project reads that requires these packages of a market, which git still has."""
        project, store = market.base / "publisher", market.base / "t"
        project.mkdir(exist_ok=True)
        (project / "bramble.toml").write_text(toml("example.test/publisher", "0.1.0", needs))
        done = market.run(
            "deps", cwd=project, BRAMBLE_PATH=str(store), XDG_CONFIG_HOME=str(market.base / "none")
        )
        assert done.status == 0, done.err
        tables = parse_lock((project / "bramble.lock").read_text()).tables
        objects = Store.open(str(store), create=False)
        for key, digest in tables[DEPENDENCIES].items():
            name, _, version = key.partition("@")
            tree = Path(objects.directory, digest)
            publish(
                str(self.root),
                self.owner,
                Publication(
                    Entry(name, version, tables[COMMITS][key], digest),
                    (tree / "bramble.toml").read_bytes(),
                    about(name, version, load_config(str(tree / "bramble.toml")).dependencies),
                    functools.partial(write_archive, objects, digest),
                ),
            )


def about(name: str, version: str, requires: Iterable[str] = ()) -> Documentation:
    """Return what a package says of itself, with something in it that no terminal may see."""
    functions = (Function("f", "a, b = 1", "Do f.\n\nAnd more."), Function("g", "", ""))
    module = Module(name, f"The module of {name}.", functions)
    needs = tuple(Requirement(one, "1.0.0") for one in requires)
    return Documentation(name, version, f"What \x1b[31m{name}\x07 is for", (module,), needs)


def trust(market: Published, *registries: tuple[str, str], more: str = "") -> None:
    """Write the person's configuration: URLs and keys."""
    path = market.base / "home/.config/bramble/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["[registries]", *(f'"{url}" = "{key.strip()}"' for url, key in registries)]
    path.write_text(more + "\n".join(lines) + "\n")


def entries(*versions: str, name: str = "example.test/lib") -> list[Entry]:
    """Return entries of a package whose sources nobody has."""
    return [Entry(name, version, COMMIT, "a" * 32) for version in versions]


Deed = Callable[[], object]
