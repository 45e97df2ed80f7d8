"""A registry that is asked: what is believed of it, what is kept, and how it may fail or lie."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bramble.build.options import FetchOptions
from bramble.build.task import Listener
from bramble.commands.packages.registry.asking import Registries, registries_of
from bramble.commands.packages.registry.kept import directory_of, keep, read_kept
from bramble.errors import BrambleError
from bramble.packages.registry.configured import Configured, Trusted
from bramble.packages.registry.index import Entry, line
from bramble.record import replace
from tests.build.fetch.server import close_at_once, ok, redirect, respond, silent
from tests.packages.registry.served import COMMIT, ORIGIN, Register, Web, entries
from tests.packages.registry.signing import Signer, make_signer

LIB = "example.test/lib"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("keys"))


@dataclass
class Desk:
    """A client with a registry behind a web server."""

    base: Path
    web: Web
    register: Register
    said: list[str] = field(default_factory=list)

    def ask(self, *, offline: bool = False, origin: str = "", url: str = "") -> Registries:
        """Return registries as another command has them."""
        trusted = Trusted(url or self.web.url, self.register.signer.key, origin)
        fetch = FetchOptions(offline=offline, timeout=0.3, pause=0.0)
        scratch = self.base / "scratch"
        scratch.mkdir(exist_ok=True)
        nobody = Listener(lambda *_: None, lambda *_: None, lambda *_: None, threading.Event())
        (self.base / "var").mkdir(exist_ok=True)
        return registries_of(
            Configured((trusted,)), str(self.base / "var"), fetch, str(scratch), nobody, self.said.append, {}
        )

    def versions(self, **options: bool) -> list[str] | None:
        found = self.ask(**options).versions(LIB)
        return None if found is None else [one.version for one in found[1]]

    def refused(self, **options: str) -> BrambleError:
        with pytest.raises(BrambleError) as caught:
            self.ask(**options).versions(LIB)
        assert self.web.url in str(caught.value) and not self.said
        return caught.value


@pytest.fixture
def desk(tmp_path: Path, signer: Signer) -> Iterator[Desk]:
    root = tmp_path / "registry"
    root.mkdir()
    web = Web(root)
    register = Register(root, signer)
    register.list(*entries("1.0.0", "1.1.0"))
    yield Desk(tmp_path, web, register)
    web.close()


def test_only_what_is_new_is_fetched(desk: Desk) -> None:
    # spec: registry.client
    assert desk.versions() == ["1.0.0", "1.1.0"]
    assert desk.versions() == ["1.0.0", "1.1.0"]
    assert desk.web.asked == ["index.signed", "index", "index.signed"]
    before = len(desk.register.index)
    desk.register.list(*entries("1.0.0", "1.1.0", "1.2.0"))
    assert desk.versions() == ["1.0.0", "1.1.0", "1.2.0"]
    assert desk.web.requests[-1].start == before
    # What stands behind the end of what is signed is not there yet.
    with open(desk.register.root / "index", "ab") as index:
        index.write(line(entries("1.3.0")[0]))
    assert desk.versions() == ["1.0.0", "1.1.0", "1.2.0"]


def test_a_server_without_ranges_will_do(desk: Desk) -> None:
    assert desk.versions() == ["1.0.0", "1.1.0"]
    desk.register.list(*entries("1.0.0", "1.1.0", "1.2.0"))
    desk.web.answers["index"] = ok(desk.register.index)
    assert desk.versions() == ["1.0.0", "1.1.0", "1.2.0"]
    desk.register.list(*entries("1.0.0", "1.1.0", "1.2.0", "1.3.0"))
    # One that serves another part than it was asked for.
    part = respond("206 Partial Content", desk.register.index[7:], Content_Range="bytes 7-9/10")
    desk.web.answers["index"] = lambda client, request: (
        part if "range" in request.headers else ok(desk.register.index)
    )(client, request)
    assert desk.versions() == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]


def test_one_that_was_verified_is_known_without_asking(desk: Desk) -> None:
    # spec: registry.client.entry, registry.client.offline
    assert desk.versions() is not None
    count = len(desk.web.requests)
    found = desk.ask().entry(LIB, "1.1.0")
    assert found is not None and found.entry == entries("1.1.0")[0]
    assert len(desk.web.requests) == count
    assert desk.ask().entry(LIB, "1.9.0") is None
    assert len(desk.web.requests) == count + 1
    assert desk.versions(offline=True) == ["1.0.0", "1.1.0"]
    assert desk.said == []


@pytest.mark.parametrize(
    "answer",
    [
        close_at_once,
        silent,
        respond("500 Broken"),
        respond("404 Not Found"),
        respond("403 No"),
        respond("200 OK", b"bramble", length=99),
    ],
    ids=["closes", "silent", "500", "404", "403", "short"],
)
@pytest.mark.parametrize("path", ["index.signed", "index"])
def test_one_that_does_not_answer_is_left_out_and_said_once(desk: Desk, path: str, answer) -> None:
    # spec: registry.down
    if path == "index":
        assert desk.versions() is not None
        desk.register.list(*entries("1.0.0", "1.1.0", "1.2.0"))
    desk.web.answers[path] = answer
    began = time.monotonic()
    asking = desk.ask()
    assert asking.versions(LIB) is None and asking.versions("example.test/other") is None
    assert asking.entry(LIB, "1.2.0") is None
    assert time.monotonic() - began < 10
    assert len(desk.said) == 1 and desk.web.url in desk.said[0]
    # What was verified before holds all the same.
    assert (asking.entry(LIB, "1.1.0") is not None) == (path == "index")


def test_a_name_and_a_password_reach_it(desk: Desk) -> None:
    netrc = desk.base / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password word\n")
    netrc.chmod(0o600)

    def private(client, request) -> None:
        del desk.web.answers[""]
        known = request.headers.get("authorization", "").startswith("Basic ")
        (desk.web._file if known else respond("401 Unauthorized"))(client, request)
        desk.web.answers[""] = private

    desk.web.answers[""] = private
    assert desk.versions() is None and len(desk.said) == 1
    one = desk.ask().by_url[desk.web.url]
    found = replace(one, fetch=replace(one.fetch, netrc=str(netrc))).index(fresh=True)
    assert found == desk.register.index and "word" not in desk.said[0]


def test_a_redirect_is_followed_and_one_in_a_circle_is_no_registry(desk: Desk) -> None:
    desk.web.answers["index"] = redirect(f"{desk.web.url}/other")
    desk.web.answers["other"] = ok(desk.register.index)
    assert desk.versions() == ["1.0.0", "1.1.0"]
    desk.web.answers["index.signed"] = redirect(f"{desk.web.url}/index.signed")
    assert desk.versions() is None and len(desk.said) == 1


def test_what_another_has_signed_is_an_error(desk: Desk, tmp_path: Path) -> None:
    # spec: registry.signature
    other = make_signer(tmp_path)
    desk.register.sign(desk.register.index, signer=other)
    assert desk.refused().code == "registry.signature"
    assert not (desk.base / "var/registries").exists()
    desk.web.answers["index.signed"] = ok(b"<html>Log in")
    assert desk.refused().code == "registry.checkpoint"
    desk.web.answers["index.signed"] = ok(bytes(1 << 20))
    assert desk.refused().code == "registry.checkpoint"


def test_history_that_was_rewritten_is_an_error_with_both(desk: Desk) -> None:
    # spec: registry.history
    first = (desk.register.root / "index.signed").read_bytes()
    assert desk.versions() is not None
    desk.register.list(*entries("1.0.0", "1.1.0", "1.2.0"))
    assert desk.versions() is not None
    kept = read_kept(directory_of(str(desk.base / "var"), desk.web.url))
    assert kept.checkpoint is not None
    whole = desk.register.index
    moved = [one._replace(commit="0" * 40) for one in entries("1.0.0", "1.1.0", "1.2.0")]
    desk.register.list(*moved)
    shown = str(desk.refused())
    assert kept.checkpoint.sha256 in shown and "registry.history" in shown
    desk.register.list(*moved, *entries("1.3.0"))
    shown = str(desk.refused())
    assert kept.checkpoint.sha256 in shown and "registry.history" in shown
    desk.register.sign(whole[: len(whole) // 3])
    assert desk.refused().code == "registry.history"
    # The one from before, which the owner did sign.
    (desk.register.root / "index.signed").write_bytes(first)
    shown = str(desk.refused())
    assert f"{len(whole)} bytes" in shown and "registry.history" in shown
    desk.register.sign(whole, origin="else")
    assert desk.refused().code == "registry.history"
    # Nothing of it has changed what was verified.
    assert read_kept(directory_of(str(desk.base / "var"), desk.web.url)) == kept
    desk.register.sign(whole)
    assert desk.versions() == ["1.0.0", "1.1.0", "1.2.0"]


@pytest.mark.parametrize(
    "index",
    [
        b"x\n",
        line(entries("1.0.0")[0])[:-1],
        line(entries("1.0.0")[0]) * 2,
        line(entries("1.0.0")[0]).replace(b"/lib", b"/../lib"),
        line(entries("1.0.0")[0]).replace(b"lib", b"l\x1b[2Jib"),
        line(entries("1.0.0")[0]).replace(b"1.0.0", b"1.0"),
    ],
)
def test_an_index_of_another_form_is_an_error(desk: Desk, index: bytes) -> None:
    # spec: registry.index
    desk.register.sign(index)
    error = desk.refused()
    assert error.code == "registry.index" and "\x1b" not in str(error)
    assert error.place is not None and error.place.file == "index"
    assert not (desk.base / "var/registries").exists()
    # The same behind one that was verified.
    desk.register.list(*entries("1.1.0"))
    assert desk.versions() == ["1.1.0"]
    desk.register.sign(desk.register.index + index)
    assert desk.refused().code == "registry.index"


def test_an_index_that_is_not_what_was_signed_is_an_error(desk: Desk) -> None:
    whole = desk.register.index
    for wrong in (whole.replace(b"1.1.0", b"1.1.1"), whole[:-1], b""):
        desk.web.answers["index"] = ok(wrong)
        assert desk.refused().code == "registry.index"
    # One without end.
    desk.web.answers["index"] = ok(whole + bytes(2 << 20))
    assert desk.refused().code == "registry.index"


def test_it_calls_itself_what_is_trusted(desk: Desk) -> None:
    assert desk.ask(origin=ORIGIN).versions(LIB) is not None
    assert desk.refused(origin="else").code == "registry.checkpoint"


def test_a_file_of_this_machine_will_do(desk: Desk) -> None:
    found = desk.ask(url=f"file://{desk.register.root}", offline=True).versions(LIB)
    assert found is not None and len(found[1]) == 2
    assert desk.ask(url=f"file://{desk.base}/nowhere").versions(LIB) is None
    assert len(desk.said) == 1 and desk.web.requests == []


def kept_as(desk: Desk, count: int) -> tuple[bytes, bytes]:
    desk.register.list(*entries(*(f"1.{number}.0" for number in range(count))))
    return (desk.register.root / "index.signed").read_bytes(), desk.register.index


def test_two_processes_keep_the_later_one(desk: Desk) -> None:
    # spec: registry.kept
    directory = directory_of(str(desk.base / "var"), desk.web.url)
    (desk.base / "var").mkdir()
    states = [kept_as(desk, count) for count in range(1, 6)]
    workers = [threading.Thread(target=keep, args=(directory, *state)) for state in states]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert read_kept(directory).index == states[-1][1]
    keep(directory, *states[0])
    assert read_kept(directory).index == states[-1][1]
    # Two that were told different things at the same time notice it.
    desk.register.list(*(one._replace(commit="0" * 40) for one in entries("1.0.0")))
    other = (desk.register.root / "index.signed").read_bytes(), desk.register.index
    with pytest.raises(BrambleError, match="history"):
        keep(directory, *other)
    desk.register.list(*(one._replace(commit="0" * 40) for one in entries(*(f"1.{n}.0" for n in range(9)))))
    with pytest.raises(BrambleError, match="history"):
        keep(directory, (desk.register.root / "index.signed").read_bytes(), desk.register.index)
    assert read_kept(directory).index == states[-1][1]


def test_a_process_that_ended_while_it_kept_something_does_no_harm(desk: Desk) -> None:
    assert desk.versions() is not None
    directory = Path(directory_of(str(desk.base / "var"), desk.web.url))
    index = directory / "index"
    whole = index.read_bytes()
    desk.register.list(*entries("1.0.0", "1.1.0", "1.2.0"))
    index.write_bytes(desk.register.index[:-5])
    assert desk.versions(offline=True) == ["1.0.0", "1.1.0"]
    assert desk.versions() == ["1.0.0", "1.1.0", "1.2.0"]
    # A damaged one is fetched again, and has to be what it was.
    for wrong in (b"", bytes(len(whole)), whole):
        index.write_bytes(wrong)
        assert desk.versions(offline=True) is None
        assert desk.versions() == ["1.0.0", "1.1.0", "1.2.0"]
        assert index.read_bytes() == desk.register.index
    index.write_bytes(b"")
    desk.register.list(*(one._replace(commit="0" * 40) for one in entries("1.0.0", "1.1.0", "1.2.0")))
    assert desk.refused().code == "registry.history"
    (directory / "index.signed").write_bytes(b"bramble")
    with pytest.raises(BrambleError, match="damaged"):
        desk.ask().versions(LIB)


def test_a_directory_that_cannot_be_written_keeps_nothing(desk: Desk) -> None:
    asking = desk.ask()
    found = replace(asking.by_url[desk.web.url], directory="").index(fresh=True)
    assert found == desk.register.index
    assert not (desk.base / "var/registries").exists()


def test_an_entry_says_where_it_is(desk: Desk) -> None:
    found = desk.ask().entry(LIB, "1.0.0")
    assert found is not None
    assert found.locked == ("a" * 32, COMMIT)
    assert found.entry == Entry(LIB, "1.0.0", COMMIT, "a" * 32)
