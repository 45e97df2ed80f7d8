"""Worlds for tests: derivations in a line, a launcher that starts nothing, a store that goes away."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import unittest
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from bramble.build.engine import BuildOptions, BuildReport, FetchOptions, build
from bramble.build.events import Event, Failed, Finished, Started
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError
from bramble.sandbox.launch import Launcher, Outcome
from bramble.sandbox.spec import SandboxSpec
from bramble.store.disk import Store

PLATFORM = "linux-amd64" if os.uname().machine == "x86_64" else "linux-arm64"
parse = Template.parse


def derivation(name: str, builder: str = "./build", args: Sequence[str] = (), **more: Any) -> Derivation:
    """A derivation written as a person would write it."""
    env: Mapping[str, str] = more.pop("env", {})
    files: Optional[Sequence[str]] = more.pop("files", None)
    location: str = more.pop("location", "")
    if files is not None:
        more["sources"] = Sources(location=location, files=tuple(sorted(files)))
    return Derivation(
        name,
        parse(builder),
        args=tuple(parse(arg) for arg in args),
        env=tuple((key, parse(value)) for key, value in sorted(env.items())),
        **more,
    )


def ref(of: Derivation, output: str = "out") -> str:
    """An output of a derivation as its text."""
    return str(OutputRef(of.id, output))


@dataclass
class FakeBuild:
    """What a fake builder gets: the host's directories of its build, and a way to write its log."""

    spec: SandboxSpec
    outputs: Mapping[str, str]  # variable → directory
    directory: str  # the build directory
    say: Callable[[bytes], None]
    cancelled: Optional[threading.Event]

    def write(self, text: str, file: str = "file", output: str = "out") -> None:
        """Put a file into an output."""
        with open(os.path.join(self.outputs[output], file), "w") as out:
            out.write(text)


Script = Callable[[FakeBuild], Optional[Outcome]]


def write_name(it: FakeBuild) -> None:
    """What a fake build does unless it is told otherwise: it puts its name into every output."""
    for output in it.outputs:
        it.write(it.spec.argv[1], output=output)


@dataclass
class FakeLauncher:
    """Runs Python functions in the place of builders; `args[0]` of a derivation says which."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    specs: list[SandboxSpec] = field(default_factory=list)
    running: int = 0
    most: int = 0
    closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FakeLauncher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        assert self.running == 0, "closed while something ran"
        self.closed = True

    def run(
        self,
        spec: SandboxSpec,
        *,
        on_output: Callable[[bytes], None],
        cancelled: Optional[threading.Event] = None,
    ) -> Outcome:
        name = spec.argv[1] if len(spec.argv) > 1 else ""
        sources = {mount.target: mount.source for mount in spec.mounts if mount.writable}
        outputs = {key: sources[value] for key, value in spec.env if value in sources}
        build_directory = spec.mounts[0].source
        with self.lock:
            self.ran.append(name)
            self.specs.append(spec)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            script = self.scripts.get(name, write_name)
            return script(FakeBuild(spec, outputs, build_directory, on_output, cancelled)) or Outcome(
                "exited", 0
            )
        finally:
            with self.lock:
                self.running -= 1


def until_cancelled(it: FakeBuild) -> Outcome:
    """A build that ends only when it is told to."""
    assert it.cancelled is not None
    if not it.cancelled.wait(30):
        raise AssertionError("nobody cancelled")
    return Outcome("cancelled", 9)


def remove(directory: str) -> None:
    """Remove a tree in which directories are read-only."""
    for top, directories, _ in os.walk(directory):
        for name in directories:
            path = os.path.join(top, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(directory)


class World(unittest.TestCase):
    """A store of its own for each test, and everything that was said about a build."""

    real = False

    def setUp(self) -> None:
        # Short, for the store's sake: its root may have 47 bytes.
        self.top = tempfile.mkdtemp(prefix="b", dir="/tmp")
        self.addCleanup(remove, self.top)
        self.store = Store.open(os.path.join(self.top, "s"))
        self.addCleanup(self.store.close)
        self.project = os.path.join(self.top, "project")
        os.mkdir(self.project)
        self.events: list[Event] = []
        self.launcher = FakeLauncher()
        self.launchers = 0
        self.cancelled = threading.Event()
        self.on_event: Callable[[Event], None] = self.events.append

    def source(self, name: str, text: str = "", mode: int = 0o644) -> None:
        """Write a file of the project."""
        path = os.path.join(self.project, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, mode)

    def launch(self) -> Any:
        self.launchers += 1
        return Launcher() if self.real else self.launcher

    def build(
        self,
        *roots: Derivation,
        among: Sequence[Derivation] = (),
        pins: Optional[Mapping[str, str]] = None,
        fetch: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> BuildReport:
        """Build `roots`, whose dependencies are `among`."""
        quick = {"timeout": 5.0, "pause": 0.01, "attempts": 2}
        chosen = BuildOptions(
            launcher=self.launch,
            fetch=FetchOptions(**{**quick, **(fetch or {})}),
            **{"jobs": 2, "platform": PLATFORM, **options},
        )
        self.events.clear()
        return build(
            DerivationGraph.of((*among, *roots)),
            [root.id for root in roots],
            store=self.store,
            source_roots={"": self.project},
            pins=pins or {},
            options=chosen,
            on_event=self.on_event,
            cancelled=self.cancelled,
        )

    def built(self, *roots: Derivation, **more: Any) -> BuildReport:
        """Build, and expect no failure."""
        report = self.build(*roots, **more)
        for failure in report.failures:
            raise failure.error
        return report

    def failure(self, root: Derivation, code: str, **more: Any) -> BrambleError:
        """Build, and expect just this failure of just this derivation; nothing may be left behind."""
        report = self.build(root, **more)
        self.assertEqual([(it.name, it.error.code) for it in report.failures], [(root.name, code)])
        self.assertTrue(report.failures[0].error.remedy)
        self.assertNothingLeft(kept=bool(more.get("keep_failed")))
        return report.failures[0].error

    def assertNothingLeft(self, *, kept: bool = False) -> None:
        """No workspace, no half-written object, no directory under a temporary name."""
        work = os.listdir(os.path.join(self.store.var, "work"))
        self.assertEqual(work, [])
        names = os.listdir(self.store.directory)
        for name in names:
            if not name.endswith(".drv"):
                self.assertTrue(self.store.object(name))

    def file(self, report: BuildReport, of: Derivation, name: str = "file", output: str = "out") -> str:
        """The text of a file in an output."""
        path = self.store.object_path(report.names[OutputRef(of.id, output)])
        with open(os.path.join(path, name)) as it:
            return it.read()

    def said(self, *kinds: type) -> list[Any]:
        """The events of these kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    def story(self) -> list[str]:
        """The events in short: what was started, finished, cached and failed."""
        told = []
        for event in self.events:
            if isinstance(event, Started):
                told.append("start " + event.name)
            elif isinstance(event, Finished):
                told.append(("cached " if event.cached else "built ") + event.name)
            elif isinstance(event, Failed):
                told.append("failed " + event.name)
        return told

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Wait until something is true."""
        until = time.monotonic() + 30
        while not what():
            if time.monotonic() > until:
                raise AssertionError("it did not happen")
            time.sleep(0.005)
