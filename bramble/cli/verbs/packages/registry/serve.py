"""`bramble registry serve [options] DIR`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Optional

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import harmless, say
from bramble.cli.verbs.packages.registry.command import limits_as_words
from bramble.commands.registry.serving import Registry, Wanted, open_registry, serve
from bramble.commands.registry.working import DIRECTORY
from bramble.commands.self.once_more import own_command
from bramble.errors import BrambleError
from bramble.serving.server import Address

# What the process of a job has no use for, or must not have: what is secret is not for packages of strangers.
_NOT_HANDED_ON = (
    "NETRC",
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "GIT_ASKPASS",
    "BRAMBLE_ERROR_FORMAT",
    "BRAMBLE_STORE_OF",
)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Serve until a signal comes."""
    directory = os.path.join(os.getcwd(), arguments.directory or "", arguments.registry)
    try:
        address = Address.parse(arguments.listen)
    except ValueError as error:
        raise BrambleError("cli.usage", str(error), remedy="as in --listen 127.0.0.1:8617") from None
    environ = _handed_on(os.environ)
    words = [*own_command(environ), "registry", "check", "--until-eof", "--published", directory]
    words += ["--outcome", DIRECTORY, *limits_as_words(arguments)]
    wanted = Wanted(
        directory=os.path.normpath(directory),
        address=address,
        origin=arguments.origin,
        url=arguments.url,
        key_file=arguments.key,
        token_file=arguments.token_file,
        behind_proxy=arguments.behind_proxy,
        words=words,
        environ=environ,
        seconds=arguments.job_time,
    )
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    registry = open_registry(wanted, setting, lambda fault: say(harmless(fault)))
    _stop_at_signals(registry)
    # Who has started it reads these lines, if need be from a pipe.
    print(f"serving {registry.url}")
    print(f"origin {registry.origin}")
    print(f"key {registry.key}")
    print(f"anybody can publish: {'no, a token is needed' if arguments.token_file else 'yes'}")
    sys.stdout.flush()
    serve(registry)
    return 0


def _handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        **{name: value for name, value in environ.items() if name not in _NOT_HANDED_ON},
        "NO_COLOR": "1",
    }


def _stop_at_signals(registry: Registry) -> None:
    def stop(_number: int, _frame: Optional[FrameType]) -> None:
        registry.server.stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
