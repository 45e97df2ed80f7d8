"""One derivation on its way through a build, as values, and the two ways in which it may stop."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Callable, Optional

from bramble.build.stamps import Stamp
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.digest import DIGEST_LENGTH
from bramble.store.model import HiddenName


class Task(NamedTuple):
    """A derivation whose dependencies are done."""

    id: str
    derivation: Derivation
    inputs: Mapping[OutputRef, str]  # object name of each output that it names
    filenames: Mapping[str, str]  # store derivation file of each derivation that it names
    wanted: bool = False  # its outputs have to be in the store, not only to be known
    check: bool = False  # build it once more and compare

    @property
    def name(self) -> str:
        """The derivation's name, for people."""
        return self.derivation.name


class Made(NamedTuple):
    """The result of a derivation."""

    filename: str  # of its store derivation: DIGEST-NAME.drv
    outputs: tuple[tuple[str, str], ...]  # (output name, object name), in the derivation's order
    cached: bool
    present: bool = True  # the outputs are in the store, for a wanted task with all that they refer to
    seconds: float = 0.0
    rung: str = "namespaces"
    new_pin: Optional[tuple[str, str]] = None  # lock key, digest
    changed: str = ""  # the file of this machine that was fetched for it, if that is another one now
    stamps: tuple[Stamp, ...] = ()  # of files of this machine, as they were recorded with what is known
    pinned: bool = False  # its result may be pinned by the lock, because it has no checksum
    hidden: tuple[HiddenName, ...] = ()  # what its files hide, if it was built now
    checked: str = ""  # "here" or "elsewhere": it was built again, and under which store path
    builds: int = 1  # that were compared

    @property
    def digest(self) -> str:
        """The digest of its store derivation."""
        return self.filename[:DIGEST_LENGTH]


class Needs(NamedTuple):
    """What comes of a task that cannot go on: inputs that are known, and not in the store."""

    ids: tuple[str, ...]  # of the derivations that make them; sorted


class Listener(NamedTuple):
    """Whom a built-in builder tells how it goes, and who may stop it."""

    progress: Callable[[int, Optional[int]], None]  # bytes received, bytes expected
    retrying: Callable[[str, float], None]  # reason, length of the pause in seconds
    absent: Callable[[str, tuple[str, ...], bool], None]  # as in the event Absent
    cancelled: threading.Event


class Cancelled(Exception):
    """The whole build was given up while this went on."""


class Unbuilt(Exception):
    """A derivation could not be built: the error, and what is left of the attempt."""

    def __init__(
        self,
        error: BrambleError,
        *,
        log: bytes = b"",
        log_path: Optional[str] = None,
        kept: Optional[str] = None,
        resolved: str = "",
        left: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.log = log
        self.log_path = log_path
        self.kept = kept
        self.resolved = resolved  # digest of its store derivation
        self.left = left  # its directories are kept until the next success
