"""A repository that is fetched from, and the git that does it: what may be asked, of whom, and with what.

An address is checked, the mirror table is looked up, and names, passwords, proxies and authorities
go to git in ways that no other user of the machine can read.
"""

from __future__ import annotations

import contextlib
import re
from typing import Optional

from bramble.build.fetch.address import PORTS, name_and_password, parse_url
from bramble.build.fetch.connect import addresses_of, refuse_inner
from bramble.build.fetch.credentials import (
    authorization_for,
    name_and_password_of,
    secrets_of_authorization,
)
from bramble.build.fetch.discretion import redact, secrets_of, secrets_of_login
from bramble.build.fetch.git import Authorization, Git, Login, Surroundings, find_git
from bramble.build.fetch.local import local_path
from bramble.build.fetch.netrc import login_for
from bramble.build.fetch.proxies import proxy_of
from bramble.build.fetch.reach import check_repository
from bramble.build.fetch.secure import authorities
from bramble.build.options import BuildOptions, FetchOptions
from bramble.build.task import Listener
from bramble.errors import BrambleError
from bramble.record import dataclass, field, replace
from bramble.sandbox.limits.usage import memory_of_machine

# To which schemes a server may send git on.
_LEADS_TO = {"http": "http:https", "https": "https"}
_NETWORK = ("http", "https", "git", "ssh")
_ATTEMPTS = 3  # how often a server is asked that fails for the moment


@dataclass(frozen=True)
class Asking:
    """Who asks for repositories, and how far that may go."""

    name: str  # of the derivation or the package, for messages
    options: BuildOptions
    listener: Listener
    secrets: list[str] = field(default_factory=list)  # grows: what no message may hold

    @property
    def fetch(self) -> FetchOptions:
        """How things are fetched, no further than the limits of a build go."""
        return self.options.bounded_fetch

    @property
    def seconds(self) -> float:
        """For all that is asked."""
        return self.fetch.git_seconds if self.fetch.seconds is None else self.fetch.seconds

    @property
    def seconds_to_ask(self) -> float:
        """For one question of which no part of the answer shows before its end."""
        # spec: build.fetch-git.patience
        return self.fetch.ask_seconds if self.fetch.seconds is None else self.fetch.seconds


def open_repository(url: str, asking: Asking, scratch: str, seconds: float) -> tuple[Git, str]:
    """Return a git that works in the directory `scratch`, and what it is to fetch from for `url`.

    Raises fetch.git for what is not the address of a repository, fetch.git-missing, fetch.offline,
    fetch.proxy, fetch.tls, fetch.netrc.
    """
    asking.secrets.extend(secrets_of(url))
    options = asking.fetch
    place = _place(url, options)
    scheme = _scheme(place)
    if url not in options.mirror:
        _refuse_inner(url, place, scheme, options)
    given = Surroundings(
        asking.options.host_path,
        max(round(options.timeout), 1),
        options.git_silence if options.seconds is None else max(options.git_silence, options.seconds),
        pauses=[options.pause * 2**number for number in range(_ATTEMPTS - 1)] if scheme in _NETWORK else (),
        protocols=_LEADS_TO.get(scheme, scheme or "file:ssh"),
        # spec: build.fetch.public
        redirects=options.public_but is None,
        file_size=options.largest,
        memory=asking.options.limits.memory or memory_of_machine() // 2,
        agent=options.ssh_agent,
        known_hosts=options.known_hosts,
    )
    if scheme in PORTS:
        place, given = _over_http(place, options, given, asking.secrets)
    program = find_git(asking.name, asking.options.host_path)
    return Git(program, scratch, url, given, seconds, asking.listener), place


