"""A private world for a command line: a store, a home, a project, and the program run in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import forked

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Ran:
    """What one command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.err.splitlines() if line.startswith('{"error"')]

    @property
    def codes(self) -> list[str]:
        return [error["error"] for error in self.errors]


@dataclass
class World:
    """`base` is a short directory; the store is below it, and `project` is where commands run."""

    base: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.base / "s"

    @property
    def project(self) -> Path:
        return self.base / "p"

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.base / "home"),
            "PYTHONPATH": str(ROOT),
            "BRAMBLE_PATH": str(self.store),
            "BRAMBLE_ERROR_FORMAT": "json",
            **self.environ,
            **more,
        }

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "bramble", *words]

    def run(self, *words: str, cwd: Path | None = None, stdin: bytes = b"", **more: str) -> Ran:
        """Run a command to its end: forked where that is the same (see `forked`), and started otherwise."""
        directory, environment = cwd or self.project, self.environment(**more)
        if forked.possible(str(directory), environment) and not stdin:
            with open(os.devnull, "rb") as nothing:
                done = forked.run(
                    words,
                    directory=str(directory),
                    environment=environment,
                    stdin=nothing.fileno(),
                    seconds=120,
                )
        else:
            done = subprocess.run(
                self.command(*words),
                cwd=directory,
                input=stdin,
                capture_output=True,
                env=environment,
                timeout=120,
                check=False,
            )
        return Ran(
            done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    def start(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def write(self, **files: str) -> None:
        """Write files of the project: `default="…"` is default.bramble, `lib__x` is lib/x.bramble."""
        for name, text in files.items():
            path = self.project / (name.replace("__", "/") + ".bramble")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def objects(self) -> set[str]:
        directory = os.path.realpath(self.store / "store")
        if not os.path.isdir(directory):
            return set()
        return {name for name in os.listdir(directory) if len(name) == 32}


def remove_store(base: Path) -> None:
    """Remove a directory with a store in it, whose directories are read-only."""
    for directory, names, _ in os.walk(base):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(base)
