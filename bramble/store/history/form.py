"""The form of the records of builds: what is read from them is this, or it is nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Callable, Optional

from bramble.store.history.model import Build, Ended, Facts, SourceFile
from bramble.store.trust.schema import (
    VERSION,
    Malformed,
    array,
    decode,
    digest,
    field,
    natural,
    output,
    pair,
    path,
    record,
    text,
)

_KINDS = ("", "x", "l")


def encode_build(build: Build) -> bytes:
    """Return the record of a build."""
    fields = {"version": VERSION, **build._asdict()}
    return json.dumps(fields, separators=(",", ":")).encode()


def build(data: bytes) -> Build:
    """Return what the record of a build says. Raises Malformed."""
    # spec: store.records.history
    fields = record(data, *Build._fields)
    targets = fields["targets"]
    if not isinstance(targets, dict):
        raise Malformed("targets are no object")
    interrupted = fields["interrupted"]
    if type(interrupted) is not bool:
        raise Malformed("interrupted is neither true nor false")
    return Build(
        number=field(fields, "number", natural),
        project=field(fields, "project", path),
        began=field(fields, "began", natural),
        milliseconds=field(fields, "milliseconds", natural),
        targets={text(target): array(digest)(ids) for target, ids in targets.items()},
        built=field(fields, "built", array(_ended)),
        failed=field(fields, "failed", array(_ended)),
        cached=field(fields, "cached", natural),
        skipped=field(fields, "skipped", natural),
        interrupted=interrupted,
    )


def encode_facts(facts: Facts, files: str) -> bytes:
    """Return the line with the facts of one derivation; `files` describes its source files."""
    return json.dumps({**facts._asdict(), "files": files}, separators=(",", ":")).encode()


def encode_files(files: Sequence[SourceFile]) -> bytes:
    """Return the line that holds source files, which many derivations may have."""
    return json.dumps(files, separators=(",", ":")).encode()


def source_files(data: bytes) -> tuple[SourceFile, ...]:
    """Return what a line of source files says. Raises Malformed."""
    # spec: store.records.history.facts
    return field(decode(b'{"files":' + data + b"}"), "files", array(_file))


def facts(data: bytes, files_of: Callable[[str], Optional[tuple[SourceFile, ...]]]) -> Facts:
    """Return what a line of facts says; `files_of` gives the source files that it names. Raises Malformed."""

    # spec: store.records.history.facts
    def files(value: Any) -> tuple[SourceFile, ...]:
        found = files_of(digest(value))
        if found is None:
            raise Malformed("source files are not there")
        return found

    fields = decode(data)
    if set(fields) != set(Facts._fields):
        raise Malformed("other fields than it should have")
    return Facts(
        id=field(fields, "id", digest),
        name=field(fields, "name", text),
        place=field(fields, "place", text),
        resolved=field(fields, "resolved", _digest_or_none),
        builder=field(fields, "builder", text),
        args=field(fields, "args", array(text)),
        env=field(fields, "env", array(pair(text, text))),
        outputs=field(fields, "outputs", array(pair(output, _digest_or_none))),
        inputs=field(fields, "inputs", array(pair(digest, output))),
        project=field(fields, "project", text),
        source=field(fields, "source", _digest_or_none),
        files=field(fields, "files", files),
        rest=field(fields, "rest", array(pair(text, text))),
    )


def _ended(value: Any) -> Ended:
    if not isinstance(value, list) or len(value) != len(Ended._fields):
        raise Malformed("a derivation that ended is expected")
    id, name, milliseconds, code, message = value
    return Ended(digest(id), text(name), natural(milliseconds), text(code), text(message))


def _file(value: Any) -> SourceFile:
    if not isinstance(value, list) or len(value) != len(SourceFile._fields) or value[2] not in _KINDS:
        raise Malformed("a source file is expected")
    return SourceFile(text(value[0]), digest(value[1]), value[2])


def _digest_or_none(value: Any) -> str:
    return "" if value == "" else digest(value)
