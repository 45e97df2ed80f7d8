"""A command line that was run before and changed nothing is answered again, before anything else is loaded.

This is the short way of every command: the question is what was asked, in which surroundings; the record of
its record has what was read to find the answer, and the output (`bramble.recall`). If there is no record, or
something is not as it was, or only cannot be seen to be, the long way runs as if this module were not there.
`recording` is the other half: it makes the records, for commands that say of themselves that they changed
nothing.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module

from bramble.recall.answers import ANSWERS, reader, recall
from bramble.recall.kept import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bramble.recall.witness import Hash

NO_CACHE = "--no-cache"
# Commands of which some are answered again.
_ANSWERED = frozenset(("build", "graph", "ls", "run", "test"))
_RUN = b"run "  # begins an answer that is a program to be run
# Variables that decide what a command says, where nothing has to be built or fetched.
_NAMES = frozenset(("CI", "CLICOLOR_FORCE", "HOME", "LANG", "LANGUAGE", "NO_COLOR", "TERM"))
_BEGINNINGS = ("BRAMBLE_", "LC_", "PYTHON", "XDG_")


def answered(words: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Print the recorded output for these arguments and return the exit status; None without a valid record.

    Only commands that succeeded are recorded, so that the status is 0 unless the answer cannot be written.
    """
    # spec: recall.answer
    if _ANSWERED.isdisjoint(words) or NO_CACHE in words:
        return None
    kept = answers_of(environ)
    try:
        question = None if kept is None else question_of(words, environ)
    except (OSError, ValueError):
        return None
    if kept is None or question is None:
        return None
    found = recall(kept, question, time.time(), _new_sha256)
    return None if found is None else _said(found[0])


def _new_sha256() -> Hash:
    # It takes longer to load than all else here, and is needed where a source was touched.
    made: Hash = import_module("hashlib").sha256()
    return made


def answers_of(environ: Mapping[str, str]) -> Kept | None:
    """Return the directory of recorded answers; None if there is none."""
    # XDG Base Directory Specification, as `environment.read_cache` has it.
    named, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
    root = named if os.path.isabs(named) else os.path.join(home, ".cache")
    return Kept(root, ("bramble", ANSWERS)) if os.path.isabs(root) else None


def question_of(words: Sequence[str], environ: Mapping[str, str]) -> bytes | None:
    """Return all that decides an answer besides what is read from files; None if something else does.

    That is a stream that is closed, or the list of users, which says where homes are.

    Raises OSError if the working directory does not exist, and ValueError for what is not text.
    """
    # spec: recall.key
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        return None
    if "HOME" not in environ or "BRAMBLE_STORE_OF" in environ or any("--store-of" in word for word in words):
        return None
    surroundings = sorted(
        f"{name}={value}" for name, value in environ.items() if name in _NAMES or name.startswith(_BEGINNINGS)
    )
    machine = os.uname()
    parts = [
        *(os.path.dirname(os.path.abspath(__file__)), sys.version, sys.base_prefix),
        *(machine.sysname, machine.machine, reader(), os.getcwd()),
        *(f"{sys.stdout.encoding} {sys.stderr.encoding} {sys.getfilesystemencoding()}",),
        *(str([os.isatty(number) for number in range(3)]),),
        *(str(len(surroundings)), *surroundings, *words),
    ]
    return b"\0".join(os.fsencode(part) for part in parts)


def packed(errors: bytes, output: bytes) -> bytes:
    """Return an answer: what standard error was given, and after that what standard output was."""
    return b"%d\n%b%b" % (len(errors), errors, output)


def run_packed(errors: bytes, prepared: bytes) -> bytes:
    """Return an answer that is a program to be run, after standard error was given something."""
    return _RUN + packed(errors, prepared)


def _said(answer: bytes) -> int | None:
    if answer.startswith(_RUN):
        return _run(answer[len(_RUN) :])
    size, _, rest = answer.partition(b"\n")
    errors, output = rest[: int(size)], rest[int(size) :]
    for number, data in ((2, errors), (1, output)):
        try:
            _write(number, data)
        except OSError as fault:
            return int(import_module("bramble.cli.main").not_written(fault, number))
    return 0


def _run(answer: bytes) -> int | None:
    """Run a program as it was run before; None if something of it is gone."""
    # spec: recall.run
    size, _, rest = answer.partition(b"\n")
    try:
        ran = import_module("bramble.commands.again").run_again(rest[: int(size)], rest[int(size) :])
        if ran is None:
            return None
        for path in ran.changed:
            import_module("bramble.cli.render").say_changed(path)
    except Exception as fault:
        return int(import_module("bramble.cli.main").not_run(fault))
    return int(ran.status)


def _write(number: int, data: bytes) -> None:
    while data:
        data = data[os.write(number, data) :]
