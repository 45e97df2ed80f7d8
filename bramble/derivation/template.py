"""Text that names outputs of derivations, which have no path yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Union

from bramble.record import NamedTuple


class OutputRef(NamedTuple):
    """One named output of one derivation, before anything has been built."""

    derivation: str  # the derivation's id: 32 characters of lower-case base32
    output: str  # "out" unless the derivation names others

    def __str__(self) -> str:
        # spec: derivation.template.syntax
        return f"{{{{ {self.derivation}:{self.output} }}}}"


# spec: derivation.template.syntax
OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPENING = "{{ "
_REFERENCE = re.compile(r"\{\{ ([a-z2-7]{32}):([A-Za-z_][A-Za-z0-9_]*) \}\}")
_WHOLE = re.compile(r"\{\{ [a-z2-7]{32}:[A-Za-z_][A-Za-z0-9_]* \}\}")
_APART = re.compile(r"(\{\{ [a-z2-7]{32}:[A-Za-z_][A-Za-z0-9_]* \}\})")


class Template(NamedTuple):
    """A string of a derivation, in which outputs of others may be named.

    spec: derivation.template

    Whatever text there is, it is a template: what is not exactly a reference is text. Most templates have no
    reference, and are never taken apart; so only the text is kept.
    """

    text: str

    @staticmethod
    def parse(text: str) -> Template:
        """Return `text` as a template."""
        return Template(text)

    @property
    def parts(self) -> tuple[Union[str, OutputRef], ...]:
        """The pieces of text, and the references between them; no text is empty, no two are neighbours."""
        # spec: derivation.template.lookalike
        parts: list[Union[str, OutputRef]] = []
        end = 0
        for found in _REFERENCE.finditer(self.text):
            if found.start() > end:
                parts.append(self.text[end : found.start()])
            parts.append(OutputRef(found[1], found[2]))
            end = found.end()
        if end < len(self.text):
            parts.append(self.text[end:])
        return tuple(parts)

    @property
    def references(self) -> tuple[OutputRef, ...]:
        """The outputs that are named, in the order of the text; twice when named twice."""
        return references_in(self.text)

    def render(self, path_of: Callable[[OutputRef], str]) -> str:
        """Return the text with every reference replaced by what `path_of` gives for it."""
        return self.fill({str(ref): path_of(ref) for ref in self.references})

    def fill(self, paths: Mapping[str, str]) -> str:
        """Return the text with every reference replaced by its path in `paths`, found as it is written."""
        parts = apart(self.text)
        parts[1::2] = [paths[reference] for reference in parts[1::2]]
        return "".join(parts)

    def __str__(self) -> str:
        return self.text


def apart(text: str) -> list[str]:
    """Return the pieces of a text: texts and references, in order.

    So there is an odd number of pieces, and the second one and each second one after it is a reference as it
    is written. What stands between may be "".
    """
    # With a pattern that calls nobody back: half of the time where there are ten.
    return _APART.split(text) if _OPENING in text else [text]


def references_in(text: str) -> tuple[OutputRef, ...]:
    """Return the outputs that a text names, in its order; twice when named twice."""
    if _OPENING not in text:
        return ()
    return tuple([OutputRef(*found) for found in _REFERENCE.findall(text)])


def distinct_references(text: str) -> list[str]:
    """Return the references of a text, as they are written: sorted as the outputs are, each once."""
    # All ids are of one length, and what ends a reference sorts before all that a name is made of.
    return sorted(set(_WHOLE.findall(text))) if _OPENING in text else []
