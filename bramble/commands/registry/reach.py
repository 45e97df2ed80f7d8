"""Which places a registry fetches packages from: those that the whole world can reach, or a list of hosts.

Anybody may ask for a package, so anybody chooses what this machine connects to. Without a bound a name
could lead it to what only it can reach: itself, its own network, the metadata of a cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bramble.build.fetch.connect import is_public
from bramble.errors import BrambleError
from bramble.packages.names import is_remote
from bramble.packages.resolve import Ask
from bramble.record import NamedTuple

Lookup = Callable[[str], Sequence[str]]  # host → its addresses, as text


class Places(NamedTuple):
    """From where packages may come."""

    hosts: tuple[str, ...] = ()  # those alone, whatever their addresses; none: all that are public
    mirrored: Collection[str] = ()  # URLs that the operator of the registry has redirected
    by_proxy: bool = False  # a proxy looks names up, and decides


def check_asks(asks: Sequence[Ask], places: Places, look_up: Lookup) -> None:
    """Refuse what no registry fetches. Raises registry.place."""
    # spec: registry.publish.places
    for ask in asks:
        if ask.git or ask.version is None:
            raise BrambleError(
                "registry.place",
                f"{ask.key} is required from {ask.git or 'a revision'}, but a registry only has "
                "versions from the address in the name of a package",
                remedy=f'require a published version: "{ask.name}" = "1.2.0"',
            )
        check_place(ask.name, places, look_up)


def check_place(name: str, places: Places, look_up: Lookup) -> None:
    """Refuse a package whose host nobody may be led to. Raises registry.place."""
    # spec: registry.publish.places
    host = name.partition("/")[0].lower()
    url = f"https://{host}/"
    if not is_remote(name) or any(key.lower().startswith(url) for key in places.mirrored):
        return
    if places.hosts:
        if host not in places.hosts:
            raise _refused(name, f"this registry takes packages from {', '.join(places.hosts)}")
        return
    if host.replace(".", "").isdigit():
        raise _refused(name, "its host is a number")
    if places.by_proxy:
        return
    try:
        addresses = look_up(host)
    except OSError:
        # git will say that there is no such host.
        return
    inner = [address for address in addresses if not is_public(address)]
    if inner:
        raise _refused(name, f"its host has the address {inner[0]}, which is not public")


def _refused(name: str, why: str) -> BrambleError:
    return BrambleError(
        "registry.place",
        f'"{name}" is not fetched: {why}',
        remedy="publish it where it is public, or in a registry that may fetch it: --places HOST",
    )
