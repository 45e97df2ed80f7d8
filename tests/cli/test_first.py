"""How a process ends that has run one command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.world import ROOT

pytestmark = pytest.mark.once

# A command line that leaves a thread, something to be done at the end, and a text that is held back.
LEAVES = """
import atexit, sys, threading, time
sys.path.insert(0, sys.argv[1])
from bramble.cli import first, main

def leave(words):
    atexit.register(lambda: print("registered"))
    threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
    print("held back")
    return 3

main.main = leave
first.main(["gc"], ends=True)
print("goes on")
"""


def test_a_process_ends_when_all_that_it_has_left_is_done() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", LEAVES, str(ROOT)], stdout=subprocess.PIPE, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (3, "held back\nthread\nregistered\n")


def test_a_process_whose_output_cannot_be_written_says_so() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-I", "-c", LEAVES, str(ROOT)],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 120
    assert "No space left" in done.stderr
