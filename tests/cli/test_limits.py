"""Evaluation is limited by default, and each limit names the option that raises it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.cli.world import World

TEXT = """
def loop():
    for i in range(1 << 20):
        for j in range(1 << 20):
            pass

def grow():
    x = [1]
    for i in range(100):
        x.extend(x)
"""
LIMITS = {"steps": ("./:loop", "10000"), "time": ("./:loop", "0.1"), "memory": ("./:grow", "200M")}


@pytest.mark.parametrize("limit", list(LIMITS))
@pytest.mark.parametrize("verb", [("build", "--just-parse"), ("run",), ("shell",)])
def test_a_limit_is_an_error_that_names_its_option(world: World, verb: tuple[str, ...], limit: str) -> None:
    world.write(default=TEXT)
    target, most = LIMITS[limit]
    ran = world.run(*verb, f"--eval-{limit}", most, target)
    assert (ran.status, ran.codes) == (1, ["eval.limit"]), ran.err
    assert ran.errors[0]["at"].startswith("default.bramble:")
    assert f"--eval-{limit} " in ran.errors[0]["remedy"]
    assert f"BRAMBLE_EVAL_{limit.upper()}" in ran.errors[0]["remedy"]


@pytest.mark.parametrize("limit", list(LIMITS))
def test_the_variable_counts_where_there_is_no_option(world: World, limit: str) -> None:
    world.write(default=TEXT)
    target, most = LIMITS[limit]
    variable = {f"BRAMBLE_EVAL_{limit.upper()}": most}
    assert world.run("build", "--just-parse", target, **variable).codes == ["eval.limit"]


@pytest.mark.parametrize("limit", list(LIMITS))
def test_a_variable_that_is_no_quantity_is_named(world: World, limit: str) -> None:
    ran = world.run("ls", **{f"BRAMBLE_EVAL_{limit.upper()}": "-1"})
    assert (ran.status, ran.codes) == (1, ["cli.usage"])
    assert f"BRAMBLE_EVAL_{limit.upper()}" in ran.errors[0]["message"]


def test_a_file_is_limited_too(world: World) -> None:
    (world.project / "x.star").write_text(TEXT + "loop()\n")
    ran = world.run("star", "--eval-time", "0.1", "x.star")
    assert (ran.status, ran.codes) == (1, ["eval.limit"])


def test_a_large_evaluation_is_interrupted_at_once(world: World) -> None:
    text = "def f():\n    x = []\n    for i in range(4000000):\n        x.append([i])\n    print('large')\n"
    (world.project / "x.star").write_text(text + "    for i in range(1 << 60):\n        pass\n\nf()\n")
    process = world.start("star", "x.star")
    assert process.stderr is not None and process.stderr.readline() == b"large\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr.read() == b"interrupted\n"


@pytest.mark.parametrize(
    ("words", "operation"),
    [
        (("star", "x.star"), "sorted(x)"),
        (("build", "--just-parse", "./:f"), "json.decode(text)"),
        (("build", "--just-parse", "./:f"), "set(x + x)"),
    ],
)
def test_an_operation_on_a_long_operand_is_interrupted(
    world: World, words: tuple[str, ...], operation: str
) -> None:
    text = (
        "def f():\n    x = [(i * 7919) % 1000003 for i in range(100000)]\n    text = json.encode(x)\n"
        f"    print('begun')\n    for i in range(1 << 30):\n        {operation}\n\n"
    )
    world.write(default=text)
    (world.project / "x.star").write_text(text + "f()\n")
    process = world.start(*words)
    assert process.stderr is not None and process.stderr.readline().endswith(b"begun\n")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr.read() == b"interrupted\n"


DROPPED = """
import os, signal, sys
from bramble.cli import first, invocation, main

class Tidying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

def work(words, surroundings):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # as is done before a command begins
    Tidying()
    if sys.argv[1] == "other":
        # A build does this: who hears the signal now is asked, and not who heard it first.
        signal.signal(signal.SIGINT, lambda *_: os._exit(7))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    for _ in range(1 << 60):
        pass

if sys.argv[1] == "early":
    invocation.answered = work
else:
    main._ended = work
sys.exit(first.main([]))
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("when", "said"),
    [("early", (130, b"interrupted\n")), ("late", (130, b"interrupted\n")), ("other", (7, b""))],
)
def test_an_interruption_that_python_drops_comes_again(
    world: World, when: str, said: tuple[int, bytes]
) -> None:
    """What is raised in `__del__`, or in the callback of an import's lock, is dropped there."""
    words = [sys.executable, "-c", DROPPED, when]
    ended = subprocess.run(words, env=world.environment(), stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == said
