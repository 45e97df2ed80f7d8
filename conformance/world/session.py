"""One case's world: a fresh $WORK, a fresh store, a fixed environment, and commands with a time limit.

Nothing of the caller's environment reaches the implementation but what
`--env` names (spec: conformance.environment).
"""

from __future__ import annotations

import contextlib
import glob
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from conformance import oracle
from conformance.world.following import LAST_WORDS, Signal, follow, kill_group

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
MACHINES = {"x86_64": "linux-amd64", "aarch64": "linux-arm64"}


class CannotRun(Exception):
    """The implementation's command, or a world to run it in, does not exist."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit status (minus the number of a signal), and what it printed."""

    status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False


def run_command(
    command: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    seconds: float,
    standard_input: Optional[str] = None,
    signals: Optional[list[Signal]] = None,
) -> Ended:
    """Run a command in a separate process group; what is left of the group afterwards is killed.

    The `signals` that it has got are removed from their list.
    """
    deadline = time.monotonic() + seconds
    with open(standard_input or os.devnull, "rb") as source:
        process = subprocess.Popen(
            command,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
        )
    assert process.stdout is not None and process.stderr is not None
    texts = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with process:
        try:
            timed_out = not follow(process.pid, texts, deadline, signals)
            if not timed_out:
                process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            kill_group(process.pid)
        if timed_out:
            follow(process.pid, texts, time.monotonic() + LAST_WORDS)
    stdout, stderr = map(bytes, texts.values())
    return Ended(process.returncode, stdout, stderr, timed_out)


@dataclass(frozen=True)
class Implementation:
    """How to call what is tested: its command, what to add to the environment, how long to wait.

    `carry_out` runs a command as `run_command` does.
    """

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    seconds: float = 120.0
    carry_out: Callable[..., Ended] = run_command


def implementation(text: str, environment: Sequence[tuple[str, str]], seconds: float) -> Implementation:
    """Return the implementation that a command line names.

    `python3` is the interpreter that runs the suite; another program without a
    slash is looked for in the caller's PATH, and a word that begins with `./`
    or `../`, or holds a slash and names a file here, is a path from here, since
    commands are started elsewhere. Raises CannotRun.
    """
    try:
        words = shlex.split(text)
    except ValueError as problem:
        raise CannotRun(f"--impl {text!r}: {problem}") from None
    if not words:
        raise CannotRun("--impl is empty")
    words = [os.path.abspath(word) if _is_path(word) else word for word in words]
    program = sys.executable if words[0] == "python3" else shutil.which(words[0])
    if program is None:
        here = os.path.isfile(words[0])
        raise CannotRun(f"{words[0]!r} is not executable" if here else f"there is no program {words[0]!r}")
    return Implementation((os.path.abspath(program), *words[1:]), tuple(environment), seconds)


def _is_path(word: str) -> bool:
    return word.startswith(("./", "../")) or ("/" in word and os.path.exists(word))


@dataclass
class World:
    """The directories, the environment and the names of one case while it runs."""

    implementation: Implementation
    top: str
    environment: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    stores: list[str] = field(default_factory=list)  # every store directory that the case has used
    asked: list[str] = field(default_factory=list)  # the addresses of all requests to servers of the case
    kept: bool = False  # whether its directories stay when the case has ended

    def use_store(self, root: str) -> None:
        """Make `$BRAMBLE_PATH` and `$STORE` those of a root. Raises ValueError for one that is too long."""
        store = oracle.store_directory(root)
        self.values.update(BRAMBLE_PATH=root, STORE=store)
        if store not in self.stores:
            self.stores.append(store)

    @property
    def work(self) -> str:
        """The directory of the case's files, in which its commands start."""
        return os.path.join(self.top, "work")

    def path(self, name: str) -> str:
        """Return a path of the case: relative ones begin at $WORK, and of absolute ones `*` is one name.

        What fits several names, or none, stays as it is; the last name of a path may be a new one.
        """
        if name.startswith("/") and "*" in name:
            for path, new in ((name, ""), (os.path.dirname(name), os.path.basename(name))):
                fitting = glob.glob(path)
                if len(fitting) == 1:
                    return os.path.join(fitting[0], new) if new else fitting[0]
            return name
        return os.path.join(self.work, name)

    def run(
        self,
        arguments: Sequence[str],
        *,
        directory: Optional[str] = None,
        standard_input: Optional[str] = None,
        signals: Optional[list[Signal]] = None,
    ) -> Ended:
        """Run the implementation with these arguments, to its end or to the time limit.

        The `signals` that it has got are removed from their list.
        """
        return self.implementation.carry_out(
            [*self.implementation.command, *arguments],
            directory=self.path(directory or ""),
            environment=self.environment,
            seconds=self.implementation.seconds,
            standard_input=standard_input,
            **({"signals": signals} if signals else {}),
        )


class Worlds:
    """A private directory that holds the worlds of one run of the suite; those that are kept stay in it."""

    def __init__(self, impl: Implementation, parent: Optional[str] = None) -> None:
        self._implementation = impl
        self._parent = parent
        self._top = ""
        self._made = 0
        self._keeps = False
        self._lock = threading.Lock()

    def __enter__(self) -> Worlds:
        # A short name: a store's root may have 47 bytes at most.
        try:
            self._top = tempfile.mkdtemp(prefix="bc-", dir=self._parent)
        except OSError as problem:
            raise CannotRun(f"there is no place to work in: {problem}") from None
        # Programs of a sandbox with another user id must be able to pass.
        os.chmod(self._top, 0o711)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._keeps:
            remove_tree(self._top)

    @contextlib.contextmanager
    def new(self) -> Iterator[World]:
        """Make a world for one case, and remove it afterwards."""
        with self._lock:
            self._made += 1
            top = os.path.join(self._top, str(self._made))
        world = World(self._implementation, top)
        store_root = os.path.join(top, "s")
        world.values = {
            "WORK": world.work,
            "HOME": os.path.join(top, "home"),
            "PLATFORM": platform_name(),
        }
        try:
            world.use_store(store_root)
        except ValueError as problem:
            raise CannotRun(f"{problem}: choose a shorter directory with --tmp") from None
        for directory in (top, world.work, os.path.join(top, "home")):
            os.mkdir(directory, 0o755)
        world.environment = {
            "BRAMBLE_PATH": store_root,
            "BRAMBLE_ERROR_FORMAT": "json",
            "HOME": os.path.join(top, "home"),
            "PATH": SEARCH_PATH,
            "LC_ALL": "C.UTF-8",
            **dict(self._implementation.environment),
        }
        try:
            yield world
        finally:
            if world.kept:
                self._keeps = True
            else:
                remove_tree(top)


def platform_name() -> str:
    """Return the platform of this machine as derivations name it."""
    return MACHINES.get(os.uname().machine, "linux-" + os.uname().machine)


def remove(path: str) -> None:
    """Remove a file, a link or a directory with all it holds."""
    if os.path.isdir(path) and not os.path.islink(path):
        remove_tree(path)
    else:
        os.unlink(path)


def remove_tree(top: str) -> None:
    """Remove a directory and all it holds, also where modes forbid it."""
    for directory, names, _ in os.walk(top):
        for name in [".", *names]:
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                mode = os.lstat(path).st_mode
                if stat.S_ISDIR(mode) and mode & 0o700 != 0o700:
                    os.chmod(path, 0o700)
    shutil.rmtree(top, ignore_errors=True)
