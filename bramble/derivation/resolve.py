"""A derivation whose inputs are known: the store derivation, ready to be built.

Its digest does not depend on how the inputs were built, only on their content.
So a change that leaves an input's contents as they were rebuilds nothing above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple, Optional

from bramble.derivation.gojson import NULL, array, encoded, mapping, text, texts
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef, apart
from bramble.store.digest import DIGEST_LENGTH, digest
from bramble.store.path import prefix_of_record

OutputPaths = Mapping[str, tuple[str, tuple[str, ...]]]  # output name → (object name, references)


class SourceObject(NamedTuple):
    """The sources of a derivation as one store object."""

    name: str  # 32 characters
    relative_build_path: str  # where the builder starts, relative to the object; "" at its root


class ResolvedDependency(NamedTuple):
    """One output that a build needs, and the store object that is its result."""

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
        """32 characters that are equal when the inputs have the same contents (early cutoff)."""
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
        """Return the contents of its file, with the results for its outputs when they are known."""
        return self._encode(self.dependencies, outputs)

    def _encode(self, dependencies: Iterable[tuple[str, str, str]], outputs: Optional[OutputPaths]) -> bytes:
        listed = [_dependency(output, name, filename) for output, name, filename in dependencies]
        results = [] if outputs is None else [_output(*outputs[name]) for name in self.outputs]
        return _document(
            f'{{"Args":{texts(self.args)},"Builder":{text(self.builder)},"Env":{mapping(self.env)}',
            listed,
            self.name,
            self.network,
            _tail(self.outputs, results, self.platform, self.source),
            self.target,
        )


def _document(
    head: str, dependencies: Iterable[str], name: str, network: bool, tail: str, target: str
) -> bytes:
    """Return the file of a store derivation: `head` is the part before `dependencies`."""
    # spec: derivation.store.encoding
    return encoded(
        f'{head},"Dependencies":{array(dependencies)},"Name":{text(name)}'
        + (',"Network":true' if network else "")
        + tail
        + (f',"Target":{text(target)}}}' if target else "}")
    )


def _tail(
    names: tuple[str, ...], results: Iterable[str], platform: str, source: Optional[SourceObject]
) -> str:
    path = f"{prefix_of_record()}/{source.name}" if source is not None else ""
    start = source.relative_build_path if source is not None else ""
    return (
        f',"OutputNames":{texts(names)}'
        f',"Outputs":{array(results)}'
        f',"Platform":{text(platform)}'
        f',"Source":{{"RelativeBuildPath":{text(start)},"Path":{text(path)}}}'
    )


def _dependency(output: str, name: str, filename: str) -> str:
    return f'{{"Filename":{text(filename)},"OutputName":{text(name)},"Output":{text(output)}}}'


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


class Digests:
    """The digests of what `resolve` would return for the derivations of one graph, and nothing else of that.

    A graph in which all is known is a walk from digest to digest, and making them is most of it. So what many
    have in common is worked out once: how sources and platform are written, and how an input is; and paths
    are written into texts that are JSON already, since neither a reference nor a path has anything that JSON
    writes in another way. It is one thread's.
    """

    def __init__(self, platform: str) -> None:
        """`platform` is that of this machine."""
        self._platform = platform
        self._prefix = prefix_of_record() + "/"
        self._tails: dict[tuple[tuple[str, ...], str, Optional[SourceObject]], str] = {}
        # By the text of a reference, as it stands where it is needed:
        self._names: dict[str, str] = {}  # the object that it is
        self._paths: dict[str, str] = {}  # its path
        self._orders: dict[str, str] = {}  # what sorts as the dependency on it does
        self._listed: dict[str, str] = {}  # that dependency in JSON, by what sorts as it does

    def tell(self, id: str, outputs: Iterable[tuple[str, str]]) -> None:
        """Record the result of a derivation, as pairs of output name and object name.

        A later call replaces an earlier one.
        """
        for output, name in outputs:
            reference = f"{{{{ {id}:{output} }}}}"
            if self._names.get(reference) != name:
                self._names[reference] = name
                self._paths.pop(reference, None)

    def of(self, derivation: Derivation, source: Optional[SourceObject]) -> str:
        """Return the digest; `source` as in `resolve`. The result of each input must have been recorded."""
        # spec: derivation.store.digest
        name, builder, args, env, _, outputs, platform, network, target = derivation
        # No text in JSON has a line feed, and no reference reaches beyond one.
        texts = [text(builder[0]), *[text(arg[0]) for arg in args], *[text(value[0]) for _, value in env]]
        parts = apart("\n".join(texts))
        needed: list[str] = []
        if len(parts) > 1:
            references = parts[1::2]
            for reference in references:
                if reference not in self._paths:
                    self._learn(reference)
            parts[1::2] = map(self._paths.__getitem__, references)
            needed = sorted(set(map(self._orders.__getitem__, references)))
            texts = "".join(parts).split("\n")
        at = 1 + len(args)
        variables = ",".join([text(pair[0]) + ":" + value for pair, value in zip(env, texts[at:])])
        end = (outputs, platform or self._platform, source)
        tail = self._tails.get(end)
        if tail is None:
            tail = self._tails[end] = _tail(outputs, (), end[1], source)
        return digest(
            _document(
                f'{{"Args":{array(texts[1:at])},"Builder":{texts[0]},"Env":'
                + ("{" + variables + "}" if variables else NULL),
                [self._listed[one] for one in needed],
                name,
                network,
                tail,
                target,
            )
        )

    def _learn(self, reference: str) -> None:
        """Work out how an output is written where it is needed."""
        name, output = self._names[reference], reference[len("{{ :") + DIGEST_LENGTH : -len(" }}")]
        # All names are of one length.
        order = name + output
        # Neither has anything that JSON writes in another way.
        self._listed[order] = f'{{"Filename":"","OutputName":"{output}","Output":"{name}"}}'
        self._paths[reference], self._orders[reference] = self._prefix + name, order
