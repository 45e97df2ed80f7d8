"""The records of a store: small JSON files in `var/` that say what objects are and where they come from.

They are small so that each can be replaced by one rename, one for each thing so
that nobody waits for anybody, and text so that a user can read them. A
record of an object is written before the object appears and removed after it
is gone; so an object always has its record.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Optional

from bramble.errors import BrambleError
from bramble.store.digest import is_digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import Directory, read_below, write_file
from bramble.store.model import Realisation, StoreObject
from bramble.store.path import shown
from bramble.store.trust import schema
from bramble.store.trust.schema import VERSION


def digests_in(directory: str) -> list[str]:
    """Return the names of the records in a directory, sorted; none where it is missing. Raises store.*."""
    with (
        DiskFailures("list what is known of the store"),
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
    ):
        return sorted(filter(is_digest, os.listdir(directory)))
    return []


def read_object(var: str, name: str) -> Optional[StoreObject]:
    """Return the record of the object `name`, or None if there is no record.

    Raises BrambleError store.damaged-record.
    """
    found = read_dated_object(Directory.at(f"{var}/objects"), name)
    return None if found is None else found[0]


def read_dated_object(where: Directory, name: str) -> Optional[tuple[StoreObject, float]]:
    """Return what `read_object` does, and the time of the record: seconds since 1970.

    `where` is the directory of these records. Raises BrambleError store.damaged-record.
    """
    found = read_below(where, name)
    if found is None:
        return None
    try:
        return schema.stored_object(name, found[0]), found[1]
    except schema.Malformed as error:
        raise BrambleError(
            "store.damaged-record",
            f'the record of the object {name}, "{shown(where.path + name)}", cannot be read',
            remedy="run `bramble store verify --repair`",
        ) from error


def write_object(var: str, record: StoreObject, *, sync: bool) -> None:
    """Write the record of an object."""
    # spec: store.records.object
    fields = {"version": VERSION, "references": list(record.references), "size": record.size}
    write_file(f"{var}/objects/{record.name}", json.dumps(fields).encode(), sync=sync)


def read_realisation(var: str, resolved: str) -> Optional[Realisation]:
    """Return the realisation of the store derivation `resolved`, or None if it is not known.

    A record that cannot be read is treated as absent: building again writes a new one.
    """
    found = read_dated_realisation(Directory.at(f"{var}/realisations"), resolved)
    return None if found is None else found[0]


def read_dated_realisation(where: Directory, resolved: str) -> Optional[tuple[Realisation, float]]:
    """Return what `read_realisation` does, and the time of the record: seconds since 1970.

    `where` is the directory of these records.
    """
    found = read_below(where, resolved)
    if found is None:
        return None
    try:
        return schema.realisation(resolved, found[0]), found[1]
    except schema.Malformed:
        return None


def write_realisation(var: str, realisation: Realisation) -> None:
    """Write the realisation of a store derivation.

    Not synced: a record that was cut short by a crash is treated as absent.
    """
    # spec: store.records.realisation
    fields = {
        "version": VERSION,
        "derivation": realisation.derivation,
        "outputs": [list(pair) for pair in realisation.outputs],
        "sandbox": realisation.sandbox,
        "stamps": [list(stamp) for stamp in realisation.stamps],
    }
    write_file(f"{var}/realisations/{realisation.resolved}", json.dumps(fields).encode(), sync=False)
