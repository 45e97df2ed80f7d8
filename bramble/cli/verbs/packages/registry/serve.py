"""`bramble registry serve [options] DIR`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType
from typing import Optional

from bramble.cli.environment import Surface, read_handed_on, read_setting
from bramble.cli.render import harmless, say
from bramble.cli.verbs.packages.registry.command import limits_as_words
from bramble.commands.registry.serving import Registry, Wanted, open_registry, serve
from bramble.commands.registry.working import DIRECTORY
from bramble.commands.self.once_more import own_command


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Serve until a signal comes."""
    directory = os.path.join(os.getcwd(), arguments.directory or "", arguments.registry)
    environ = read_handed_on(os.environ)
    words = [*own_command(environ), "registry", "check", "--until-eof", "--published", directory]
    words += ["--outcome", DIRECTORY, *limits_as_words(arguments)]
    wanted = Wanted(
        directory=os.path.normpath(directory),
        address=arguments.listen,
        origin=arguments.origin,
        url=arguments.url or "",
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


def _stop_at_signals(registry: Registry) -> None:
    def stop(_number: int, _frame: Optional[FrameType]) -> None:
        registry.server.stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
