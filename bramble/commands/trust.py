"""The grants that a user has given to projects: kept in a file that only this user can write."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from bramble.commands.context.consent import WORDS, Asked, Item, asked_to_follow, asked_to_generate
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.project.access import read_file, replace_file
from bramble.project.project import Project, find_project
from bramble.recall.reads import Reads
from bramble.store.locks.advisory import lock_briefly

TRUST_NAME = "trust.json"


def granted(wish: Asked, setting: Setting) -> bool:
    """Return whether exactly this request of this project was granted, or nothing is asked for."""
    # spec: cli.trust
    if not wish.items:
        return True
    return setting.config is not None and os.path.lexists(setting.config) and wish in grants(setting)


def note_grants(setting: Setting, reads: Reads) -> None:
    """Note the file of the grants as what decides a result."""
    if setting.config is not None:
        reads.stamp(os.path.join(setting.config, TRUST_NAME))


def may_generate(project: Project, setting: Setting) -> bool:
    """Return whether generators of a project were granted the network (spec: build.generated.network)."""
    return granted(asked_to_generate(project), setting)


def may_follow(project: Project, directory: str, setting: Setting) -> bool:
    """Return whether it was granted to a project to take a package from a directory."""
    # spec: packages.path.granted
    return granted(asked_to_follow(project, directory), setting)


def grant_path(project: Project, directory: str, setting: Setting) -> Asked:
    """Remember that a project may take a package from a directory, and return that. Raises trust.*."""
    wish = asked_to_follow(project, os.path.realpath(os.path.join(setting.cwd, directory)))
    grant(wish, setting)
    return wish


def grant_here(directory: str, setting: Setting) -> Asked:
    """Do the same for the project of the current directory. Raises config.*, trust.*."""
    return grant_path(find_project(setting.cwd), directory, setting)


def grants(setting: Setting) -> tuple[Asked, ...]:
    """Return all grants, sorted by directory. Raises trust.unsafe, trust.damaged and trust.no-home."""
    directory = _directory(setting)
    if not os.path.lexists(directory):
        return ()
    _check(directory, private=False)
    if not os.path.lexists(os.path.join(directory, TRUST_NAME)):
        return ()
    _check(os.path.join(directory, TRUST_NAME), private=True)
    try:
        document = json.loads(read_file(directory, TRUST_NAME))
        found = [_entry(one) for one in document["grants"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise BrambleError(
            "trust.damaged",
            f"{os.path.join(directory, TRUST_NAME)} is not a list of grants: {error}",
            remedy="move it away, and grant permissions again",
        ) from error
    return tuple(sorted(found, key=lambda one: (one.directory, one.name, one.owner, one.items)))


def grant(wish: Asked, setting: Setting) -> None:
    """Remember a grant. Raises trust.*."""
    with _alone(setting):
        _keep([*(one for one in grants(setting) if one != wish), wish], setting)


def revoke(word: str, setting: Setting) -> int:
    """Forget all grants of a project; return how many there were. Raises trust.*.

    `word` is its directory, or the name of a package, with @VERSION for that version alone.
    """
    directory = os.path.realpath(os.path.join(setting.cwd, word))
    with _alone(setting):
        before = grants(setting)
        kept = [one for one in before if one.directory != directory and not _is_called(one, word)]
        if len(kept) < len(before):
            _keep(kept, setting)
    return len(before) - len(kept)


def _is_called(one: Asked, word: str) -> bool:
    # The grants of a directory are of a project, whatever that calls itself.
    return not one.directory.startswith("/") and word in (one.name, one.name.partition("@")[0])


def _entry(value: Any) -> Asked:
    items = tuple(sorted(Item(_text(one["kind"]), _text(one["path"])) for one in value["requests"]))
    if not items or not all(item.kind in WORDS for item in items):
        raise ValueError("a request of an unknown kind")
    return Asked(_text(value["directory"]), _text(value["name"]), _text(value["package"]), items)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a string")
    return value


def _keep(entries: Sequence[Asked], setting: Setting) -> None:
    document = {"version": 1, "grants": [one.to_json() for one in entries]}
    directory = _directory(setting)
    try:
        replace_file(directory, TRUST_NAME, json.dumps(document, indent=1).encode() + b"\n", new_mode=0o600)
    except OSError as error:
        raise _unwritable(directory, error) from error


@contextlib.contextmanager
def _alone(setting: Setting) -> Iterator[None]:
    directory = _directory(setting)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        with contextlib.suppress(OSError):
            lock_briefly(handle, directory)
        yield
    finally:
        os.close(handle)


def _check(path: str, *, private: bool) -> None:
    """Refuse what another user could have written: a grant there would not be the decision of this user."""
    # spec: cli.trust.file
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC | (os.O_NOFOLLOW if private else 0))
    except OSError as error:
        raise _unwritable(path, error) from error
    status = os.fstat(handle)
    os.close(handle)
    mine = status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o022
    if not mine or (private and not stat.S_ISREG(status.st_mode)):
        raise BrambleError(
            "trust.unsafe",
            f"{path} is not a file of yours that only you can write",
            remedy=f"check it, then run: chmod go-w {path}, or move it away",
        )


def _unwritable(path: str, error: OSError) -> BrambleError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return BrambleError(
        "trust.unwritable",
        f"{path}: {error.strerror}",
        remedy="free some space" if full else "make it a directory of your own",
    )


def _directory(setting: Setting) -> str:
    if setting.config is None:
        raise BrambleError(
            "trust.no-home",
            "there is no home directory to remember grants in",
            remedy="set XDG_CONFIG_HOME to an absolute directory",
        )
    return setting.config
