"""Runs one attached sandbox on its own standard streams and exits with its status: for test_attached.py.

Arguments: the wish as JSON (as `worker.py` takes it), and a user to become, or
an empty text.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    from tests.sandbox.worker import become, spec_of

    become(sys.argv[2])
    from bramble.errors import BrambleError
    from bramble.sandbox.launch import Launcher

    with Launcher() as launcher:
        try:
            outcome = launcher.run_attached(spec_of(json.loads(sys.argv[1])), 0, 1, 2)
        except BrambleError as error:
            print(f"error {error.code}", file=sys.stderr)
            sys.exit(99)
    sys.exit(outcome.shell_status)


if __name__ == "__main__":
    main()
