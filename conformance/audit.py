"""What the runner checks without being asked, with the oracle: ids in documents, and the store after a case.

An implementation that is consistent with itself and wrong is caught here: the
ids and names that it prints are recomputed from what it printed and stored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from conformance import oracle
from conformance.script import DIGEST

TIME_OF_CHANGE = 315619200  # spec: objects.canonical.stored


def of_command(arguments: Sequence[str], stdout: bytes, directory: str, store: str) -> Iterator[str]:
    """Yield what is wrong with the output of a command that succeeded (spec: conformance.audit)."""
    if tuple(arguments[:2]) == ("store", "hash") and len(arguments) == 3:
        expected = oracle.archive_digest(os.path.join(directory, arguments[2]))
        if stdout.decode("utf-8", "replace") != expected + "\n":
            yield f"store hash printed {stdout!r}; the archive of {arguments[2]} has the digest {expected}"
    if arguments[:1] and arguments[0] in ("build", "graph"):
        if "--json" not in arguments:
            return
        try:
            document = json.loads(stdout.decode("utf-8"))
        except ValueError as problem:
            yield f"standard output is not a JSON document ({problem})"
            return
        recipes = arguments[0] == "graph" or "--just-parse" in arguments
        try:
            yield from _graph(document) if recipes else _results(document, store)
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            yield f"the document has another form than it must: {type(problem).__name__} {problem}"


def _graph(document: Any) -> Iterator[str]:
    for name, derivation in document.get("graph", {}).items():
        try:
            expected = oracle.derivation_id(derivation)
        except (ValueError, AttributeError, TypeError, KeyError) as problem:
            yield f"the derivation {name} is not a derivation: {problem}"
            continue
        if name != expected:
            yield f"the derivation {name} should have the id {expected}"
        for one in derivation["Dependencies"] or ():
            if one["Hash"] not in document["graph"]:
                yield f"the derivation {name} depends on {one['Hash']}, which is not in the graph"
    for result in document.get("results", ()):
        for name in result["derivations"]:
            if name not in document["graph"]:
                yield f"the target {result['target']} has the derivation {name}, which is not in the graph"


def _results(document: Any, store: str) -> Iterator[str]:
    for result in document.get("results", ()):
        for output, found in result["outputs"].items():
            name = found["name"]
            # The path that people see may lead to the store directory by a link.
            if os.path.realpath(found["path"]) != os.path.realpath(f"{store}/{name}"):
                yield f"the output {output} is at {found['path']}, and not at {store}/{name}"
            elif not os.path.isdir(found["path"]):
                yield f"the output {output} is not there: {found['path']}"
            if found["references"] != sorted(set(found["references"])):
                yield f"the references of the output {output} are not sorted, or not unique"
            for reference in found["references"]:
                if not oracle.holds(found["path"], reference):
                    yield f"the output {output} does not hold its reference {reference}"


def of_store(store: str) -> Iterator[str]:
    """Yield what is wrong in a store at rest: objects and derivations whose bytes have another name."""
    if not os.path.isdir(store):
        return
    for name in sorted(os.listdir(store)):
        path = os.path.join(store, name)
        if DIGEST.fullmatch(name):
            expected = oracle.object_name(path, name, store)
            if expected != name:
                yield f"the object {name} should have the name {expected}"
            yield from _at_rest(path)
        elif name.endswith(".drv"):
            yield from _store_derivation(path, name)


def _at_rest(path: str) -> Iterator[str]:
    for directory, names, files in os.walk(path):
        for name in [".", *names, *files]:
            full = os.path.normpath(os.path.join(directory, name))
            status = os.lstat(full)
            if status.st_mode & 0o222 and not os.path.islink(full):
                yield f"{full} can be written: its mode is {status.st_mode & 0o7777:04o}"
                return
            if status.st_mtime_ns != TIME_OF_CHANGE * 10**9:
                yield f"{full} was changed at {status.st_mtime}, and not at {TIME_OF_CHANGE}"
                return


def _store_derivation(path: str, name: str) -> Iterator[str]:
    with open(path, "rb") as file:
        data = file.read()
    try:
        document = json.loads(data)
        expected = oracle.store_derivation_digest(document)
        spelled = oracle.store_derivation_bytes(document)
    except (ValueError, AttributeError, TypeError, KeyError) as problem:
        yield f"{name} is not a store derivation: {problem}"
        return
    if data != spelled:
        yield f"{name} should be written as {spelled!r}, and is {data!r}"
    if name != f"{expected}-{document['Name']}.drv":
        yield f"{name} should be called {expected}-{document['Name']}.drv"
