"""`bramble doctor`: what this machine allows, what it forbids, and the line that would change it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Optional

from bramble.build.fetch.discretion import redact
from bramble.build.fetch.git import find_git
from bramble.build.options import HOST_PATH
from bramble.commands.context.evaluating import MODULES
from bramble.commands.context.opening import open_store, root_of
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.recall.answers import ANSWERS, EVALUATIONS
from bramble.recall.kept import Kept
from bramble.sandbox import probe
from bramble.sandbox.launch import Launcher
from bramble.sandbox.layout import OWN_AREAS
from bramble.sandbox.probe import Finding
from bramble.sandbox.spec import SandboxSpec
from bramble.store.disk import Store
from bramble.store.layout.medium import LAYERS, MEMORY, NETWORKS, Medium, mount_of
from bramble.store.layout.medium import examine as examine_medium

__all__ = ["Finding", "examine"]

OLDEST_PYTHON = (3, 9)
_SPACE_WANTED = 1 << 30
_ELSEWHERE = "set BRAMBLE_PATH to a directory of another file system"
# What it cannot do → whether builds can do without, the fact, what to change.
_LACKS: Mapping[str, tuple[Optional[bool], str, str]] = {
    "execution": (
        False,
        "it is mounted noexec: no builder in the store can be executed",
        f"mount -o remount,exec, or {_ELSEWHERE}",
    ),
    "links": (False, "it has no symbolic links, which most outputs hold", _ELSEWHERE),
    "case": (
        False,
        "it does not distinguish upper and lower case in names: outputs would lose files",
        _ELSEWHERE,
    ),
    "modes": (False, "it does not keep the modes of files", _ELSEWHERE),
    "names": (False, "it changes some file names", _ELSEWHERE),
    "locks": (
        False,
        "it has no locks: two commands that use the store at the same time would harm each other",
        _ELSEWHERE,
    ),
    "hard links": (None, "it has no hard links: bramble store optimise saves nothing", _ELSEWHERE),
}
_FOREIGN = frozenset({"fuse", "fuseblk", "vboxsf", "drvfs"})
_KINDS = (
    (
        NETWORKS,
        "it is a network file system: slow for many small files, and other machines must not use the store",
        _ELSEWHERE + " of this machine",
    ),
    (LAYERS, "it is the layer of a container, and is removed with it", "mount a volume for the store"),
    (MEMORY, "it is in memory: it uses memory, and is lost when the machine restarts", _ELSEWHERE),
    (_FOREIGN, "it is provided by a program (FUSE), which decides what survives a crash", _ELSEWHERE),
)


def examine(setting: Setting) -> tuple[Finding, ...]:
    """Return what was found; builds can run when no finding has `good` False (spec: cli.doctor)."""
    return (
        _python(),
        *_sandbox(),
        *_store(setting),
        _cache(setting),
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
    try:
        with Launcher() as started:
            return sandbox_findings(started)
    except BrambleError as error:
        return (Finding("sandbox", False, error.message, error.remedy or ""),)


def _store(setting: Setting) -> tuple[Finding, ...]:
    store: Optional[Store] = None
    try:
        root = root_of(setting)
        own = os.path.normpath(root).split("/")[1]
        if own in OWN_AREAS:
            # spec: sandbox.mounts
            fact = f"{root}: builds cannot see a store there, since every sandbox has a /{own} of its own"
            return (Finding("store", False, fact, "set BRAMBLE_PATH to a directory elsewhere"),)
        length = f"{root}, {len(os.fsencode(root))} of at most 47 bytes"
        store = open_store(setting, create=False)
        directory = store.directory
    except BrambleError as error:
        if error.code != "store.missing":
            return (Finding("store", False, error.message, error.remedy or ""),)
        # spec: cli.store.asking
        directory = _above(root)
        length += "; it does not exist yet; the first build makes it"
    usage = shutil.disk_usage(directory)
    free = Finding(
        "disk",
        usage.free >= _SPACE_WANTED,
        f"{usage.free / (1 << 30):.1f} GiB free for the store",
        "" if usage.free >= _SPACE_WANTED else "bramble gc, or set BRAMBLE_PATH to a larger disk",
    )
    return (Finding("store", True, length), free, *_medium(store, directory))


def _above(path: str) -> str:
    """Return the nearest directory above that is there."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _medium(store: Optional[Store], directory: str) -> tuple[Finding, ...]:
    """Return what the file system of the store is, and what about it matters.

    If there is no store yet, the `directory` in which it would be created is tested.
    """
    # spec: cli.doctor.medium
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mountinfo = file.read()
    if store is not None and store.read_only:
        kind, options = mount_of(os.path.realpath(directory), mountinfo)
        return medium_findings(Medium(kind, options))
    try:
        with contextlib.ExitStack() as stack:
            if store is not None:
                place = stack.enter_context(store.workspace()).path
            else:
                place = stack.enter_context(tempfile.TemporaryDirectory(prefix=".bramble-", dir=directory))
            return medium_findings(examine_medium(place, mountinfo))
    except BrambleError as error:
        return (Finding("file system", False, error.message, error.remedy or ""),)
    except OSError as error:
        remedy = f"make {directory} writable, or set BRAMBLE_PATH to another directory"
        return (Finding("store", False, f"no store can be made in {directory}: {error.strerror}", remedy),)


