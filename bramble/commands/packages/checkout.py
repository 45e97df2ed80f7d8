"""Asking the user's git about their project, and having nothing run that its repository names.

A project may be a stranger's, and came perhaps with its `.git`: whose configuration can name programs for
git to run when it compares a file (gitattributes(5), `filter`), or when an object is not there, to fetch it
(`extensions.partialClone`).
"""

from __future__ import annotations

import re
import subprocess

from bramble.commands.context.search import find_program, search_path
from bramble.errors import BrambleError

_SECONDS = 60
_OPTIONS = ("--no-pager", "--no-optional-locks", "-c", "core.fsmonitor=false")
_FILTERS = r"^filter\..*\.(clean|process)$"
_KEY = re.compile(r"(filter\.[^=\n]*\.)(?:clean|process)", re.DOTALL)
# No protocol is called so: what is not here is not fetched. Only newer versions know of the first one.
_NOTHING_IS_FETCHED = ("GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none")


def git(root: str, *words: str, fails: bool = False) -> str:
    """Run git in the project at `root`, and return what it says; where it may fail, `fails`, "" then.

    Nothing that the repository names is run if the words compare no files. Raises packages.no-repository.
    """
    # spec: registry.client.checks
    env, program = find_program("env"), find_program("git")
    if env is None or program is None:
        raise BrambleError("packages.no-repository", "there is no git", remedy="install git, and try again")
    try:
        done = subprocess.run(
            [env, f"PATH={search_path()}", *_NOTHING_IS_FETCHED, program, *_OPTIONS, *words],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise BrambleError(
            "packages.no-repository", f"git cannot be asked: {error}", remedy="install git, and try again"
        ) from None
    if done.returncode and fails:
        return ""
    if done.returncode:
        raise BrambleError(
            "packages.no-repository",
            f"{root} is not in a git repository, or in one that git does not read",
            remedy="a registry fetches packages from git: git init, commit, push",
            detail=done.stderr.decode("utf-8", "replace").strip(),
        )
    return done.stdout.decode("utf-8", "surrogateescape")


def has_changes(root: str) -> bool:
    """Return whether something in the project is not committed, or may not be. Raises packages.no-repository.

    Filters are left out, also the user's own: whose they are is not always known.
    """
    named = git(root, "config", "-z", "--name-only", "--get-regexp", _FILTERS, fails=True)
    keys = [_KEY.fullmatch(name) for name in named.split("\0") if name]
    without = []
    for key in keys:
        if key is None:
            # It could not be overridden by an option, which ends the name at "=".
            return True
        without += [word for end in ("clean", "process") for word in ("-c", f"{key[1]}{end}=")]
        without += ["-c", f"{key[1]}required=false"]
    return bool(git(root, *without, "status", "--porcelain", "--ignore-submodules=all", "--", ".").strip())
