"""Reading proc(5)."""

from __future__ import annotations


def read(path: str) -> str:
    """Return a file of /proc as text, empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
