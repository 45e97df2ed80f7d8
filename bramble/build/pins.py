"""The expected result of a download: the hash in its derivation, or the pin in the lock. Pure."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Optional

from bramble.errors import BrambleError
from bramble.store.digest import is_digest

FETCHERS = ("fetch_url", "fetch_git")
_CHECKSUMS = ("integrity", "sha256", "sha512")
_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")
_SHAPE = ("executable", "name", "strip", "unpack")  # what is made of the file; a key has them in this order


def lock_key(builder: str, name: str, env: Mapping[str, str]) -> Optional[str]:
    """Return the key under which the lock keeps this download; None for a builder that downloads nothing.

    `name` is the derivation's, for messages. Raises derivation.env.
    """
    # spec: build.fetch.key
    if builder == "fetch_url":
        urls = needed(builder, name, env, "url").split()
        return "fetch_url " + " ".join(map(_anonymous, urls)) + _shape(env)
    if builder == "fetch_git":
        url, reference = needed(builder, name, env, "url"), needed(builder, name, env, "reference")
        inner = " submodules=true" if wants_submodules(name, env) else ""
        below = wanted_directory(name, env)
        return f"fetch_git {_anonymous(url)}@{reference}{inner}" + (f" directory={below}" if below else "")
    return None


def wants_submodules(name: str, env: Mapping[str, str]) -> bool:
    """Return whether a `fetch_git` asks for submodules; `name` is the derivation's. Raises derivation.env."""
    # spec: build.fetch-git.submodules
    value = env.get("submodules", "")
    if value not in _YES + _NO:
        raise BrambleError(
            "derivation.env",
            f'"{name}": submodules is "{value}"',
            remedy='submodules is "true" or "false"',
        )
    return value in _YES


def wanted_directory(name: str, env: Mapping[str, str]) -> str:
    """Return the directory of the repository that a `fetch_git` asks for, "" for all of it.

    `name` is the derivation's. Raises derivation.env.
    """
    # spec: build.fetch-git.directory
    below = env.get("directory", "")
    if below and (any(part in ("", ".", "..") for part in below.split("/")) or wants_submodules(name, env)):
        raise BrambleError(
            "derivation.env",
            f'"{name}": directory is {ascii(below)}, with submodules={env.get("submodules", "")!r}',
            remedy='directory is the path of a directory in the repository, such as "lib/x"; '
            "submodules are for a whole repository",
        )
    return below


def _anonymous(url: str) -> str:
    if "@" not in url and "=" not in url:
        # A secret is before the one or after the other.
        return url
    # Loaded for a download: its patterns take longer than a build with nothing to do should last.
    return str(importlib.import_module("bramble.build.fetch.discretion").anonymous(url))


def plain_key(builder: str, env: Mapping[str, str]) -> str:
    """Return the key of a download with the secrets of its URLs, as it was in locks before."""
    if builder == "fetch_git":
        inner = " submodules=true" if env.get("submodules", "") in _YES else ""
        below = f" directory={env['directory']}" if env.get("directory") else ""
        return f"fetch_git {env['url']}@{env['reference']}{inner}{below}"
    return "fetch_url " + " ".join(env["url"].split()) + _shape(env)


def expected(key: Optional[str], name: str, env: Mapping[str, str], pins: Mapping[str, str]) -> Optional[str]:
    """Return the digest that the output must have; None if nobody knows it yet.

    `key` is the `lock_key`, None for other builds. Raises fetch.hash for a hash that is not valid or
    that the lock contradicts.
    """
    # spec: build.fetch.expected
    if key is None:
        return None
    builder = key.partition(" ")[0]
    written = env.get("hash") or None
    # A lock from before may still have the key with the secret in it.
    pinned = None
    if pins and not has_checksum(env):
        pinned = pins.get(key) or pins.get(plain_key(builder, env))
    for source, value in (("its hash", written), ("the lock", pinned)):
        if value is not None and not is_digest(value):
            raise BrambleError(
                "fetch.hash",
                f'"{name}": {source} says "{value}", which is not a digest',
                remedy="a digest is 32 characters of a-z and 2-7; omit it, and the first build reports it",
            )
    if written and pinned and written != pinned:
        raise BrambleError(
            "fetch.hash",
            f'"{name}" has the hash {written}, but the lock says {pinned}',
            remedy="delete the wrong one",
        )
    return written or pinned


def is_pinned(env: Mapping[str, str]) -> bool:
    """Return whether it is the lock, and nothing in its derivation, that says what a download must be."""
    return not env.get("hash") and not has_checksum(env)


def has_checksum(env: Mapping[str, str]) -> bool:
    """Return whether a download states what its bytes are, and so needs no pin."""
    # spec: build.fetch.checksum
    return any([env.get(variable) for variable in _CHECKSUMS])


def _shape(env: Mapping[str, str]) -> str:
    return "".join([f" {variable}={env[variable]}" for variable in _SHAPE if env.get(variable)])


def needed(builder: str, name: str, env: Mapping[str, str], variable: str) -> str:
    """Return a variable that a built-in builder cannot do without. Raises derivation.env."""
    value = env.get(variable)
    if not value:
        raise BrambleError(
            "derivation.env",
            f'"{name}" uses {builder} without saying "{variable}"',
            remedy=f'write derivation(…, builder="{builder}", env={{"{variable}": …}})',
        )
    return value


def check(name: str, key: str, want: Optional[str], got: str) -> None:
    """Raise fetch.hash-mismatch unless `got` is what was wanted, if anything was."""
    # spec: build.fetch.verify
    if want is not None and want != got:
        raise BrambleError(
            "fetch.hash-mismatch",
            f'"{name}": {key.partition(" ")[2]} has the result {got}, but should have {want}',
            remedy="nothing was stored. If the file was meant to change, remove its hash from the derivation "
            "or the lock and build again; if not, it was changed in transit or on the server",
        )
