"""`bramble registry …`: a command with subcommands."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from bramble.cli.environment import Surface
from bramble.cli.quantities import byte_count, count, memory_bytes, seconds

_SERVE = "bramble.cli.verbs.packages.registry.serve"
_CHECK = "bramble.cli.verbs.packages.registry.check"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `registry`."""
    commands = parser.add_subparsers(dest="deed", required=True, metavar="COMMAND")

    def add(name: str, module: str, summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.set_defaults(module=module)
        return command

    serve = add("serve", _SERVE, "serve a registry over http, and publish what is asked for")
    serve.add_argument(
        "registry", metavar="DIR", help="the directory of the registry; it is created if it does not exist"
    )
    serve.add_argument(
        "--listen",
        metavar="ADDRESS:PORT",
        default="127.0.0.1:8617",
        help="the address to listen at; port 0: any free port (default: 127.0.0.1:8617)",
    )
    serve.add_argument(
        "--url",
        type=_web_address,
        metavar="URL",
        help="the URL that clients use, if it is another one",
    )
    serve.add_argument(
        "--origin", default="", metavar="NAME", help="the permanent name of the registry (default: its URL)"
    )
    serve.add_argument(
        "--key",
        default="",
        metavar="FILE",
        help="the ssh key that signs (default: DIR/key, created if it does not exist)",
    )
    serve.add_argument(
        "--token-file",
        default="",
        metavar="FILE",
        help="publish only for clients with a token of FILE (default: for everybody)",
    )
    serve.add_argument(
        "--behind-proxy",
        action="store_true",
        help="take the address of a client from the header X-Forwarded-For",
    )
    serve.add_argument(
        "--job-time",
        type=seconds,
        default=3600.0,
        metavar="SECONDS",
        help="end a job that takes longer (default: 3600)",
    )
    _add_limits(serve)
    check = add("check", _CHECK, "check a package as a registry does before it publishes it")
    check.add_argument("package", metavar="NAME", help="a package")
    check.add_argument("reference", nargs="?", default="", help="a version or its tag (default: the newest)")
    check.add_argument(
        "--published",
        metavar="DIR",
        help="take packages that the registry in DIR has from there",
    )
    check.add_argument("--outcome", metavar="DIR", help="write the results into the empty directory DIR")
    check.add_argument("--json", action="store_true", help="print what was found as JSON")
    check.add_argument("--until-eof", action="store_true", help="exit when standard input ends")
    _add_limits(check)


def _web_address(text: str) -> str:
    """Return a URL of the web as it is. Raises ArgumentTypeError for all else."""
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with http:// or https://")
    return text


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a package may be, and use."""
    group = parser.add_argument_group("what a package may be, and use")
    group.add_argument(
        "--places",
        action="append",
        default=[],
        metavar="HOST",
        help="take packages from HOST alone, which may be an inner one; can be repeated "
        "(default: from all public hosts)",
    )
    group.add_argument("--pure", action="store_true", help="refuse builds that depend on this machine")
    group.add_argument(
        "-j",
        "--jobs",
        type=count,
        metavar="N",
        help="run at most N builds at the same time (default: the number of cores)",
    )
    group.add_argument(
        "--memory",
        type=memory_bytes,
        metavar="SIZE",
        help="end a build that uses more (default: half of the memory of the machine)",
    )
    group.add_argument(
        "--processes",
        type=count,
        metavar="N",
        default=1024,
        help="let a build have at most N processes (default: 1024)",
    )
    group.add_argument(
        "--output-size",
        type=byte_count,
        metavar="SIZE",
        default=4 << 30,
        help="end a build that writes more (default: 4G)",
    )


def limits_as_words(arguments: argparse.Namespace) -> list[str]:
    """Return the options of `check` that mean the limits of these arguments."""
    words = [word for host in arguments.places for word in ("--places", host)]
    words += ["--pure"] if arguments.pure else []
    numbers = {
        "--jobs": arguments.jobs,
        "--memory": arguments.memory,
        "--processes": arguments.processes,
        "--output-size": arguments.output_size,
    }
    return words + [
        word for name, value in numbers.items() if value is not None for word in (name, str(value))
    ]


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Find the deed and do it."""
    module: Any = importlib.import_module(arguments.module)
    status: int = module.execute(arguments, surface)
    return status
