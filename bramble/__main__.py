"""`python -m bramble` and the installed command: what happens before the first import of the command line."""

from __future__ import annotations

import importlib
import signal
import sys


def start() -> int:
    """Run this process's command line and return the exit status (spec: cli.exit-status).

    Ctrl-C waits until the verb's modules are there: Python drops an exception that is raised while it
    tidies up after an import, so an interruption could be lost, or end with a traceback.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    module = importlib.import_module("bramble.cli.main")
    status: int = module.main(sys.argv[1:])
    return status


if __name__ == "__main__":
    sys.exit(start())
