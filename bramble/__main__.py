"""`python -I …/bramble`, `python -m bramble` and the installed command: what happens before anything else.

There is no `from __future__` line: it would look for a file before the path of modules is safe.
"""

import sys

if sys.version_info < (3, 9):  # noqa: UP036
    sys.exit("bramble: this Python is too old: install Python 3.9 or newer, and run Bramble with it")

if not __package__:
    # Run as a directory, which is the first entry. Its parent is asked for nothing but this package.
    sys.path[0] += "/.."
    __package__ = "bramble"

if __name__ == "__main__":
    # Until `first` can say that it was interrupted: Ctrl-C would end an import with a traceback. This is what
    # `signal` is made of, without the enumerations, which take long to load.
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGINT})

from bramble.isolation import only_the_library

only_the_library()

from bramble.cli.first import main  # noqa: E402


def start(*, ends: bool = False) -> int:
    """Run this process's command line and return the exit status (spec: cli.exit-status), as `first.main`."""
    return main(sys.argv[1:], ends=ends)


if __name__ == "__main__":
    sys.exit(start(ends=True))
