"""Modules that are loaded when they are first needed, because most commands never need them."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


def late(module: str, name: str) -> Callable[..., Any]:
    """Return a function or class of this package, and load its module only now.

    A build with nothing to do spends most of its time on loading modules. What
    it needs of the store it imports; what writes to the store it finds through this.
    """
    found: Callable[..., Any] = getattr(import_module(f"bramble.store.{module}"), name)
    return found
