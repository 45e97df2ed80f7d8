"""What is recorded of a build: from its report to the facts that `log`, `why-built` and `history` tell."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

from bramble.build.fetch.discretion import scrub
from bramble.build.options import BuildReport
from bramble.build.pins import FETCHERS
from bramble.build.sources import common_directory, contents_of
from bramble.build.task import Cancelled
from bramble.commands.context.evaluation import Evaluated
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.store.digest import DIGEST_LENGTH, digest, encode
from bramble.store.disk import Store
from bramble.store.history.model import Build, Ended, Facts, SourceFile
from bramble.store.history.records import Entry, record_build

_BLOCK = 1 << 20
_FORM = "2"  # another one when facts are made in another way: those of before are not copied then
_FilesOf = Callable[[Sources, str], tuple[SourceFile, ...]]


def record(
    evaluated: Evaluated, roots: Sequence[str], report: BuildReport, store: Store, began: float
) -> None:
    """Record the build of `roots` that began at `began` (seconds since 1970) and has just ended.

    Where it cannot be recorded nothing is: what was built is there all the same.
    """
    graph = evaluated.evaluation.graph
    targets: dict[str, tuple[str, ...]] = {}
    for result in evaluated.evaluation.results:
        targets[result.target] = tuple(dict.fromkeys(ref.derivation for ref in result.roots))
    build = Build(
        number=0,
        project=evaluated.project.home,
        began=int(began * 1000),
        milliseconds=max(0, int((time.time() - began) * 1000)),
        targets=targets,
        built=tuple(Ended(id, graph.get(id).name, _milliseconds(report.seconds[id])) for id in report.built),
        failed=tuple(
            Ended(one.id, one.name, _milliseconds(one.seconds), one.error.code, one.error.message)
            for one in report.failures
        ),
        cached=len(report.cached),
        skipped=len(report.skipped),
        interrupted=report.cancelled,
    )
    resolved = {one.id: one.resolved for one in report.failures}
    resolved.update((id, name[:DIGEST_LENGTH]) for id, name in report.derivations.items())
    # Many derivations have the same sources: these are read once.
    files_of = functools.lru_cache(maxsize=None)(functools.partial(_files, evaluated, store))
    entries = [_entry(evaluated, report, store, resolved, files_of, id) for id in graph.order(roots)]
    # spec: store.records.history
    with contextlib.suppress(BrambleError, Cancelled):
        record_build(store, build, entries)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _entry(
    evaluated: Evaluated,
    report: BuildReport,
    store: Store,
    resolved: Mapping[str, str],
    files_of: _FilesOf,
    id: str,
) -> Entry:
    derivation = evaluated.evaluation.graph.get(id)
    place = str(evaluated.evaluation.places.get(id, ""))
    source = report.sources.get(derivation.sources)
    parts = [resolved.get(id, ""), place, source.name if source is not None else ""]
    parts += [report.names.get(OutputRef(id, output), "") for output in derivation.outputs]
    stamp = digest("\n".join([_FORM, *parts]).encode("utf-8", "surrogateescape"))
    return Entry(id, stamp, functools.partial(_facts, derivation, tuple(parts), store, files_of))


def _facts(
    derivation: Derivation, parts: Sequence[str], store: Store, files_of: _FilesOf, before: Optional[Facts]
) -> Facts:
    source = parts[2]
    if before is not None and before.source == source:
        files = before.files
    else:
        files = files_of(derivation.sources, source) if source else ()
    return facts_with(derivation, parts, files)


def facts_with(derivation: Derivation, parts: Sequence[str], files: tuple[SourceFile, ...]) -> Facts:
    """Return the facts of a derivation.

    `parts` are the digest of its store derivation, its place, the object of its sources, and one object
    for each output; "" is what is not known.
    """
    resolved, place, source, *objects = parts
    # spec: store.records.history.secrets
    shown = scrub if derivation.builder.text in FETCHERS else str
    rest = {
        "platform": derivation.platform,
        "target": derivation.target,
        "network": "yes" if derivation.network else "",
    }
    return Facts(
        id=derivation.id,
        name=derivation.name,
        place=place,
        resolved=resolved,
        builder=derivation.builder.text,
        args=tuple(arg.text for arg in derivation.args),
        env=tuple((name, shown(value.text)) for name, value in derivation.env),
        outputs=tuple(zip(derivation.outputs, objects)),
        inputs=tuple((ref.derivation, ref.output) for ref in derivation.dependencies),
        project=derivation.sources.project,
        source=source,
        files=files,
        rest=tuple((name, value) for name, value in rest.items() if value),
    )


def _files(evaluated: Evaluated, store: Store, sources: Sources, source: str) -> tuple[SourceFile, ...]:
    """Return what the source files held when they became the object `source`; none if that is not known."""
    known = contents_of(sources, source, store, evaluated.evaluation.source_roots)
    if known is not None:
        each = zip(sources.files, known)
        return tuple([SourceFile(file, encode(content), _kind(mode)) for file, (content, mode) in each])
    directory = store.object_path(source)
    common = common_directory(sources.location, sources.files)
    return files_below(sources, directory, len(common) + 1 if common else 0)


def files_below(sources: Sources, directory: str, skip: int = 0) -> tuple[SourceFile, ...]:
    """Return what source files hold below `directory`, without the first `skip` bytes of their paths.

    Where they cannot be read there are none.
    """
    found = []
    try:
        for file in sources.files:
            found.append(_file(file, f"{directory}/{file[skip:]}"))
    except OSError:
        return ()
    return tuple(found)


def _file(name: str, path: str) -> SourceFile:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return SourceFile(name, digest(os.fsencode(os.readlink(path))), "l")
    read = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        for block in iter(functools.partial(file.read, _BLOCK), b""):
            read.update(block)
    return SourceFile(name, encode(read.digest()), _kind(status.st_mode))


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "l"
    return "x" if mode & stat.S_IXUSR else ""
