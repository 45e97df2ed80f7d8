"""Restrictions of the references of outputs: reserved variables of a derivation's environment.

They are part of the derivation, so every builder of it gets the same verdict, and
its id changes with them. The builder sees them like any other variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from bramble.derivation.resolve import ResolvedDerivation
from bramble.errors import BrambleError
from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.model import StoreObject
from bramble.store.path import prefix_of_record

ALLOWED_PIECES = "allowed_name_pieces"
ALLOWED, DISALLOWED, DISALLOWED_CLOSURE = (
    "allowed_references",
    "disallowed_references",
    "disallowed_closure",
)
_RULES = (ALLOWED, DISALLOWED, DISALLOWED_CLOSURE)


def allowed_pieces(resolved: ResolvedDerivation) -> tuple[str, ...]:
    """Return the files of the outputs that may hold names in pieces."""
    # spec: build.allowed-pieces
    return tuple(dict(resolved.env).get(ALLOWED_PIECES, "").split())


def check_words(resolved: ResolvedDerivation) -> None:
    """Raise BrambleError derivation.env for a word that names no object."""
    env = dict(resolved.env)
    for rule in _RULES:
        for word in env.get(rule, "").split():
            if word not in resolved.outputs and not _digest(word):
                raise BrambleError(
                    "derivation.env",
                    f'"{word}" in the {rule} of "{resolved.name}" is neither an output of it nor a path of '
                    "another one",
                    remedy='name outputs, such as "out", or paths of them, like tools.out',
                )


def restrict(
    resolved: ResolvedDerivation,
    objects: Mapping[str, StoreObject],
    closure: Callable[[str], tuple[str, ...]],
) -> None:
    """Raise BrambleError build.reference-refused for an output that refers to what it must not refer to.

    `objects` are the outputs; `closure` gives an object and all that it refers to, at whatever distance.
    """
    # spec: build.restrictions
    env = dict(resolved.env)
    for rule in _RULES:
        if rule not in env:
            continue
        named = {objects[word].name if word in objects else _digest(word) for word in env[rule].split()}
        for output, made in objects.items():
            found = set(closure(made.name) if rule == DISALLOWED_CLOSURE else made.references) - {made.name}
            wrong = sorted(found - named if rule == ALLOWED else found & named)
            if wrong:
                through = "needs" if rule == DISALLOWED_CLOSURE else "refers to"
                raise BrambleError(
                    "build.reference-refused",
                    f'the output "{output}" of "{resolved.name}" {through} {", ".join(wrong)}, which its '
                    f"{rule} {'does not name' if rule == ALLOWED else 'names'}",
                    remedy=f"`bramble store why {made.name} {wrong[0]}` shows where it is: let the build "
                    f"leave it out, or change {rule}",
                )


def _digest(word: str) -> str:
    """Return the name of the object that contains a path; "" if it is not a path of the store."""
    prefix = prefix_of_record() + "/"
    name = word[len(prefix) : len(prefix) + DIGEST_LENGTH]
    return (
        name if word.startswith(prefix) and is_digest(name) and word[len(prefix + name) :][:1] in "/" else ""
    )
