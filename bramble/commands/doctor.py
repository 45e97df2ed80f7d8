"""`bramble doctor`: what this machine allows, what it forbids, and the line that would change it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys

from bramble.commands.setting import Setting
from bramble.errors import BrambleError
from bramble.sandbox.launch import Launcher
from bramble.sandbox.launch import examine as sandbox_findings
from bramble.sandbox.probe import Finding
from bramble.store.disk import Store

__all__ = ["Finding", "examine"]

OLDEST_PYTHON = (3, 9)
_SPACE_WANTED = 1 << 30


def examine(setting: Setting) -> tuple[Finding, ...]:
    """Return what was found; builds can run when no finding has `good` False (spec: cli.doctor)."""
    return (
        _python(),
        *_sandbox(),
        *_store(setting.store_root),
        _git(),
        _proxies(setting),
    )


def _python() -> Finding:
    version = platform.python_version()
    good = sys.version_info >= OLDEST_PYTHON
    return Finding(
        "python", good, f"{version}, {sys.executable}", "" if good else "install Python 3.9 or newer"
    )


def _sandbox() -> tuple[Finding, ...]:
    with Launcher() as started:
        return sandbox_findings(started)


def _store(root: str) -> tuple[Finding, ...]:
    try:
        store = Store.open(root)
    except BrambleError as error:
        return (Finding("store", False, error.message, error.remedy or ""),)
    usage = shutil.disk_usage(store.directory)
    free = Finding(
        "disk",
        usage.free >= _SPACE_WANTED,
        f"{usage.free / (1 << 30):.1f} GiB free for the store",
        "" if usage.free >= _SPACE_WANTED else "bramble gc, or set BRAMBLE_PATH to a larger disk",
    )
    return (Finding("store", True, f"{root}, {len(os.fsencode(root))} of at most 47 bytes"), free)


def _git() -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("git", None, "not installed: fetch_git cannot work", "install git")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return Finding("git", None, version.stdout.strip() or program)


def _proxies(setting: Setting) -> Finding:
    if not setting.proxies:
        return Finding("proxies", None, "none")
    return Finding(
        "proxies", None, ", ".join(f"{scheme}: {url}" for scheme, url in sorted(setting.proxies.items()))
    )
