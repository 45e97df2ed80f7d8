"""The paths of the suite: its code, its cases, and the specification beside it."""

from __future__ import annotations

import os
from typing import Optional

HOME = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HOME, "cases")
SPEC = os.path.join(os.path.dirname(HOME), "spec")


def specification_version() -> Optional[str]:
    """Return the version of the specification beside the suite; None if there is none."""
    # spec: conformance.versions
    try:
        with open(os.path.join(SPEC, "VERSION"), encoding="ascii") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None
