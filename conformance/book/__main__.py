"""`python3 -m conformance.book [--check]`: see `index`."""

from __future__ import annotations

import sys

from conformance.book.index import main

sys.exit(main(sys.argv[1:]))
