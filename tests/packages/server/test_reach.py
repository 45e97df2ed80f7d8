"""Where a registry lets itself be led, and where not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from bramble.build.fetch.connect import addresses_of, is_public
from bramble.build.fetch.references import references
from bramble.build.fetch.repository import Asking
from bramble.build.options import BuildOptions, FetchOptions
from bramble.build.task import Listener
from bramble.commands.registry.reach import Places, check_asks, check_place
from bramble.errors import BrambleError
from bramble.packages.resolve import Ask
from bramble.project.versions import Version
from bramble.sandbox.launch import Launcher
from tests.packages.published import Published
from tests.packages.web import Handler, git_web

HOSTS = {
    "public.test": ["93.184.216.34", "2606:2800:220:1::1"],
    "inner.test": ["93.184.216.34", "10.0.0.1"],
    "cloud.test": ["169.254.169.254"],
}


def look_up(host: str) -> Sequence[str]:
    if host not in HOSTS:
        raise OSError("no such host")
    return HOSTS[host]


def goes(name: str, places: Places = Places()) -> bool:  # noqa: B008
    try:
        check_place(name, places, look_up)
    except BrambleError as error:
        assert error.code == "registry.place"
        return False
    return True


def test_public_hosts_alone_or_a_list_of_hosts() -> None:
    # spec: registry.publish.places
    assert goes("public.test/a") and goes("nowhere.test/a")
    assert not goes("inner.test/a") and not goes("Cloud.test/a")
    for number in ("127.0.0.1/a", "10.1/a", "0.0.0.0/a", "2130706433.0/a"):
        assert not goes(number), number
    only = Places(hosts=("inner.test",))
    assert goes("inner.test/a", only) and goes("INNER.test/a", only) and not goes("public.test/a", only)
    # What whoever runs the registry has put elsewhere leads nowhere.
    assert goes("inner.test/a", Places(mirrored=("https://inner.test/a",)))
    assert goes("inner.test/a", Places(by_proxy=True)) and not goes("127.0.0.1/a", Places(by_proxy=True))


def test_versions_of_what_is_where_its_name_says() -> None:
    # spec: registry.publish.requires
    check_asks([Ask("public.test/a", Version(1, 0, 0))], Places(), look_up)
    for ask in (
        Ask("public.test/a", None, "main"),
        Ask("public.test/a", Version(1, 0, 0), git="https://public.test/b"),
        Ask("cloud.test/a", Version(1, 0, 0)),
    ):
        with pytest.raises(BrambleError) as found:
            check_asks([ask], Places(), look_up)
        assert found.value.code == "registry.place"


def test_which_addresses_are_public() -> None:
    for public in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert is_public(public), public
    for inner in (
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1",
        "64:ff9b::a00:1", "64:ff9b:1::808:808", "2002:a00:1::", "::10.0.0.1", "::ffff:0:10.0.0.1",
        "fec0::1", "2001:db8::1",
    ):  # fmt: skip
        assert not is_public(inner), inner
    assert "127.0.0.1" in addresses_of("localhost") or "::1" in addresses_of("localhost")


def test_no_server_sends_git_elsewhere(market: Published, tmp_path: Path) -> None:
    # spec: build.fetch.public
    market.publish("example.test/lib", "1.0.0", default="")
    silent = Listener(lambda *_: None, lambda *_: None, lambda *_: None, threading.Event())

    def found(url: str, number: int, public_but: tuple[str, ...] | None) -> bool:
        fetch = FetchOptions(public_but=public_but, attempts=1, pause=0.0, timeout=5.0)
        scratch = tmp_path / str(number)
        scratch.mkdir(mode=0o700)
        options = BuildOptions("linux-amd64", Launcher, fetch=fetch)
        try:
            return "refs/tags/v1.0.0" in references(url, Asking("x", options, silent), str(scratch))
        except BrambleError as error:
            assert error.code in ("fetch.git", "fetch.out-of-reach"), error
            return False

    with git_web(market.repositories) as web, git_web(market.repositories) as other:
        url = f"{web.url}/example.test/lib"
        assert found(url, 1, ("127.0.0.1",)) and not found(url, 2, ())

        def led(handler: Handler) -> bool:
            return handler.answer(301, Location=other.url + handler.path)

        web.troubles.append(led)
        assert found(url, 3, None) and not found(url, 4, ("127.0.0.1",))
