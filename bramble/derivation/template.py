"""Text that names outputs of derivations, which have no path yet."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Union


class OutputRef(NamedTuple):
    """One named output of one derivation, before anything has been built."""

    derivation: str  # the derivation's id: 32 characters of lower-case base32
    output: str  # "out" unless the derivation names others

    def __str__(self) -> str:
        # spec: derivation.template.syntax
        return "{{ " + self.derivation + ":" + self.output + " }}"


# spec: derivation.template.syntax
OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\{\{ ([a-z2-7]{32}):([A-Za-z_][A-Za-z0-9_]*) \}\}")


@dataclass(frozen=True)
class Template:
    """A string of a derivation: pieces of text, and references to outputs between them.

    spec: derivation.template

    In the form that `parse` makes, no text is empty and no two texts are
    neighbours, so equal strings are equal templates. A text never holds a
    reference in its written form.
    """

    parts: tuple[Union[str, OutputRef], ...]

    @staticmethod
    def parse(text: str) -> Template:
        """Return `text` as a template. What is not exactly a reference stays text."""
        # spec: derivation.template.lookalike
        if "{{ " not in text:
            return Template._of((text,) if text else (), text)
        parts: list[Union[str, OutputRef]] = []
        end = 0
        for found in _REFERENCE.finditer(text):
            if found.start() > end:
                parts.append(text[end : found.start()])
            parts.append(OutputRef(found[1], found[2]))
            end = found.end()
        if end < len(text):
            parts.append(text[end:])
        return Template._of(tuple(parts), text)

    @staticmethod
    def _of(parts: tuple[Union[str, OutputRef], ...], text: str) -> Template:
        made = Template(parts)
        # What `text` would work out is known already.
        made.__dict__["text"] = text
        return made

    @cached_property
    def text(self) -> str:
        """The text that parses to this template."""
        return "".join([str(part) for part in self.parts])

    @property
    def references(self) -> tuple[OutputRef, ...]:
        """The outputs that are named, in the order of the text; twice when named twice."""
        return tuple([part for part in self.parts if part.__class__ is OutputRef])

    def render(self, path_of: Callable[[OutputRef], str]) -> str:
        """Return the text with every reference replaced by what `path_of` gives for it."""
        return "".join([part if isinstance(part, str) else path_of(part) for part in self.parts])

    def __str__(self) -> str:
        return self.text
