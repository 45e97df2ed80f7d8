"""The documents of a registry, in JSON: the versions of a package, its documentation, the list of all. Pure.

They need not be trusted: the content of a version is in the index, which is signed. So a key
that is not known is passed over, and everything else has to have its type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Optional

from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_DOCUMENT, LARGEST_LIST
from bramble.packages.registry.index import Entry
from bramble.packages.registry.releases import broken_release
from bramble.record import NamedTuple

_FORM = 1
_MOST = 2_000_000  # arrays and objects of a document
_SURROGATE = re.compile("[\ud800-\udfff]")
_ANY = "0.0.0"  # a version, where only a name is checked


class Function(NamedTuple):
    """A public function; `parameters` is the text between its parentheses."""

    name: str
    parameters: str
    documentation: str  # "" if it has none


class Module(NamedTuple):
    """A module with its public functions, in the order of its file."""

    name: str
    documentation: str
    functions: tuple[Function, ...]


class Requirement(NamedTuple):
    """A package that another one requires: in at least this version, or at a revision. One of them is "".

    The name need not be a place: a bramble.toml may say which repository it means.
    """

    name: str
    version: str
    rev: str = ""


class Documentation(NamedTuple):
    """What one version of a package says of itself."""

    name: str
    version: str
    description: str  # "" if it has none
    modules: tuple[Module, ...]
    requires: tuple[Requirement, ...]
    impure: tuple[str, ...] = ()  # names of derivations that copy programs of the machine that builds them


class Listed(NamedTuple):
    """A package as the list of all has it."""

    name: str
    newest: str  # version
    description: str
    requires: tuple[str, ...]  # names: of the newest version
    dependents: int  # packages whose newest version requires this one


class PackageList(NamedTuple):
    """All packages, by name."""

    size: int  # bytes of the index that the list is made of
    packages: tuple[Listed, ...]


def versions_document(name: str, entries: Iterable[Entry]) -> bytes:
    """Return the document of the versions of a package, in their order in the index."""
    # spec: registry.versions.json
    versions = [{"version": one.version, "commit": one.commit, "digest": one.digest} for one in entries]
    return _written({"version": _FORM, "name": name, "versions": versions}, LARGEST_DOCUMENT)


def parse_versions(data: bytes) -> tuple[Entry, ...]:
    """Return what a document of versions says. Raises registry.document."""
    # spec: registry.versions.json
    document = _read(data, LARGEST_DOCUMENT)
    name = _name(document, "name")
    return tuple(
        Entry(name, _text(one, "version"), _text(one, "commit"), _text(one, "digest"))
        for one in _objects(document, "versions")
    )


def documentation_document(found: Documentation) -> bytes:
    """Return the document of what a version says of itself. Raises registry.document if it is too long."""
    # spec: registry.docs.json
    document = {
        "version": _FORM,
        "name": found.name,
        "release": found.version,
        "description": found.description,
        "modules": [
            {
                "name": module.name,
                "documentation": module.documentation,
                "functions": [function._asdict() for function in module.functions],
            }
            for module in found.modules
        ],
        "requires": [one._asdict() for one in found.requires],
        "impure": list(found.impure),
    }
    return _written(document, LARGEST_DOCUMENT)


def parse_documentation(data: bytes) -> Documentation:
    """Return what a version says of itself. Raises registry.document."""
    # spec: registry.docs.json
    document = _read(data, LARGEST_DOCUMENT)
    modules = [
        Module(
            _text(module, "name"),
            _text(module, "documentation"),
            tuple(
                Function(_text(one, "name"), _text(one, "parameters"), _text(one, "documentation"))
                for one in _objects(module, "functions")
            ),
        )
        for module in _objects(document, "modules")
    ]
    requires = [
        Requirement(_text(one, "name"), _text(one, "version"), _text(one, "rev"))
        for one in _objects(document, "requires")
    ]
    return Documentation(
        _name(document, "name"),
        _text(document, "release"),
        _text(document, "description"),
        tuple(modules),
        tuple(requires),
        tuple(_texts(document, "impure")) if "impure" in document else (),
    )


def list_document(found: PackageList) -> bytes:
    """Return the document of all packages. Raises registry.document if it is too large."""
    # spec: registry.packages.json
    packages = [{**one._asdict(), "requires": list(one.requires)} for one in found.packages]
    return _written({"version": _FORM, "size": found.size, "packages": packages}, LARGEST_LIST)


def parse_list(data: bytes) -> PackageList:
    """Return the list of all packages. Raises registry.document."""
    # spec: registry.packages.json
    document = _read(data, LARGEST_LIST)
    packages = [
        Listed(
            _name(one, "name"),
            _text(one, "newest"),
            _text(one, "description"),
            tuple(_texts(one, "requires")),
            _count(one, "dependents"),
        )
        for one in _objects(document, "packages")
    ]
    return PackageList(_count(document, "size"), tuple(packages))


def _written(document: Mapping[str, Any], largest: int) -> bytes:
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    if len(data) > largest:
        _refuse(f"it has {len(data)} bytes, and at most {largest} are written")
    return data


def _read(data: bytes, largest: int) -> dict[str, Any]:
    if len(data) > largest:
        _refuse(f"it has {len(data)} bytes, and at most {largest} are read")
    if data.count(b"[") + data.count(b"{") > _MOST:
        # An empty array has two bytes here and fifty in memory.
        _refuse(f"it has more than {_MOST} arrays and objects")
    try:
        document = json.loads(
            data.decode("utf-8"), parse_float=_no_integer, parse_constant=_no_number, parse_int=_whole
        )
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start} is not UTF-8")
    except json.JSONDecodeError as error:
        _refuse(f"line {error.lineno}, column {error.colno}: {error.msg}")
    except RecursionError:
        _refuse("the values are nested too deeply")
    if not isinstance(document, dict):
        _refuse("an object is expected")
    if document.get("version") != _FORM or isinstance(document["version"], bool):
        _refuse(f"its version is {ascii(document.get('version'))[:40]}, and {_FORM} is known")
    return document


def _no_number(text: str) -> NoReturn:
    _refuse(f"{text} is not JSON")


def _no_integer(_text: str) -> None:
    """Return what is valid for no key that is known; the values of others do not matter."""


def _whole(text: str) -> Optional[int]:
    # A longer number is never valid, and some Pythons need time that grows with its square.
    return int(text) if len(text) <= 15 else None


def _objects(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        _refuse(f'"{key}" must be an array of objects')
    return found


def _texts(document: Mapping[str, Any], key: str) -> list[str]:
    found = document.get(key)
    if not isinstance(found, list) or not all(_is_text(one) for one in found):
        _refuse(f'"{key}" must be an array of strings')
    return found


def _text(document: Mapping[str, Any], key: str) -> str:
    found = document.get(key)
    if not _is_text(found):
        _refuse(f'"{key}" must be a string')
    assert isinstance(found, str)  # It is a text.
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and _SURROGATE.search(value) is None


def _name(document: Mapping[str, Any], key: str) -> str:
    found = _text(document, key)
    wrong = broken_release(found, _ANY)
    return found if wrong is None else _refuse(wrong)


def _count(document: Mapping[str, Any], key: str) -> int:
    found = document.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        _refuse(f'"{key}" must be a non-negative integer')
    return found


def _refuse(fact: str) -> NoReturn:
    raise BrambleError(
        "registry.document",
        f"a document of the registry is not valid: {fact}",
        remedy="only the operator of the registry can correct this",
    )
