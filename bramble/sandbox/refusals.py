"""From a step and an errno to a sentence: what is in the way, and what to change."""

from __future__ import annotations

import errno as codes
import os

from bramble.errors import BrambleError
from bramble.sandbox.vocabulary import Step


def powerless_root(reason: str) -> BrambleError:
    """Return the error for a root that cannot become another user: its sandbox could change the host."""
    return BrambleError(
        "sandbox.unavailable",
        f"Bramble runs as {reason}",
        remedy="run it as an ordinary user, or give the container CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN",
    )


def refusal(step: Step, errno: int, path: str, detail: str) -> BrambleError:
    """Return the error for a step that the kernel refused."""
    reason = os.strerror(errno)
    if step.action == "execute":
        return not_executed(path, errno, detail)
    if step.action == "working-directory":
        return BrambleError(
            "sandbox.cwd",
            f"the program cannot start in {step.args[0]}: {reason}",
            remedy="give a directory that the sandbox shows",
        )
    return BrambleError(
        "sandbox.unavailable",
        f"this machine does not allow the sandbox: {step.describe()}: {reason}"
        + (f" ({path})" if path else ""),
        remedy="bramble doctor says more",
    )


def not_executed(path: str, errno: int, detail: str) -> BrambleError:
    """Return the error for a program that execve(2) refused; `detail` is the word of `autopsy.explain`."""
    word, _, needs = detail.partition(" ")
    missing = {
        "missing": f"{path} does not exist in the sandbox",
        "link": f"{path} is a link to {needs}, which does not exist in the sandbox",
        "script": f"{path} needs the interpreter {needs}, which does not exist in the sandbox",
        "loader": f"{path} needs the loader {needs}, which does not exist in the sandbox",
    }
    if word in missing and errno in (codes.ENOENT, codes.ENOTDIR):
        return BrambleError(
            "sandbox.builder-missing",
            missing[word],
            remedy="a sandbox shows the inputs of the derivation and nothing else of this machine; name the program by an output",
        )
    why = {
        "directory": "it is a directory",
        "mode": "it has no permission to execute",
        "format": 'it is neither a program nor a script that begins with "#!"',
        "architecture": "it is a program for another machine",
    }.get(word, os.strerror(errno))
    return BrambleError(
        "sandbox.builder-not-executable",
        f"{path} cannot be executed: {why}",
        remedy="chmod +x, or name another program",
    )
