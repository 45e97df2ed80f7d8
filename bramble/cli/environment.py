"""The environment of the process, read once and turned into values."""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import sys
from collections.abc import Callable, Mapping
from typing import Any, Optional

from bramble.cli.quantities import count, memory_bytes, seconds
from bramble.commands.context.setting import EvaluationLimits, Setting
from bramble.errors import BrambleError
from bramble.record import NamedTuple

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
}
# How to speak to the user, and nothing that a build could depend on.
_OF_SPEAKING = ("TERM", "NO_COLOR", "CLICOLOR_FORCE", "BRAMBLE_ERROR_FORMAT")
# What is secret, or leads to it; and what another process would say or read in another way.
_SECRET = (
    *("NETRC", "SSH_AUTH_SOCK", "SSH_ASKPASS", "GIT_ASKPASS"),
    *("BRAMBLE_ERROR_FORMAT", "BRAMBLE_STORE_OF"),
)
# One of these is in what `bramble vendor` has written, or begun.
_OF_VENDOR = ("bramble-vendor.json", "objects", "downloads")
_OF_THE_MACHINE = ("LD_LIBRARY_PATH", "BRAMBLE_HOST_TOOLS", "TMPDIR")


class Surface(NamedTuple):
    """How to speak: what the two output streams are and what the user prefers."""

    colour: bool  # escape sequences may be used on standard error
    live: bool  # standard error is a terminal that can be redrawn
    attached: bool  # standard input and output are a terminal
    json_errors: bool  # one JSON line per error instead of prose
    width: int  # columns of the terminal


def read_surface(environ: Mapping[str, str], colour: str = "auto") -> Surface:
    """Return the surface of this process. `colour` is `auto`, `always` or `never` (spec: cli.colour)."""
    terminal = sys.stderr.isatty() and environ.get("TERM", "dumb") != "dumb"
    if colour == "auto":
        use_colour = terminal and not environ.get("NO_COLOR")
        if environ.get("CLICOLOR_FORCE", "0") != "0" and not environ.get("NO_COLOR"):
            use_colour = True
    else:
        use_colour = colour == "always"
    return Surface(
        colour=use_colour,
        live=terminal and not environ.get("CI"),
        attached=sys.stdin.isatty() and sys.stdout.isatty(),
        json_errors=environ.get("BRAMBLE_ERROR_FORMAT") == "json",
        width=_width(),
    )


def read_setting(
    environ: Mapping[str, str],
    directory: Optional[str] = None,
    jobs: Optional[int] = None,
    offline: bool = False,
    limits: Optional[EvaluationLimits] = None,
    store_of: Optional[str] = None,
    target: str = "",
    cached: bool = True,
    locked: bool = False,
    vendor: Optional[str] = None,
    timeout: Optional[float] = None,
) -> Setting:
    """Return the setting of this invocation; with `cached` False it has no cache (spec: recall.off).

    Raises BrambleError if a variable holds something that cannot be used.
    """
    store_of = store_of or environ.get("BRAMBLE_STORE_OF") or None
    here = _working_directory(directory)
    return Setting(
        cwd=here,
        store_root=_store_root(environ, store_of),
        platform=_platform(),
        jobs=jobs if jobs is not None else _jobs(environ),
        mirror_table=environ.get("BRAMBLE_MIRROR") or None,
        proxies=_proxies(environ),
        ca_file=environ.get("SSL_CERT_FILE") or None,
        ca_directory=environ.get("SSL_CERT_DIR") or None,
        netrc=_netrc(environ),
        ssh_agent=environ.get("SSH_AUTH_SOCK") or None,
        known_hosts=_in_home(environ, ".ssh/known_hosts"),
        seconds=timeout,
        cache=read_cache(environ) if cached else None,
        config=_own_directory(environ, "XDG_CONFIG_HOME", ".config"),
        state=_own_directory(environ, "XDG_STATE_HOME", ".local/state"),
        offline=_offline(environ) or offline,
        terminal_type=environ.get("TERM"),
        limits=read_limits(environ) if limits is None else limits,
        store_of=store_of,
        target=target,
        locked=locked,
        vendor="" if vendor is None else _vendor_directory(here, vendor),
        host_tools=tuple(
            path for path in environ.get("BRAMBLE_HOST_TOOLS", "").split(":") if path.startswith("/")
        ),
    )


def read_limits(
    environ: Mapping[str, str],
    steps: Optional[int] = None,
    memory: Optional[int] = None,
    time: Optional[float] = None,
) -> EvaluationLimits:
    """Return the limits of evaluation: what options gave, else variables, else those by default.

    Raises BrambleError cli.usage for a variable that cannot be understood (spec: cli.limits).
    """
    usual = EvaluationLimits()
    return EvaluationLimits(
        steps=steps if steps is not None else _quantity(environ, "STEPS", count, usual.steps),
        memory=memory if memory is not None else _quantity(environ, "MEMORY", memory_bytes, usual.memory),
        seconds=time if time is not None else _quantity(environ, "TIME", seconds, usual.seconds),
    )


