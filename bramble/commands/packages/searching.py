"""`bramble search`: the packages of the user's registries that words describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Optional

from bramble.commands.context.setting import Setting
from bramble.commands.packages.obtain import repositories_of
from bramble.commands.packages.registry.asking import Registries, Registry
from bramble.commands.packages.registry.writing import newest_of
from bramble.commands.packages.visiting import nobody
from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_LIST
from bramble.packages.registry.documents import Listed, parse_list
from bramble.packages.registry.finding import matching
from bramble.packages.registry.index import Entry, all_entries
from bramble.packages.registry.layout import PACKAGES
from bramble.record import NamedTuple


class Hit(NamedTuple):
    """A package that was found."""

    package: Listed
    registry: str  # URL


def search(words: Sequence[str], setting: Setting, on_line: Callable[[str], None]) -> tuple[Hit, ...]:
    """Return the packages with all of these words in name or description, of each registry in turn.

    A package is listed once, by the first registry that may speak for it. Raises registry.none if no
    registry is trusted, registry.unreachable where none answers, registry.*, config.registries, store.*.
    """
    # spec: registry.search
    with repositories_of(nobody(setting), setting, on_line) as (_, repositories):
        lists = packages_of(repositories.registries)
    found: dict[str, Hit] = {}
    for url, packages in lists.items():
        for one in matching(packages, words):
            found.setdefault(one.name, Hit(one, url))
    return tuple(found.values())


def packages_of(registries: Registries) -> dict[str, tuple[Listed, ...]]:
    """Return the packages of each registry that answers, by its URL.

    Raises registry.none if there is no registry, registry.unreachable if none answers.
    """
    if not registries.by_url:
        raise BrambleError(
            "registry.none",
            "no registry is named in your configuration",
            remedy="write its URL and its key into ~/.config/bramble/config.toml:\n"
            '[registries]\n"https://packages.example.com" = "ssh-ed25519 AAAA…"',
        )
    answers = {url: _listed(registry, registries) for url, registry in registries.by_url.items()}
    found = {url: packages for url, packages in answers.items() if packages is not None}
    if not found:
        raise BrambleError(
            "registry.unreachable",
            "none of your registries answers: " + ", ".join(registries.by_url),
            remedy="try again later, or with the network",
        )
    return found


def _listed(registry: Registry, registries: Registries) -> Optional[tuple[Listed, ...]]:
    """Return the packages of a registry that are in its index, and about which it is believed."""
    # spec: registry.documents
    index = registry.index(fresh=True)
    if index is None:
        return None
    entries: dict[str, list[Entry]] = {}
    for entry in all_entries(index):
        entries.setdefault(entry.name, []).append(entry)
    data = registry.document(PACKAGES, LARGEST_LIST)
    told = {} if data is None else {one.name: one for one in parse_list(data).packages}
    found = []
    for name, known in sorted(entries.items()):
        if registry.trusted in registries.configured.for_package(name):
            # What it says of a package is only shown; which versions there are is in the index.
            one = told.get(name, Listed(name, "", "", (), 0))
            found.append(one._replace(newest=str(newest_of(tuple(known)))))
    return tuple(found)
