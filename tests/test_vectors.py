"""The vectors of the conformance suite are what the reference implementation does."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bramble.derivation.canonical import canonical_bytes, derivation_id
from bramble.derivation.encoding import decode_derivation, decode_resolved
from bramble.derivation.template import Template
from bramble.errors import BrambleError
from bramble.packages.select import Release, select
from bramble.project.files import find_files
from bramble.project.versions import Version
from bramble.store.digest import digest
from bramble.store.layout.place import locate
from bramble.store.tree.plain import archive_digest

PLACE = Path(__file__).parents[1] / "conformance" / "vectors"


def rows(name: str) -> list[Any]:
    found = json.loads((PLACE / f"{name}.json").read_text())
    names = [row["name"] for row in found]
    assert len(set(names)) == len(names) > 3
    return found  # type: ignore[no-any-return]


def test_digests() -> None:
    for row in rows("digest"):
        assert digest(base64.b64decode(row["bytes64"])) == row["digest"]


def test_store_directories() -> None:
    for row in rows("store-directory"):
        try:
            found = locate(row["root"]).directory
        except BrambleError as error:
            assert error.code == "store.root-too-long"
            found = None
        assert found == row["directory"], row["name"]


def test_archives(tmp_path: Path) -> None:
    for number, row in enumerate(rows("archive")):
        top = tmp_path / str(number)
        top.mkdir()
        written_tree(str(top), row["tree"])
        assert archive_digest(str(top)) == row["plain"], row["name"]
        for entry in reversed(row["tree"]):
            if entry["kind"] == "directory":
                os.chmod(top / entry["path"], 0o700)


def written_tree(top: str, tree: list[Any]) -> None:
    for entry in tree:
        name = base64.b64decode(entry["path64"]) if "path64" in entry else entry["path"].encode()
        path = os.path.join(os.fsencode(top), name)
        if entry["kind"] == "link":
            os.symlink(base64.b64decode(entry["target64"]), path)
        elif entry["kind"] == "directory":
            os.mkdir(path)
        else:
            with open(path, "wb") as file:
                file.write(base64.b64decode(entry["content64"]))
            os.chmod(path, int(entry["mode"], 8))
    for entry in tree:
        if entry["kind"] == "directory":
            os.chmod(os.path.join(top, entry["path"]), int(entry["mode"], 8))


def test_derivations() -> None:
    for row in rows("derivation"):
        made = decode_derivation(json.dumps(row["document"]).encode())
        assert canonical_bytes(made).decode() == row["canonical"], row["name"]
        assert derivation_id(made) == row["id"], row["name"]


def test_store_derivations() -> None:
    for row in rows("store-derivation"):
        resolved, outputs = decode_resolved(row["text"].encode())
        assert resolved.encode(outputs).decode() == row["text"], row["name"]
        assert resolved.digest == row["key"], row["name"]


def test_templates() -> None:
    for row in rows("template"):
        parts = [part if isinstance(part, str) else list(part) for part in Template.parse(row["text"]).parts]
        assert parts == row["parts"], row["name"]


def test_versions() -> None:
    for row in rows("versions"):
        for text in row.get("wrong", ()):
            with pytest.raises(BrambleError):
                Version.parse(text)
        groups = [[Version.parse(text) for text in group] for group in row.get("versions", ())]
        for number, group in enumerate(groups):
            assert all(one == group[0] for one in group)
            for later in groups[number + 1 :]:
                assert group[0] < later[0], (row["name"], str(group[0]), str(later[0]))


def test_patterns(tmp_path: Path) -> None:
    for number, row in enumerate(rows("patterns")):
        top = tmp_path / str(number)
        for name in row["files"]:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text("")
        try:
            found: Any = sorted(find_files(str(top), "", [row["pattern"]]))
        except BrambleError as error:
            found = error.code
        assert found == row.get("found", row.get("error")), row["name"]


def test_selection() -> None:
    for row in rows("selection"):
        releases = row["releases"]

        def required(needs: dict[str, str]) -> dict[str, Release]:
            return {name: Release(name, Version.parse(text)) for name, text in needs.items()}

        found = select(
            required(row["project"]),
            lambda asked, releases=releases: [
                required(releases[f"{one.name}@{one.version}"]) for one in asked
            ],
        )
        chosen = {f"{slot.name} {slot.major}": str(one.version) for slot, one in found.chosen.items()}
        assert chosen == row["chosen"], row["name"]
