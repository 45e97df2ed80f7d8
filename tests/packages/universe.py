"""Twenty packages with diamonds, several MAJOR versions, a renamed one, a removed tag and a moved one."""

from __future__ import annotations

from collections.abc import Mapping

from tests.packages.published import Published

HOST = "example.test"

# Package → version → what it requires. `a` … `d` are at the bottom; a letter and a digit are in the middle.
UNIVERSE: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "a": {"1.0.0": {}, "1.1.0": {}, "2.0.0": {}},
    "b": {"1.0.0": {"a": "1.0.0"}, "1.2.0": {"a": "1.1.0"}},
    "c": {"0.1.0": {"a": "1.0.0"}, "1.0.0": {"a": "2.0.0"}, "1.0.1": {"a": "2.0.0"}},
    "d": {"1.0.0": {"b": "1.0.0", "c": "0.1.0"}, "1.1.0-rc.1": {"b": "1.2.0", "c": "1.0.0"}},
    "diamond": {"1.0.0": {"b": "1.2.0", "c": "1.0.0", "d": "1.0.0"}, "2.0.0": {"diamond2": "1.0.0"}},
    # It requires what requires it: packages may.
    "diamond2": {"1.0.0": {"diamond": "1.0.0", "a": "1.1.0"}},
    "early": {"0.1.0-alpha": {}, "0.1.0-beta": {"a": "1.0.0"}},
    **{f"m{n}": {"1.0.0": {"b": "1.0.0"}, "1.1.0": {"b": "1.2.0", f"m{n + 1}": "1.0.0"}} for n in range(9)},
    "m9": {"1.0.0": {}, "3.0.0": {"m0": "1.0.0"}},
    "removed": {"1.0.0": {"a": "1.0.0"}, "1.1.0": {"a": "1.1.0"}},
    "moved": {"1.0.0": {"a": "1.0.0"}},
    "renamed": {"1.0.0": {}},
}


def publish_all(market: Published) -> None:
    """Publish everything, each version with a module; `renamed` 1.1.0 calls itself by another name."""
    for name, versions in UNIVERSE.items():
        for version, needs in versions.items():
            requires = {f"{HOST}/{other}": least for other, least in needs.items()}
            market.publish(f"{HOST}/{name}", version, requires, default=f'v = "{version}"\n')
    path = market.repository(f"{HOST}/renamed")
    toml = path / "bramble.toml"
    toml.write_text(toml.read_text().replace("renamed", "called").replace("1.0.0", "1.1.0"))
    market.git("commit", "-qam", "renamed", cwd=path)
    market.git("tag", "v1.1.0", cwd=path)


def read_keys(required: Mapping[str, str]) -> set[str]:
    """Return the keys of all releases that a project reads which requires these versions, by name."""
    waiting = list(required.items())
    found = set(waiting)
    for name, version in waiting:
        new = set(UNIVERSE[name][version].items()) - found
        found |= new
        waiting += new
    return {f"{HOST}/{name}@{version}" for name, version in found}
