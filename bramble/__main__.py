"""`python -I …/bramble`, `python -m bramble` and the installed command: what happens before anything else.

There is no `from __future__` line: it would look for a file before the path of modules is safe.
"""

import sys

if not __package__:
    # Run as a directory, which is the first entry. Its parent is asked for nothing but this package.
    sys.path[0] += "/.."
    __package__ = "bramble"

from bramble.isolation import only_the_library

only_the_library()

import importlib  # noqa: E402
import signal  # noqa: E402


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
