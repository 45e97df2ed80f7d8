"""Programs that the user has, in the directories that their PATH names.

A part of PATH that is not absolute means the current directory, or one below it, which may be a stranger's.
"""

from __future__ import annotations

import os
import shutil
from typing import Optional


def search_path() -> str:
    """Return PATH without its parts that are not absolute."""
    return os.pathsep.join(part for part in os.get_exec_path() if part.startswith("/"))


def find_program(name: str) -> Optional[str]:
    """Return the path of the program `name`; None if there is none."""
    return shutil.which(name, path=search_path() or "/nonexistent")
