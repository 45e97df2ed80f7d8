"""What holds for every test."""

from __future__ import annotations

import gc
import signal
import zlib

import pytest
from hypothesis import HealthCheck, settings

from tests import forked

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option by which several runs divide the tests that one of them has to do."""
    parser.addoption(
        "--share",
        metavar="N/M",
        default="1/1",
        help="of the tests that are marked `once`, do the N-th of M parts; everything else is done",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `once` and is another run's: chosen by the name, so by nothing else."""
    number, _, parts = config.getoption("--share").partition("/")
    if not 1 <= int(number) <= int(parts):
        raise pytest.UsageError("--share is N/M with 1 <= N <= M")
    others = [
        item
        for item in items
        if item.get_closest_marker("once")
        and zlib.crc32(item.nodeid.encode()) % int(parts) != int(number) - 1
    ]
    if others:
        config.hook.pytest_deselected(items=others)
        left_out = set(others)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Let nobody look for garbage among what stays to the end: more than a million objects.

    A process that a test forks would copy all of them when it looks.
    """
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Take back the signals that a caller had ignored: a shell starts what runs in the background so.

    The programs that tests start and interrupt would ignore them, too.
    """
    config.addinivalue_line(
        "markers",
        "once: depends neither on who runs it nor on the Python: with --share one of several runs does it",
    )
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_unconfigure() -> None:
    """Take along the processes that fork for the tests."""
    forked.end()
