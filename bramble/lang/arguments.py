"""Arguments of the dialect's built-ins: which value goes to which parameter, and of what type it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bramble.errors import nearest
from bramble.lang.failure import refuse
from bramble.lang.values import DerivationValue
from bramble.starlark import type_name

_STRINGS = frozenset([str])


def bind(
    function: str,
    parameters: Mapping[str, Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    required: int,
) -> dict[str, Any]:
    """Return a value for each parameter; the first `required` of them have no default.

    Raises eval.argument in the words of the language's own functions.
    """
    # spec: dialect.arguments
    names = list(parameters)
    if len(args) > len(names):
        refuse("eval.argument", f"{function}: got {len(args)} arguments, want at most {len(names)}")
    bound = {**parameters, **dict(zip(names, args))}
    given = set(names[: len(args)])
    for name, value in kwargs.items():
        if name not in parameters:
            meant = nearest(name, names)
            hint = f" (did you mean {meant}?)" if meant else ""
            refuse(
                "eval.argument",
                f'{function}: unexpected keyword argument "{name}"{hint}',
                f"the parameters are {', '.join(names)}",
            )
        if name in given:
            refuse("eval.argument", f'{function}: got multiple values for keyword argument "{name}"')
        given.add(name)
        bound[name] = value
    for name in names[:required]:
        if name not in given:
            refuse(
                "eval.argument",
                f"{function}: missing argument for {name}",
                f"write {function}({', '.join(names[:required])}, …)",
            )
    return bound


class Checker:
    """Checks values given to one built-in; `code_of` gives the code of an error in a parameter."""

    def __init__(self, function: str, code: str) -> None:
        self.function = function
        self.code = code  # "{}" is replaced by the parameter

    def wrong(self, parameter: str, what: str, value: Any, want: str) -> None:
        """Raise the error for a value of the wrong type."""
        kind = type_name(value)
        remedy = f"make it {want}"
        if want.startswith("a string") and kind in ("int", "float", "bool"):
            remedy = "write it in quotes, or use str()"
        refuse(
            self.code.format(parameter),
            f"{self.function}: {what} must be {want}, and not {kind}",
            remedy,
        )

    def string(self, parameter: str, value: Any) -> str:
        """Return a value that must be a string."""
        if value.__class__ is not str:
            self.wrong(parameter, parameter, value, "a string")
        return str(value)

    def boolean(self, parameter: str, value: Any) -> bool:
        """Return a value that must be True or False."""
        if value.__class__ is not bool:
            self.wrong(parameter, parameter, value, "True or False")
        return bool(value)

    def text(self, parameter: str, what: str, value: Any) -> str:
        """Return a value that must be a string or a derivation, as text with references."""
        if value.__class__ is str:
            return value
        if not isinstance(value, DerivationValue):
            self.wrong(parameter, what, value, "a string or a derivation")
        return str(value.str_text())

    def items(self, parameter: str, value: Any) -> Sequence[Any]:
        """Return a value that must be a list or a tuple."""
        if value.__class__ is not tuple and not isinstance(value, list):
            kind = type_name(value)
            refuse(
                self.code.format(parameter),
                f"{self.function}: {parameter} must be a list, and not {kind}",
                f"write {parameter}=[…]" if kind != "string" else f"put it in brackets: {parameter}=[…]",
            )
        return value

    def strings(self, parameter: str, value: Any) -> tuple[str, ...]:
        """Return a value that must be a list or a tuple of strings."""
        items = tuple(self.items(parameter, value))
        if not _STRINGS.issuperset(map(type, items)):
            for number, item in enumerate(items):
                if item.__class__ is not str:
                    self.wrong(parameter, f"{parameter}[{number}]", item, "a string")
        return items

    def texts(self, parameter: str, value: Any) -> list[str]:
        """Return a value that must be a list or a tuple of strings and derivations, as texts."""
        return [
            item if item.__class__ is str else self.text(parameter, f"{parameter}[{number}]", item)
            for number, item in enumerate(self.items(parameter, value))
        ]

    def mapping(self, parameter: str, value: Any) -> Mapping[str, Any]:
        """Return a value that must be a dict with string keys."""
        if type_name(value) != "dict":
            self.wrong(parameter, parameter, value, "a dict")
        for key in value:
            if key.__class__ is not str:
                self.wrong(parameter, f"each name in {parameter}", getattr(key, "value", key), "a string")
        found: Mapping[str, Any] = value
        return found
