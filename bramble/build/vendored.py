"""What a vendor directory has of what is pinned. Chapter: spec/10d-vendor.md.

A vendor directory may have come from anybody. A file in it counts for what its bytes are: an object must
have the requested name, a downloaded file its checksum, before either is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import IO, Optional

from bramble.build.fetch.checksum import Checksum, verify
from bramble.build.fetch.local import open_local
from bramble.build.options import FetchOptions
from bramble.errors import BrambleError
from bramble.store.digest import encode
from bramble.store.disk import Store
from bramble.store.late import late

OBJECTS, DOWNLOADS = "objects", "downloads"
_BLOCK = 1 << 20


def take(store: Store, options: FetchOptions, name: str) -> bool:
    """Put the object `name` into the store if the vendor directory has it; say whether it had.

    Raises vendor.damaged for a file of that name that is not the object, fetch.out-of-reach, store.*.
    """
    # spec: vendor.objects
    path = _path(options, f"{OBJECTS}/{name}")
    with _opened(options, path) as file:
        if file is None:
            return False
        try:
            bring = late("transfer.stream", "import_archive")
            bring(store, name, file.read, max_size=options.unpacked_bytes)
        except BrambleError as error:
            if error.code == "store.import-mismatch":
                raise _damaged(path, error.message) from error
            if error.code == "store.import-malformed":
                fact = f"its bytes have the digest {_digest_of(file)}; {error.message}"
                raise _damaged(path, fact) from error
            raise
        return True


def vendored_body(checksum: Checksum, options: FetchOptions, target: str) -> str:
    """Return `target`, a file made now of the downloaded bytes of this checksum; "" if there are none.

    Raises vendor.damaged for a file that has another checksum, fetch.out-of-reach.
    """
    # spec: vendor.downloads
    path = _path(options, body_path(checksum))
    with _opened(options, path) as file:
        if file is None:
            return ""
        # Copied first: what is checked is what is used, even if somebody writes to the directory meanwhile.
        with open(target, "xb") as out:
            left = options.largest
            while left and (data := file.read(min(left, _BLOCK))):
                left -= len(data)
                out.write(data)
        try:
            verify(target, checksum, name=os.path.basename(path), url=path)
        except BrambleError as error:
            raise _damaged(path, error.message) from error
        return target


def body_path(checksum: Checksum) -> str:
    """Return where a vendor directory has the downloaded bytes of this checksum."""
    return f"{DOWNLOADS}/{checksum.algorithm}-{checksum.digest.hex()}"


def _path(options: FetchOptions, name: str) -> str:
    return "" if options.vendor is None else f"{options.vendor.directory}/{name}"


@contextlib.contextmanager
def _opened(options: FetchOptions, path: str) -> Iterator[Optional[IO[bytes]]]:
    """Give a file of the vendor directory, None if it is not there."""
    if options.vendor is None or not os.path.lexists(path):
        yield None
        return
    try:
        handle = open_local(path, path, options.vendor.reach)
    except BrambleError as error:
        if error.code != "fetch.not-found":
            raise
        raise _damaged(path, error.message) from error
    with open(handle, "rb", buffering=0) as file:
        yield file


def _digest_of(file: IO[bytes]) -> str:
    file.seek(0)
    read = hashlib.sha256()
    for block in iter(lambda: file.read(_BLOCK), b""):
        read.update(block)
    return encode(read.digest())


def _damaged(path: str, why: str) -> BrambleError:
    # spec: vendor.damaged
    return BrambleError(
        "vendor.damaged",
        f"{path} is not what its name says: {why}",
        remedy="find out who changed it; restore it, or delete it and run `bramble vendor` again",
    )
