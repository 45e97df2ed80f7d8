"""Reads the text of a topic."""

from __future__ import annotations

import pkgutil


def text(topic: str) -> str:
    """Return the text of one of the topics of `cli/verbs.py`: Markdown that reads well as it is."""
    # Read as data of the package, so that it is found in a directory and in a zip alike.
    data = pkgutil.get_data("bramble.cli.topics", f"{topic}.md")
    if data is None:
        raise AssertionError(f"the text of the topic {topic} is not installed")
    return data.decode("utf-8")
