"""Looking for packages by words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bramble.packages.registry.documents import Listed


def matching(packages: Iterable[Listed], words: Sequence[str]) -> tuple[Listed, ...]:
    """Return the packages with all of these words in name or description, whatever their case.

    First come those whose last part is a word, then those whose last part has one in it; of these the ones
    that more packages require, then by name.
    """
    # spec: registry.search
    wanted = [word.lower() for word in words]
    found = []
    for one in packages:
        name, text = one.name.lower(), f"{one.name} {one.description}".lower()
        if all(word in text for word in wanted):
            last = name.rpartition("/")[2]
            rank = 0 if last in wanted else 1 if any(word in last for word in wanted) else 2
            found.append((rank, -one.dependents, one.name, one))
    return tuple(one for *_, one in sorted(found, key=lambda row: row[:3]))
