"""Store directories of one length, so that objects can move between machines."""

from __future__ import annotations

from functools import cache

from bramble.errors import BrambleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

STORE_DIR_LENGTH = 49
PADDING = b"bramble_store_padding"
LONGEST_ROOT = STORE_DIR_LENGTH - 2


class StoreRootTooLong(BrambleError):
    """A store root that is too long to leave space for padding."""

    def __init__(self, root: bytes) -> None:
        shown = root.decode("utf-8", "backslashreplace")
        super().__init__(
            "store.root-too-long",
            f'the store root "{shown}" has {len(root)} bytes, {len(root) - LONGEST_ROOT} too many: '
            f"at most {LONGEST_ROOT} leave space for the padding that makes all store paths equally long",
            remedy="set BRAMBLE_PATH to a shorter directory, for example ~/bramble",
        )


def padded_store_dir(root: bytes) -> bytes:
    """Return the store directory below `root`: STORE_DIR_LENGTH (49) bytes, no trailing slash.

    `root` is absolute and normalised. Raises StoreRootTooLong if it leaves no space for padding.
    """
    # spec: store.padding
    root = root.rstrip(b"/")
    room = STORE_DIR_LENGTH - len(root) - 1
    if room < 1:
        raise StoreRootTooLong(root)
    padding = ((PADDING + b"/") * (room // len(PADDING) + 1))[:room]
    if padding.endswith(b"/"):
        # A trailing slash is lost when paths are normalised, and the path is then one byte short.
        padding = padding[:-1] + b"b"
    return root + b"/" + padding


def record_prefix() -> bytes:
    """Return the store directory that objects are hashed with, whatever the machine they are on.

    It is put together here and stands nowhere whole: if it did, relocating an
    object that contains Bramble would rewrite Bramble.
    """
    # spec: store.prefix-of-record
    return padded_store_dir(b"/".join((b"", b"home", b"bramble", b"bramble")))


@cache
def prefix_of_record() -> str:
    """Return `record_prefix()` as text: 49 characters of ASCII, no trailing slash."""
    return record_prefix().decode("ascii")


def shown(path: Union[str, bytes]) -> str:
    """Return a path as it is shown to people: text that can always be printed."""
    if isinstance(path, str):
        path = path.encode("utf-8", "surrogateescape")
    return path.decode("utf-8", "backslashreplace")
