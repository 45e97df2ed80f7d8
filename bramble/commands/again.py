"""Running a program once more of which it is known how it is run: the short way of `run`."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

from bramble.sandbox import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from bramble.commands.running import Ran


def run_again(errors: bytes, prepared: bytes) -> Optional[Ran]:
    """Run a program, after standard error was given `errors`.

    None if an object that it needs is gone, or no helper can be started: then nothing has been done, and
    full evaluation decides what to do. Raises BrambleError as `running.run` does.
    """
    # spec: recall.run
    # Of what is loaded nothing is given back: there is nothing to look for.
    gc.disable()
    try:
        return _run_again(errors, prepared)
    finally:
        gc.enable()


def _run_again(errors: bytes, prepared: bytes) -> Optional[Ran]:
    try:
        # It starts while all else is loaded.
        helper = start.helper(sys.executable)
    except (OSError, ValueError):
        return None
    try:
        running: Any = import_module("bramble.commands.running")
        plan = running.unpacked(prepared)
        held = running.hold(plan)
        if held is None:
            return None
        try:
            while errors:
                errors = errors[os.write(2, errors) :]
            ran: Ran = running.run(plan, running.guarded(plan.project), helper)
        finally:
            held.close()
    finally:
        helper.close()
    return ran
