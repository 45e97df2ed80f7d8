"""Reads the text of a topic, and finds the name that was probably meant."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Sequence
from typing import Optional


def text(topic: str) -> str:
    """Return the text of one of the topics of `cli/verbs.py`: Markdown that reads well as it is."""
    # Read as data of the package, so that it is found in a directory and in a zip alike.
    data = pkgutil.get_data("bramble.cli.topics", f"{topic}.md")
    if data is None:
        raise AssertionError(f"the text of the topic {topic} is not installed")
    return data.decode("utf-8")


def nearest(name: str, names: Sequence[str]) -> Optional[str]:
    """Return the name of `names` that is most like `name`; None if none is near."""
    close = difflib.get_close_matches(name, names, 1, 0.5)
    return close[0] if close else next((known for known in names if known.startswith(name[:2])), None)
