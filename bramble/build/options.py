"""The options of a build and its report: the argument and the result of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable, Optional

from bramble.build.events import Hidden
from bramble.build.stamps import Stamp
from bramble.derivation.model import Sources
from bramble.derivation.resolve import SourceObject
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.record import NamedTuple, dataclass, field, replace
from bramble.sandbox.spec import Limits
from bramble.store.digest import DIGEST_LENGTH

if TYPE_CHECKING:
    # The launcher and the store are heavy, and are only named here.
    from bramble.sandbox.launch import Launcher
    from bramble.store.disk import StoreObject

LOG_SIZE = 64 << 20
STRONGEST = "namespaces"  # the mode of a sandbox that hides everything else
# A fixed list, so that two people on one machine get the same programs whatever their PATH is.
HOST_PATH = (
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/bin",
    "/sbin",
    "/run/current-system/sw/bin",
)


class Reach(NamedTuple):
    """What a project may read of this machine: its directories, and if `public` what everybody may."""

    roots: tuple[str, ...]
    public: bool = True


class Vendor(NamedTuple):
    """A directory that `bramble vendor` has written, in which nothing is believed."""

    directory: str  # absolute; it need not be there
    reach: Optional[Reach] = None  # as in FetchOptions, where it is the project that names it


@dataclass(frozen=True)
class FetchOptions:
    """How `fetch_url` and `fetch_git` reach the world."""

    offline: bool = False  # no sockets: mirror, file URLs and what is pinned and in the store only
    # URL → file or directory; a key that ends in "/" applies to all URLs that begin with it.
    mirror: Mapping[str, str] = field(default_factory=dict)
    # What the project may read, also by its own mirror. None: whatever this user can read.
    reach: Optional[Reach] = None
    own_mirror: tuple[str, ...] = ()  # the paths in `mirror` that the project itself has named
    vendor: Optional[Vendor] = None  # where what is pinned is looked for before it is fetched
    # "http", "https" and "all" → URL of a proxy; "no" → hosts that need none, as in the variable no_proxy.
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca_file: Optional[str] = None  # PEM file of authorities to trust; None: those of the machine
    ca_directory: Optional[str] = None  # directories of such files, named by their hash, with ":" between
    netrc: Optional[str] = None  # file of names and passwords; it need not be there
    credentials: Optional[str] = None  # file of values of Authorization; it need not be there
    ssh_agent: Optional[str] = None  # the socket of ssh-agent(1)
    known_hosts: Optional[str] = None  # file of the keys of servers for ssh; None: where ssh looks for it
    # None: any server may be reached; else those of the public internet, and these hosts, over http(s).
    public_but: Optional[tuple[str, ...]] = None
    timeout: float = 30.0  # seconds without a byte before a server counts as hung
    seconds: Optional[float] = None  # for one download, all attempts together; None: while there is progress
    slowest: int = 1024  # bytes a second; a server that sends less,
    patience: float = 60.0  # measured over so many seconds, counts as hung
    git_seconds: float = 3600.0  # for all that git fetches, where `seconds` is None
    git_silence: float = 120.0  # seconds in which git says nothing of what it does
    ask_seconds: float = 60.0  # for one question to a repository, where `seconds` is None
    attempts: int = 5  # how often one download is tried
    pause: float = 0.5  # seconds before the second attempt; doubled before each one after it
    redirects: int = 10
    largest: int = 64 << 30  # bytes of one download
    unpacked_bytes: int = 64 << 30  # an archive that unpacks to more is refused
    unpacked_ratio: int = 250  # so is one that grows by more than this factor, above 1 GiB
    unpacked_members: int = 5_000_000


@dataclass(frozen=True)
class BuildOptions:
    """How to build. Nothing here may change what an output is."""

    platform: str  # of this machine: "linux-amd64"
    launcher: Callable[[], Launcher]  # called at most once, when something must run
    jobs: int = 1
    keep_going: bool = False  # after a failure build what does not need what failed
    keep_failed: bool = False  # keep the build directory of a failed build
    # Where what fails is kept until the next success, and a name for this build there; "": nowhere.
    keep_last: tuple[str, str] = ("", "")
    check: bool = False  # build the roots again and compare
    rounds: int = (
        2  # with `check`: how many builds of a root are compared, the first or the known one included
    )
    log_size: int = LOG_SIZE  # bytes of what one build prints that are kept
    refresh: bool = False  # fetch files of this machine again that the lock pins, if they have changed
    renew: frozenset[str] = (
        frozenset()
    )  # ids of downloads and generators that are run again, whatever the lock and the store say
    timed: bool = False  # report what took how long: the event Timed
    # Whether a generator that asks for the network may have it; called when one is about to run.
    may_use_network: Callable[[], bool] = bool
    pure: bool = False  # refuse host_tools, and results of a weaker sandbox
    # Names of objects and of store derivations that must be present, whichever build creates them.
    demand: frozenset[str] = frozenset()
    sandbox: str = STRONGEST  # or "landlock", "none"
    limits: Limits = field(default_factory=Limits)
    limits_of: Mapping[str, Limits] = field(default_factory=dict)  # id → limits in the place of `limits`
    may_be_empty: frozenset[str] = frozenset()  # ids of derivations that need not write anything: tests
    fetch: FetchOptions = field(default_factory=FetchOptions)
    host_path: tuple[str, ...] = HOST_PATH  # where host_tools looks for programs
    host_trusted: tuple[str, ...] = ()  # directories whose files host_tools may take by their paths, too
    strangers: tuple[str, ...] = ()  # directories whose files it may never take: of projects, and the store

    def check_network(self, name: str) -> None:
        """Raise build.offline or build.not-granted where the generator `name` may not have the network."""
        # spec: build.generated.network
        if self.fetch.offline:
            raise BrambleError(
                "build.offline",
                f'"{name}" runs with the network, which --offline forbids',
                remedy="run it once without --offline: then its graph is in the lock, and needs no network",
            )
        if not self.may_use_network():
            raise BrambleError(
                "build.not-granted",
                f'"{name}" asks to use the network while it runs, and this is not allowed',
                remedy="to allow it once: --build-network\n"
                "to allow it to this project from now on: bramble trust grant TARGET",
            )

    @property
    def bounded_fetch(self) -> FetchOptions:
        """How to download within the limits of a build."""
        # spec: build.fetch.patience
        fetch, limits = self.fetch, self.limits
        silence = fetch.timeout if limits.silence is None else min(fetch.timeout, limits.silence)
        given = [seconds for seconds in (fetch.seconds, limits.seconds) if seconds is not None]
        total = fetch.unpacked_bytes if limits.output_size is None else limits.output_size
        return replace(
            fetch,
            timeout=silence,
            git_silence=fetch.git_silence if limits.silence is None else limits.silence,
            seconds=min(given, default=None),
            largest=min(fetch.largest, total),
            unpacked_bytes=min(fetch.unpacked_bytes, total),
        )


class Failure(NamedTuple):
    """One derivation that could not be built, and why."""

    id: str
    name: str
    error: BrambleError
    log_path: Optional[str] = None
    kept: Optional[str] = None
    seconds: float = 0.0  # from the start of its build to the failure
    resolved: str = ""  # digest of its store derivation, if its build had begun
    left: bool = False  # what it left is kept until the next success


@dataclass(frozen=True)
class BuildReport:
    """What became of a build. It is whole only when `failures` is empty and `cancelled` is False."""

    outputs: Mapping[OutputRef, StoreObject]  # every output of the roots that are done
    names: Mapping[OutputRef, str]  # object name of every output of every derivation that is done
    built: tuple[str, ...] = ()  # ids, in dependency order
    cached: tuple[str, ...] = ()  # ids, in dependency order
    # Ids that were built again with the same result → "here" or "elsewhere", as in `Finished`.
    checked: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[Hidden, ...] = ()  # what files of outputs that were built now hide, sorted
    failures: tuple[Failure, ...] = ()
    skipped: tuple[str, ...] = ()  # ids that were not tried, in dependency order
    cancelled: bool = False
    new_pins: Mapping[str, str] = field(default_factory=dict)  # lock key → digest
    changed: tuple[str, ...] = ()  # names of derivations that fetched a file which is another one now
    impure: tuple[str, ...] = ()  # names of derivations that copied programs of the machine
    sandboxes: Mapping[str, str] = field(
        default_factory=dict
    )  # id → mode of the sandbox, if it is not "namespaces"
    derivations: Mapping[str, str] = field(default_factory=dict)  # id → store derivation file
    seconds: Mapping[str, float] = field(default_factory=dict)  # id → how long it took, where it was built
    # id → stamps of files of this machine, of what was known and has some.
    stamps: Mapping[str, tuple[Stamp, ...]] = field(default_factory=dict)
    # The objects of sources; None if there are no files.
    sources: Mapping[Sources, Optional[SourceObject]] = field(default_factory=dict)

    @property
    def resolved(self) -> Mapping[str, str]:
        """The digest of the store derivation of each that is done, by id."""
        return {id: self.derivations[id][:DIGEST_LENGTH] for id in (*self.built, *self.cached)}
