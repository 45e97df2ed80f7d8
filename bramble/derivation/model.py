"""What a derivation is: a program to run, its arguments, and what it may see."""

from __future__ import annotations

import operator
from functools import cached_property

from bramble.derivation.canonical import derivation_id, sources_bytes
from bramble.derivation.template import OutputRef, Template, distinct_references, references_in
from bramble.record import NamedTuple, dataclass

# spec: derivation.builder.built-in
BUILTIN_BUILDERS = ("fetch_url", "fetch_git", "derivation_output", "host_tools")
DEFAULT_OUTPUTS = ("out",)
GENERATOR = "derivation_output"  # runs a program, as its first argument says, and so has a sandbox


@dataclass(frozen=True)
class Sources:
    """The source files of a derivation: names only, their contents are read when it is built.

    Many derivations share one value with tens of thousands of names. What costs time for each name is found
    out once.
    """

    project: str = ""  # "" is the project that is evaluated, else the module name of a package
    location: str = ""  # directory of the .bramble file, relative to its project; "" at its root
    files: tuple[str, ...] = ()  # relative to the project, "/" between names, sorted, unique

    @cached_property
    def encoded(self) -> bytes:
        """The canonical JSON of the sources. Raises derivation.text as `canonical_bytes` does."""
        return sources_bytes(self)

    @cached_property
    def well_formed(self) -> bool:
        """Whether the files are relative paths (no name empty, "." or ".."), sorted, and each once."""
        # spec: derivation.sources
        joined = "/".join(self.files)
        if "\x00" in joined or not {"", ".", ".."}.isdisjoint(joined.split("/")):
            return not self.files
        return all(map(operator.lt, self.files, self.files[1:]))

    @cached_property
    def _hash(self) -> int:
        return hash((self.project, self.location, self.files))

    def __hash__(self) -> int:
        return self._hash


NO_SOURCES = Sources()


class _Derivation(NamedTuple):
    name: str
    builder: Template
    args: tuple[Template, ...] = ()
    env: tuple[tuple[str, Template], ...] = ()  # sorted by name, unique
    sources: Sources = NO_SOURCES
    outputs: tuple[str, ...] = DEFAULT_OUTPUTS  # in the order written; the first is the default
    platform: str = ""  # "" is the platform of the machine that builds
    network: bool = False
    target: str = ""


class Derivation(_Derivation):
    """The recipe of one build (spec: derivation.parts).

    `args`, `env` and `builder` may name outputs of other derivations; nothing
    else can, so `dependencies` is everything that the build will see.

    A tuple with cached properties: created in a fifth of the time of a frozen dataclass, and
    each computed property is computed once.
    """

    @cached_property
    def id(self) -> str:
        """The id: 32 characters of lower-case base32, a digest of all fields above."""
        return derivation_id(self)

    @cached_property
    def dependencies(self) -> tuple[OutputRef, ...]:
        """Every output that the builder, an argument or a variable names: sorted, each once.

        Whoever makes a graph may set it to equal values that derivations share: see `Session.references`.
        """
        # spec: derivation.dependencies
        return references_in("\n".join(self.dependency_texts))

    @property
    def dependency_texts(self) -> list[str]:
        """The dependencies as they are written, in the same order."""
        # No reference reaches beyond its text: a line feed ends whatever was one.
        texts = [self.builder.text, *[arg.text for arg in self.args], *[value.text for _, value in self.env]]
        return distinct_references("\n".join(texts))

    @property
    def default_output(self) -> OutputRef:
        """The output that is meant when only the derivation is named."""
        return OutputRef(self.id, self.outputs[0])

    @property
    def builtin(self) -> str:
        """The built-in builder that makes it, or "" when it runs a program."""
        builder = self.builder.text
        return builder if builder in BUILTIN_BUILDERS else ""

    @property
    def runs_program(self) -> bool:
        """Whether a program builds it in a sandbox, and not a built-in builder."""
        return self.builtin in ("", GENERATOR)
