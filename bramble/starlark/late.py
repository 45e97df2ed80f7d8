"""Regular expressions that are compiled when they are used first.

Most programs use none, and Python's `re` takes as long to load as a tenth of this package.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Optional


class Pattern:
    """A regular expression; call it to have it compiled."""

    __slots__ = ("_text", "_compiled")

    def __init__(self, text: str) -> None:
        self._text = text
        self._compiled: Optional[re.Pattern[str]] = None

    def __call__(self) -> re.Pattern[str]:
        """Return it as `re` has it."""
        if self._compiled is None:
            self._compiled = import_module("re").compile(self._text)
        return self._compiled
