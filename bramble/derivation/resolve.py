"""A derivation whose inputs are known: the store derivation, ready to be built.

Its digest does not depend on how the inputs were built, only on their content.
So a change that leaves an input's contents as they were rebuilds nothing above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Optional

from bramble.derivation.gojson import NULL, array, encoded, mapping, text, texts
from bramble.derivation.model import DEFAULT_OUTPUTS, Derivation
from bramble.derivation.template import OutputRef, apart
from bramble.record import NamedTuple
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
            array(listed),
            self.name,
            self.network,
            _tail(self.outputs, results, self.platform, self.source),
            self.target,
        )


def _document(head: str, dependencies: str, name: str, network: bool, tail: str, target: str) -> bytes:
    """Return the file of a store derivation: `head` is the part before `dependencies`."""
    # spec: derivation.store.encoding
    return encoded(
        f'{head},"Dependencies":{dependencies},"Name":{text(name)}'
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


_BEFORE, _AFTER = _dependency("|", DEFAULT_OUTPUTS[0], "").split("|")
_BETWEEN = f"{_AFTER},{_BEFORE}"


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
    have in common is worked out once: how sources and platform are written; and paths are written into texts
    that are JSON already, since neither a reference nor a path has anything that JSON writes in another way.
    It is one thread's.
    """

    def __init__(self, platform: str) -> None:
        """`platform` is that of this machine."""
        self._platform = platform
        self._prefix = prefix_of_record() + "/"
        self._tails: dict[tuple[tuple[str, ...], str, Optional[SourceObject]], str] = {}
        # The object that a reference is, by its text. Nothing more is kept: in a large graph it takes longer
        # to fetch a text from memory than to put it together.
        self._names: dict[str, str] = {}
        self._others: set[str] = set()  # those references of them that are not to an output called "out"

    def tell(self, id: str, outputs: Iterable[tuple[str, str]]) -> None:
        """Record the result of a derivation, as pairs of output name and object name.

        A later call replaces an earlier one.
        """
        for output, name in outputs:
            reference = f"{{{{ {id}:{output} }}}}"
            self._names[reference] = name
            if output != DEFAULT_OUTPUTS[0]:
                self._others.add(reference)

    def of(self, derivation: Derivation, source: Optional[SourceObject]) -> str:
        """Return the digest; `source` as in `resolve`. The result of each input must have been recorded."""
        # spec: derivation.store.digest
        name, builder, args, env, _, outputs, platform, network, target = derivation
        parts = _escaped([builder[0], *[arg[0] for arg in args], *[value[0] for _, value in env]])
        needed = NULL
        if len(parts) > 1:
            references = parts[1::2]
            names = list(map(self._names.__getitem__, references))
            needed = self._needed(references, names)
            pieces = [self._prefix] * (3 * len(names) + 1)
            pieces[::3], pieces[2::3] = parts[::2], names
            parts = ["".join(pieces)]
        texts = parts[0].split("\n")
        at = 1 + len(args)
        arguments = '["' + '","'.join(texts[1:at]) + '"]' if args else NULL
        variables = ",".join([f'{text(pair[0])}:"{value}"' for pair, value in zip(env, texts[at:])])
        end = (outputs, platform or self._platform, source)
        tail = self._tails.get(end)
        if tail is None:
            tail = self._tails[end] = _tail(outputs, (), end[1], source)
        return digest(
            _document(
                f'{{"Args":{arguments},"Builder":"{texts[0]}","Env":'
                + ("{" + variables + "}" if variables else NULL),
                needed,
                name,
                network,
                tail,
                target,
            )
        )

    def _needed(self, references: Sequence[str], names: Sequence[str]) -> str:
        """Return in JSON the dependencies that references to these objects are."""
        # Neither names nor outputs have anything that JSON writes in another way.
        if self._others.isdisjoint(references):
            # As nearly always. Then the same text stands between one name and the next.
            return f"[{_BEFORE}{_BETWEEN.join(sorted(set(names)))}{_AFTER}]"
        outputs = [reference[len("{{ :") + DIGEST_LENGTH : -len(" }}")] for reference in references]
        return array([_dependency(name, output, "") for name, output in sorted({*zip(names, outputs)})])


def _escaped(texts: Sequence[str]) -> list[str]:
    """Return these texts as they stand in JSON, without quotes and a line each, taken apart.

    No text in JSON has a line feed, and no reference reaches beyond one.
    """
    joined = "\n".join(texts)
    if '"' not in joined and "\\" not in joined:
        parts = apart(joined)
        # No reference has anything to be escaped, and references are most of a long search path.
        rest = "".join(parts[::2])
        if len(text(rest)) == len(rest) + len('""') + len(texts) - 1:
            return parts
    return apart("\n".join([text(one)[1:-1] for one in texts]))
