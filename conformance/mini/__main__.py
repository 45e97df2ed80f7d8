"""`python3 -I conformance/mini COMMAND …`: the program that the suite calls (spec: conformance.contract)."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from conformance.mini.commands import start

    start(sys.argv[1:])
