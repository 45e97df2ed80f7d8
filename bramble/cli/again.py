"""Running a program once more of which it is known how it is run: the short way of `bramble run`."""

from __future__ import annotations

import contextlib
import os
from importlib import import_module
from typing import Any, Optional

from bramble.commands.context.guarded import guarded
from bramble.commands.running import hold, run, unpacked
from bramble.errors import BrambleError


def run_again(errors: bytes, prepared: bytes) -> Optional[int]:
    """Run a program, after standard error was given `errors`, and return the exit status.

    None where an object that it needs is gone: then nothing has been done.
    """
    # spec: recall.run
    plan = unpacked(prepared)
    held = hold(plan)
    if held is None:
        return None
    try:
        with contextlib.suppress(OSError):
            os.write(2, errors)
        ran = run(plan, guarded(plan.project))
    except BrambleError as error:
        main: Any = import_module("bramble.cli.main")
        return int(main.refused(error))
    finally:
        held.close()
    if ran.changed:
        render: Any = import_module("bramble.cli.render")
        for path in ran.changed:
            render.say(
                f"warning: while the program ran, {render.on_one_line(path)} was made, changed or removed"
            )
    return ran.status
