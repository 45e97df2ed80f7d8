"""From names to variables: scopes, and every rule that can be checked before a program runs."""

from __future__ import annotations

from .dialect import Dialect
from .scopes import Resolution
from .source import Source
from .syntax import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def resolve(
    source: Source,
    file: File,
    *,
    dialect: Dialect,
    predeclared: Collection[str],
    universal: Collection[str],
    globals: Collection[str] = (),
    load_globally: bool = False,
) -> Resolution:
    """Return what every name of `file` means. Raises ResolveFailure with all the faults found.

    A REPL resolves one input after another: `globals` are the names that earlier
    ones defined (they may be assigned again), and `load_globally` makes the names
    that `load` binds globals as well.
    """
    raise NotImplementedError
