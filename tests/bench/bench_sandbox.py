"""Time of one sandbox, beside bubblewrap with the same namespaces, in one run. By hand:

    python3 -m tests.bench.bench_sandbox [--rounds 200] [--mounts 1,20,100,1000]

Both start a static `true` and are timed from the call to the end, in turns, so
that a busy machine is busy for both. The helper is warm, as it is from the
second build of a command on; its first start is measured apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bramble.sandbox.launch import Launcher
from bramble.sandbox.spec import Mount, SandboxSpec

BUSYBOX = shutil.which("busybox") or ""
BWRAP = shutil.which("bwrap") or ""
STRICT = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup",
    "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL",
    "--tmpfs", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
)  # fmt: skip


def timed(work: Callable[[], None]) -> float:
    """Return the milliseconds that `work` takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def spawn(argv: list[str]) -> None:
    """Run a program and wait for it."""
    _, status = os.waitpid(os.posix_spawn(argv[0], argv, {}), 0)
    if status != 0:
        sys.exit(f"{argv[0]} failed: {status}")


def summary(times: list[float]) -> str:
    """Return the median and the fastest tenth."""
    tenth = sorted(times)[len(times) // 10]
    return f"{statistics.median(times):8.2f} ms (fastest tenth {tenth:.2f})"


def measure(launcher: Launcher, sources: list[str], rounds: int) -> None:
    """Print one line for sandboxes with these mounts."""
    mounts = tuple(Mount(source, f"/store/{number}") for number, source in enumerate(sources))
    spec = SandboxSpec(("/bin/busybox", "true"), (), "/", (Mount(BUSYBOX, "/bin/busybox"), *mounts))
    peer = [BWRAP, *STRICT, "--ro-bind", BUSYBOX, "/bin/busybox"]
    for number, source in enumerate(sources):
        peer += ["--ro-bind", source, f"/store/{number}"]
    peer += ["/bin/busybox", "true"]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(timed(lambda: ignore(launcher.run(spec, on_output=ignore))))
        if BWRAP:
            theirs.append(timed(lambda: spawn(peer)))
    line = f"{len(sources) + 1:5} mounts: {summary(ours)}"
    if theirs:
        ratio = statistics.median(ours) / statistics.median(theirs)
        line += f"   bwrap {summary(theirs)}   ratio {ratio:.2f}"
    print(line, flush=True)


def ignore(value: object) -> None:
    """Take no interest."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time of one sandbox")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--mounts", default="1,20,100,1000")
    options = parser.parse_args()
    if not BUSYBOX:
        sys.exit("busybox (static) is needed")
    if not BWRAP:
        print("bwrap is not installed: no comparison")
    print(f"Python {sys.version.split()[0]}, Linux {os.uname().release}, user {os.geteuid()}")
    starts = []
    for _ in range(5):
        began = time.perf_counter()
        with Launcher() as launcher:
            ignore(launcher.facts)
            starts.append((time.perf_counter() - began) * 1000)
    print(f"start of the helper: {summary(starts)}")
    plain = [timed(lambda: spawn([BUSYBOX, "true"])) for _ in range(options.rounds)]
    print(f"plain spawn: {summary(plain)}")
    with tempfile.TemporaryDirectory() as directory, Launcher() as launcher:
        os.chmod(directory, 0o755)
        for count in (int(word) for word in options.mounts.split(",")):
            sources = [str(Path(directory, str(number))) for number in range(count - 1)]
            for source in sources:
                os.makedirs(source, exist_ok=True)
            measure(launcher, sources, max(5, min(options.rounds, 20000 // count)))


if __name__ == "__main__":
    main()
