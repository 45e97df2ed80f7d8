"""`python -m bramble`: the same as the installed command."""

from __future__ import annotations

import sys

from bramble.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