def _place(url: str, options: FetchOptions) -> str:
    """Return the address that git is to fetch from.

    Raises fetch.git for an invalid address, fetch.offline.
    """
    mirrored = options.mirror.get(url)
    place = url if mirrored is None else mirrored
    scheme = _scheme(place)
    host = place.partition("://")[2] if scheme else place
    # host:path is ssh, unless there is a slash before the colon (git-fetch(1), GIT URLS).
    network = scheme in _NETWORK or (not scheme and ":" in place.partition("/")[0])
    if host.startswith("-") or "@-" in host.partition("/")[0] or "::" in place.partition("/")[0]:
        raise refused(url, "it is not the address of a repository")
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in place):
        raise refused(url, "there is a control character in it")
    # spec: build.fetch.offline
    if network and options.offline:
        raise BrambleError(
            "fetch.offline",
            f"{redact(url)} is not in the store, and nothing may be fetched while offline",
            remedy="run once without --offline, or give a local copy of the repository in the mirror table",
        )
    if not network:
        path = local_path(parse_url(place)) if scheme == "file" else place
        if scheme not in ("", "file") or not path.startswith("/"):
            raise refused(url, "it is neither an absolute path nor a URL of http, https, ssh, git or file")
        if mirrored is None or mirrored in options.own_mirror:
            check_repository(path, url, options.reach)
        # What was looked at is what git gets, whatever it takes a URL of a file for.
        return path
    # spec: build.fetch.secrets
    shown = re.sub(r"//[^/?#]*@", "//", place) if scheme in PORTS else place
    if redact(shown) != shown:
        raise refused(url, "other users could read the password in it while git runs")
    return place


def _refuse_inner(url: str, place: str, scheme: str, options: FetchOptions) -> None:
    """Demand that a repository is public, where only such ones may be reached. Raises fetch.out-of-reach."""
    # spec: build.fetch.public
    if options.public_but is None:
        return
    if scheme not in PORTS:
        raise BrambleError(
            "fetch.out-of-reach",
            f"{redact(url)} is not fetched: it is not reached over https",
            remedy="fetch it from a public place, over https",
        )
    parts = parse_url(place)
    host = parts.hostname or ""
    if proxy_of(parts, options.proxies) is None:
        with contextlib.suppress(OSError):  # git reports that there is no such host
            refuse_inner(redact(url), host, addresses_of(host), options.public_but)


def _scheme(place: str) -> str:
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", place)
    return found.group(1).lower() if found else ""


def _over_http(
    place: str, options: FetchOptions, given: Surroundings, secrets: list[str]
) -> tuple[str, Surroundings]:
    """Return the URL without its password, and what git needs to reach it; `secrets` grows."""
    # spec: build.fetch.secrets, build.fetch.netrc, build.fetch.proxy, build.fetch.tls
    parts = parse_url(place)
    user, at, host = parts.netloc.rpartition("@")
    server = f"{parts.scheme}://{host}"
    proxy = proxy_of(parts, options.proxies)
    given = replace(
        given,
        proxy=None if proxy is None else proxy.geturl(),
        authorities=authorities(options.ca_file, options.ca_directory),
    )
    if proxy is not None:
        secrets.extend(secrets_of(proxy.geturl()))
    value = None if at else authorization_for(options.credentials, parts)
    login: Optional[Login] = None
    if at:
        name, _, password = name_and_password(user).partition(":")
        login = Login(server, name, password)
    elif value is not None:
        secrets.extend(secrets_of_authorization(value))
        basic = name_and_password_of(value)
        if basic is None:
            given = replace(given, authorization=Authorization(server, value))
        else:
            # git gives these to their server only, wherever it is led.
            login = Login(server, *basic)
    else:
        entry = login_for(options.netrc, parts.hostname or "", default=parts.scheme == "https")
        login = Login(server, entry.login, entry.password) if entry else None
    if login is not None:
        if "\n" in login.name + login.password:
            raise refused(place, "there is a line feed in its password")
        secrets.extend(secrets_of_login(login.name, login.password))
    return parts._replace(netloc=host).geturl(), replace(given, login=login)


def refused(url: str, why: str) -> BrambleError:
    """Return the error for a repository, or something in it, that git is not even asked for."""
    return BrambleError(
        "fetch.git",
        f'git cannot get "{redact(url)}": {why}',
        remedy="check the URL and the reference; `git ls-remote` shows what is there",
    )
