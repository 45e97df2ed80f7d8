"""Packages in private places: what a server gets, who else never does, and that nothing shows it."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.build.fetch.exchange import Sent, exchange
from bramble.build.options import FetchOptions
from tests.packages.published import Published
from tests.packages.web import GitWeb, Handler, git_web

NAME, PASSWORD, TOKEN = "me", "hunter2-Secret", "tok-0123456789abcdef"
BASIC = "Basic " + base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
BEARER = f"Bearer {TOKEN}"
SECRETS = (PASSWORD, TOKEN, BASIC.partition(" ")[2])


@pytest.fixture
def web(market: Published) -> Iterator[GitWeb]:
    market.publish("example.test/lib", "1.0.0", default="v = 1\n")
    with git_web(market.repositories) as found:
        yield found


def wants(*values: str) -> Guard:
    return Guard(values)


class Guard:
    """A server that says nothing without one of these values of Authorization."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self.values = values

    def __call__(self, handler: Handler) -> bool:
        if handler.headers["Authorization"] in self.values:
            return False
        return handler.answer(401, b"no", WWW_Authenticate='Basic realm="private"')


def secret(market: Published, name: str, text: str, mode: int = 0o600) -> Path:
    path = market.base / "home" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def netrc(market: Published, mode: int = 0o600) -> Path:
    return secret(market, ".netrc", f"machine 127.0.0.1 login {NAME} password {PASSWORD}\n", mode)


def credentials(market: Published, web: GitWeb, value: str, mode: int = 0o600) -> Path:
    path = ".config/bramble/credentials"
    return secret(market, path, f"# mine\n\n127.0.0.1:{web.port}\t {value}\n", mode)


def spied(market: Published, *words: str) -> list[str]:
    """Run a command and return its codes; nothing that it prints or leaves in the project is a secret."""
    done = market.run(*words)
    files = [path.read_text() for path in market.project.iterdir() if path.is_file()]
    for text in (done.out, done.err, *files):
        assert not [one for one in SECRETS if one in text], text
    if done.status == 0:
        assert done.codes == []
    return done.codes


def everything(market: Published, web: GitWeb) -> None:
    """Use a private package with every command, and find no secret in the store either."""
    assert spied(market, "add", "--git", f"{web.url}/example.test/lib", "example.test/lib") == []
    market.publish("example.test/lib", "1.1.0", default="v = 2\n")
    for words in (
        ("update", "--json"),
        ("outdated", "--json"),
        ("deps", "--json"),
        ("deps",),
        ("remove", "example.test/lib"),
    ):
        assert spied(market, *words) == []
    found = subprocess.run(
        ["grep", "-rlE", "|".join(SECRETS), str(market.store), str(market.project)],
        capture_output=True,
        check=False,
    )
    assert found.stdout == b""


@pytest.mark.parametrize("kind", ["netrc", "basic", "bearer"])
def test_who_has_a_secret_for_a_server_gets_its_packages(market: Published, web: GitWeb, kind: str) -> None:
    # spec: build.fetch.netrc, build.fetch.credentials
    value = BEARER if kind == "bearer" else BASIC
    web.troubles.append(wants(value))
    if kind == "netrc":
        netrc(market)
    else:
        credentials(market, web, value)
    everything(market, web)
    assert {one for _, _, one in web.seen} <= {None, value}


