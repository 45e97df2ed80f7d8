"""The built-in builder `fetch_url`: what stands behind a URL, unpacked when it is an archive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Optional
from urllib.parse import unquote, urlsplit

from bramble.build.builtin import Request
from bramble.build.copying import copy_file
from bramble.build.fetch.transfer import transfer
from bramble.build.fetch.unpack import UnpackLimits, archive_kind, unpack
from bramble.build.options import FetchOptions
from bramble.build.pins import needed
from bramble.build.stamps import Stamp
from bramble.build.task import Listener
from bramble.errors import BrambleError


def make(request: Request) -> tuple[Stamp, ...]:
    """Fetch `url`, and unpack it or put it into the output under its name.

    Raises BrambleError fetch.*, Cancelled.
    """
    # spec: build.fetch-url
    url = needed("fetch_url", request.name, request.env, "url")
    name = file_name(url)
    options = request.options.bounded_fetch
    body = get(url, f"{request.scratch}/body", options, request.listener)
    kind = archive_kind(name)
    if kind is None:
        copy_file(body, f"{request.output}/{name}", mode=0o644)
        return ()
    limits = UnpackLimits(
        options.unpacked_bytes,
        options.unpacked_ratio,
        options.unpacked_members,
        request.listener.cancelled,
    )
    unpack(body, kind, request.output, name=name, limits=limits)
    return ()


def get(url: str, target: str, options: FetchOptions, listener: Listener) -> str:
    """Return the path of a file with what stands behind `url`: one of the mirror, or `target`, made now."""
    local = mirrored(url, options.mirror)
    if local is not None:
        return local
    transfer(url, target, options, listener)
    return target


def mirrored(url: str, mirror: Mapping[str, str]) -> Optional[str]:
    """Return the file that the mirror table has for `url`; None when it has none.

    Raises fetch.mirror for an entry of its own whose file is not there.
    """
    # spec: build.fetch.mirror
    exact = None if url.endswith("/") else mirror.get(url)
    if exact is not None:
        path = os.path.join(exact, file_name(url)) if os.path.isdir(exact) else exact
        if not os.path.isfile(path):
            raise BrambleError(
                "fetch.mirror",
                f"the mirror table gives {path} for {url}, and no such file is there",
                remedy="correct the table, or take the entry out",
            )
        return path
    prefixes = [prefix for prefix in mirror if prefix.endswith("/") and url.startswith(prefix)]
    for prefix in sorted(prefixes, key=len, reverse=True):
        parts = unquote(url[len(prefix) :].partition("#")[0].partition("?")[0]).split("/")
        if not set(parts) & {"", ".", ".."}:
            path = os.path.join(mirror[prefix], *parts)
            if os.path.isfile(path):
                return path
    return None


def file_name(url: str) -> str:
    """Return the name under which what `url` gives is kept: the last part of its path.

    Raises fetch.url where that cannot be the name of a file.
    """
    # spec: build.fetch-url.name
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    name = unquote(path.rpartition("/")[2], errors="surrogateescape")
    if name in ("", ".", "..") or "/" in name or "\0" in name or len(os.fsencode(name)) > 255:
        raise BrambleError(
            "fetch.url",
            f'"{url}" does not end in the name of a file',
            remedy="write a URL such as https://example.com/name.tar.gz",
        )
    return name
