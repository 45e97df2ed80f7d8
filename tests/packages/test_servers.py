"""Packages behind real web servers: `git http-backend`, and servers that fail in the ways of networks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.build.fetch.references import references
from bramble.build.fetch.repository import Asking
from bramble.build.options import BuildOptions, FetchOptions
from bramble.build.task import Listener
from bramble.errors import BrambleError
from tests.packages.published import Published
from tests.packages.universe import HOST, UNIVERSE, read_keys
from tests.packages.web import GitWeb, Handler, certificate, git_web

REFS = "/info/refs"


@pytest.fixture
def web(market: Published) -> Iterator[GitWeb]:
    market.publish("example.test/lib", "1.0.0", default="v = 1\n")
    with git_web(market.repositories) as found:
        yield found


def add(market: Published, web: GitWeb, *words: str) -> list[str]:
    return market.run("add", "--git", f"{web.url}/example.test/lib", *words, "example.test/lib").codes


def test_a_package_comes_over_http(market: Published, web: GitWeb) -> None:
    assert add(market, web) == []
    assert '"example.test/lib@1.0.0"' in market.lock
    assert len([path for _, path, _ in web.seen if REFS in path]) <= 3
    market.publish("example.test/lib", "1.1.0", default="v = 2\n")
    assert market.run("update").status == 0
    assert (
        f'git = "{web.url}/example.test/lib", version = "1.1.0"'
        in (market.project / "bramble.toml").read_text()
    )


def test_packages_come_over_https_by_their_names(market: Published, tmp_path: Path) -> None:
    needs = {"diamond": "1.0.0", "m8": "1.1.0"}
    for key in sorted(read_keys(needs)):
        name, _, version = key.partition("/")[2].partition("@")
        requires = {f"{HOST}/{other}": least for other, least in UNIVERSE[name][version].items()}
        market.publish(f"{HOST}/{name}", version, requires, default=f'v = "{version}"\n')
    del market.environ["BRAMBLE_MIRROR"]
    pem = certificate(tmp_path, HOST)
    with git_web(market.repositories, pem) as web:
        market.environ |= {"https_proxy": web.url, "SSL_CERT_FILE": str(pem)}
        web.troubles.append(named)
        market.needs(**needs)
        done = market.run("deps", "--json")
        assert done.status == 0, done.err
        keys = {line.split('"')[1] for line in market.lock.splitlines() if "@" in line}
        assert keys == read_keys(needs) and len(keys) > 10
        assert {host for host, _, _ in web.seen} == {HOST}


def named(handler: Handler) -> bool:
    handler.path = f"/{handler.headers['Host']}{handler.path}"
    return False


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_a_server_refuses_is_unknown_at_once(market: Published, web: GitWeb, status: int) -> None:
    web.troubles.append(lambda handler: handler.answer(status, WWW_Authenticate='Basic realm="x"'))
    assert add(market, web) == ["packages.unknown"]
    assert len(web.seen) <= 2
    if status == 401:
        error = market.run("add", "--git", f"{web.url}/example.test/lib", "example.test/lib").errors[0]
        assert "~/.netrc" in error["remedy"]


@pytest.mark.parametrize("status", [429, 500])
def test_a_server_that_fails_for_the_moment_is_asked_again(
    market: Published, web: GitWeb, status: int
) -> None:
    failures = iter([True, False])
    web.troubles.append(lambda handler: next(failures, False) and handler.answer(status, Retry_After="1"))
    assert add(market, web) == []


def test_a_server_that_goes_on_failing_is_given_up(market: Published, web: GitWeb) -> None:
    web.troubles.append(lambda handler: handler.answer(500))
    begun = time.monotonic()
    assert add(market, web) == ["packages.unknown"]
    assert len(web.seen) == 3 and time.monotonic() - begun < 30


def test_a_longer_name_whose_server_fails_does_not_become_a_directory(
    market: Published, tmp_path: Path
) -> None:
    # spec: packages.names.place
    market.publish("example.test/u", "1.0.0", directory="lib", default="v = 'of the shorter name'\n")
    market.publish("example.test/u", "0.1.0", default="")
    del market.environ["BRAMBLE_MIRROR"]
    pem = certificate(tmp_path, "example.test")
    with git_web(market.repositories, pem) as web:
        market.environ |= {"https_proxy": web.url, "SSL_CERT_FILE": str(pem)}
        web.troubles.append(lambda handler: handler.path.startswith("/u/lib/") and handler.answer(502))
        web.troubles.append(named)
        done = market.run("add", "example.test/u/lib")
        assert done.codes == ["fetch.git"] and "502" in done.errors[0]["detail"]
        del web.troubles[0]
        assert market.run("add", "example.test/u/lib").status == 0


def test_a_server_that_hangs_is_given_up_when_the_time_is_over(market: Published, web: GitWeb) -> None:
    # spec: build.fetch-git.patience
    web.troubles.append(Handler.hang)
    begun = time.monotonic()
    assert add(market, web, "--timeout", "1") == ["fetch.timeout"]
    assert time.monotonic() - begun < 10
    market.needs(lib=f'{{ git = "{web.url}/example.test/lib", version = "1.0.0" }}')
    for words in (("deps",), ("update",), ("outdated",)):
        assert market.run(*words, "--timeout", "0.5").codes == ["fetch.timeout"]


def test_git_itself_gives_up_a_server_that_sends_nothing(web: GitWeb, tmp_path: Path) -> None:
    # spec: build.fetch-git.patience
    web.troubles.append(Handler.hang)
    silent = Listener(lambda *_: None, lambda *_: None, lambda *_: None, threading.Event())
    options = BuildOptions("linux-amd64", pytest.fail, fetch=FetchOptions(timeout=1))
    begun = time.monotonic()
    with pytest.raises(BrambleError) as caught:
        references(f"{web.url}/example.test/lib", Asking("x", options, silent), str(tmp_path))
    assert caught.value.code == "fetch.timeout" and time.monotonic() - begun < 20


def test_a_server_of_the_protocol_of_git_that_says_nothing_is_given_up(market: Published) -> None:
    # spec: build.fetch-git.patience
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"git://127.0.0.1:{silent.getsockname()[1]}/x"
        done = market.run("add", "--timeout", "0.5", "--git", address, "example.test/x")
    assert done.codes == ["fetch.timeout"]


def test_a_server_that_hangs_with_the_sources_is_given_up(market: Published, web: GitWeb) -> None:
    web.troubles.append(
        lambda handler: handler.command == "POST" and b"fetch" in peek(handler) and handler.hang()
    )
    assert add(market, web, "--timeout", "1") == ["fetch.timeout"]
    assert market.lock == ""


def peek(handler: Handler) -> bytes:
    return bytes(handler.rfile.peek(200))


def test_an_answer_that_ends_early_is_no_answer(market: Published, web: GitWeb) -> None:
    failures = iter([True, False])
    web.troubles.append(lambda handler: next(failures, False) and handler.cut())
    assert add(market, web) == []
    web.troubles[:] = [lambda handler: handler.answer(200, b"001e# service=git-up", Content_Length="4000")]
    web.troubles[0] = cut_short
    assert market.run("update").codes == ["packages.unknown"]


def cut_short(handler: Handler) -> bool:
    kind = "application/x-git-upload-pack-advertisement"
    handler.answer(200, b"001e# service=git-up", Content_Type=kind, Content_Length="4000")
    return handler.cut()


def test_redirects_are_followed_to_servers_and_to_nothing_else(market: Published, web: GitWeb) -> None:
    with git_web(market.repositories) as other:
        there: list[str] = []

        def led(handler: Handler) -> bool:
            return handler.answer(301, Location=there[0] + handler.path)

        web.troubles.append(led)
        there.append(other.url)
        assert add(market, web) == []
        for wrong in (web.url, f"file://{market.repositories}", "ftp://127.0.0.1:1"):
            there[0] = wrong
            done = market.run("update")
            assert done.codes == ["packages.unknown"], (wrong, done.err)


def test_who_answers_what_is_no_git_is_none(market: Published, web: GitWeb) -> None:
    for content in (b"", b"<html>hello</html>", b"0000" * 9, b"\0" * 400):
        web.troubles[:] = [
            lambda handler, content=content: handler.answer(200, content, Content_Type="text/html")
        ]
        # What is nothing at all is an empty list of references, by the old protocol of files.
        assert add(market, web) in (["packages.unknown"], ["packages.unknown-version"])


def test_a_tag_that_appears_while_update_runs_has_no_effect(market: Published, web: GitWeb) -> None:
    # spec: packages.update
    assert add(market, web) == []
    market.publish("example.test/lib", "1.1.0", default="v = 2\n")
    once = threading.Lock()

    def late(handler: Handler) -> bool:
        # The question has been answered: the next request is for sources.
        if handler.command == "POST" and b"fetch" in peek(handler) and once.acquire(blocking=False):
            market.publish("example.test/lib", "1.2.0", default="v = 3\n")
        return False

    web.troubles.append(late)
    assert market.run("update").status == 0
    assert once.locked()
    assert '"example.test/lib@1.1.0"' in market.lock and "1.2.0" not in market.lock
    assert market.run("update").status == 0
    assert '"example.test/lib@1.2.0"' in market.lock


def test_two_who_add_at_once_both_have_added(market: Published, web: GitWeb) -> None:
    # spec: packages.change
    market.publish("example.test/other", "1.0.0", default="")
    both = threading.Barrier(2)

    def together(handler: Handler) -> bool:
        if handler.command == "GET" and not done.is_set():
            both.wait(20)
            done.set()
        return False

    done = threading.Event()
    web.troubles.append(together)
    running = [
        market.start("add", "--git", f"{web.url}/example.test/{name}", f"example.test/{name}")
        for name in ("lib", "other")
    ]
    assert [one.wait(60) for one in running] == [0, 0]
    for one in running:
        one.communicate()
    text = (market.project / "bramble.toml").read_text()
    for name in ("lib", "other"):
        assert f'"example.test/{name}" = {{' in text and f'"example.test/{name}@1.0.0"' in market.lock