def medium_findings(medium: Medium) -> tuple[Finding, ...]:
    """Return the file system as one finding, and one more for everything that matters about it."""
    found = [Finding("file system", None, f"{medium.kind} ({','.join(medium.options) or 'no options'})")]
    found += [Finding("file system", *_LACKS[what]) for what in medium.lacks]
    for kinds, fact, remedy in _KINDS:
        if medium.kind in kinds or (kinds is _FOREIGN and medium.kind.startswith("fuse")):
            found.append(Finding("file system", None, fact, remedy))
    return tuple(found)


def _cache(setting: Setting) -> Finding:
    """Return where the cache is, how large, and whether it can be used."""
    # spec: recall.doctor
    if setting.cache is None:
        remedy = "set XDG_CACHE_HOME to an absolute path"
        return Finding("cache", None, "there is no home directory for the cache: commands are slower", remedy)
    unusable = [
        f"{setting.cache}/{name}"
        for name in (MODULES, ANSWERS, EVALUATIONS)
        if not Kept(os.path.dirname(setting.cache), (os.path.basename(setting.cache), name)).usable()
    ]
    if unusable:
        fact = f"{', '.join(unusable)} cannot be used: other users can write to it; commands are slower"
        return Finding("cache", None, fact, f"chown or chmod it, or remove {setting.cache}")
    size = sum(_sizes(setting.cache))
    return Finding("cache", None, f"{setting.cache}, {size / (1 << 20):.1f} MiB")


def _sizes(directory: str) -> Iterator[int]:
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(os.path.join(folder, name)).st_size


def _git() -> Finding:
    try:
        program = find_git("doctor", HOST_PATH)
    except BrambleError:
        return Finding("git", None, "not installed: fetch_git cannot work", "install git")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return Finding("git", None, version.stdout.strip() or program)


def _proxies(setting: Setting) -> Finding:
    if not setting.proxies:
        return Finding("proxies", None, "none")
    shown = [f"{scheme}: {redact(url)}" for scheme, url in sorted(setting.proxies.items())]
    return Finding("proxies", None, ", ".join(shown))


def sandbox_findings(launcher: Launcher) -> tuple[Finding, ...]:
    """Return what this machine allows, for `bramble doctor`: settings, and a sandbox that is really made.

    Builds can run when no finding has `good` False.
    """
    found = list(probe.settings_findings(probe.read_settings()))
    abi = 0
    tried: Optional[BrambleError] = None
    try:
        abi = launcher.facts.landlock
        # Every step is taken; that the last one finds no program is the sign that all others went well.
        launcher.run(SandboxSpec(("/nothing",), (), "/", ()), on_output=lambda data: None)
    except BrambleError as error:
        tried = error
    sandbox = probe.sandbox_finding(tried)
    if sandbox.good:
        # What works outweighs what a setting seems to forbid.
        found = [finding for finding in found if finding.good is not False]
    return (*found, sandbox, probe.landlock_finding(abi), probe.group_finding())
