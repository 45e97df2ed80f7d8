"""A derivation whose inputs are known: the store derivation, ready to be built.

Its digest does not depend on how the inputs were made, only on what came out.
So a change that leaves an input's contents as they were rebuilds nothing above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Optional

from bramble.derivation.gojson import array, mapping, record, text, texts
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.store.digest import digest
from bramble.store.path import prefix_of_record

OutputPaths = Mapping[str, tuple[str, tuple[str, ...]]]  # output name → (object name, references)


class SourceObject(NamedTuple):
    """The sources of a derivation as one store object."""

    name: str  # 32 characters
    relative_build_path: str  # where the builder starts, relative to the object; "" at its root


class ResolvedDependency(NamedTuple):
    """One output that a build needs, and the store object that it came out as."""

    output: str  # object name, 32 characters; "" while it is not known
    output_name: str  # "out" unless the derivation names others
    filename: str  # DIGEST-NAME.drv of the store derivation that made it


@dataclass(frozen=True)
class ResolvedDerivation:
    """A derivation with store paths in the place of references, written with the prefix of record."""

    name: str
    builder: str
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]  # sorted by name
    dependencies: tuple[ResolvedDependency, ...]  # sorted by output, output name, file name
    outputs: tuple[str, ...]  # names, the first is the default
    source: Optional[SourceObject]
    platform: str  # always concrete: "linux-amd64"
    network: bool = False
    target: str = ""

    @cached_property
    def digest(self) -> str:
        """32 characters that are equal when the inputs came out equal (early cutoff)."""
        # spec: derivation.store.digest
        anonymous = {
            ResolvedDependency(d.output, d.output_name, "" if d.output else d.filename)
            for d in self.dependencies
        }
        return digest(self._encode(sorted(anonymous), None))

    @property
    def filename(self) -> str:
        """The name of its file in the store: DIGEST-NAME.drv."""
        # spec: derivation.store.filename
        return f"{self.digest}-{self.name}.drv"

    def encode(self, outputs: Optional[OutputPaths] = None) -> bytes:
        """Return the contents of its file, with what its outputs came out as when that is known."""
        return self._encode(self.dependencies, outputs)

    def _encode(self, dependencies: Iterable[ResolvedDependency], outputs: Optional[OutputPaths]) -> bytes:
        # spec: derivation.store.encoding
        fields = [
            ("Args", texts(self.args)),
            ("Builder", text(self.builder)),
            ("Env", mapping(self.env)),
            ("Dependencies", array([_dependency(dependency) for dependency in dependencies])),
            ("Name", text(self.name)),
        ]
        if self.network:
            fields.append(("Network", "true"))
        path = prefix_of_record() + "/" + self.source.name if self.source is not None else ""
        start = self.source.relative_build_path if self.source is not None else ""
        results = () if outputs is None else [_output(outputs[name]) for name in self.outputs]
        fields += [
            ("OutputNames", texts(self.outputs)),
            ("Outputs", array(results)),
            ("Platform", text(self.platform)),
            ("Source", record((("RelativeBuildPath", text(start)), ("Path", text(path))))),
        ]
        if self.target:
            fields.append(("Target", text(self.target)))
        return record(fields).encode("utf-8")


def _dependency(dependency: ResolvedDependency) -> str:
    return record(
        (
            ("Filename", text(dependency.filename)),
            ("OutputName", text(dependency.output_name)),
            ("Output", text(dependency.output)),
        )
    )


def _output(output: tuple[str, tuple[str, ...]]) -> str:
    path, references = output
    return record((("Path", text(path)), ("Dependencies", texts(sorted(references)))))


def resolve(
    derivation: Derivation,
    *,
    inputs: Mapping[OutputRef, str],
    filenames: Mapping[str, str],
    source: Optional[SourceObject],
    platform: str,
) -> ResolvedDerivation:
    """Return the store derivation of `derivation`.

    `inputs` gives the object name of every output it refers to, `filenames` the
    store derivation file of every derivation it refers to, `platform` the
    platform of this machine, used where the derivation names none.
    """
    # spec: derivation.store.resolve
    prefix = prefix_of_record() + "/"

    def path_of(ref: OutputRef) -> str:
        return prefix + inputs[ref]

    return ResolvedDerivation(
        name=derivation.name,
        builder=derivation.builder.render(path_of),
        args=tuple([arg.render(path_of) for arg in derivation.args]),
        env=tuple([(name, value.render(path_of)) for name, value in derivation.env]),
        dependencies=tuple(
            sorted(
                ResolvedDependency(inputs[ref], ref.output, filenames[ref.derivation])
                for ref in derivation.dependencies
            )
        ),
        outputs=derivation.outputs,
        source=source,
        platform=derivation.platform or platform,
        network=derivation.network,
        target=derivation.target,
    )
