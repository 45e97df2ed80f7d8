"""What a program sees of a derivation, and of a program to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef, Template
from bramble.lang.results import RunRequest
from bramble.starlark import HostValue


class DerivationValue(HostValue):
    """A derivation in the hands of a program: its outputs are attributes, as text that refers to them.

    `on_missing` is called for every attribute that was not found.
    """

    __slots__ = ("derivation", "_on_missing", "_texts")
    type_name = "derivation"

    def __init__(self, derivation: Derivation, on_missing: Callable[[DerivationValue, str], None]) -> None:
        self.derivation = derivation
        self._on_missing = on_missing
        head = "{{ " + derivation.id + ":"
        self._texts = {output: head + output + " }}" for output in derivation.outputs}

    def attr(self, name: str) -> Any:
        # spec: dialect.derivation.value
        text = self._texts.get(name)
        if text is None:
            self._on_missing(self, name)
            return NotImplemented
        return text

    def attr_names(self) -> Sequence[str]:
        return self.derivation.outputs

    def repr_text(self) -> str:
        # spec: dialect.derivation.text
        return self._texts[self.derivation.outputs[0]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DerivationValue) and self.derivation.id == other.derivation.id

    def __hash__(self) -> int:
        return hash(self.derivation.id)


class RunValue(HostValue):
    """What `run()` returns. A program can only hand it back."""

    __slots__ = ("request",)
    type_name = "run"

    def __init__(self, request: RunRequest) -> None:
        self.request = request

    def repr_text(self) -> str:
        return f"<run {self.request.cmd}>"


def output_of(value: Any) -> Optional[OutputRef]:
    """Return the output that a value means: a derivation's default, or the one that a text names."""
    if isinstance(value, DerivationValue):
        return value.derivation.default_output
    if isinstance(value, str):
        parts = Template.parse(value).parts
        if len(parts) == 1 and isinstance(parts[0], OutputRef):
            return parts[0]
    return None
