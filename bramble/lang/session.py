"""One evaluation: the modules that were loaded and the derivations that were made so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from bramble.derivation.graph import unknown_output
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place
from bramble.lang.failure import as_bramble_error, place_of, refuse, refuse_as
from bramble.lang.results import TestRequest
from bramble.lang.values import DerivationValue
from bramble.project.files import Listings
from bramble.project.modules import ModuleFile, ModuleRoots
from bramble.record import NamedTuple, dataclass, field
from bramble.starlark import EvalError, Frame, Position, StarlarkError, Thread

if TYPE_CHECKING:
    # Documents are for graphs of other programs: a build of modules need not load what reads them.
    from bramble.derivation.document import Lent

TOPLEVEL = "<toplevel>"


class Caller(NamedTuple):
    """A call of a built-in while it runs: the function that calls it, and where that is."""

    thread: Thread
    function: str
    position: Position
    module: ModuleFile

    @property
    def calls(self) -> Iterator[Frame]:
        """The active calls, innermost first; only the first of them has been looked at."""
        return self.thread.calls

    def within_function(self, name: str) -> None:
        """Refuse a call at the top level of a file: every load would make it."""
        # spec: dialect.derivation.place
        if self.function == TOPLEVEL:
            refuse(
                "derivation.misplaced",
                f"{name}() is called outside of a function",
                f"put it into a function: def example(): {'' if name == 'test' else 'return '}{name}(…)",
            )


@dataclass
class Session:
    """What the built-ins of one evaluation share. It is the `host` of every thread."""

    roots: ModuleRoots
    platform: str  # of this machine: "linux-amd64"
    built_for: str = ""  # what the user builds for, "" for this machine
    lent: Optional[Lent] = None  # what a generated module may use of the graph around it
    derivations: dict[str, Derivation] = field(default_factory=dict)
    # The outputs that derivations have referred to, by how that is written. A graph has each reference many
    # times, and one value for all of them takes half of the memory.
    references: dict[str, OutputRef] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    tests: list[TestRequest] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    files: dict[str, ModuleFile] = field(default_factory=dict)  # name of a program's file → module
    found: set[str] = field(default_factory=set)  # what files() has returned
    found_directories: set[str] = field(default_factory=set)  # which of these are directories
    # Names that files() has returned, as they were given to a derivation: their paths by project.
    named: dict[tuple[str, ...], Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    sources: dict[Sources, Sources] = field(default_factory=dict)  # one value for all that are equal
    target: str = ""
    missed: Optional[tuple[DerivationValue, str]] = None  # the last output looked for in vain
    _listings: dict[str, Listings] = field(default_factory=dict)

    def listings(self, root: str) -> Listings:
        """Return what is known of the files below one root."""
        if root not in self._listings:
            self._listings[root] = Listings(root, self.roots.reads)
        return self._listings[root]

    def name_of(self, module: ModuleFile) -> str:
        """Return the name that errors give to a module's file: in packages it begins with their name."""
        # spec: dialect.errors.place
        own = self.project_of(module) == "" and self.roots.project.fetched is None
        return module.path if own else f"{module.project}/{module.path}"

    def project_of(self, module: ModuleFile) -> str:
        """Return the name that derivations give to the project of a module: "" for the evaluated one."""
        return "" if module.project == self.roots.project.name else module.project

    def root_of(self, project: str) -> Optional[str]:
        """Return the directory of a project as derivations name it, None when it is not here."""
        return self.roots.packages.directories.get(project) if project else self.roots.project.root

    def caller(self, thread: Thread) -> Caller:
        """Return who called the built-in that is running."""
        call = next(thread.calls)
        position = call.position
        assert position is not None  # only programs call built-ins
        return Caller(thread, call.name, position, self.files[position.file])

    def template(self, text: str) -> Template:
        """Return a text of a derivation: in a module that a builder wrote, paths are references."""
        # spec: build.generated.inputs
        translate = None if self.lent is None else self.lent.translate
        try:
            return Template.parse(text if translate is None else translate(text))
        except BrambleError as error:
            refuse_as(error)

    def warn(self, text: str) -> None:
        """Keep a warning, which begins with its place, unless it was given before."""
        if text not in self.warnings:
            self.warnings.append(text)

    def make(self, derivation: Derivation, caller: Caller) -> DerivationValue:
        """Remember a derivation, and return it as the program sees it."""
        if derivation.id not in self.derivations:
            self.derivations[derivation.id] = derivation
            position = self._author(caller)
            self.places[derivation.id] = Place(position.file, position.line, position.column)
        return DerivationValue(derivation, self._miss)

    def _author(self, caller: Caller) -> Position:
        """Return the innermost call that stands outside of the library: its author can change it."""
        # spec: dialect.library
        return caller.position if caller.module.root else self._outside(caller.calls) or caller.position

    def _outside(self, calls: Iterable[Frame]) -> Optional[Position]:
        """Return the first place among calls, innermost first, that is not in the library."""
        for frame in calls:
            module = self.files.get(frame.position.file) if frame.position is not None else None
            if frame.position is not None and module is not None and module.root:
                return frame.position
        return None

    def error_of(self, error: StarlarkError) -> BrambleError:
        """Return an error of a program as an error for its author."""
        found = as_bramble_error(error)
        if found.code == "eval.attribute" and self.missed is not None:
            value, name = self.missed
            if f"derivation has no .{name} " in found.message:
                # spec: dialect.derivation.value
                reference = OutputRef(value.derivation.id, name)
                better = unknown_output(value.derivation, reference, None, found.place)
                better.detail = found.detail
                found = better
        module = self.files.get(found.place.file) if found.place is not None else None
        if isinstance(error, EvalError) and module is not None and not module.root:
            # spec: dialect.errors.library
            found.place = place_of(self._outside(reversed(error.stack))) or found.place
        return found

    def _miss(self, value: DerivationValue, name: str) -> None:
        self.missed = (value, name)


def session_of(thread: Thread) -> Session:
    """Return the session of a running thread."""
    host: Any = thread.host
    assert isinstance(host, Session)
    return host
