"""From a step that the kernel refused to the error that a user reads: a fact, and what to change."""

from __future__ import annotations

import errno as codes
import importlib
import os
from collections.abc import Sequence

from bramble.errors import BrambleError
from bramble.sandbox import layout
from bramble.sandbox.diagnosis import Diagnosis, diagnose
from bramble.sandbox.vocabulary import Step

MOUNTS = ("bind", "bind-machine", "bind-within", "attach", "attach-within", "cover-within", "open-tree")


def powerless_root(reason: str) -> BrambleError:
    """Return the error for a root that cannot become another user: its sandbox could change the host."""
    return BrambleError(
        "sandbox.unavailable",
        f"Bramble runs as {reason}",
        remedy="run it as an ordinary user, or add CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN to the container",
    )


def too_old() -> BrambleError:
    """Return the error for a kernel without what every mode needs."""
    return BrambleError(
        "sandbox.unavailable",
        "this kernel is older than Linux 5.3, or a filter forbids pidfd_open(2)",
        remedy="use a newer kernel, or a container with a newer filter of system calls",
    )


def wrong_device(path: str, numbers: Sequence[object]) -> BrambleError:
    """Return the error for a machine on which another file has the path of a device."""
    major, minor = numbers
    return BrambleError(
        "sandbox.unavailable",
        f"{path} of this machine should be the device {major}:{minor}, but is not",
        remedy=f"as root: rm {path}; mknod -m 666 {path} c {major} {minor}",
    )


def refusal(
    step: Step, errno: int, path: str, detail: str, shown: Sequence[str] = (), purpose: str = "build"
) -> BrambleError:
    """Return the error for a step that the kernel refused with `errno`; `detail` is `autopsy.explain`'s.

    `shown` are the targets of what the sandbox shows and the program cannot change.
    """
    reason = os.strerror(errno)
    if step.action == "execute":
        return not_executed(path, errno, detail, shown, purpose)
    if step.action == "working-directory":
        return BrambleError(
            "sandbox.cwd",
            f"the program cannot start in {step.args[0]}: {reason}",
            remedy="name a directory that the sandbox shows",
        )
    if step.action == "device" and errno == codes.ENXIO:
        device, *numbers = step.args
        return wrong_device(str(device), numbers)
    # What asks the machine about everything is loaded when something was refused.
    settings = importlib.import_module("bramble.sandbox.probe").read_settings()
    known = diagnose(step.action, errno, settings)
    if known is None and step.action in MOUNTS:
        return BrambleError(
            "sandbox.mount",
            f"{step.describe()}: {reason}" + (f" ({path})" if path else ""),
            remedy="the path must exist and be reachable; inside another mount its place must exist there",
        )
    fact, remedy = known or Diagnosis(reason, "bramble doctor checks the relevant settings")
    return BrambleError(
        "sandbox.unavailable",
        f"this machine does not allow the sandbox: {fact}",
        remedy=remedy,
        detail=f"step {step.describe()!r}: {reason}" + (f": {path}" if path else ""),
    )


def not_executed(
    path: str, errno: int, detail: str, shown: Sequence[str] = (), purpose: str = "build"
) -> BrambleError:
    """Return the error for a program that execve(2) refused; `detail` is the word of `autopsy.explain`."""
    if errno == codes.E2BIG:
        return BrambleError(
            "sandbox.argument",
            f"the arguments and variables of {path} are longer than the kernel accepts",
            remedy="pass long lists in a file",
        )
    # spec: sandbox.errors.program
    word, _, needs = detail.partition(" ")
    missing = {
        "missing": f"{path} does not exist in the sandbox",
        "link": f"{path} is a link to {needs}, which does not exist in the sandbox",
        "script": f"{path} needs the interpreter {needs}, which does not exist in the sandbox",
        "loader": f"{path} needs the loader {needs}, which does not exist in the sandbox",
    }
    if word in missing and errno in (codes.ENOENT, codes.ENOTDIR):
        remedy = "a sandbox shows what it is given and nothing else: name a program in an output or source"
        within = [target for target in shown if layout.below(needs or path, target)]
        if within:
            remedy = (
                f"{max(within, key=len)} is shown and holds no such file: name one that it holds, or add it "
                "there (to the tools of host_tools); "
                "if it should hold this one, an object is damaged: bramble store verify --repair"
            )
        elif word == "script" and needs in ("/bin/sh", "/usr/bin/env") and purpose == "run":
            remedy = (
                "let its first line name the interpreter in an output, which it then refers to; "
                f"with run(…, closure_path=True) a program that refers to one has its {needs}"
            )
        elif word == "script" and needs in ("/bin/sh", "/usr/bin/env"):
            remedy = (
                f"the sandbox has {needs} where the derivation's PATH names a directory with such a program: "
                'env={"PATH": tools.out + "/bin"}, with tools from host_tools'
            )
        elif word == "script":
            remedy = "let its first line name an interpreter of an output, or /usr/bin/env and its name"
        elif word == "loader":
            remedy = (
                "it was made for another machine's libraries: copy it with host_tools, or link it statically"
            )
        return BrambleError("sandbox.builder-missing", missing[word], remedy=remedy)
    why, remedy = {
        "directory": ("it is a directory", "name the program in it"),
        "special": ("it is not a regular file", "name a program"),
        "noexec": (
            "its file system is mounted noexec",
            "mount -o remount,exec that file system, or set BRAMBLE_PATH to a directory of another one",
        ),
        "mode": ("it has no permission to be executed", "chmod +x it where it is made"),
        "format": ('it is neither a program nor a script that begins with "#!"', "name its interpreter"),
        "architecture": ("it is a program for another machine", "build it for this one"),
    }.get(word, (os.strerror(errno), "name another program"))
    return BrambleError("sandbox.builder-not-executable", f"{path} cannot be executed: {why}", remedy=remedy)
