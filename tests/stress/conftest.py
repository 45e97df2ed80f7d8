from __future__ import annotations

from tests.store.conftest import place

__all__ = ["place"]
