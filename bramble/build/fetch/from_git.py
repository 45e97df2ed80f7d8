"""The built-in builder `fetch_git`: the files of one commit, without the repository. Uses the machine's git.

Neither the machine's configuration of git nor the person's has a say in it, and
git may ask nobody anything. What is checked out is the tree of the commit as
its own .gitattributes want it; submodules are left out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from bramble.build.builtin import Request
from bramble.build.fetch.reach import check_repository
from bramble.build.options import FetchOptions
from bramble.build.pins import needed
from bramble.build.stamps import Stamp
from bramble.build.task import Cancelled
from bramble.errors import BrambleError

_POLL = 0.1  # seconds until a cancellation is noticed
_SAFE = ("-c", "core.autocrlf=false", "-c", "core.symlinks=true", "-c", "advice.detachedHead=false")
_NETWORK = ("http", "https", "git", "ssh")


def make(request: Request) -> tuple[Stamp, ...]:
    """Fetch the commit that `reference` (a branch, a tag or a full hash) means at `url`.

    Raises BrambleError fetch.git, fetch.git-missing, fetch.offline, Cancelled.
    """
    # spec: build.fetch-git
    url = needed("fetch_git", request.name, request.env, "url")
    reference = needed("fetch_git", request.name, request.env, "reference")
    options = request.options.bounded_fetch
    place = options.mirror.get(url, url)
    if options.offline and _needs_network(place):
        raise BrambleError(
            "fetch.offline",
            f"{url} is not in the store, and nothing may be fetched while offline",
            remedy="build once with the network, or give a local copy of the repository in the mirror table",
        )
    if not _needs_network(place) and (place == url or place in options.own_mirror):
        # To git all that follows file:// is the path; others are relative to where it is started.
        path = "/" + unquote(place[len("file://") :]) if place.startswith("file://") else place
        check_repository(os.path.join(request.scratch, path), url, options.reach)
    git = _Git(request, url)
    git.run("init", "--quiet", git.repository)
    remote = ("--quiet", "--no-tags", "--no-recurse-submodules")
    if git.run("-C", git.repository, "fetch", *remote, "--depth=1", "--", place, reference, ask=True):
        # Not every server gives out a commit that no branch ends in: then it has to be all of them.
        every = "+refs/*:refs/fetched/*"
        git.run("-C", git.repository, "fetch", *remote, "--", place, every)
        git.run("-C", git.repository, "update-ref", "FETCH_HEAD", f"{reference}^{{commit}}")
    git.run("-C", git.repository, "read-tree", "FETCH_HEAD^{tree}")
    git.run("-C", git.repository, "checkout-index", "--all", f"--prefix={request.output}/")
    return ()


def _needs_network(place: str) -> bool:
    scheme = urlsplit(place).scheme if "://" in place else ""
    # host:path is ssh, unless there is a slash before the colon (git-fetch(1), GIT URLS).
    return scheme in _NETWORK or (not scheme and ":" in place.partition("/")[0])


class _Git:
    """The git of this machine, which knows nothing of this machine."""

    def __init__(self, request: Request, url: str) -> None:
        self._request = request
        self._url = url
        self.repository = f"{request.scratch}/repository"
        self._program = self._find(request.options.host_path)
        options = request.options.bounded_fetch
        self._environment = _environment(request.scratch, request.options.host_path, options)
        self._seconds = options.git_seconds if options.seconds is None else options.seconds
        self._until = time.monotonic() + self._seconds

    def run(self, *arguments: str, ask: bool = False) -> int:
        """Run git and return its exit status; raises fetch.git for a failure unless one may `ask`."""
        process = subprocess.Popen(
            [self._program, *_SAFE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self._request.scratch,
            start_new_session=True,
        )
        said = self._wait(process)
        if process.returncode and not ask:
            words = said.decode("utf-8", "replace").strip()
            raise BrambleError(
                "fetch.git",
                f'git could not get "{self._url}" ({arguments[2] if arguments[0] == "-C" else arguments[0]})',
                remedy="check the URL and the reference; `git ls-remote` shows what is there",
                detail=words,
            )
        return process.returncode

    def _wait(self, process: subprocess.Popen[bytes]) -> bytes:
        try:
            while True:
                try:
                    return process.communicate(timeout=_POLL)[0]
                except subprocess.TimeoutExpired:
                    if self._request.listener.cancelled.is_set():
                        raise Cancelled from None
                    if time.monotonic() > self._until:
                        raise self._too_long() from None
        finally:
            if process.poll() is None:
                # It has children of its own, for https and ssh.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def _too_long(self) -> BrambleError:
        # spec: build.fetch.patience
        return BrambleError(
            "fetch.timeout",
            f'git took longer than {self._seconds:g} seconds for "{self._url}"',
            remedy="give it longer (--timeout), or a local copy in the mirror table",
        )

    def _find(self, host_path: Sequence[str]) -> str:
        for directory in host_path:
            path = f"{directory}/git"
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        raise BrambleError(
            "fetch.git-missing",
            f'"{self._request.name}" needs git, which this machine does not have',
            remedy="install git, or fetch an archive of the commit with fetch_url",
        )


def _environment(home: str, host_path: Sequence[str], options: FetchOptions) -> Mapping[str, str]:
    slow = max(round(options.timeout), 1)
    variables = {
        "PATH": ":".join(host_path),
        "HOME": home,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_SSH_COMMAND": f"ssh -oBatchMode=yes -oConnectTimeout={slow} -oServerAliveInterval={slow}",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": f"{slow}",
    }
    for name in ("http", "https", "no"):
        if options.proxies.get(name):
            variables[f"{name}_proxy"] = options.proxies[name]
    if options.ca_file:
        variables["GIT_SSL_CAINFO"] = options.ca_file
    return variables
