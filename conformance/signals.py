"""The verb `signal`: what a signal waits for, and how it is reported when that never was the case."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from conformance.outcome import Broken, Mismatch
from conformance.script import Signal
from conformance.world import following
from conformance.world.session import World


def prepared(action: Signal, world: World) -> following.Signal:
    """Return a signal for a command that is about to begin. Raises Broken if it would be due before."""
    what = action.what.expand(world.values)
    number = signal.Signals[f"SIG{action.name}"].value
    if action.how == "exists":
        if os.path.lexists(world.path(what)):
            raise Broken(f"{what} exists before the command begins")
        return following.Signal(number, lambda stdout, stderr: os.path.lexists(world.path(what)))
    if action.how == "asked":
        before = world.asked.count(what)
        return following.Signal(number, lambda stdout, stderr: world.asked.count(what) > before)
    line = os.fsencode(what) + b"\n"
    if action.how == "stdout":
        return following.Signal(number, lambda stdout, stderr: _has_line(stdout, line))
    return following.Signal(number, lambda stdout, stderr: _has_line(stderr, line))


def _has_line(printed: bytes, line: bytes) -> bool:
    return printed.startswith(line) or b"\n" + line in printed


def check_sent(actions: Sequence[Signal], left: int, timed_out: bool) -> None:
    """Demand that none of the signals is left that were to be sent to a command. Raises Mismatch."""
    if left:
        first = actions[-left]
        what = f"{first.how} {'line ' if first.how in ('stdout', 'stderr') else ''}{first.what}"
        end = "within the time limit" if timed_out else "before it ended"
        raise Mismatch(f"SIG{first.name} was not sent, since this was not the case {end}: {what}")
