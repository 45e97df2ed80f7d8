"""The built-in builders: what each of them is asked for, and where each of them lives.

Their modules are loaded when a derivation needs them: what fetches and unpacks
takes longer to load than a build of nothing may last.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Callable, Optional, Protocol, cast

from bramble.build.options import BuildOptions
from bramble.build.stamps import Stamp
from bramble.build.task import Listener
from bramble.record import NamedTuple

_MODULES = {
    "fetch_url": "bramble.build.fetch.from_url",
    "fetch_git": "bramble.build.fetch.from_git",
    "host_tools": "bramble.build.tools.host_tools",
}


class OutputPlace(NamedTuple):
    """One output that a built-in builder is to fill."""

    directory: str  # where it is: empty
    seen: str  # its path in the store, under its temporary name


class Request(NamedTuple):
    """What a built-in builder is asked for."""

    name: str  # of the derivation, for messages
    env: Mapping[str, str]
    outputs: Mapping[str, OutputPlace]
    scratch: str  # an empty directory for what is needed meanwhile
    options: BuildOptions
    listener: Listener
    # Run a command, with an environment, in a sandbox that shows the outputs where they are seen, and
    # in the directory `scratch`; return what was wrong with its end, "" if nothing was, and what it wrote
    # first. It is ended when it has written nothing for so many seconds, or lasts five times as long;
    # None sets no limit.
    run: Callable[[Sequence[str], Mapping[str, str], Optional[float]], tuple[str, str]]

    @property
    def output(self) -> str:
        """The directory to fill, of a builder that has one output."""
        (place,) = self.outputs.values()
        return place.directory


class Builtin(Protocol):
    """A module that is a built-in builder."""

    def make(self, request: Request) -> tuple[Stamp, ...]:
        """Fill the output; return the stamps of what was read of the machine."""


def builtin(builder: str) -> Builtin:
    """Return the built-in builder of this name."""
    # spec: build.builtin
    return cast(Builtin, importlib.import_module(_MODULES[builder]))
