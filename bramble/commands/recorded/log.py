"""`bramble log [TARGET]`: what builds wrote, of those that failed, succeeded, or were found built."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Optional

from bramble.commands.context.recorded import Attempt, Recorded, not_recorded, open_recorded
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.disk import Store
from bramble.store.files.failures import DiskFailures
from bramble.store.history.model import Build, Ended, Facts

__all__ = ["Log", "find_logs"]

_BLOCK = 1 << 20


class Log(NamedTuple):
    """The log of one build of one derivation.

    `build` is the build of the project in which it was written; if that is not recorded any more, the
    oldest one that found the derivation built, and then `ended` is None. `path` is the file; None if
    nothing was written, or what was written is not kept any more.
    """

    facts: Facts
    build: Build
    ended: Optional[Ended]
    path: Optional[str]

    def blocks(self) -> Iterator[bytes]:
        """Yield what the log holds, in pieces. Raises BrambleError store.* for a file that cannot be read."""
        if self.path is None:
            return
        with DiskFailures("read the log of a build"):
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(fd, "rb", buffering=0) as file:
                while data := file.read(_BLOCK):
                    yield data


def find_logs(word: Optional[str], of: str, previous: bool, setting: Setting) -> list[Log]:
    """Return the logs of what a target returned, of its last build, or of the one before with `previous`.

    With `of` the log of something that the target needs, by its name. Without a target the logs of what
    failed in the last build of the project. Raises BrambleError history.not-built,
    history.unknown-derivation, history.no-failure, history.no-previous, and those of `open_recorded`.
    """
    # spec: cli.log
    recorded = open_recorded(setting, word or "")
    if word is None:
        return _of_failures(recorded)
    newest = next((attempt for attempt in recorded.attempts(word, of) if attempt.meant), None)
    if newest is None:
        raise not_recorded(recorded, word, of)
    found = [_of(recorded, word, of, facts, previous) for facts in newest.meant]
    logs = [log for log in found if log is not None]
    if not logs:
        raise BrambleError(
            "history.no-previous",
            f"no build of {of or word} before the last one is recorded",
            remedy="omit --previous; `bramble history` lists what is recorded",
        )
    return logs


def _of_failures(recorded: Recorded) -> list[Log]:
    build = next(recorded.builds(), None)
    if build is None or not build.failed:
        raise BrambleError(
            "history.no-failure",
            "nothing failed in the last build of this project" if build else "no build is recorded here",
            remedy="name a target: bramble log ./path:function",
        )
    ids = tuple(one.id for one in build.failed)
    attempt = Attempt(recorded.store, build, ids, "")
    return [_log(recorded.store, attempt, facts) for facts in attempt.meant]


def _of(recorded: Recorded, word: str, of: str, known: Facts, previous: bool) -> Optional[Log]:
    """Return the log of the last build of what is `known` from a build of the target, or of that before."""
    latest: Optional[Facts] = None  # what it was when it was last built, tried, or found built
    found: Optional[Log] = None
    seen: dict[str, int] = {}  # How often the same was built since.
    for attempt, facts in recorded.trail(word, of, known):
        log = _log(recorded.store, attempt, facts, seen.get(facts.resolved, 0))
        if log.ended is not None:
            seen[facts.resolved] = seen.get(facts.resolved, 0) + 1
        if found is not None and found.ended is not None:
            if log.ended is not None:
                return log
            continue
        if latest is None or facts.resolved == latest.resolved:
            # One that only found it built counts if no build comes that has built the same.
            found = log
            latest = facts if facts.resolved or log.ended is not None else None
        if found is not None and found.ended is not None and not previous:
            return found
    return None if previous else found


def _log(store: Store, attempt: Attempt, facts: Facts, since: int = 0) -> Log:
    """Return a log; the same was built `since` times more afterwards. One log from before is kept."""
    path = None
    if facts.resolved and since < 2:
        path = store.previous_log_path(facts.resolved) if since else store.log_path(facts.resolved)
        path = path if _is_file(path) else None
    return Log(facts, attempt.build, attempt.ended.get(facts.id), path)


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
