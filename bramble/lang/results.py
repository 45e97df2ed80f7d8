"""The results of an evaluation, as data that does not depend on the language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from bramble.derivation.graph import DerivationGraph
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place
from bramble.record import NamedTuple, dataclass


@dataclass(frozen=True)
class RunRequest:
    """A program of an output, and what it may see: what `run()` says.

    `args`, paths and values of `env` may refer to outputs, as in a derivation; a path that does begins with
    the reference.
    """

    derivation: OutputRef
    cmd: str
    args: tuple[Template, ...] = ()
    paths: tuple[Template, ...] = ()
    read_only_paths: tuple[Template, ...] = ()
    hidden_paths: tuple[Template, ...] = ()
    network: bool = False
    env: tuple[tuple[str, Template], ...] = ()  # sorted by name, unique
    closure_path: bool = False  # PATH holds the bin directories of all that the program sees in the store
    needs: tuple[OutputRef, ...] = ()  # what is referred to besides `derivation`, in the order written
    owner: str = ""  # the package whose module calls run(); "" for the evaluated project


class TestRequest(NamedTuple):
    """A test that was registered while a target was evaluated."""

    derivation: OutputRef
    args: tuple[str, ...]  # the program and its arguments, which may hold references to outputs
    target: str  # "module:function" whose call registered it
    place: Optional[Place]
    depth: int = 0  # how many calls were active: less is nearer to the target


@dataclass(frozen=True)
class TargetResult:
    """What one function returned."""

    target: str  # "module:function", the module by its full name
    roots: tuple[OutputRef, ...]  # what is to be built: all outputs of each of these derivations
    run: Optional[RunRequest] = None  # when the function returned a run() value
    docstring: str = ""  # of the function, as it is written
    needs: tuple[OutputRef, ...] = ()  # what a run() value needs besides, and nobody asked for
    keys: tuple[Optional[str], ...] = ()  # of each root: its key, where it was the value of one in a dict


@dataclass(frozen=True)
class Evaluation:
    """What the targets returned, and all that is needed to build it."""

    graph: DerivationGraph  # what the results and the tests need, dependencies first
    results: tuple[TargetResult, ...]
    tests: tuple[TestRequest, ...]
    source_roots: Mapping[str, str]  # Sources.project → directory
    places: Mapping[str, Place]  # derivation id → the call that made it first
    warnings: tuple[str, ...]
    errors: tuple[BrambleError, ...] = ()  # with `keep_going`: what was passed over, each error once
