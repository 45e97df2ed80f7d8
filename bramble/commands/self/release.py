"""`bramble self release`: writes the files of a release into a directory."""

from __future__ import annotations

import os
import subprocess
from typing import Optional

from bramble.commands.context.written import unwritable, write_file
from bramble.errors import BrambleError
from bramble.project.access import read_anywhere
from bramble.record import dataclass
from bramble.self.release import CHECK, SIGN, Artifact, release
from bramble.self.repository import TOP, checkout, read_repository
from bramble.self.tree import source_tree

__all__ = ["CHECK", "SIGN", "Artifact", "Released", "write_release"]

_PATIENCE = 60  # seconds for git
_GIT_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Released:
    """The files of a release, and whether the checkout has what is not committed (None: git does not say)."""

    artifacts: tuple[Artifact, ...]
    uncommitted: Optional[bool]


def write_release(directory: str) -> Released:
    """Write the files of a release into a directory, which is made if need be.

    A file that is there with the same bytes is left alone.

    Raises BrambleError: self.no-checkout; self.release-differs before anything is written, when a file of
    the release is there with other bytes; cli.unwritable; and as `source_tree` and `release` do.
    """
    # spec: self.release
    top = checkout()
    if top is None:
        raise BrambleError(
            "self.no-checkout",
            "a release holds the tests and the suite, and this Bramble does not run from a checkout",
            remedy="run it in a clone, or in an unpacked source distribution; `bramble self pack` makes the "
            "one file anywhere",
        )
    artifacts = release(source_tree(), read_repository(top))
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error.strerror) from error
    missing = [artifact for artifact in artifacts if not _is_there(directory, artifact)]
    # The sums are the last of them: where they are, everything is.
    for artifact in missing:
        path = os.path.join(directory, artifact.name)
        write_file(path, artifact.data, mode=0o755 if artifact.executable else 0o644)
    return Released(artifacts, _uncommitted(top))


def _is_there(directory: str, artifact: Artifact) -> bool:
    """Return whether the file is there; raise self.release-differs where something else is."""
    # spec: self.release.kept
    path = os.path.join(directory, artifact.name)
    if not os.path.lexists(path):
        return False
    try:
        same = not os.path.islink(path) and read_anywhere(path, len(artifact.data) + 1) == artifact.data
    except OSError:
        same = False
    if not same:
        raise BrambleError(
            "self.release-differs",
            f"{path} exists, and is not the {artifact.name} of this source",
            remedy="name a new directory; existing releases are not changed",
        )
    return True


def _uncommitted(top: str) -> Optional[bool]:
    """Return whether git sees a change in a checkout; None without git or a repository."""
    # spec: self.release.uncommitted
    if not os.path.lexists(os.path.join(top, ".git")):
        return None
    try:
        done = subprocess.run(
            ["git", "-C", top, "status", "--porcelain", "--", *TOP],
            env={"PATH": _GIT_PATH, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return bool(done.stdout) if done.returncode == 0 else None
