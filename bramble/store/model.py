"""The arguments and results of the store, as values."""

from __future__ import annotations

from bramble.record import NamedTuple


class RawOutput(NamedTuple):
    """A directory that a build has filled, before it is an object.

    `name` is the output's ("out"), `directory` its path on this machine, on the
    store's file system; `temporary_name` is the digest under which the build
    saw it in the store, or "" if nothing ever saw it there.
    """

    name: str
    directory: str
    temporary_name: str


class StoreObject(NamedTuple):
    """An object of the store.

    `name` is its digest; `references` are the objects whose names it holds,
    sorted, itself not included; `size` is the number of bytes in its files.
    """

    name: str
    references: tuple[str, ...]
    size: int


class HiddenName(NamedTuple):
    """The path of an object that a file of an output holds in a form that makes it no reference.

    `output` is the output's name ("out"), `file` the path of the file in it, `how` one of the
    words of `bramble.store.objects.hidden`. `object` is the name of the object, and `sibling` the name
    of the output of the same derivation that it is, "" if it is an input.
    """

    output: str
    file: str
    how: str
    object: str
    sibling: str


class Realisation(NamedTuple):
    """The result of building one store derivation.

    `resolved` is the digest of the store derivation, `derivation` its file name
    in the store; `outputs` are pairs of an output's name and an object's.
    `sandbox` is the mode in which it was built. `stamps` are the host's files
    that an impure builder read, with what would tell that they have changed
    (for example path, size, mtime), for the builder to check: the store only keeps them.
    """

    resolved: str
    derivation: str
    outputs: tuple[tuple[str, str], ...]
    sandbox: str = "namespaces"
    stamps: tuple[tuple[str, ...], ...] = ()
