"""The references of a repository: which commit each branch and tag means, asked without fetching any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bramble.build.fetch.discretion import scrubbed
from bramble.build.fetch.repository import Asking, open_repository
from bramble.errors import BrambleError

_LARGEST = 1 << 26  # bytes of an answer: half a million references
_LINE = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64})\t([^\x00-\x20\x7f]+)")
_PEELED = b"^{}"


def references(url: str, asking: Asking, scratch: str) -> Mapping[str, str]:
    """Return the full hash of the commit that each reference of a repository means.

    Keys are `HEAD` and full names such as `refs/tags/v1.0.0`; an annotated tag means the commit that it
    is a tag of. `scratch` is an empty directory of mode 0700. Raises fetch.*; Cancelled.
    """
    # spec: packages.references
    try:
        git, place = open_repository(url, asking, scratch, asking.seconds_to_ask)
        status, said = git.ask_server("ls-remote", "--quiet", "--", place, keep=_LARGEST)
        if status:
            raise git.failure("ls-remote", said)
        if len(said) == _LARGEST:
            # The beginning is gone, and with it nobody knows which.
            raise git.failure("ls-remote", b"there are more references than can be read")
        return dict(meanings(said))
    except BrambleError as error:
        raise scrubbed(error, asking.secrets) from None


def meanings(said: bytes) -> Iterator[tuple[str, str]]:
    """Yield a reference and its commit for each line of git-ls-remote(1); a peeled one comes later. Pure.

    A line that is not a reference, and a name that is not UTF-8, is ignored.
    """
    for line in said.split(b"\n"):
        found = _LINE.fullmatch(line)
        if found is not None:
            name = found[2][: -len(_PEELED)] if found[2].endswith(_PEELED) else found[2]
            try:
                yield name.decode(), found[1].decode()
            except UnicodeDecodeError:
                continue
