"""Running a registry: its directory, its key, the worker, and the server that answers.

DIR/public   what everybody may have: any web server can serve it as it is (spec/10a-registry.md)
DIR/jobs     what was asked for, and what has become of it
DIR/work     what is under way; it is emptied when the server starts
DIR/key      with which the index is signed; key.pub is for everybody
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.commands.packages.registry.writing import Owner, Publication, Write, publish, settle
from bramble.commands.registry.catalogue import Catalogue, open_directory
from bramble.commands.registry.checking import PUBLIC
from bramble.commands.registry.key import forget_unfinished, public_key, signature
from bramble.commands.registry.lining_up import Line
from bramble.commands.registry.outcome import Outcome, read_documentation
from bramble.commands.registry.site import Owned, Site
from bramble.commands.registry.working import Task, Worker
from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_CONFIG
from bramble.packages.registry.checkpoint import CHECKPOINT, believed
from bramble.project.names import CONFIG_NAME
from bramble.record import NamedTuple
from bramble.serving.server import Address, Server
from bramble.store.disk import Store
from bramble.store.files.small import read_file
from bramble.store.transfer.stream import write_archive

_JOBS, _WORK, _KEY, _LOCK = "jobs", "work", "key", "lock"
_MAKE = "head -c 24 /dev/urandom | base64"
_TOKEN = re.compile(r"[!-~]{16,255}")


class Wanted(NamedTuple):
    """How a registry is to be run."""

    directory: str
    address: str  # ADDRESS:PORT
    origin: str  # "": the URL without its scheme
    url: str  # by which clients reach it; "": that of `address`
    key_file: str  # "": DIR/key
    token_file: str  # "": everybody may publish
    behind_proxy: bool
    words: Sequence[str]  # of the process of a job, see `Task`
    environ: Mapping[str, str]
    seconds: float  # for one job


class Registry(NamedTuple):
    """A registry that is ready to answer."""

    url: str
    origin: str
    key: str
    server: Server
    line: Line
    worker: Worker


def open_registry(wanted: Wanted, setting: Setting, on_fault: Callable[[str], None]) -> Registry:
    """Make the directory of a registry what it has to be, and listen; nobody is answered before `serve`.

    Raises registry.*, store.*.
    """
    # spec: registry.serve
    try:
        address = Address.parse(wanted.address)
    except ValueError as error:
        raise BrambleError("registry.listen", str(error), remedy="as in --listen 127.0.0.1:8617") from None
    directory = wanted.directory
    _make(directory)
    _only_one(directory)
    forget_unfinished(directory)
    key_file = wanted.key_file or os.path.join(directory, _KEY)
    key = public_key(key_file)
    tokens = read_tokens(wanted.token_file) if wanted.token_file else ()
    public = os.path.join(directory, PUBLIC)
    line = Line(os.path.join(directory, _JOBS), time.time)
    line.load()
    store = open_store(setting, change=True)
    site: list[Site] = []
    server = Server(
        address,
        lambda request: site[0].respond(request),
        lambda request, refused: site[0].explain(request, refused),
        on_fault,
    )
    url = (wanted.url or f"http://{server.address}").rstrip("/")
    origin = _origin(public, wanted.origin or url.partition("://")[2], bool(wanted.origin))
    owner = Owner(origin, lambda text: signature(key_file, text, directory))
    settle(public, owner)
    catalogue = Catalogue(open_directory(public))
    site.append(
        Site(Owned(origin, key, wanted.url.rstrip("/"), tokens, wanted.behind_proxy), catalogue, line)
    )
    worker = Worker(
        line,
        Task(wanted.words, wanted.environ, wanted.seconds),
        lambda outcome, place: _add(public, owner, store, outcome, place),
        os.path.join(directory, _WORK),
        on_fault,
    )
    return Registry(url, origin, key, server, line, worker)


def serve(registry: Registry) -> None:
    """Answer, and work, until `registry.server.stop` is called; a job that is under way is lined up again."""
    worker = threading.Thread(target=registry.worker.run, name="worker")
    worker.start()
    try:
        registry.server.run(on_closing=registry.line.end)
    finally:
        registry.line.end()
        worker.join()


def _why(error: Exception) -> str:
    return (error.strerror or "" if isinstance(error, OSError) else "") or "it is not ASCII text"


def read_tokens(path: str) -> tuple[bytes, ...]:
    """Return the SHA-256 of each token in a file, one a line. Raises registry.tokens."""
    # spec: registry.jobs.who
    try:
        status = os.stat(path)
        with open(path, encoding="ascii") as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise BrambleError(
            "registry.tokens",
            f"{path} cannot be read: {_why(error)}",
            remedy="make it a text file with one token per line",
        ) from None
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        fact, remedy = "there is no token in it", f"{_MAKE} >> {path}; chmod 600 {path}"
    elif status.st_mode & 0o077:
        fact = "others can read it"
        remedy = f"chmod 600 {path}, and replace the tokens if somebody may have read them"
    elif not all(map(_TOKEN.fullmatch, tokens)):
        fact = "a token in it has less than 16 characters, or characters outside of ASCII"
        remedy = f"make a token with: {_MAKE}"
    else:
        return tuple(hashlib.sha256(token.encode()).digest() for token in tokens)
    raise BrambleError("registry.tokens", f"{path}: {fact}", remedy=remedy)


def _origin(public: str, wanted: str, insists: bool) -> str:
    """Return what a registry calls itself: as it has from its beginning. Raises registry.origin."""
    # spec: registry.serve.origin
    signed = read_file(os.path.join(public, CHECKPOINT))
    known = wanted if signed is None else believed(signed).origin
    if insists and known != wanted:
        raise BrambleError(
            "registry.origin",
            f'the origin of this registry is "{known}", and clients would treat "{wanted}" as another '
            "registry",
            remedy="omit --origin",
        )
    return known


def _add(public: str, owner: Owner, store: Store, outcome: Outcome, place: str) -> None:
    """Add the version that a process has found to be right."""
    # spec: registry.publish.order
    entry = outcome.entry
    directory = store.object_path(entry.digest)
    config = read_file(os.path.join(directory, CONFIG_NAME))
    documentation = read_documentation(place)
    if (
        config is None
        or len(config) > LARGEST_CONFIG
        or (documentation.name, documentation.version) != entry[:2]
    ):
        raise BrambleError(
            "registry.worker",
            "the process that checked the package has written results that are not valid",
            remedy="try again; the operator of the registry can find the reason",
        )

    def write_source(write: Write) -> None:
        write_archive(store, entry.digest, write)

    publish(public, owner, Publication(entry, config, documentation, write_source))


def _make(directory: str) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
        for name in (PUBLIC, _JOBS):
            os.makedirs(os.path.join(directory, name), 0o755 if name == PUBLIC else 0o700, exist_ok=True)
    except OSError as error:
        raise BrambleError(
            "registry.directory",
            f"{directory} cannot be made a registry: {error.strerror}",
            remedy="name a directory that you may write to",
        ) from error


def _only_one(directory: str) -> None:
    """Hold the directory until this process ends. Raises registry.directory if another one does."""
    fd = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise BrambleError(
            "registry.directory",
            f"another process serves {directory}",
            remedy="end that one, or name another directory",
        ) from None
