"""What of Python's library is loaded when it is used first, because most programs use none of it.

Its `re` takes as long to load as a tenth of this package.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any, Optional


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


class LateFunction:
    """A function of Python's library whose module is loaded with the first call."""

    __slots__ = ("_module", "_name", "_found")

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._found: Any = None

    def __call__(self, *args: Any) -> Any:
        if self._found is None:
            self._found = getattr(import_module(self._module), self._name)
        return self._found(*args)
