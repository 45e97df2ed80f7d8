"""Whether a build that has ended was a success, and if not, in what words."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Callable, Optional

from bramble.derivation.model import Derivation
from bramble.errors import BrambleError

if TYPE_CHECKING:
    from bramble.sandbox.launch import Outcome

_SHELL_FOUND_NOTHING = 127
_LISTED = 20  # differing files that are named
_EXPLAINED = 3  # those that are described
_TOO_MUCH = {
    "output_size": (
        "build.output-too-large",
        "has written more bytes into its outputs and its build directory than it may",
        "raise --output-size",
    ),
    "disk": (
        "build.limit",
        "was ended since it used almost all space on the disk",
        "free disk space (bramble gc), or give the store another disk",
    ),
    "memory": (
        "build.limit",
        "was ended since it used more memory than it may",
        "raise --memory",
    ),
    "processes": (
        "build.limit",
        "was ended because it had too many processes",
        "raise --processes",
    ),
    "output_files": (
        "build.output-too-many-files",
        "has made more files in its outputs and its build directory than it may",
        "raise --output-files",
    ),
}

EXITED = "it exited with status "  # how the words about an end begin that was no signal


def verdict(
    name: str,
    outcome: Outcome,
    log_path: Optional[str],
    search: Optional[str] = None,
    missed: Sequence[str] = (),
    called: Sequence[str] = (),
) -> None:
    """Raise BrambleError unless the builder of `name` exited with status 0.

    `search` is the derivation's PATH, None if it has none; `missed` are files of the project that it
    looked for, and that are not among its sources; `called` are programs that it could not run.

    Codes: build.failed, build.killed, build.timeout, build.limit, build.output-too-large,
    build.output-too-many-files.
    """
    # spec: build.failure
    if outcome.succeeded:
        return
    log = f"its log is {log_path}" if log_path else "it wrote nothing"
    if outcome.kind == "exited":
        raise BrambleError(
            "build.failed",
            f'"{name}" failed: its builder exited with status {outcome.code}',
            remedy=_not_found(outcome.code, search, called) + _not_listed(missed) + log,
        )
    if outcome.kind == "timeout":
        what = "took too long" if outcome.limit == "seconds" else "wrote nothing for too long"
        raise BrambleError(
            "build.timeout",
            f'"{name}" {what} and was ended',
            remedy=f"{log}; raise the limit if it needs more",
        )
    if outcome.kind == "limit" and outcome.limit in _TOO_MUCH:
        # spec: build.limits.output
        code, what, option = _TOO_MUCH[outcome.limit]
        told = f"; {log}" if log_path else ""
        raise BrambleError(code, f'"{name}" {what}', remedy=f"{option} if that is meant{told}")
    if outcome.kind == "limit":
        raise BrambleError(
            "build.limit",
            f'"{name}" was ended since it used more {outcome.limit.replace("_", " ")} than it may',
            remedy=f"{log}; raise the limit if it needs more",
        )
    hint = "; perhaps the machine ran out of memory" if outcome.code == signal.SIGKILL else ""
    raise BrambleError(
        "build.killed",
        f'"{name}" failed: its builder was killed by {_signal_name(outcome.code)}',
        remedy=log + hint,
    )


def _not_found(status: int, search: Optional[str], called: Sequence[str]) -> str:
    """Return advice for the status with which a shell reports that there is no such program (XCU 2.8.2)."""
    # spec: build.failure
    if called and search is not None:
        return (
            f"the build calls {', '.join(called)}, which no directory of its PATH has: add the derivation "
            f'that holds it, or add "{" ".join(called)}" to `tools` of host_tools, std.tools or std/c, '
            "which copy programs of this machine\n"
        )
    if status != _SHELL_FOUND_NOTHING:
        return ""
    if search is None:
        return (
            "a program was not found, and the build has no PATH: "
            'add env={"PATH": tools.out + "/bin"} with the derivation that holds the program\n'
        )
    return f"a program was not found in PATH, which is {search}: add the program to one of these\n"


def _not_listed(missed: Sequence[str]) -> str:
    if not missed:
        return ""
    names = ", ".join(missed)
    return f"the project has {names}, but not among the sources of this build: name it in files([…])\n"


def ending(outcome: Outcome) -> str:
    """Return in a few words how a program ended that should have ended with status 0; "" if it did."""
    if outcome.succeeded:
        return ""
    if outcome.kind == "exited":
        return f"{EXITED}{outcome.code}"
    if outcome.kind == "signalled":
        return f"it was killed by {_signal_name(outcome.code)}"
    return f"it was ended by the limit of {outcome.limit.replace('_', ' ')}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def empty_output(name: str, output: str) -> BrambleError:
    """Return the error for an output in which nothing is."""
    return BrambleError(
        "build.empty-output",
        f'"{name}" wrote nothing into its output "{output}"',
        remedy=f"write into the directory ${output}, or do not declare the output",
    )


def wrong_output(name: str, output: str, what: str) -> BrambleError:
    """Return the error for an output that is not a directory any more."""
    return BrambleError(
        "build.output-replaced",
        f'the build of "{name}" {what}: the output "{output}"',
        remedy=f"${output} is a directory that is there when the build begins: write into it",
    )


def not_reproducible(
    name: str,
    found: Mapping[str, tuple[str, str, tuple[str, ...]]],
    directory: str,
    explain: Callable[[str, str, str], tuple[str, ...]],
    number: int,
) -> BrambleError:
    """Return the error for a build with two different results.

    `found` gives for an output the name of the first object, of the second, and
    the files in which they differ; `explain` says how one of them does. `number` is that of the build
    that had a different result than the first one, from 2 on.
    """
    again = "again" if number == 2 else f"the {number}th time" if number > 3 else "the third time"
    lines = []
    for output, (first, second, files) in found.items():
        lines += [f"output {output}:", f"  first   {directory}/{first}", f"  second  {directory}/{second}"]
        for at, file in enumerate(files[:_LISTED]):
            lines.append(f"  differs {file}")
            if at < _EXPLAINED:
                lines += [f"  {line}" for line in explain(first, second, file)]
        if len(files) > _LISTED:
            lines.append(f"  and {len(files) - _LISTED} more")
    return BrambleError(
        "build.not-reproducible",
        f'"{name}" produced a different result when it was built {again}',
        remedy="usual reasons: the time, a random number, the order of a directory or of a hash",
        detail="\n".join(lines),
    )


def refuse_elsewhere(derivation: Derivation, here: str) -> None:
    """Refuse to build on the platform `here` what is for another one. Downloads are the same on all of them.

    Raises BrambleError build.platform.
    """
    # spec: build.platform
    if derivation.platform in ("", here) or derivation.builtin in ("fetch_url", "fetch_git"):
        return
    target = f" for {derivation.target}" if derivation.target else ""
    raise BrambleError(
        "build.platform",
        f'"{derivation.name}" is built{target} on {derivation.platform}, and this machine is {here}',
        remedy=f"a machine that is {derivation.platform} can build it: build the target there, and bring "
        "it here with `bramble store export` and `bramble store import`; what is known is not built",
    )
