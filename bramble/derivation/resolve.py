"""A derivation whose inputs are known: the store derivation, ready to be built.

Its digest does not depend on how the inputs were made, only on what came out.
So a change that leaves an input's contents as they were rebuilds nothing above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple, Optional

from bramble.derivation.gojson import array, encoded, mapping, text, texts
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


class _Resolved(NamedTuple):
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


class ResolvedDerivation(_Resolved):
    """A derivation with store paths in the place of references, written with the prefix of record."""

    @cached_property
    def digest(self) -> str:
        """32 characters that are equal when the inputs came out equal (early cutoff)."""
        # spec: derivation.store.digest
        anonymous = {
            (output, name, "" if output else filename) for output, name, filename in self.dependencies
        }
        return digest(self._encode(sorted(anonymous), None))

    @cached_property
    def filename(self) -> str:
        """The name of its file in the store: DIGEST-NAME.drv."""
        # spec: derivation.store.filename
        return f"{self.digest}-{self.name}.drv"

    def encode(self, outputs: Optional[OutputPaths] = None) -> bytes:
        """Return the contents of its file, with what its outputs came out as when that is known."""
        return self._encode(self.dependencies, outputs)

    def _encode(self, dependencies: Iterable[tuple[str, str, str]], outputs: Optional[OutputPaths]) -> bytes:
        # spec: derivation.store.encoding
        source = self.source
        path = f"{prefix_of_record()}/{source.name}" if source is not None else ""
        start = source.relative_build_path if source is not None else ""
        listed = [
            f'{{"Filename":{text(filename)},"OutputName":{text(name)},"Output":{text(output)}}}'
            for output, name, filename in dependencies
        ]
        results = [] if outputs is None else [_output(*outputs[name]) for name in self.outputs]
        return encoded(
            f'{{"Args":{texts(self.args)}'
            f',"Builder":{text(self.builder)}'
            f',"Env":{mapping(self.env)}'
            f',"Dependencies":{array(listed)}'
            f',"Name":{text(self.name)}'
            + (',"Network":true' if self.network else "")
            + f',"OutputNames":{texts(self.outputs)}'
            f',"Outputs":{array(results)}'
            f',"Platform":{text(self.platform)}'
            f',"Source":{{"RelativeBuildPath":{text(start)},"Path":{text(path)}}}'
            + (f',"Target":{text(self.target)}' if self.target else "")
            + "}"
        )


def _output(path: str, references: Iterable[str]) -> str:
    return f'{{"Path":{text(path)},"Dependencies":{texts(sorted(references))}}}'


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
    needed = derivation.dependencies
    prefix = prefix_of_record() + "/"
    paths = {str(ref): prefix + inputs[ref] for ref in needed}
    return ResolvedDerivation(
        name=derivation.name,
        builder=derivation.builder.fill(paths),
        args=tuple([arg.fill(paths) for arg in derivation.args]),
        env=tuple([(name, value.fill(paths)) for name, value in derivation.env]),
        dependencies=tuple(
            sorted([ResolvedDependency(inputs[ref], ref[1], filenames[ref[0]]) for ref in needed])
        ),
        outputs=derivation.outputs,
        source=source,
        platform=derivation.platform or platform,
        network=derivation.network,
        target=derivation.target,
    )
