"""The built-in builder `fetch_git`: the files of one commit, without the repository. Uses the machine's git.

What comes out is what the tree of the commit holds, byte for byte: git's checkout, which
goes by attributes, is not used. Submodules are empty directories.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import Optional

from bramble.build.builtin import Request
from bramble.build.fetch.address import PORTS, name_and_password, parse_url
from bramble.build.fetch.commit import CommitBroken, Objects, write_commit
from bramble.build.fetch.confined import UNUSABLE, Clash, ConfinedTree, Outside
from bramble.build.fetch.discretion import redact, scrubbed, secrets_of, secrets_of_login
from bramble.build.fetch.git import Git, Login, Surroundings, find_git
from bramble.build.fetch.local import local_path
from bramble.build.fetch.netrc import login_for
from bramble.build.fetch.proxies import proxy_of
from bramble.build.fetch.reach import check_repository
from bramble.build.fetch.secure import authorities
from bramble.build.fetch.unpack import Budget, TooLarge, UnpackLimits
from bramble.build.options import FetchOptions
from bramble.build.pins import needed
from bramble.build.stamps import Stamp
from bramble.errors import BrambleError
from bramble.sandbox.limits.usage import memory_of_machine

# To which schemes a server may send git on.
_LEADS_TO = {"http": "http:https", "https": "https"}
_NETWORK = ("http", "https", "git", "ssh")
_HASH = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")
_NO_REFERENCE = re.compile(r"-|@\Z|.*(?:[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{)|.*(?:/|\.lock)\Z|\Z", re.DOTALL)


def make(request: Request) -> tuple[Stamp, ...]:
    """Fetch the commit that `reference` (a branch, a tag or a full hash) means at `url`.

    Raises BrambleError fetch.git, fetch.git-missing, fetch.offline, fetch.timeout,
    fetch.proxy, fetch.tls, fetch.netrc, fetch.archive-*; Cancelled.
    """
    # spec: build.fetch-git
    url = needed("fetch_git", request.name, request.env, "url")
    reference = needed("fetch_git", request.name, request.env, "reference")
    login = None
    try:
        options = request.options.bounded_fetch
        place = _place(url, options)
        if _NO_REFERENCE.match(reference):
            raise _refused(url, f"{reference!r} is not the name of a branch, a tag or a commit")
        scheme = _scheme(place)
        given = Surroundings(
            request.options.host_path,
            max(round(options.timeout), 1),
            protocols=_LEADS_TO.get(scheme, scheme or "file:ssh"),
            file_size=options.largest,
            memory=request.options.limits.memory or memory_of_machine() // 2,
        )
        if scheme in PORTS:
            place, given = _over_http(place, options, given)
            login = given.login
        program = find_git(request.name, request.options.host_path)
        seconds = options.git_seconds if options.seconds is None else options.seconds
        git = Git(program, request.scratch, url, given, seconds, request.listener)
        _write(git, _tree(git, place, reference), request, options)
    except BrambleError as error:
        others = secrets_of_login(login.name, login.password) if login else ()
        raise scrubbed(error, (*secrets_of(url), *others)) from None
    return ()


def _place(url: str, options: FetchOptions) -> str:
    """Return what git is to fetch from. Raises fetch.git for what is no such address, fetch.offline."""
    mirrored = options.mirror.get(url)
    place = url if mirrored is None else mirrored
    scheme = _scheme(place)
    host = place.partition("://")[2] if scheme else place
    # host:path is ssh, unless there is a slash before the colon (git-fetch(1), GIT URLS).
    network = scheme in _NETWORK or (not scheme and ":" in place.partition("/")[0])
    if host.startswith("-") or "@-" in host.partition("/")[0] or "::" in place.partition("/")[0]:
        raise _refused(url, "it is no address of a repository")
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in place):
        raise _refused(url, "there is a control character in it")
    # spec: build.fetch.offline
    if network and options.offline:
        raise BrambleError(
            "fetch.offline",
            f"{redact(url)} is not in the store, and nothing may be fetched while offline",
            remedy="build once with the network, or give a local copy of the repository in the mirror table",
        )
    if not network:
        path = local_path(parse_url(place)) if scheme == "file" else place
        if scheme not in ("", "file") or not path.startswith("/"):
            raise _refused(url, "it is neither an absolute path nor a URL of http, https, ssh, git or file")
        if mirrored is None or mirrored in options.own_mirror:
            check_repository(path, url, options.reach)
        # What was looked at is what git gets, whatever it takes a URL of a file for.
        return path
    # spec: build.fetch.secrets
    shown = re.sub(r"//[^/?#]*@", "//", place) if scheme in PORTS else place
    if redact(shown) != shown:
        raise _refused(url, "everybody could read the password in it while git runs")
    return place


def _scheme(place: str) -> str:
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", place)
    return found.group(1).lower() if found else ""


def _over_http(place: str, options: FetchOptions, given: Surroundings) -> tuple[str, Surroundings]:
    """Return the URL without its password, and what git needs to reach it."""
    # spec: build.fetch.secrets, build.fetch.netrc, build.fetch.proxy, build.fetch.tls
    parts = parse_url(place)
    user, at, host = parts.netloc.rpartition("@")
    server = f"{parts.scheme}://{host}"
    login: Optional[Login] = None
    if at:
        name, _, password = name_and_password(user).partition(":")
        login = Login(server, name, password)
    else:
        entry = login_for(options.netrc, parts.hostname or "", default=parts.scheme == "https")
        login = Login(server, entry.login, entry.password) if entry else None
    if login and "\n" in login.name + login.password:
        raise _refused(place, "there is a line feed in its password")
    proxy = proxy_of(parts, options.proxies)
    return parts._replace(netloc=host).geturl(), replace(
        given,
        proxy=None if proxy is None else proxy.geturl(),
        authorities=authorities(options.ca_file, options.ca_directory),
        login=login,
    )


def _refused(url: str, why: str) -> BrambleError:
    return BrambleError(
        "fetch.git",
        f'git cannot get "{redact(url)}": {why}',
        remedy="check the URL and the reference; `git ls-remote` shows what is there",
    )


def _tree(git: Git, place: str, reference: str) -> str:
    """Fetch, and return the hash of the commit's tree."""
    # spec: build.fetch-git
    is_hash = _HASH.fullmatch(reference)
    # A name may begin with a plus, or be a word of git's own ("tag"): a plus of ours makes it only a name.
    asked = reference if is_hash else f"+{reference}"
    remote = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    if len(reference) == 64 and is_hash:
        git.begin("sha256")
    status, said = git.ask(*remote, "--depth=1", "--", place, asked)
    if status and b"mismatched algorithms" in said:
        git.begin("sha256")
        status, said = git.ask(*remote, "--depth=1", "--", place, asked)
    if status and b"shallow" in said:
        # A server that only gives out files has no other than whole histories.
        status, said = git.ask(*remote, "--", place, asked)
    commit = "FETCH_HEAD"
    if status and not is_hash:
        # Only the beginning of a hash may mean another commit tomorrow.
        raise git.failure("fetch", said)
    if status:
        # Not every server gives out a commit that no branch ends in: then it has to be all of them.
        git.run(*remote, "--", place, "+refs/*:refs/fetched/*")
        commit = reference
    failed, tree = git.ask("rev-parse", "--verify", f"{commit}^{{commit}}^{{tree}}")
    if failed:
        raise git.failure("fetch", said or tree)
    return tree.decode("ascii").strip()


def _write(git: Git, tree: str, request: Request, options: FetchOptions) -> None:
    """Write the files of a tree into the output."""
    # spec: build.fetch-git.bytes
    limits = UnpackLimits(
        options.unpacked_bytes, options.unpacked_ratio, options.unpacked_members, request.listener.cancelled
    )
    budget = Budget(limits, options.unpacked_bytes)
    try:
        with contextlib.ExitStack() as stack:
            asked, answers = stack.enter_context(git.talking("cat-file", "--batch"))
            target = stack.enter_context(ConfinedTree(request.output, once=True))
            write_commit(tree.encode(), Objects(asked, answers), target, budget)
            if target.is_empty():
                raise CommitBroken("the commit has no files")
    except (CommitBroken, Clash, Outside) as error:
        raise git.failure("cat-file", str(error).encode()) from None
    except TooLarge as error:
        raise BrambleError(
            "fetch.archive-too-large",
            f"{redact(request.env['url'])} {error}",
            remedy="nothing of it was stored",
        ) from None
    except BrokenPipeError:
        raise git.failure("cat-file", b"git ended too early") from None
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        raise git.failure("cat-file", f"a name in the commit cannot be: {error.strerror}".encode()) from None
