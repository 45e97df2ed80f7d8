"""What happens during a build, as values: for a display, a log or a test.

Events arrive one at a time, in one thread, in the order in which things happened.
With one job that order depends on the graph alone (spec: build.events).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from bramble.errors import BrambleError
from bramble.store.model import HiddenName


@dataclass(frozen=True)
class Planned:
    """The first event: how many derivations the roots need, they themselves included."""

    total: int


@dataclass(frozen=True)
class Started:
    """A derivation is not known yet, and its build begins."""

    id: str  # derivation id
    name: str


@dataclass(frozen=True)
class Waiting:
    """Another process builds the same derivation; this one waits for it."""

    id: str
    name: str
    told: str = ""  # after two seconds: who it is


@dataclass(frozen=True)
class Output:
    """Bytes that a build wrote, as they came: not whole lines, not harmless to a terminal."""

    id: str
    name: str
    data: bytes


@dataclass(frozen=True)
class Progress:
    """How far a download is."""

    id: str
    name: str
    done: int  # bytes received
    total: Optional[int]  # bytes expected; None when the server does not say


@dataclass(frozen=True)
class Retrying:
    """A download failed in a way that may pass; it goes on after a pause."""

    id: str
    name: str
    reason: str
    seconds: float  # length of the pause


@dataclass(frozen=True)
class Impure:
    """This derivation copies programs of the machine: elsewhere its output is another one."""

    id: str
    name: str


@dataclass(frozen=True)
class Absent:
    """A program of the machine that is copied names data that is not going to be where it is named."""

    id: str
    name: str
    program: str  # its name
    paths: tuple[str, ...]
    movable: bool  # it is a text: paths that `files` names are replaced in it


@dataclass(frozen=True)
class Changed:
    """A file that was fetched is another one now, or gone; what it was is used."""

    id: str
    name: str
    path: str
    pinned: bool  # by the lock alone: it can be fetched again


@dataclass(frozen=True)
class Hidden:
    """A file of what was built holds the path of an object in a form in which it is no reference."""

    id: str
    name: str
    found: HiddenName
    owner: str  # name of the derivation of this build that has made that object; "" if none has


@dataclass(frozen=True)
class Finished:
    """A derivation is built, or was found built (`cached`)."""

    id: str
    name: str
    seconds: float  # from the start of its build; 0.0 when cached
    cached: bool
    outputs: tuple[tuple[str, str], ...]  # (output name, object name), in the order of the derivation
    checked: str = ""  # "here" or "elsewhere": built again, the same, and under which store path
    builds: int = 1  # that were compared


@dataclass(frozen=True)
class Failed:
    """A derivation could not be built."""

    id: str
    name: str
    error: BrambleError
    log: bytes  # what the build wrote; of more than LOG_SHOWN bytes the end, after a line that says so
    log_path: Optional[str]  # the file that holds all of it; None when nothing was written
    kept: Optional[str]  # the directory that holds what it left, when that was asked for


@dataclass(frozen=True)
class Skipped:
    """A derivation cannot be built since one that it needs was not."""

    id: str
    name: str
    because: str  # id of the derivation that failed


@dataclass(frozen=True)
class Timed:
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
