"""An installation by pip, without a network: what people get of it, whichever way they came by it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble import __version__
from bramble.self.pack import pack
from bramble.self.tree import source_tree

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "import os\nos.write(2, b'code of somebody else ran')\nos._exit(3)\n"
# All that Python or Bramble could look for while it starts.
NAMES = ("argparse", "hashlib", "json", "signal", "gc", "tomllib", "secrets", "shutil")
EVERY = (*NAMES, "re", "runpy", "os", "__future__", "sitecustomize", "usercustomize", "bramble", "typing")


class Installed:
    """A virtual environment with Bramble in it."""

    def __init__(self, base: Path) -> None:
        self.base, self.venv = base, base / "venv"
        self.home = base / "home"
        self.home.mkdir()
        subprocess.run([sys.executable, "-m", "venv", str(self.venv)], check=True)

    def install(self, *words: str) -> None:
        """Run pip as on a machine without a network."""
        pip = [str(self.venv / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "install", "-q", "--no-index", "--no-cache-dir", *words],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.home), **more}

    def run(self, *words: str, cwd: Path | None = None, **more: str) -> str:
        """Run a program of the environment, which has to succeed; return what it prints, of both streams."""
        done = subprocess.run(
            [str(self.venv / "bin" / words[0]), *words[1:]],
            cwd=cwd or self.base,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    found = Installed(tmp_path_factory.mktemp("installed"))
    before = sorted(os.listdir(ROOT))
    found.install(str(ROOT))
    # The clone has nothing in it that was not there.
    assert sorted(os.listdir(ROOT)) == before
    yield found


def hostile(directory: Path, names: tuple[str, ...]) -> Path:
    directory.mkdir()
    for name in names:
        (directory / f"{name}.py").write_text(HOSTILE)
    return directory


def test_pip_makes_the_command(installed: Installed) -> None:
    # spec: self.wheel.backend
    assert installed.run("bramble", "version").startswith(f"bramble {__version__}")
    assert installed.run("python", "-m", "bramble", "version").startswith(f"bramble {__version__}")
    where = installed.run("python", "-c", "import bramble; print(bramble.__file__)")
    assert where.startswith(str(installed.venv))


def test_an_installed_package_explains_errors_with_their_rules(installed: Installed) -> None:
    # spec: cli.explain.rule
    assert "the rule dialect.load.cycle in 03-dialect.md" in installed.run("bramble", "explain", "load.cycle")


def test_an_installed_package_makes_the_same_one_file(installed: Installed) -> None:
    # spec: self.wheel
    installed.run("bramble", "self", "pack", "one")
    assert (installed.base / "one").read_bytes() == pack(source_tree())


def test_pip_knows_every_file_that_it_has_installed(installed: Installed) -> None:
    # spec: self.wheel.info
    program = (
        "from importlib.metadata import distribution\nfound = distribution('bramble')\n"
        "print(len([f for f in found.files if f.hash and f.locate().stat().st_size != f.size]))\n"
        "print([point.value for point in found.entry_points], found.metadata['License-Expression'])"
    )
    told = installed.run("python", "-c", program)
    assert told == "0\n['bramble.__main__:start'] MIT\n"


def test_a_command_says_how_it_is_removed(installed: Installed) -> None:
    # spec: self.uninstall.program
    told = installed.run("bramble", "self", "uninstall", "--dry-run")
    assert f"{installed.venv}/bin/python" in told and "-m pip uninstall bramble" in told


@pytest.mark.parametrize("way", ["wheel", "editable"])
def test_the_command_runs_no_code_of_the_directory_or_of_a_path(installed: Installed, way: str) -> None:
    # spec: cli.modules
    if way == "editable":
        installed.install("-e", str(ROOT))
        where = installed.run("python", "-c", "import bramble; print(bramble.__file__)")
        assert where == f"{ROOT / 'bramble/__init__.py'}\n"
        assert "-m pip uninstall" in installed.run("bramble", "self", "uninstall", "--dry-run")
    here = hostile(installed.base / f"here-{way}", EVERY)
    path = hostile(installed.base / f"path-{way}", NAMES)
    assert installed.run("bramble", "version", cwd=here).startswith(f"bramble {__version__}")
    assert installed.run("bramble", "version", PYTHONPATH=str(path)).startswith(f"bramble {__version__}")
    # What the environment holds beside Bramble is not Bramble's, either.
    library = Path(
        installed.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (library / "tomllib.py").write_text(HOSTILE)
    (library / "termios.py").write_text(HOSTILE)
    assert installed.run("bramble", "version").startswith(f"bramble {__version__}")
