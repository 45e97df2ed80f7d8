"""The built-in builder `fetch_url`: the file at a URL, unpacked if it is an archive."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Optional
from urllib.parse import unquote

from bramble.build.builtin import Request
from bramble.build.copying import copy_file
from bramble.build.fetch.address import parse_url
from bramble.build.fetch.archives.unpack import UnpackLimits, unpack
from bramble.build.fetch.checksum import Checksum, checksum_of, verify
from bramble.build.fetch.discretion import scrubbed, secrets_of
from bramble.build.fetch.local import local_path
from bramble.build.fetch.shape import file_name, shape_of, stripped
from bramble.build.fetch.transfer import copy_local, transfer
from bramble.build.options import FetchOptions
from bramble.build.pins import needed
from bramble.build.stamps import Stamp, bytes_of, stamp_chain
from bramble.build.task import Listener
from bramble.build.vendored import vendored_body
from bramble.errors import BrambleError
from bramble.store.files.small import make_directory


def make(request: Request) -> tuple[Stamp, ...]:
    """Fetch the first of the URLs in `url` that can be fetched, and put it into the output as requested.

    Raises BrambleError fetch.*, derivation.env, Cancelled.
    """
    # spec: build.fetch-url
    urls = needed("fetch_url", request.name, request.env, "url").split()
    try:
        return _made(urls, request)
    except BrambleError as error:
        raise scrubbed(error, [secret for url in urls for secret in secrets_of(url)]) from None


def fetch_body(request: Request) -> str:
    """Return the unchanged file from the first of the URLs in `url` that can be fetched.

    It has the checksum that is stated. Raises BrambleError as `make` does.
    """
    urls = needed("fetch_url", request.name, request.env, "url").split()
    try:
        return _first(urls, request, checksum_of(request.name, request.env))[0]
    except BrambleError as error:
        raise scrubbed(error, [secret for url in urls for secret in secrets_of(url)]) from None


def _made(urls: Sequence[str], request: Request) -> tuple[Stamp, ...]:
    shape = shape_of(request.name, request.env)
    checksum = checksum_of(request.name, request.env)
    body, stamps = _first(urls, request, checksum)
    if shape.kind is None:
        copy_file(body, f"{request.output}/{shape.name}", mode=0o755 if shape.executable else 0o644)
        return stamps
    options = request.options.bounded_fetch
    limits = UnpackLimits(
        options.unpacked_bytes,
        options.unpacked_ratio,
        options.unpacked_members,
        request.listener.cancelled,
    )
    if not shape.strip:
        unpack(body, shape.kind, request.output, name=shape.name, limits=limits)
        return stamps
    tree = f"{request.scratch}/tree"
    make_directory(tree)
    unpack(body, shape.kind, tree, name=shape.name, limits=limits)
    for path in stripped(tree, shape.strip, name=shape.name):
        os.rename(path, os.path.join(request.output, os.path.basename(path)))
    return stamps


def _first(
    urls: Sequence[str], request: Request, checksum: Optional[Checksum]
) -> tuple[str, tuple[Stamp, ...]]:
    """Return the file from the first URL whose content is correct, and its stamps."""
    # spec: build.fetch-url.alternatives
    if checksum is not None:
        vendored = vendored_body(checksum, request.options.bounded_fetch, f"{request.scratch}/vendored")
        if vendored:
            return vendored, ()
    failures = []
    for number, url in enumerate(urls):
        try:
            options = request.options.bounded_fetch
            source = _own_file(url, options)
            # Taken first: a file that changes while it is read is another one afterwards.
            stamps = stamp_chain(source) if source else ()
            body = get(url, f"{request.scratch}/body{number}", options, request.listener)
            if checksum is not None:
                verify(body, checksum, name=request.name, url=url)
            return body, (*stamps, bytes_of(source, body)) if source else ()
        except BrambleError as error:
            failures.append(error)
    if len(failures) > 1:
        first = failures[0]
        first.detail = "\n".join([first.detail, *(str(error) for error in failures[1:])]).strip()
    raise failures[0]


def get(url: str, target: str, options: FetchOptions, listener: Listener) -> str:
    """Write the content of `url`, or of the file of the mirror for it, to `target`, and return that."""
    local = mirrored(url, options.mirror)
    if local is None:
        transfer(url, target, options, listener)
    else:
        reach = options.reach if _is_own(local, options) else None
        copy_local(local, url, target, options, listener, reach)
    return target


def _is_own(local: str, options: FetchOptions) -> bool:
    """Return whether a file of the mirror is one that the project itself has named."""
    return any(f"{local}/".startswith(f"{path.rstrip('/')}/") for path in options.own_mirror)


def _own_file(url: str, options: FetchOptions) -> str:
    """Return the path of the file that the project means by `url`; "" if it means none of this machine."""
    # spec: build.fetch.changed
    local = mirrored(url, options.mirror)
    if local is not None:
        return local if _is_own(local, options) else ""
    parts = parse_url(url)
    return local_path(parts) if parts.scheme == "file" else ""


def mirrored(url: str, mirror: Mapping[str, str]) -> Optional[str]:
    """Return the file that the mirror table has for `url`; None if it has none.

    Raises fetch.mirror for an entry of exactly this URL whose file is missing.
    """
    # spec: build.fetch.mirror
    exact = None if url.endswith("/") else mirror.get(url)
    if exact is not None:
        path = os.path.join(exact, file_name(url)) if os.path.isdir(exact) else exact
        if not os.path.isfile(path):
            raise BrambleError(
                "fetch.mirror",
                f"the mirror table gives {path} for {url}, and no such file is there",
                remedy="correct the table, or remove the entry",
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
