"""`bramble version`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

from bramble import __version__
from bramble.cli.environment import Surface
from bramble.cli.render import print_json
from bramble.commands.self.source import own_digest
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `version`."""
    parser.add_argument("--json", action="store_true", help="with the interpreter and the machine, as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the version, and the digest of the source (spec: cli.version, self.digest)."""
    # Whatever is wrong with the files beside the package, the version is known.
    source = None
    with contextlib.suppress(BrambleError):
        source = own_digest()
    if arguments.json:
        print_json(
            {
                "version": 1,
                "bramble": __version__,
                "source": source,
                "python": ".".join(str(part) for part in sys.version_info[:3]),
                "machine": os.uname().machine,
            }
        )
    else:
        print(f"bramble {__version__}")
        if source is not None:
            print(f"source {source}")
    return 0
