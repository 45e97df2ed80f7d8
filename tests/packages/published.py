"""Packages in git repositories, published by tags, for tests: a mirror table says where each place is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.world import Ran, World


class Published(World):
    """A world with repositories in `base/repositories`; `base/mirror.toml` maps their URLs to them."""

    @property
    def repositories(self) -> Path:
        return self.base / "repositories"

    def git(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.test", *words],
            cwd=cwd, capture_output=True, text=True, check=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.base), "GIT_CONFIG_NOSYSTEM": "1"},
        )  # fmt: skip
        return done.stdout.strip()

    def repository(self, name: str) -> Path:
        """Return the repository at `https://NAME`, made when it is first named."""
        path = self.repositories / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.git("init", "--quiet", "--initial-branch=main", str(path))
            table = self.base / "mirror.toml"
            with open(table, "a", encoding="utf-8") as out:
                out.write("" if out.tell() else "[mirror]\n")
                out.write(f'"https://{name}" = "{path}"\n')
            self.environ["BRAMBLE_MIRROR"] = str(table)
        return path

    def publish(
        self,
        name: str,
        version: str,
        needs: Mapping[str, str] | None = None,
        *,
        directory: str = "",
        tag: str | None = None,
        copies: Mapping[str, Path] | None = None,
        **modules: str,
    ) -> str:
        """Commit a package and tag it; `needs` maps names to what stands behind `=`. Return the commit.

        `copies` maps names of files in it to what is copied there, links as links.
        """
        path = self.repository(name)
        top = path / directory
        if not directory:
            for entry in path.iterdir():
                if entry.name != ".git":
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        top.mkdir(parents=True, exist_ok=True)
        whole = f"{name}/{directory}" if directory else name
        (top / "bramble.toml").write_text(toml(whole, version, needs or {}))
        for module, text in modules.items():
            file = top / (module.replace("__", "/") + ".bramble")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for file_name, source in (copies or {}).items():
            (top / file_name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, top / file_name, follow_symlinks=False)
        self.git("add", "-A", cwd=path)
        self.git("commit", "--quiet", "--allow-empty", "-m", f"{whole} {version}", cwd=path)
        self.git("tag", "-f", tag or (f"{directory}/v{version}" if directory else f"v{version}"), cwd=path)
        return self.git("rev-parse", "HEAD", cwd=path)

    def needs(self, **needs: str) -> None:
        """Write the project's bramble.toml; `a="1.0.0"` requires example.test/a."""
        table = {f"example.test/{name}": value for name, value in needs.items()}
        (self.project / "bramble.toml").write_text(toml("example.test/app", "0.1.0", table))

    @property
    def lock(self) -> str:
        path = self.project / "bramble.lock"
        return path.read_text() if path.exists() else ""

    def evaluated(self, *words: str) -> Ran:
        return self.run("build", "--just-parse", "--json", *(words or ("./:f",)))


def toml(name: str, version: str, needs: Mapping[str, str]) -> str:
    lines = ["[package]", f'name = "{name}"', f'version = "{version}"']
    if needs:
        lines.append("[dependencies]")
    for other, value in needs.items():
        lines.append(f'"{other}" = ' + (value if value.startswith("{") else f'"{value}"'))
    return "\n".join(lines) + "\n"


def published(base: Path) -> Published:
    """Return a new world in a short directory."""
    if shutil.which("git") is None:
        pytest.skip("there is no git to make repositories with")
    world = Published(base)
    world.project.mkdir()
    (base / "home").mkdir()
    world.needs()
    return world
