"""A command that is ended while git asks a server ends git, and leaves no directory."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from bramble.commands.context.ending import tidied_up
from tests.cli.world import World
from tests.sandbox.processes import alive, gone, wait_for


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("words", [("add", "example.test/lib"), ("build", "./:f")])
def test_git_ends_with_the_command(
    market: World, silent: str, words: tuple[str, ...], number: signal.Signals
) -> None:
    url = f"http://{silent}/lib"
    if words[0] == "add":
        words = (*words, "--git", url)
    else:
        entry = f'"example.test/lib" = {{ version = "1.0.0", git = "{url}" }}'
        with open(market.project / "bramble.toml", "a") as config:
            config.write(f"[dependencies]\n{entry}\n")
        market.write(default='load("example.test/lib")\n')
    process = market.start(*words)
    assert wait_for(lambda: len([line for line in alive(silent) if "remote" in line]), 20)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert gone(silent)
    assert os.listdir(market.store / "var/work") == []


def test_a_signal_that_is_handled_or_ignored_is_left_alone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with tidied_up():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGHUP, ignored)
