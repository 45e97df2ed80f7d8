"""The form of every record in `var/`: what is read from there is this, or it is nothing.

A record may have been cut short by a crash, edited by a user, or brought along
in somebody's archive. So each field has one type and a range, and nothing is
converted: a name of an object *is* a digest, or the record is refused as a whole.
No name in a record can lead out of the store.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Optional, TypeVar

from bramble.record import NamedTuple
from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.digest import digest as store_digest
from bramble.store.model import Realisation, StoreObject
from bramble.store.path import LONGEST_ROOT, padded_store_dir

VERSION = 1
STAMP_SIZE, CONTENT_SIZE = 40, 32  # bytes that a record of sources has of each file
RUNGS = ("namespaces", "landlock", "none")

Value = TypeVar("Value")
Part = Callable[[Any], Value]

_LARGEST = (1 << 63) - 1
_LONGEST_NUMBER = 20  # digits: a longer number is not a number of bytes, and is costly to convert
_OUTPUT = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# Bytes that are not UTF-8 are U+DC80 to U+DCFF in a text; no other surrogate is a byte.
_NO_BYTE = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")

# Two kinds of records are read by the thousand, and nearly all of them are written in one way: these patterns
# know it. What they match is a record whose fields have been checked; what they do not match is read as JSON.
_PLAIN_OBJECT = re.compile(
    rb'\{"version": 1, "references": \[((?:"[a-z2-7]{32}"(?:, "[a-z2-7]{32}")*)?)\], '
    rb'"size": (0|[1-9]\d{0,17})\}'
)
_PLAIN_REALISATION = re.compile(
    r'\{"version": 1, "derivation": "([a-z2-7]{32}-[ !#-.0-\[\]-~]*\.drv)", '
    r'"outputs": \[\["([A-Za-z_][A-Za-z0-9_]*)", "([a-z2-7]{32})"\]\], '
    r'"sandbox": "(namespaces|landlock|none)", "stamps": \[\]\}'
)


class Malformed(ValueError):
    """A record does not have the form of its kind. The message says in what."""


class Place(NamedTuple):
    """What `var/location` says: the version, and the places (root, directory) of now and of a move."""

    version: int
    root: str
    directory: str
    moving: tuple[tuple[str, str], ...]


class Project(NamedTuple):
    """What `var/projects/DIGEST` says."""

    project: str
    results: Mapping[str, tuple[str, ...]]
    former: tuple[str, ...]
    inputs: tuple[tuple[tuple[str, ...], str], ...] = ()  # (targets that were built together, digest)


class Root(NamedTuple):
    """What `var/roots/DIGEST` says."""

    label: str
    objects: tuple[str, ...]


class Source(NamedTuple):
    """What `var/sources/DIGEST` says: an object, and stamps and digests of the files that became it.

    `stamps` has STAMP_SIZE bytes for each file, `contents` CONTENT_SIZE. `names` are their paths; none where
    the name of the record is the digest of them.
    """

    object: str
    stamps: bytes
    contents: bytes
    names: tuple[str, ...] = ()


class Recipe(NamedTuple):
    """What a store derivation says it was made from.

    `derivations` are file names of those that made its inputs ("" if that is
    not recorded), `inputs` and `source` names of objects ("" if there is no source).
    """

    derivations: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    source: str = ""


def is_derivation(filename: str) -> bool:
    """Return whether a name in the store's directory is of a store derivation: `DIGEST-NAME.drv`."""
    digest, rest = filename[:DIGEST_LENGTH], filename[DIGEST_LENGTH:]
    return (
        is_digest(digest) and rest[:1] == "-" and rest[-4:] == ".drv" and "/" not in rest and "\0" not in rest
    )


def decode(data: bytes) -> dict[str, Any]:
    """Return the JSON object that `data` is. Raises Malformed.

    RFC 8259, and stricter: UTF-8, no key twice, no number that is not a whole one.
    """
    try:
        fields = _DECODER.decode(data.decode("utf-8"))
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except ValueError as error:
        raise Malformed(str(error)) from error
    if not isinstance(fields, dict):
        raise Malformed("not a JSON object")
    return fields


def place(data: bytes) -> Place:
    """Return what `var/location` says; of a later version only the version. Raises Malformed."""
    # spec: store.location
    fields = decode(data)
    version = field(fields, "version", natural)
    if version > VERSION:
        return Place(version, "", "", ())
    if version < VERSION:
        raise Malformed("another version")
    _only(fields, ("version", "root", "directory"), ("moving",))
    moving = array(_place)(fields.get("moving", []))
    return Place(version, *_place([fields.get("root"), fields.get("directory")]), moving)


