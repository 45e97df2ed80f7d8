"""Which proxy leads to a server, by the usual environment. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Optional
from urllib.parse import SplitResult, urlsplit

from bramble.build.fetch.address import PORTS, is_bracketed
from bramble.build.fetch.discretion import HIDDEN
from bramble.errors import BrambleError


def proxy_of(url: SplitResult, proxies: Mapping[str, str]) -> Optional[SplitResult]:
    """Return the proxy for `url`, None for none. `proxies` is as in FetchOptions.

    Raises fetch.proxy if it is not an http URL, or the list of exceptions cannot be read.
    """
    # spec: build.fetch.proxy
    scheme = next((one for one in (url.scheme, "all") if proxies.get(one)), None)
    if scheme is None:
        return None
    if any(_excepts(entry, url) for entry in proxies.get("no", "").lower().replace(",", " ").split()):
        return None
    proxy = proxies[scheme]
    try:
        parts = urlsplit(proxy if "://" in proxy else "http://" + proxy)
        is_bracketed(parts.netloc)
        usable = (
            parts.scheme == "http"
            and bool(parts.hostname)
            and parts.port != 0
            and parts.path in ("", "/")
            and not parts.query
            and not any(ord(letter) <= 0x20 or ord(letter) >= 0x7F for letter in proxy)
        )
    except ValueError:
        usable = False
    if not usable:
        head, slashes, rest = proxy.partition("://") if "://" in proxy else ("", "", proxy)
        shown = f"{head}{slashes}{HIDDEN}@{rest.rpartition('@')[2]}" if "@" in rest else proxy
        raise BrambleError(
            "fetch.proxy",
            f'{_variable(scheme)} is "{shown}", which is not a proxy that can be used',
            remedy=f"set {_variable(scheme)} to http://HOST:PORT, or unset it; "
            "other schemes (https, socks) are not supported",
        )
    return parts


def _variable(scheme: str) -> str:
    return f"{scheme}_proxy (or {scheme.upper()}_PROXY)"


def _excepts(entry: str, url: SplitResult) -> bool:
    """Return whether an entry of no_proxy covers `url`: `*`, a host or domain, an address or a network."""
    if entry == "*":
        return True
    host = (url.hostname or "").lower()
    host = host[:-1] if host.endswith(".") else host
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            raise BrambleError(
                "fetch.proxy",
                f'no_proxy (or NO_PROXY) has the entry "{entry}", which is not a network',
                remedy="write a network such as 10.0.0.0/8 or fd00::/8",
            ) from None
        address = _address(host)
        return address is not None and address.version == network.version and address in network
    name, port = _split_port(entry)
    if port and port != str(url.port or PORTS[url.scheme]):
        return False
    listed, asked = _address(name), _address(host)
    if listed is not None or asked is not None:
        return listed == asked
    name = name[1:] if name.startswith("*.") else name
    name = name.strip(".")
    return bool(name) and (host == name or host.endswith("." + name))


def _split_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest[1:] if rest.startswith(":") else ""
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def _address(text: str) -> Optional[ipaddress._BaseAddress]:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
