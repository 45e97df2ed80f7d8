"""Programs of no family: whether they start at all, and do not miss what the machine has.

Nobody knows what such a program has to do. So each is started twice, as `NAME --version` and
without arguments or input, and what counts is only what proves that something is missing: the
words of a loader, or a failure that names a path of the machine. That it fails proves nothing.

With a shell among the tools, that shell starts all of them in one sandbox; else each start has
a separate sandbox.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Callable, Optional

from bramble.build.builtin import Request
from bramble.errors import BrambleError
from bramble.record import dataclass

_SILENCE = 2.0  # seconds without a word after which a program is left alone: it waits, or works
_AT_ONCE = 60  # starts in one sandbox
_READ = 64 * 1024  # bytes of what one program says
_SHOWN = 1000
_WAYS = ("--version", "")
# It writes "NUMBER STATUS" as each has ended; what a program says goes to a file that has an end.
_DRIVER = """\
number=0
while [ $# -gt 0 ]; do
    number=$((number + 1))
    ( ulimit -f 128; exec "$1" ${2:+"$2"} ) </dev/null >"said.$number" 2>&1
    echo "$number $?"
    shift 2
done
"""
# glibc, musl; and of both what only shows when a library is another than the one it was built with.
_LOADER = re.compile(
    r"error while loading shared libraries|Error loading shared library|symbol lookup error"
    r"|Error relocating |version `[^']+' not found \(required by"
)
_NOT_EXECUTED = re.compile(r"cannot execute|Exec format error|bad interpreter")
_MISSING = re.compile(
    r"no such file|not found|cannot|can't|can not|could not|couldn't|unable to|does not exist",
    re.IGNORECASE,
)
# Settings below /etc, and what is there while a machine runs, no build has.
_PATH = re.compile(
    r"(?<![^\s'\"`‘“(<\[:=])/(?:usr|opt|lib|lib32|lib64|libx32|bin|sbin|nix|gnu|snap)/[^\s'\"`’‘“”:;,()<>\[\]]+"
)
# Where the PATH of a derivation has a shell (sandbox.programs).
_SHOWN_BY_SANDBOXES = ("/bin/sh",)
_SIGNALS = {132: "SIGILL", 135: "SIGBUS", 139: "SIGSEGV"}


@dataclass(frozen=True)
class Start:
    """How one start of a program ended."""

    status: int  # as a shell says it: 128 and a number for a signal
    said: str


def fault(starts: Sequence[Start], on_machine: Callable[[str], bool]) -> Optional[str]:
    """Return what proves that a program is broken, for people; None if nothing does.

    `on_machine` says whether a path is there on the machine, outside of the sandbox.
    """
    # spec: build.host-tools.starts
    for start in starts:
        if start.status == 0:
            continue
        for line in start.said.splitlines():
            if _LOADER.search(line) or start.status in (126, 127) and _NOT_EXECUTED.search(line):
                return f"it is not started: {line.strip()[:_SHOWN]}"
            if _MISSING.search(line):
                for path in _PATH.findall(line):
                    path = path.rstrip(".!?")
                    if path not in _SHOWN_BY_SANDBOXES and on_machine(path):
                        return f"it looks for {path}, which is not in the output: {line.strip()[:_SHOWN]}"
    signals = {_SIGNALS.get(start.status) for start in starts}
    if starts and None not in signals:
        return f"it is killed by {' and '.join(sorted(filter(None, signals)))} as soon as it starts"
    return None


def try_to_start(request: Request, programs: Sequence[str], shell: Optional[str]) -> None:
    """Start each program, a path as it is seen in the sandbox; `shell` is one of them, if there is one.

    Raises build.host-tool-broken with all that are broken.
    """
    # spec: build.host-tools.starts
    commands = [(program, way) for program in programs for way in _WAYS]
    ended = _by_shell(request, shell, commands) if shell is not None else {}
    for command in commands:
        if command not in ended and shell is None:
            ended[command] = _alone(request, *command)
    broken = {}
    for program in programs:
        starts = [start for start in (ended.get((program, way)) for way in _WAYS) if start is not None]
        why = fault(starts, os.path.exists)
        if why is not None:
            broken[os.path.basename(program)] = why
    if broken:
        names = ", ".join(broken)
        raise BrambleError(
            "build.host-tool-broken",
            f'"{request.name}": {names} {"does" if len(broken) == 1 else "do"} not work from the store',
            remedy="remove it from tools, or fetch or build one that does not need the machine",
            detail="\n".join(f"{name}: {why}" for name, why in broken.items()),
        )


def _by_shell(
    request: Request, shell: str, commands: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Start]:
    """Let the shell start them in turn. One that does not end is passed over; the rest gets a new sandbox."""
    found = {}
    left = list(commands)
    while left:
        words = [word for command in left[:_AT_ONCE] for word in command]
        _, told = request.run((shell, "-c", _DRIVER, "sh", *words), _env(shell), _SILENCE)
        done = re.findall(r"^([0-9]+) ([0-9]+)$", told, re.MULTILINE)
        for (number, status), command in zip(done, left):
            found[command] = Start(int(status), _read(f"{request.scratch}/said.{number}"))
        if not done:
            # It waits, or this is not a shell.
            found[left[0]] = _alone(request, *left[0])
        left = left[min(len(done) + 1, _AT_ONCE) :]
    return found


def _alone(request: Request, program: str, way: str) -> Start:
    argv = (program, way) if way else (program,)
    try:
        problem, said = request.run(argv, _env(program), _SILENCE)
    except BrambleError as error:
        if not error.code.startswith("sandbox.builder-"):
            raise
        return Start(126, f"cannot execute: {error.message}")
    signal = next((code for code, name in _SIGNALS.items() if name in problem), 1)
    return Start(signal if problem else 0, said[:_READ])


def _env(program: str) -> dict[str, str]:
    return {"LC_ALL": "C", "HOME": "/nonexistent", "PATH": os.path.dirname(program)}


def _read(path: str) -> str:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(opened, "rb") as file:
        return file.read(_READ).decode("utf-8", "replace")