def stored_object(name: str, data: bytes) -> StoreObject:
    """Return what `var/objects/NAME` says. Raises Malformed."""
    # spec: store.records.object
    plain = _PLAIN_OBJECT.fullmatch(data)
    if plain is not None:
        listed, size = plain.groups()
        references = tuple(listed.decode("ascii")[1:-1].split('", "')) if listed else ()
        found = StoreObject(name, references, int(size))
    else:
        fields = record(data, "references", "size")
        found = StoreObject(name, field(fields, "references", array(digest)), field(fields, "size", natural))
    references = found.references
    if references and (list(references) != sorted(set(references)) or name in references):
        raise Malformed("references are not sorted, repeated, or to the object itself")
    return found


def realisation(resolved: str, data: bytes) -> Realisation:
    """Return what `var/realisations/RESOLVED` says. Raises Malformed."""
    # spec: store.records.realisation
    # Any bytes are a text of this encoding, and what matches is ASCII.
    plain = _PLAIN_REALISATION.fullmatch(data.decode("latin-1"))
    if plain is not None:
        filename, made, name, rung = plain.groups()
        if filename[:DIGEST_LENGTH] == resolved:
            return Realisation(resolved, filename, ((made, name),), rung)
    fields = record(data, "derivation", "outputs", "sandbox", "stamps")
    derivation = field(fields, "derivation", _derivation)
    outputs = field(fields, "outputs", array(pair(output, digest)))
    if derivation[:DIGEST_LENGTH] != resolved:
        raise Malformed("it is of another derivation")
    if not outputs or len({output for output, _ in outputs}) != len(outputs):
        raise Malformed("no outputs, or one twice")
    sandbox = field(fields, "sandbox", text)
    if sandbox not in RUNGS:
        raise Malformed("no sandbox of that name")
    stamps = field(fields, "stamps", _texts)
    return Realisation(resolved, derivation, outputs, sandbox, stamps)


def project(data: bytes) -> Project:
    """Return what `var/projects/DIGEST` says. Raises Malformed."""
    # spec: store.records.project
    fields = record(data, "project", "results", "former", optional=("inputs",))
    results = fields["results"]
    if not isinstance(results, dict):
        raise Malformed("results are no object")
    return Project(
        field(fields, "project", path),
        {text(target): array(digest)(names) for target, names in results.items()},
        field(fields, "former", array(digest)),
        array(_inputs)(fields.get("inputs", [])),
    )


def inputs(name: str, data: bytes) -> tuple[str, ...]:
    """Return the objects that `var/inputs/NAME` names. Raises Malformed."""
    # spec: store.records.inputs
    objects = field(record(data, "objects"), "objects", array(digest))
    if digest_of(objects) != name:
        raise Malformed("it is not what it is named by")
    return objects


def digest_of(objects: Iterable[str]) -> str:
    """Return the digest of a list of names of objects, in its order."""
    return store_digest("\n".join(objects).encode())


def explicit_root(data: bytes) -> Root:
    """Return what `var/roots/DIGEST` says. Raises Malformed."""
    # spec: store.records.root
    fields = record(data, "label", "objects")
    return Root(field(fields, "label", text), field(fields, "objects", array(digest)))


def source(data: bytes) -> Source:
    """Return what `var/sources/DIGEST` says. Raises Malformed."""
    # spec: store.sources.stamps
    fields = record(data, "object", "stamps", "contents", optional=("names",))
    found = Source(
        field(fields, "object", digest),
        field(fields, "stamps", _bytes),
        field(fields, "contents", _bytes),
        field(fields, "names", array(text)) if "names" in fields else (),
    )
    count = len(found.contents) // CONTENT_SIZE
    if len(found.contents) != count * CONTENT_SIZE or len(found.stamps) != count * STAMP_SIZE:
        raise Malformed("stamps and contents are not of as many files")
    if len(found.names) not in (0, count):
        raise Malformed("names are not of as many files")
    return found


def recipe(data: bytes) -> Recipe:
    """Return what a store derivation was made from, as far as its file says it. Raises Malformed.

    Only names that can be names in the store are taken; the rest of the file is not looked at.
    """
    # spec: store.derivations
    fields = decode(data)
    dependencies = fields.get("Dependencies") or []
    if not isinstance(dependencies, list) or not all(isinstance(one, dict) for one in dependencies):
        raise Malformed("Dependencies are no list of objects")
    files = [one.get("Filename", "") for one in dependencies]
    inputs = [one.get("Output", "") for one in dependencies]
    found = fields.get("Source") or {}
    path_of_source = found.get("Path") or "" if isinstance(found, dict) else ""
    source_name = path_of_source[-DIGEST_LENGTH:] if isinstance(path_of_source, str) else ""
    return Recipe(
        tuple(file for file in files if isinstance(file, str) and is_derivation(file)),
        tuple(name for name in inputs if isinstance(name, str) and is_digest(name)),
        source_name if is_digest(source_name) else "",
    )


