"""Signals of a case reach the command, at their time, and what does not come to that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance import runner
from conformance.casefile import LEVELS
from conformance.claims import Rules, claimed_capabilities
from conformance.mutants.commands import Imported
from conformance.world import following
from conformance.world.following import Signal
from conformance.world.session import Implementation
from tests.conformance.support import FAKE, TOP, case_of, fails, outcome_of, passes

pytestmark = pytest.mark.once

NUMBERS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15}
ROUTES = "-- @routes --\n/a hang\n/b status 404\n"


@pytest.mark.parametrize("name", NUMBERS)
def test_a_signal_that_ends_the_command_is_a_status(name: str) -> None:
    passes(f"signal {name} when stdout line ready\nfail {128 + NUMBERS[name]} ready say ready\n")


def test_a_status_that_is_another_one_fails() -> None:
    fails("signal TERM when stdout line ready\nfail 130 ready say ready\n", "exit status is 143, not 130")
    fails("signal TERM when stdout line ready\nrun ready say ready\n", "exit status is 143, not 0")


def test_signals_come_in_their_order_each_at_its_time() -> None:
    script = (
        "signal TERM when stdout line ready\nsignal USR2 when stdout line SIGTERM\n"
        "signal INT when stdout line SIGUSR2\nrun caught INT TERM USR2\ntext stdout like @told\n"
        "-- @told --\nready\nSIGTERM\nSIGUSR2\nSIGINT\n"
    )
    passes(script)
    # The second one is due with the first one, and what it ends is over.
    passes(
        "signal USR1 when stdout line ready\nsignal KILL when stdout line ready\nfail 137 caught USR1 TERM\n"
    )
    first = "signal TERM when stdout line ready\n"
    fails(f"{first}signal INT when stdout line never\nrun caught TERM\n", "SIGINT was not sent")


def test_a_signal_waits_for_a_line_a_file_or_a_request() -> None:
    passes("signal INT when stderr line a b\nfail 130 ready warn a b\n")
    passes("signal INT when exists x\nfail 130 ready touch x\n")
    passes("signal INT when exists $WORK/x*\nfail 130 ready touch xyz\n")
    passes(f"serve web @routes\nsignal INT when asked $web/a\nfail 130 ask $web/a?b=c\n{ROUTES}")


@pytest.mark.parametrize(
    ("condition", "command", "never"),
    [
        ("stdout line ready", "say ready or not", "before it ended: stdout line ready"),
        ("stdout line ready", "raw ready", "before it ended: stdout line ready"),
        ("stdout line ready", "warn ready", "before it ended: stdout line ready"),
        ("stderr line ready", "say ready", "before it ended: stderr line ready"),
        ("exists a", "touch b", "before it ended: exists a"),
        ("asked $web/a", "where", "before it ended: asked $web/a"),
    ],
)
def test_what_never_was_the_case_fails(condition: str, command: str, never: str) -> None:
    fails(f"serve web @routes\nsignal INT when {condition}\nrun {command}\n{ROUTES}", never)


def test_a_request_of_an_earlier_command_does_not_count() -> None:
    script = "serve web @routes\nfail 1 ask $web/b\nsignal INT when asked $web/b\nrun where\n"
    fails(script + ROUTES, "before it ended: asked $web/b")


def test_a_file_that_is_there_already_is_a_mistake_of_the_case() -> None:
    fails("write x text y\nsignal INT when exists x\nrun where\n", "x exists before", status="broken")


def test_the_time_limit_holds_before_a_signal_and_after_it() -> None:
    started = time.monotonic()
    outcome = outcome_of(case_of("signal INT when exists x\nfail 130 hang\n"), seconds=0.5)
    assert outcome.status == "failed"
    assert outcome.message.endswith("was not the case within the time limit: exists x")
    # This one gets the signal, and does not care.
    outcome = outcome_of(case_of("signal INT when exists x\nfail 130 deaf touch x\n"), seconds=1.0)
    assert outcome.status == "failed"
    assert outcome.message == "it did not end within the time limit, or within 15 seconds of the last signal"
    assert time.monotonic() - started < 20


def test_a_command_that_does_not_heed_its_last_signal_fails_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AFTER_SIGNALS", 0.5)
    started = time.monotonic()
    outcome = outcome_of(case_of("signal INT when exists x\nfail 130 deaf touch x\n"), seconds=60.0)
    assert outcome.status == "failed" and "of the last signal" in outcome.message
    assert time.monotonic() - started < 20
    passes("signal TERM when stdout line ready\nrun caught TERM\n")


def test_the_command_alone_gets_the_signal_and_has_ended_when_its_heirs_have() -> None:
    passes("signal TERM when stdout line ready\nfail 143 heirs\ntext stdout line it lives\n")


def test_nothing_else_is_ended_by_a_signal() -> None:
    # The signals of a case are for one command.
    script = "signal TERM when stdout line ready\nfail 143 ready say ready\nfail 143 kill 15\n"
    fails(script, "signal 15 ended it")


def test_what_the_runner_was_started_to_ignore_ends_commands(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(
        "from conformance import runner\n"
        "from tests.conformance.test_signals import one_case\n"
        "print(one_case('signal HUP when stdout line ready\\nfail 129 ready say ready\\n'))\n"
    )
    done = subprocess.run(
        ["sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh", sys.executable, str(program)],
        env={"PATH": os.defpath, "PYTHONPATH": TOP},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("passed \n", "")


def one_case(script: str) -> str:
    outcomes = runner.run(
        [case_of(script)],
        Implementation(FAKE, seconds=20.0),
        Rules(claimed_capabilities([])),
        levels=LEVELS,
        jobs=1,
    )
    return f"{outcomes[0].status} {outcomes[0].message}"


def test_a_forked_command_gets_its_signal(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small/main.py").write_text(
        "import sys, time\n\ndef start():\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    for name in ("TERM", "KILL"):
        waiting = [Signal(NUMBERS[name], lambda stdout, stderr: stdout == b"ready\n")]
        with Imported(str(tmp_path), "small.main", []) as imported, imported.with_fault() as commands:
            ended = commands.carry_out(
                ["small"], directory=str(tmp_path), environment={}, seconds=20, signals=waiting
            )
        assert (ended.status, ended.stdout, waiting) == (-NUMBERS[name], b"ready\n", [])