def read_inherited(environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables for every Bramble that `self build` starts, and those for the first besides."""
    # spec: self.build.alone
    every, first = (
        {name: environ[name] for name in names if name in environ}
        for names in (_OF_SPEAKING, _OF_THE_MACHINE)
    )
    return every, first


def read_handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a process that reads packages of strangers: none that leads to a secret."""
    # spec: registry.publish.places
    return {**{name: value for name, value in environ.items() if name not in _SECRET}, "NO_COLOR": "1"}


def _quantity(environ: Mapping[str, str], name: str, read: Callable[[str], Any], usual: Any) -> Any:
    text = environ.get(f"BRAMBLE_EVAL_{name}")
    if not text:
        return usual
    try:
        return read(text)
    except argparse.ArgumentTypeError as error:
        raise BrambleError(
            "cli.usage", f"BRAMBLE_EVAL_{name}: {error}", remedy="correct the variable, or unset it"
        ) from None


def _working_directory(directory: Optional[str]) -> str:
    try:
        here = os.getcwd()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        fact = "no longer exists" if gone else f"cannot be found out: {error.strerror}"
        raise BrambleError(
            "cli.no-directory",
            f"the current directory {fact}",
            remedy="change to a directory that exists and that you may enter",
        ) from None
    return here if directory is None else _directory("-C", here, directory)


def _directory(option: str, here: str, named: str) -> str:
    """Return the directory that the value of an option means, seen from `here`."""
    there = os.path.normpath(os.path.join(here, named))
    if "\0" in there or not os.path.isdir(there):
        raise BrambleError(
            "cli.no-directory", f"{option} {named}: no such directory", remedy="name a directory that exists"
        )
    return there


def _vendor_directory(here: str, named: str) -> str:
    # spec: vendor.which
    there = _directory("--vendor", here, named)
    # What has only been begun is one, too.
    if not any(os.path.lexists(os.path.join(there, name)) for name in _OF_VENDOR):
        raise BrambleError(
            "cli.no-directory",
            f"--vendor {named}: it is not a vendor directory: there is no {_OF_VENDOR[0]} in it",
            remedy="name one that is, or write one: bramble vendor DIR",
        )
    return there


def _store_root(environ: Mapping[str, str], store_of: Optional[str]) -> str:
    # spec: store.location, store.other-owner
    named = environ.get("BRAMBLE_PATH")
    if named:
        return named
    home = _home(environ) if store_of is None else _home_of(store_of)
    # spec: cli.store.home
    return "" if home is None else os.path.join(home, "bramble")


def _home(environ: Mapping[str, str]) -> Optional[str]:
    """Return the home directory; None if the variable is empty or relative, or the user has none."""
    home = environ.get("HOME", os.path.expanduser("~"))
    return home if os.path.isabs(home) else None


def _home_of(user: str) -> str:
    """Return the home directory of another user, as the list of users has it (passwd(5))."""
    number = user.isascii() and user.isdigit() and len(user) <= 10
    home = ""
    with contextlib.suppress(KeyError, ValueError, OverflowError):
        home = pwd.getpwuid(int(user)).pw_dir if number else ""
    with contextlib.suppress(KeyError, ValueError):
        home = pwd.getpwnam(user).pw_dir
    if os.path.isabs(home):
        return home
    raise BrambleError(
        "store.no-home" if number else "store.unknown-user",
        f"this machine knows no user {user!r} with a home directory",
        remedy="name the owner of the store, or set BRAMBLE_PATH to where that store is",
    )


def read_cache(environ: Mapping[str, str]) -> Optional[str]:
    """Return the cache directory, whose content can be created again at any time; None if there is none."""
    return _own_directory(environ, "XDG_CACHE_HOME", ".cache")


def _own_directory(environ: Mapping[str, str], variable: str, default: str) -> Optional[str]:
    # XDG Base Directory Specification: relative paths are to be ignored.
    named = environ.get(variable, "")
    if os.path.isabs(named):
        return os.path.join(named, "bramble")
    home = _home(environ)
    return None if home is None else os.path.join(home, default, "bramble")


def _platform() -> str:
    machine = os.uname().machine
    return "linux-" + _ARCHITECTURES.get(machine, machine)


def _jobs(environ: Mapping[str, str]) -> int:
    named = environ.get("BRAMBLE_JOBS")
    if named is None:
        return len(os.sched_getaffinity(0))
    if not named.isdecimal() or int(named) < 1:
        raise BrambleError("cli.usage", f"BRAMBLE_JOBS is {named!r}", remedy="set it to a number from 1 up")
    return int(named)


def _offline(environ: Mapping[str, str]) -> bool:
    # Somebody who believes to be offline must not find out by a request.
    named = environ.get("BRAMBLE_OFFLINE", "")
    offline = _SWITCH.get(named.lower())
    if offline is None:
        raise BrambleError("cli.usage", f"BRAMBLE_OFFLINE is {named!r}", remedy="set it to 1 or 0")
    return offline


def _proxies(environ: Mapping[str, str]) -> Mapping[str, str]:
    found = {}
    # spec: build.fetch.proxy
    for scheme in ("http", "https", "all", "no"):
        value = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme}_proxy".upper())
        if value:
            found[scheme] = value
    return found


def _netrc(environ: Mapping[str, str]) -> Optional[str]:
    # spec: build.fetch.netrc
    named = environ.get("NETRC")
    return named or _in_home(environ, ".netrc")


def _in_home(environ: Mapping[str, str], name: str) -> Optional[str]:
    home = environ.get("HOME", "")
    return os.path.join(home, name) if os.path.isabs(home) else None


def _width() -> int:
    try:
        return os.get_terminal_size(2).columns
    except OSError:
        return 80
