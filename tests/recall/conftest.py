from __future__ import annotations

from tests.cli.conftest import tooled, world

__all__ = ["tooled", "world"]