def test_who_has_none_is_told_where_to_write_it(market: Published, web: GitWeb) -> None:
    web.troubles.append(wants(BASIC))
    words = ("add", "--git", f"{web.url}/example.test/lib", "example.test/lib")
    done = market.run(*words)
    assert done.codes == ["packages.unknown"]
    assert "~/.netrc" in done.errors[0]["remedy"] and "credentials" in done.errors[0]["remedy"]
    # A wrong one is refused, and not shown.
    credentials(market, web, f"Bearer {TOKEN}")
    assert spied(market, *words) == ["packages.unknown"]
    secret(market, ".config/bramble/credentials", "")
    netrc(market)
    web.troubles[:] = [wants(BEARER)]
    assert spied(market, *words) == ["packages.unknown"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_of_secrets_that_others_can_read_is_refused(market: Published, web: GitWeb, mode: int) -> None:
    web.troubles.append(wants(BASIC))
    words = ("add", "--git", f"{web.url}/example.test/lib", "example.test/lib")
    path = credentials(market, web, BASIC, mode)
    done = market.run(*words)
    assert done.codes == ["fetch.credentials"] and done.errors[0]["remedy"] == f"chmod 600 {path}"
    path.unlink()
    path = netrc(market, mode)
    done = market.run(*words)
    assert done.codes == ["fetch.netrc"] and done.errors[0]["remedy"] == f"chmod 600 {path}"
    assert web.seen == [] and not [one for one in SECRETS if one in done.err]


@pytest.mark.parametrize("kind", ["netrc", "basic", "bearer"])
def test_another_server_to_which_it_leads_gets_no_secret(market: Published, web: GitWeb, kind: str) -> None:
    with git_web(market.repositories) as other:
        # By another name, and by the same name with another port.
        for there in (other.url.replace("127.0.0.1", "localhost"), other.url):
            web.troubles[:] = [
                lambda handler, there=there: handler.answer(302, Location=there + handler.path)
            ]
            if kind == "netrc":
                netrc(market)
            else:
                credentials(market, web, BASIC if kind == "basic" else BEARER)
            other.troubles[:] = [wants(BASIC, BEARER)]
            codes = spied(market, "add", "--git", f"{web.url}/example.test/lib", "example.test/lib")
            assert codes == ["packages.unknown"]
            if kind == "bearer":
                again = market.run("add", "--git", f"{web.url}/example.test/lib", "example.test/lib")
                assert "write that URL" in again.errors[0]["remedy"]
            if kind != "netrc" or "localhost" in there:
                assert {one for _, _, one in other.seen} <= {None}
            other.seen.clear()


def test_a_secret_of_a_server_goes_to_no_other_server(market: Published, web: GitWeb) -> None:
    with git_web(market.repositories) as other:
        credentials(market, web, BEARER)
        assert spied(market, "add", "--git", f"{other.url}/example.test/lib", "example.test/lib") == []
        assert {one for _, _, one in other.seen} == {None}


def test_no_process_shows_a_secret(market: Published, web: GitWeb) -> None:
    seen: list[bytes] = []

    def look(handler: Handler) -> bool:
        for entry in os.listdir("/proc"):
            for name in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{entry}/{name}", "rb") as file:
                        seen.append(file.read())
                except OSError:
                    continue
        return False

    web.troubles.append(look)
    for value in (BASIC, BEARER):
        web.troubles[1:] = [wants(value)]
        credentials(market, web, value)
        adding = market.start("add", "--git", f"{web.url}/example.test/lib", "example.test/lib")
        out, err = adding.communicate(timeout=60)
        assert adding.returncode == 0, err
    assert any(b"git-remote-http" in one or b"remote-http" in one for one in seen)
    # The test itself has them in its memory, and in neither of the two.
    assert not [one for one in seen for word in SECRETS if word.encode() in one]


def test_what_is_wrong_in_the_file_is_said_and_not_shown(market: Published, web: GitWeb) -> None:
    words = ("add", "--git", f"{web.url}/example.test/lib", "example.test/lib")
    for text in (
        f"{TOKEN}\n",
        f"h {TOKEN}\nh {TOKEN}\n",
        f"h {TOKEN}\x01\n",
        f"a/b {TOKEN}\n",
        f"h:99x {TOKEN}",
    ):
        secret(market, ".config/bramble/credentials", text)
        assert spied(market, *words) == ["fetch.credentials"]


def test_a_secret_does_not_go_over_a_network_in_the_clear(market: Published) -> None:
    secret(market, ".config/bramble/credentials", f"git.test:80 {BEARER}\n")
    assert spied(market, "add", "--git", "http://git.test/x", "example.test/x") == ["fetch.credentials"]


def test_a_download_gets_the_header_of_its_server_too(market: Published, web: GitWeb) -> None:
    # spec: build.fetch.credentials
    credentials(market, web, BEARER)
    with git_web(market.repositories) as other:
        web.troubles[:] = [wants(BEARER), lambda handler: handler.answer(200, b"hi")]
        other.troubles[:] = [lambda handler: handler.answer(302, Location=f"{web.url}/f")]
        market.write(
            default=f'def f():\n    return derivation("f", "fetch_url", env={{"url": "{web.url}/f"}})\n'
            f'def g():\n    return derivation("g", "fetch_url", env={{"url": "{other.url}/f"}})\n'
        )
        assert spied(market, "build", "./:f") == []
        # Over http nothing is given to a server that another one has led to.
        assert spied(market, "build", "./:g") == ["fetch.status"]
        assert {one for _, _, one in other.seen} == {None}


def test_a_registry_gets_the_header_too(market: Published, web: GitWeb) -> None:
    # spec: build.fetch.credentials
    path = credentials(market, web, BEARER)
    web.troubles[:] = [wants(BEARER), lambda handler: handler.answer(200, b"{}")]
    options = FetchOptions(credentials=str(path))
    with exchange(f"{web.url}/job", options, threading.Event(), sent=Sent("text/plain", b"x")) as (
        head,
        rest,
    ):
        assert (head.status, b"".join(rest)) == (200, b"{}")
