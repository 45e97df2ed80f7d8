"""The specification of one sandbox, as a frozen value.

Nothing here looks at the machine. `steps.steps` turns a specification into an ordered
list of steps, and refuses one that is not possible.
"""

from __future__ import annotations

from bramble.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

RUNGS = ("namespaces", "landlock", "none")
PURPOSES = ("build", "run")


class Mount(NamedTuple):
    """One file or directory of the host, and the name under which the sandbox sees it.

    `source` and `target` are absolute paths; a symbolic link in `source` is
    followed on the host, `target` is taken as it is written. Read-only unless
    `writable`.
    """

    source: str
    target: str
    writable: bool = False


class Limits(NamedTuple):
    """What a sandbox may use before it is killed. None: no limit.

    `seconds` is wall clock time, `silence` the longest time in seconds without
    output, `memory` bytes, `processes` a number of tasks that live at once,
    `file_size` the bytes of the largest single file that may be written,
    `output_size` the bytes and `output_files` the number of all files together
    in the writable mounts.
    """

    seconds: Optional[float] = None
    silence: Optional[float] = None
    memory: Optional[int] = None
    processes: Optional[int] = None
    file_size: Optional[int] = None
    output_size: Optional[int] = None
    output_files: Optional[int] = None


class SandboxSpec(NamedTuple):
    """One program, and everything that it is given.

    `argv[0]` is the program as the sandbox sees it; a name without a slash is
    looked for in the PATH of `env`, inside. `env` is the whole environment,
    handed over sorted by the bytes of the names. `hidden` are paths in the
    sandbox, at or below a mount, that are covered. `terminal` asks for a
    terminal of the sandbox's own; `nesting` lets the program make user
    namespaces, for a sandbox in the sandbox. `purpose` "build" also
    switches address space randomisation off.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    cwd: str
    mounts: tuple[Mount, ...]
    hidden: tuple[str, ...] = ()
    network: bool = False
    terminal: bool = False
    nesting: bool = False
    rung: str = "namespaces"
    limits: Limits = Limits()
    purpose: str = "build"
