"""Make the vectors that the oracle can compute: `python3 -m conformance.vectors`."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from conformance import oracle
from conformance.oracle import Member
from conformance.places import HOME
from conformance.vectors import inputs

PLACE = os.path.join(HOME, "vectors")


def computed() -> dict[str, list[dict[str, Any]]]:
    """Return the content of each file, by its name without `.json`."""
    return {
        "digest": [
            {"name": name, "bytes64": base64.b64encode(data).decode(), "digest": oracle.digest(data)}
            for name, data in inputs.DIGESTS.items()
        ],
        "store-directory": [
            {"name": name, "root": root, "directory": _directory(root)} for name, root in inputs.ROOTS.items()
        ],
        "archive": [{"name": name, "tree": tree, **_archives(tree)} for name, tree in inputs.TREES.items()],
        "identity": [
            {
                "name": name,
                "tree": tree,
                "store": store,
                "temporary": inputs.TEMPORARY,
                "object": oracle.name_of_members(members(tree, canonical=True), inputs.TEMPORARY, store),
            }
            for name, (store, tree) in inputs.OBJECTS.items()
        ],
        "derivation": [
            {
                "name": name,
                "document": document,
                "canonical": oracle.derivation_text(document),
                "id": oracle.derivation_id(document),
            }
            for name, document in inputs.DERIVATIONS.items()
        ],
        "store-derivation": [
            {
                "name": name,
                "document": document,
                "text": oracle.store_derivation_bytes(document).decode(),
                "key": oracle.store_derivation_digest(document),
            }
            for name, document in inputs.STORE_DERIVATIONS.items()
        ],
    }


def members(tree: Sequence[Mapping[str, Any]], *, canonical: bool) -> list[Member]:
    """Return the members of a tree, with its modes or those of an output."""
    found = []
    for entry in tree:
        path = base64.b64decode(entry["path64"]) if "path64" in entry else entry["path"].encode()
        if entry["kind"] == "link":
            found.append(Member(b"/" + path, b"2", 0o777, target=base64.b64decode(entry["target64"])))
            continue
        mode = int(entry["mode"], 8)
        if entry["kind"] == "directory":
            found.append(Member(b"/" + path + b"/", b"5", 0o755 if canonical else mode))
        else:
            plain = (0o755 if mode & 0o100 else 0o644) if canonical else mode
            found.append(Member(b"/" + path, b"0", plain, base64.b64decode(entry["content64"])))
    return found


def written(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a file: one object per line, so that a change is visible as one line."""
    # The prefix of record must stand whole in no file that may become a source: moving would change it.
    prefix = oracle.PREFIX_OF_RECORD.decode()
    lines = [json.dumps(row).replace(prefix, prefix.replace("/", "\\/")) for row in rows]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _directory(root: str) -> Any:
    try:
        return oracle.store_directory(root)
    except ValueError:
        return None


def _archives(tree: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    plain = oracle.archive(members(tree, canonical=False))
    canonical = oracle.archive(members(tree, canonical=True))
    return {"plain": oracle.digest(plain), "canonical": oracle.digest(canonical), "size": len(plain)}


def main() -> None:
    """Write the files."""
    for name, rows in computed().items():
        with open(os.path.join(PLACE, f"{name}.json"), "w", encoding="utf-8") as file:
            file.write(written(rows))


if __name__ == "__main__":
    main()
