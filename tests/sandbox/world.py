"""A small world to build sandboxes in: directories of the user who asks, static programs, a secret."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

import bramble
from bramble.sandbox import facts
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from bramble.store.layout.medium import mount_of
from tests.sandbox import rawcalls

ORDINARY = 61234  # a user that no machine has
BUSYBOX = shutil.which("busybox") or ""
NO_BUSYBOX = "busybox (static) is not installed: the payloads of these tests are its programs"
SECRET = "the-secret-of-the-host"


def static(path: str) -> bool:
    """Return whether a program runs without a loader."""
    if not path:
        return False
    result = subprocess.run([path, "true"], capture_output=True, env={}, check=False)
    with open(path, "rb") as file:
        return result.returncode == 0 and b"ld-linux" not in file.read(8192)


def as_json(spec: SandboxSpec) -> dict[str, Any]:
    """Return a wish as `worker.spec_of` takes it."""
    mounts = [mount._asdict() for mount in spec.mounts]
    return {**spec._asdict(), "mounts": mounts, "limits": spec.limits._asdict()}


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a sandbox: the outcome or the error, and the output."""

    kind: str
    code: int
    limit: str
    error: Optional[dict[str, Any]]
    output: bytes

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "backslashreplace")

    @property
    def failed(self) -> str:
        """The code of the error, empty if there was none."""
        return "" if self.error is None else str(self.error["error"])


class Asker:
    """A user who asks for sandboxes: a worker process of theirs, which holds a launcher."""

    def __init__(
        self,
        user: str,
        home: str,
        *,
        lost: Optional[dict[str, int]] = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.user = user
        self.lost = lost or {}  # system calls that the worker is to lose, with their errno
        self.prefix = prefix  # of the worker's command line
        self.uid = int(user) if user else os.geteuid()
        self.home = home
        self.process: Optional[subprocess.Popen[str]] = None

    def start(self) -> subprocess.Popen[str]:
        """Return the worker, started if it is not running."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [
                    *self.prefix,
                    *(interpreter(self.user), "-B", f"{self.home}/code/worker.py", f"{self.home}/code"),
                    *(self.user, json.dumps(self.lost)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd="/",
            )
        return self.process

    def ask(self, spec: SandboxSpec, cancel_after: Optional[float]) -> Result:
        """Run one sandbox in the worker."""
        worker = self.start()
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(json.dumps({"spec": as_json(spec), "cancel_after": cancel_after}) + "\n")
        worker.stdin.flush()
        answer = json.loads(worker.stdout.readline())
        return Result(**{**answer, "output": answer["output"].encode("latin-1")})

    def stop(self) -> None:
        if self.process is not None:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.close()
            self.process.wait(20)
            self.process.stdout.close()
            self.process = None


def interpreter(user: str) -> str:
    """Return a Python that `user` can execute; an empty text when there is none."""
    for candidate in (
        sys.executable,
        os.path.realpath(sys.executable),
        "/usr/bin/python3",
        "/usr/local/bin/python3",
    ):
        test = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]
        try:
            become = {} if not user else {"user": int(user), "group": int(user), "extra_groups": []}
            if subprocess.run(test, capture_output=True, check=False, cwd="/", **become).returncode == 0:  # type: ignore[call-overload]
                return candidate
        except OSError:
            continue
    return ""


def make_home(user: str) -> str:
    """Return a new directory that `user` owns, with the code under test, where others cannot look."""
    home = tempfile.mkdtemp(prefix="bramble-sandbox-")
    os.chmod(home, 0o755)
    package = Path(bramble.__file__).parent
    code = Path(home, "code")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package / "sandbox", code / "bramble" / "sandbox", ignore=ignore)
    for path in package.glob("*.py"):
        shutil.copy(path, code / "bramble" / path.name)
    shutil.copy(Path(__file__).with_name("worker.py"), code)
    programs = Path(home, "programs")
    programs.mkdir()
    shutil.copy(BUSYBOX, programs / "busybox")
    for name in subprocess.run(
        [BUSYBOX, "--list"], capture_output=True, text=True, check=True
    ).stdout.split():
        # Without `env`, or every world had a /usr/bin with it (spec: sandbox.programs).
        if name not in ("busybox", "env"):
            os.symlink("busybox", programs / name)
    own(home, user)
    return home


def owners_can_be_shown(path: Union[str, Path]) -> bool:
    """Return whether the kernel can show another owner on this file system; on tmpfs since Linux 6.3."""
    kind, _ = mount_of(
        os.path.realpath(path), Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    )
    return kind != "tmpfs" or facts.kernel_release() >= (6, 3)


def own(path: Union[str, Path], user: str) -> None:
    """Give a tree to `user`, if it is not the caller."""
    if user:
        for directory, names, files in os.walk(path):
            for name in (directory, *(os.path.join(directory, name) for name in (*names, *files))):
                os.chown(name, int(user), int(user), follow_symlinks=False)


class World:
    """One test's world: directories `input` (shown read-only), `out` (writable) and `private` (not shown)."""

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.user = asker.user
        self.path = Path(tempfile.mkdtemp(prefix="world-", dir=asker.home))
        self.path.chmod(0o755)
        for name in ("input", "out", "private"):
            (self.path / name).mkdir()
        (self.path / "input" / "file").write_text("given\n")
        (self.path / "private" / "secret").write_text(SECRET)
        self.settle()

    @property
    def input(self) -> Path:
        return self.path / "input"

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def private(self) -> Path:
        return self.path / "private"

    def settle(self) -> None:
        """Give what a test has put into the world to the user who asks."""
        own(self.path, self.user)

    def mounts(self) -> tuple[Mount, ...]:
        return (
            Mount(f"{self.asker.home}/programs", "/bin"),
            Mount(str(self.input), "/input"),
            Mount(str(self.out), "/out", writable=True),
        )

    def spec(self, argv: Sequence[str], **wish: Any) -> SandboxSpec:
        """Return a wish with this world's mounts."""
        more = tuple(wish.pop("more", ()))
        defaults: dict[str, Any] = {"env": (("PATH", "/bin"),), "cwd": "/tmp", "mounts": self.mounts() + more}
        defaults["limits"] = Limits(seconds=20)
        return SandboxSpec(tuple(argv), **{**defaults, **wish})

    def run(self, script: str, *, cancel_after: Optional[float] = None, **wish: Any) -> Result:
        """Run a shell script in a sandbox."""
        return self.execute(("/bin/sh", "-c", script), cancel_after=cancel_after, **wish)

    def execute(self, argv: Sequence[str], *, cancel_after: Optional[float] = None, **wish: Any) -> Result:
        """Run a program in a sandbox."""
        return self.asker.ask(self.spec(argv, **wish), cancel_after)

    def calls(self, *calls: tuple[Any, ...], **wish: Any) -> list[int]:
        """Make system calls in a sandbox and return their results, -errno for failures."""
        result = self.execute(("/input/calls",), **self.put_program(rawcalls.program(calls), wish))
        assert result.kind == "exited", result
        return rawcalls.results(result.output)

    def put_program(self, program: bytes, wish: dict[str, Any]) -> dict[str, Any]:
        """Put a program at /input/calls."""
        path = self.input / "calls"
        path.write_bytes(program)
        path.chmod(0o755)
        self.settle()
        return wish
