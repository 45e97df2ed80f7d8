"""The built-in builder `fetch_git`: the files of one commit, without the repository. Uses the machine's git.

The output is the tree of the commit, byte for byte: git's checkout, which
goes by attributes, is not used. Submodules are empty directories, or fetched in the same way.
"""

from __future__ import annotations

import re
import time

from bramble.build.builtin import Request
from bramble.build.fetch.archives.confined import UNUSABLE, Clash, ConfinedTree, Outside, Path
from bramble.build.fetch.archives.unpack import Budget, TooLarge, UnpackLimits
from bramble.build.fetch.commit import CommitBroken, Objects, Submodules, write_commit
from bramble.build.fetch.discretion import redact, scrubbed
from bramble.build.fetch.git import Git, was_unanswered
from bramble.build.fetch.repository import Asking, open_repository, refused
from bramble.build.fetch.submodules import DEEPEST, url_of, urls_of
from bramble.build.pins import needed, wanted_directory, wants_submodules
from bramble.build.stamps import Stamp
from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.store.files.small import make_directory

_HASH = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")
_SHORT_HASH = re.compile(r"[0-9A-Fa-f]{7,63}")
_NO_REFERENCE = re.compile(r"-|@\Z|.*(?:[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{)|.*(?:/|\.lock)\Z|\Z", re.DOTALL)


@dataclass(frozen=True)
class _Part:
    """One repository that is to be fetched: the one that is asked for, or a submodule."""

    url: str
    reference: str
    directory: str = ""  # all that is taken of it; "": the whole
    top: Path = ()  # where its files go
    depth: int = 0


def make(request: Request) -> tuple[Stamp, ...]:
    """Fetch the commit that `reference` (a branch, a tag or a commit) means at `url`.

    Raises BrambleError fetch.git, fetch.git-missing, fetch.offline, fetch.timeout,
    fetch.proxy, fetch.tls, fetch.netrc, fetch.archive-*, derivation.env; Cancelled.
    """
    # spec: build.fetch-git
    url = needed("fetch_git", request.name, request.env, "url")
    reference = needed("fetch_git", request.name, request.env, "reference")
    asking = Asking(request.name, request.options, request.listener)
    try:
        inner = wants_submodules(request.name, request.env)
        directory = wanted_directory(request.name, request.env)
        _fetch(_Part(url, reference, directory), inner, request, asking)
    except BrambleError as error:
        raise scrubbed(error, asking.secrets) from None
    return ()


def _fetch(whole: _Part, inner: bool, request: Request, asking: Asking) -> None:
    """Write the files of a repository, and with `inner` those of its submodules, into the output."""
    options = asking.fetch
    until = time.monotonic() + asking.seconds
    limits = UnpackLimits(
        options.unpacked_bytes, options.unpacked_ratio, options.unpacked_members, request.listener.cancelled
    )
    budget = Budget(limits, options.unpacked_bytes)
    waiting, number = [whole], 0
    with ConfinedTree(request.output, once=True) as target:
        while waiting:
            part = waiting.pop()
            scratch = f"{request.scratch}/{number}"
            number += 1
            make_directory(scratch, 0o700)
            git, place = open_repository(part.url, asking, scratch, until - time.monotonic())
            if _NO_REFERENCE.match(part.reference):
                word = f"{part.reference!r} is not the name of a branch, a tag or a commit"
                raise refused(part.url, word)
            found = _write(git, _tree(git, place, part), part, target, budget)
            if inner:
                waiting += _submodules(git, part, found)
        if target.is_empty():
            raise git.failure("cat-file", b"the commit has no files")


def _submodules(git: Git, part: _Part, found: Submodules) -> list[_Part]:
    """Return the submodules of a repository as repositories to fetch."""
    # spec: build.fetch-git.submodules
    if not found.commits:
        return []
    said = b""
    if found.file:
        said = git.run("config", "--no-includes", f"--blob={found.file.decode()}", "--list", "-z")
    try:
        if part.depth == DEEPEST:
            raise CommitBroken(f"submodules are nested more than {DEEPEST} deep")
        urls = urls_of(said)
        return [
            _Part(url_of(path, urls, part.url), commit.decode(), "", (*part.top, *path), part.depth + 1)
            for path, commit in found.commits.items()
        ]
    except CommitBroken as error:
        raise git.failure("submodules", str(error).encode("utf-8", "surrogateescape")) from None


def _tree(git: Git, place: str, part: _Part) -> str:
    """Fetch, and return the hash of the commit's tree, or of the directory that is wanted."""
    # spec: build.fetch-git
    reference = part.reference
    is_hash = _HASH.fullmatch(reference)
    # A name may begin with a plus, or be a word of git's own ("tag"): a plus of ours makes it only a name.
    asked = reference if is_hash else f"+{reference}"
    remote = ("fetch", "--progress", "--no-tags", "--no-recurse-submodules")
    if len(reference) == 64 and is_hash:
        git.begin("sha256")
    status, said = git.ask_server(*remote, "--depth=1", "--", place, asked)
    if status and b"mismatched algorithms" in said:
        git.begin("sha256")
        status, said = git.ask_server(*remote, "--depth=1", "--", place, asked)
    if status and b"shallow" in said:
        # A server that only gives out files has no other than whole histories.
        status, said = git.ask_server(*remote, "--", place, asked)
    commit = "FETCH_HEAD"
    failure = git.failure("fetch", said)
    if status and (not _SHORT_HASH.fullmatch(reference) or was_unanswered(failure.detail)):
        raise failure
    if status:
        # Not every server gives out a commit that no branch ends in, and none by the beginning of its hash:
        # then it has to be all of them. What is not unique among them is refused (git-rev-parse(1)).
        git.run(*remote, "--", place, "+refs/*:refs/fetched/*")
        commit = reference
    failed, tree = git.ask("rev-parse", "--verify", f"{commit}^{{commit}}^{{tree}}")
    if failed:
        raise git.failure("fetch", said or tree)
    if part.directory:
        # spec: build.fetch-git.directory
        failed, tree = git.ask("rev-parse", "--verify", f"{tree.decode('ascii').strip()}:{part.directory}")
        failed = failed or git.ask("cat-file", "tree", tree.decode("ascii").strip())[0]
        if failed:
            raise git.failure("directory", f"there is no directory {part.directory} in the commit".encode())
    return tree.decode("ascii").strip()


def _write(git: Git, tree: str, part: _Part, target: ConfinedTree, budget: Budget) -> Submodules:
    """Write the files of a tree into the output, and return its submodules."""
    # spec: build.fetch-git.bytes
    try:
        with git.talking("cat-file", "--batch") as (asked, answers):
            return write_commit(tree.encode(), Objects(asked, answers), target, budget, part.top)
    except (CommitBroken, Clash, Outside) as error:
        raise git.failure("cat-file", str(error).encode()) from None
    except TooLarge as error:
        raise BrambleError(
            "fetch.archive-too-large",
            f"{redact(part.url)} {error}",
            remedy="nothing of it was stored",
        ) from None
    except BrokenPipeError:
        raise git.failure("cat-file", b"git ended too early") from None
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        raise git.failure(
            "cat-file", f"a name in the commit is not valid here: {error.strerror}".encode()
        ) from None
