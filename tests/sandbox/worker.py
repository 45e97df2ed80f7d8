"""Runs sandboxes as another user: one JSON line in, one JSON line out. Started by `world.py`.

Arguments: the directory that holds the package, and the user and group to
become (empty for the caller's own).
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


def main() -> None:
    root, user = sys.argv[1:3]
    become(user)
    sys.path.insert(0, root)
    from bramble.sandbox.launch import Launcher

    with Launcher() as launcher:
        for line in sys.stdin:
            job = json.loads(line)
            print(json.dumps(run(launcher, job["spec"], job["cancel_after"])), flush=True)


if __name__ == "__main__":
    main()
