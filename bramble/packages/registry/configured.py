"""What the user's configuration says of registries: whom they trust, for what, and with which key. Pure.

    [packages]
    private = ["git.corp.example"]

    [registries]
    "https://packages.example.com" = "ssh-ed25519 AAAA…"

    [registries."https://packages.corp.example"]
    key = "ssh-ed25519 AAAA…"
    packages = ["example.com/team"]

A project cannot say any of this: a key is trusted by a user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from bramble.errors import BrambleError, nearest
from bramble.packages.registry.checkpoint import is_origin
from bramble.project.names import broken_name
from bramble.project.toml import Path, TomlDocument, parse_document
from bramble.record import NamedTuple
from bramble.signatures.sshsig import NoSignature, parse_key

CODE = "config.registries"
_ROOT = re.compile(r"(?:https?://[^/?#@\s\x00-\x1f\x7f]+|file://)(?:/[^?#\x00-\x1f\x7f]*)?")
_TABLES = ("registries", "packages")
_KEYS = ("key", "origin", "packages")
_KEYS_OF_PACKAGES = ("private",)


class Trusted(NamedTuple):
    """A registry that the user trusts."""

    url: str  # its root, without a slash at the end
    key: str  # public, as ssh writes it
    origin: str = ""  # what it has to call itself; "": whatever it did first
    packages: tuple[str, ...] = ()  # names, or beginnings of names, of all it is asked for; (): any

    def speaks_for(self, name: str) -> bool:
        """Return whether the registry may say what the package `name` is."""
        # spec: registry.config.packages
        return not self.packages or any(_is_within(name, one) for one in self.packages)


class Configured(NamedTuple):
    """The registries of a user, in the order in which they are asked."""

    registries: tuple[Trusted, ...] = ()
    private: tuple[str, ...] = ()  # names, or beginnings of names, that no registry speaks for

    def for_package(self, name: str) -> tuple[Trusted, ...]:
        """Return the registries that may say what the package `name` is, in order."""
        # spec: registry.config.private
        if any(_is_within(name, one) for one in self.private):
            return ()
        return tuple(one for one in self.registries if one.speaks_for(name))


def _is_within(name: str, beginning: str) -> bool:
    return name == beginning or name.startswith(beginning + "/")


def parse_configured(text: str, filename: str) -> Configured:
    """Return what the text of the user's configuration says of registries.

    Raises config.registries with line and column, config.syntax.
    """
    # spec: registry.config
    document = parse_document(text, filename)
    _refuse_unknown(document, (), document.values, _TABLES)
    registries = {}
    for url, value in _table(document, ("registries",)).items():
        one = _registry(document, url, value)
        if one.url in registries:
            _refuse(document, ("registries", url), f"{one.url} occurs twice", "keep one of them")
        registries[one.url] = one
    packages = _table(document, ("packages",))
    _refuse_unknown(document, ("packages",), packages, _KEYS_OF_PACKAGES)
    private = _names(document, ("packages", "private"), packages.get("private", []))
    return Configured(tuple(registries.values()), private)


def _registry(document: TomlDocument, url: str, value: Any) -> Trusted:
    path: Path = ("registries", url)
    if _ROOT.fullmatch(url) is None:
        _refuse(
            document,
            path,
            f"{ascii(re.sub('//[^/]*@', '//***@', url))} is not the URL of a registry",
            'write its URL, "https://packages.example.com"; put a name and a password into ~/.netrc',
        )
    table = {"key": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        _refuse(document, path, "it is neither a key nor a table", 'write its key: "ssh-ed25519 AAAA…"')
    _refuse_unknown(document, path, table, _KEYS)
    key = table.get("key")
    if not isinstance(key, str):
        _refuse(document, path, "it has no key", 'write key = "ssh-ed25519 AAAA…", as its owner gives it')
    try:
        parse_key(key)
    except NoSignature as error:
        _refuse(
            document,
            path if isinstance(value, str) else (*path, "key"),
            f"its key cannot be used: {error}",
            'write the line of its public key: "ssh-ed25519 AAAA…"',
        )
    origin = table.get("origin", "")
    if not isinstance(origin, str) or (origin and not is_origin(origin)):
        _refuse(document, (*path, "origin"), "its origin is invalid", "write the name that the registry has")
    return Trusted(
        url.rstrip("/"), key, origin, _names(document, (*path, "packages"), table.get("packages", []))
    )


def _names(document: TomlDocument, path: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        _refuse(document, path, f"{path[-1]} is not an array of names", 'write ["example.com/team"]')
    for at, one in enumerate(value):
        wrong = broken_name(one)
        if wrong is not None:
            _refuse(document, (*path, at), wrong, "write the name of a package, or its first parts")
    return tuple(value)


def _table(document: TomlDocument, path: Path) -> Mapping[str, Any]:
    table = document.values.get(str(path[0]), {})
    if not isinstance(table, dict):
        _refuse(document, path, f"{path[0]} is not a table", f"write [{path[0]}]")
    return table


def _refuse_unknown(
    document: TomlDocument, path: Path, table: Mapping[str, Any], known: tuple[str, ...]
) -> None:
    # What is misspelt here would widen trust.
    for key in table:
        if key not in known:
            meant = nearest(key, known)
            _refuse(
                document,
                (*path, key),
                f"the key {ascii(key)} is not known here",
                f"did you mean {meant}?" if meant else f"known are {', '.join(known)}",
            )


def _refuse(document: TomlDocument, path: Path, fact: str, remedy: str) -> NoReturn:
    # An element of an array has no key.
    place = document.value_place(path) if isinstance(path[-1], int) else document.key_place(path)
    raise BrambleError(CODE, fact, place=place, remedy=remedy)