def text(value: Any) -> str:
    """Return `value`, a text without NUL in which surrogates only represent bytes."""
    if not isinstance(value, str) or _NO_BYTE.search(value):
        raise Malformed("a text is expected")
    return value


def _texts(value: Any) -> tuple[tuple[str, ...], ...]:
    """Return a list of lists of texts. There are thousands with a compiler, so all are looked at as one."""
    if not isinstance(value, list) or not set(map(type, value)) <= {list}:
        raise Malformed("a list of lists is expected")
    try:
        text("".join(map("".join, value)))
    except TypeError as error:
        raise Malformed("a text is expected") from error
    return tuple(map(tuple, value))


def path(value: Any) -> str:
    """Return `value`, an absolute path."""
    if not text(value).startswith("/"):
        raise Malformed("an absolute path is expected")
    return str(value)


def root(value: Any) -> str:
    """Return `value`, the root of a store: an absolute path without a slash at its end, "" for `/`."""
    return text(value) and path(value)


def digest(value: Any) -> str:
    """Return `value`, a name of an object."""
    if not isinstance(value, str) or not is_digest(value):
        raise Malformed("a digest is expected")
    return value


def natural(value: Any) -> int:
    """Return `value`, a whole number from 0 to 2^63 - 1."""
    if _integer(value) < 0:
        raise Malformed("a number from 0 up is expected")
    return int(value)


def _integer(value: Any) -> int:
    # bool is a kind of int to Python, and none to JSON.
    if type(value) is not int or not -_LARGEST <= value <= _LARGEST:
        raise Malformed("a whole number is expected")
    return value


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(text(value).encode("ascii"), validate=True)
    except ValueError as error:
        raise Malformed("base64 is expected") from error


def _derivation(value: Any) -> str:
    if not is_derivation(text(value)):
        raise Malformed("the file name of a derivation is expected")
    return str(value)


def output(value: Any) -> str:
    if not _OUTPUT.fullmatch(text(value)):
        raise Malformed("the name of an output is expected")
    return str(value)


def array(part: Part[Value]) -> Part[tuple[Value, ...]]:
    def read(value: Any) -> tuple[Value, ...]:
        if not isinstance(value, list):
            raise Malformed("a list is expected")
        return tuple(map(part, value))

    return read


def pair(first: Part[str], second: Part[str]) -> Part[tuple[str, str]]:
    def read(value: Any) -> tuple[str, str]:
        if not isinstance(value, list) or len(value) != 2:
            raise Malformed("a pair is expected")
        return first(value[0]), second(value[1])

    return read


def _inputs(value: Any) -> tuple[tuple[str, ...], str]:
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed("targets and a digest are expected")
    return array(text)(value[0]), digest(value[1])


def _place(value: Any) -> tuple[str, str]:
    base, directory = pair(root, path)(value)
    raw = base.encode("utf-8", "surrogateescape")
    if len(raw) > LONGEST_ROOT:
        raise Malformed("the root is too long")
    expected = padded_store_dir(raw)
    if directory.encode("utf-8", "surrogateescape") != expected:
        raise Malformed("the directory is not the one of the root")
    return base, directory


def field(fields: Mapping[str, Any], name: str, part: Part[Value]) -> Value:
    if name not in fields:
        raise Malformed(f'"{name}" is missing')
    return part(fields[name])


def record(data: bytes, *names: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    fields = decode(data)
    if field(fields, "version", natural) != VERSION:
        raise Malformed("another version")
    _only(fields, ("version", *names), optional)
    return fields


def _only(fields: Mapping[str, Any], required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not set(required) <= set(fields) <= {*required, *optional}:
        raise Malformed("other fields than it should have")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key occurs twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise Malformed("a number is too large")
    return int(digits)


def _no_number(value: str) -> NoReturn:
    raise Malformed(f"{value[:_LONGEST_NUMBER]} is not an integer")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_whole, parse_float=_no_number, parse_constant=_no_number
)


def or_none(read: Callable[[bytes], Value], data: Optional[bytes]) -> Optional[Value]:
    """Return what `read` makes of a record; None if there is no record that can be trusted."""
    if data is None:
        return None
    try:
        return read(data)
    except Malformed:
        return None
