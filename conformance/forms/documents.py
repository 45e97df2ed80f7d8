"""The documents that an implementation prints and stores, held against `spec/schemas`.

What a command prints with `--json`, each error line, and the records and store derivations of a store have
their form there. Keys that a schema does not name are allowed where it does not say otherwise.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from conformance.forms import schema
from conformance.places import SPEC

SCHEMAS = os.path.join(SPEC, "schemas")
# Options that give a command another document.
FORMS = ("--just-parse", "--dry-run", "--explain", "--why", "--list")
_WITH_VALUE = ("-C", "--vendor", "--color")  # before the command
RECORDS = ("objects", "realisations", "projects", "inputs", "roots")


@cache
def load(name: str) -> Any:
    """Return the schema in a file of `spec/schemas`. Raises OSError and ValueError."""
    with open(os.path.join(SCHEMAS, name), encoding="utf-8") as file:
        return json.load(file)


def form_of(arguments: Sequence[str]) -> str:
    """Return the name under which `commands.json` has what these arguments print, "" if it has nothing."""
    if "--json" not in arguments or "--" in arguments[: arguments.index("--json")]:
        return ""
    given = list(arguments)
    while given[:1] and given[0] in _WITH_VALUE:
        del given[:2]
    words = [word for word in given if not word.startswith("-")]
    known = load("commands.json")["$defs"]
    names = [" ".join(words[:count]) for count in (3, 2, 1)]
    forms = [option for option in FORMS if option in arguments]
    wanted = [f"{name} {option}" for name in names for option in forms] + names
    return next((name for name in wanted if name in known), "")


def of_command(arguments: Sequence[str], stdout: bytes) -> Iterator[str]:
    """Yield what is wrong with the form of the document that a command printed."""
    name = form_of(arguments)
    if not name or not os.path.isdir(SCHEMAS):
        return
    try:
        document = json.loads(stdout.decode("utf-8"))
    except ValueError as problem:
        yield f"standard output is not a JSON document ({problem})"
        return
    yield from held(document, "commands.json", name)


def of_store(store: str) -> Iterator[str]:
    """Yield what is wrong with the form of the records and store derivations of a store directory.

    A record that cannot be read is not one of these: cases damage them, and what follows is theirs to say.
    """
    if not os.path.isdir(SCHEMAS):
        return
    root = os.path.realpath(store)
    while root != "/" and not os.path.isdir(os.path.join(root, "var")):
        root = os.path.dirname(root)
    places = [(os.path.join(root, "var", name), name) for name in RECORDS]
    for directory, name in places:
        for path in _files(directory):
            yield from (f"{path}: {problem}" for problem in _of_file(path, "records.json", name))
    for path in _files(store):
        if path.endswith(".drv"):
            yield from (f"{path}: {problem}" for problem in _of_file(path, "store-derivation.json", ""))


def held(document: object, file: str, name: str = "") -> Iterator[str]:
    """Yield what in a document is not as a schema says: one file's, or what the file has under a name."""
    yield from schema.problems(document, {"$ref": f"{file}#/$defs/{name}" if name else file}, load)


def _of_file(path: str, file: str, name: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8") as opened:
            document = json.load(opened)
    except (OSError, ValueError):
        return
    yield from held(document, file, name)


def _files(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name[:1] != "."]
    except OSError:
        return []
