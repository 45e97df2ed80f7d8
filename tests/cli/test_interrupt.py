"""A build that is interrupted at any moment from the start of its process on ends soon, whole and quietly."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.cli.test_build import LONE
from tests.cli.world import World
from tests.sandbox.processes import gone, mark

MOMENTS = 8
STEP = 0.06  # seconds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_build_can_be_interrupted_at_any_moment(tooled: World, number: signal.Signals) -> None:
    tooled.write(
        default='load("example.com/p/tools")\ndef one():\n    return tools.script("one", "echo > $out/x")\n'
    )
    for at in range(MOMENTS):
        told = mark()
        tooled.write(long=LONE.format(f"trap '' TERM INT; (sleep {told} &); sleep {told}"))
        process = tooled.start("build", "-j2", "./long:f", start_new_session=True)
        time.sleep(at * STEP)
        # As a terminal does it every other time: to everybody.
        (os.kill if at % 2 else os.killpg)(process.pid, number)
        _, err = process.communicate(timeout=30)
        assert b"bramble/cli" not in err and b"bramble/sandbox" not in err, err.decode()
        # Before the command line has begun, the signal does what Python lets it do.
        assert process.returncode in (128 + number, -number) or b"KeyboardInterrupt" in err, err.decode()
        assert gone(told)
        if process.returncode == 128 + number and (tooled.store / "var/work").exists():
            assert os.listdir(tooled.store / "var/work") == []
    assert tooled.run("build", "./:one").status == 0
    assert tooled.run("store", "verify").status == 0
