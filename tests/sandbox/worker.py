"""Runs sandboxes as another user: one JSON line in, one JSON line out. Started by `world.py`.

Arguments: the directory that holds the package, the user and group to become
(empty for the caller's own), and, as JSON, system calls to lose first: name →
errno. So the tests have old kernels and strict containers.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any


def become(user: str) -> None:
    if user:
        number = int(user)
        os.setgroups([])
        os.setresgid(number, number, number)
        os.setresuid(number, number, number)


def spec_of(wish: dict[str, Any]) -> Any:
    """Return the SandboxSpec of its JSON form."""
    from bramble.sandbox.spec import Limits, Mount, SandboxSpec

    wish = dict(wish)
    wish["argv"] = tuple(wish["argv"])
    wish["env"] = tuple((name, value) for name, value in wish["env"])
    wish["mounts"] = tuple(Mount(**mount) for mount in wish["mounts"])
    wish["hidden"] = tuple(wish["hidden"])
    wish["limits"] = Limits(**wish["limits"])
    return SandboxSpec(**wish)


def run(launcher: Any, wish: dict[str, Any], cancel_after: float | None) -> dict[str, Any]:
    """Run one sandbox and return what came of it as JSON."""
    from bramble.errors import BrambleError

    output: list[bytes] = []
    cancelled = threading.Event()
    timer = threading.Timer(cancel_after, cancelled.set) if cancel_after is not None else None
    if timer is not None:
        timer.start()
    try:
        outcome = launcher.run(spec_of(wish), on_output=output.append, cancelled=cancelled)
        answer = {"kind": outcome.kind, "code": outcome.code, "limit": outcome.limit, "error": None}
    except BrambleError as error:
        answer = {"kind": "error", "code": 0, "limit": "", "error": error.to_json()}
    finally:
        if timer is not None:
            timer.cancel()
    return {**answer, "output": b"".join(output).decode("latin-1")}


def lose(calls: dict[str, int]) -> None:
    """Let system calls fail from here on, as a kernel without them or a container's filter would."""
    from bramble.sandbox import syscalls
    from bramble.sandbox.walls import numbers, seccomp

    rules = []
    for call, errno in calls.items():
        tests = ((0, 0x7E020000, ()),) if call == "clone" else ()
        rules.append(seccomp.Rule(call, errno, tests))
    program = seccomp.encode(seccomp.assemble(numbers.ARCHITECTURES[0], tuple(rules)))
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.seccomp_filter(program, 0)


def main() -> None:
    root, user, lost = sys.argv[1:4]
    become(user)
    sys.path.insert(0, root)
    if json.loads(lost):
        lose(json.loads(lost))
    from bramble.sandbox.launch import Launcher

    with Launcher() as launcher:
        for line in sys.stdin:
            job = json.loads(line)
            print(json.dumps(run(launcher, job["spec"], job["cancel_after"])), flush=True)


if __name__ == "__main__":
    main()
