"""What happens during a build, as values: for a display, a log or a test.

Events arrive one at a time, in one thread, in the order in which things happened.
With one job that order depends on the graph alone (spec: build.events).
"""

from __future__ import annotations

from typing import Optional, Union

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.model import HiddenName


class Planned(NamedTuple):
    """The first event: how many derivations the roots need, they themselves included."""

    total: int


class Started(NamedTuple):
    """A derivation is not known yet, and its build begins."""

    id: str  # derivation id
    name: str


class Waiting(NamedTuple):
    """Another process builds the same derivation; this one waits for it."""

    id: str
    name: str
    told: str = ""  # after two seconds: who it is


class Output(NamedTuple):
    """Bytes that a build wrote, as they came: not whole lines, not harmless to a terminal."""

    id: str
    name: str
    data: bytes


class Progress(NamedTuple):
    """How far a download is."""

    id: str
    name: str
    done: int  # bytes received
    total: Optional[int]  # bytes expected; None if the server does not say


class Retrying(NamedTuple):
    """A download failed in a way that may pass; it goes on after a pause."""

    id: str
    name: str
    reason: str
    seconds: float  # length of the pause


class Impure(NamedTuple):
    """This derivation copies programs of the machine: elsewhere its output is another one."""

    id: str
    name: str


class Absent(NamedTuple):
    """A program of the machine that is copied names data that is not going to be where it is named."""

    id: str
    name: str
    program: str  # its name
    paths: tuple[str, ...]
    movable: bool  # it is a text: paths that `files` names are replaced in it


class Changed(NamedTuple):
    """A file that was fetched is another one now, or gone; what it was is used."""

    id: str
    name: str
    path: str
    pinned: bool  # by the lock alone: it can be fetched again


class Hidden(NamedTuple):
    """A file of what was built holds the path of an object in a form in which it is not a reference."""

    id: str
    name: str
    found: HiddenName
    owner: str  # name of the derivation of this build that has made that object; "" if none has


class Finished(NamedTuple):
    """A derivation is built, or was found built (`cached`)."""

    id: str
    name: str
    seconds: float  # from the start of its build; 0.0 when cached
    cached: bool
    outputs: tuple[tuple[str, str], ...]  # (output name, object name), in the order of the derivation
    checked: str = ""  # "here" or "elsewhere": built again, the same, and under which store path
    builds: int = 1  # that were compared


class Failed(NamedTuple):
    """A derivation could not be built."""

    id: str
    name: str
    error: BrambleError
    log: bytes  # what the build wrote; of more than LOG_SHOWN bytes the end, after a line that says so
    log_path: Optional[str]  # the file that holds all of it; None if nothing was written
    kept: Optional[str]  # the directory that holds what it left, when that was asked for


class Skipped(NamedTuple):
    """A derivation cannot be built since one that it needs was not."""

    id: str
    name: str
    because: str  # id of the derivation that failed


class Timed(NamedTuple):
    """What one thing took, where `BuildOptions.timed` asks. Times are seconds of the monotonic clock."""

    id: str
    name: str
    what: str  # "sources", "build", "download" or "check"; within these "set-up", "program" or "hashing"
    lane: str  # name of the thread
    began: float
    ended: float


Event = Union[
    Planned,
    Started,
    Waiting,
    Output,
    Progress,
    Retrying,
    Impure,
    Absent,
    Changed,
    Hidden,
    Finished,
    Failed,
    Skipped,
    Timed,
]
