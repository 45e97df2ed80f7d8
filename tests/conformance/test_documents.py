"""Documents and records are held against the schemas, and the schemas say enough to notice a fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import conformance
from conformance.forms import documents

VECTORS = Path(conformance.__file__).parent / "vectors"
DIGEST = "a" * 32


def vectors(name: str) -> list[dict[str, Any]]:
    return list(json.loads((VECTORS / name).read_text("utf-8")))


def test_the_derivations_of_the_vectors_have_the_form_that_the_schemas_describe() -> None:
    canonical = [one["document"] for one in vectors("derivation.json")]
    stored = [one["document"] for one in vectors("store-derivation.json")]
    assert len(canonical) > 5 and len(stored) > 5
    for document in canonical:
        assert list(documents.held(document, "derivation.json", "canonical")) == []
        assert list(documents.held({"version": 1, "graph": {DIGEST: document}}, "graph-document.json")) == []
    for document in stored:
        assert list(documents.held(document, "store-derivation.json")) == []


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("derivation.json", "Args", []),
        ("derivation.json", "Env", []),
        ("derivation.json", "Dependencies", []),
        ("derivation.json", "Outputs", None),
        ("derivation.json", "Sources", {"Files": [], "Location": ""}),
        ("derivation.json", "Target", ""),
        ("derivation.json", "Network", False),
        ("derivation.json", "More", 1),
        ("store-derivation.json", "Args", []),
        ("store-derivation.json", "Dependencies", []),
        ("store-derivation.json", "Platform", ""),
        ("store-derivation.json", "Target", ""),
        ("store-derivation.json", "Network", False),
        ("store-derivation.json", "Source", {"RelativeBuildPath": "", "Path": "/x"}),
        ("store-derivation.json", "Outputs", [{"Path": DIGEST, "Dependencies": []}]),
    ],
)
def test_a_derivation_of_another_form_is_noticed(file: str, key: str, value: object) -> None:
    document = {**vectors(file)[0]["document"], key: value}
    assert list(documents.held(document, file, "canonical" if file == "derivation.json" else ""))


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (["build", "./:a", "--json"], "build"),
        (["-C", "x", "build", "--json", "./:a"], "build"),
        (["build", "--just-parse", "--json", "./:a"], "build --just-parse"),
        (["store", "verify", "--json"], "store verify"),
        (["store", "root", "list", "--json"], "store root list"),
        (["store", "root", "--json"], "store root"),
        (["test", "--list", "--json"], "test --list"),
        (["gc", "--dry-run", "--json"], "gc"),
        (["build", "./:a"], ""),
        (["run", "./:a", "--", "x", "--json"], ""),
    ],
)
def test_each_command_has_its_own_schema(arguments: list[str], form: str) -> None:
    assert documents.form_of(arguments) == form


def test_what_a_command_prints_is_checked() -> None:
    assert list(documents.of_command(["version", "--json"], b'{"version": 1, "bramble": "x", "m": 1}')) == []
    assert list(documents.of_command(["version", "--json"], b'{"version": 1}')) == ["$: there is no bramble"]
    assert "not a JSON document" in next(documents.of_command(["version", "--json"], b"v 1"))


def test_what_lies_in_a_store_is_checked(tmp_path: Path) -> None:
    store = tmp_path / "padding" / "store"
    records = tmp_path / "var" / "objects"
    store.mkdir(parents=True)
    records.mkdir(parents=True)
    record = records / DIGEST
    record.write_text('{"version": 1, "references": [], "size": 1}')
    drv = store / f"{DIGEST}-a.drv"
    drv.write_text(json.dumps(vectors("store-derivation.json")[0]["document"]))
    assert list(documents.of_store(str(store))) == []
    record.write_text('{"version": 1, "references": [], "size": -1}')
    drv.write_text("{}")
    found = list(documents.of_store(str(store)))
    assert found[0] == f"{record}: $.size: -1 is less than 0" and f"{drv}: $: there is no Args" in found
    # What cannot be read is said by the command that reads it.
    record.write_text("{")
    drv.write_text("")
    assert list(documents.of_store(str(store))) == []
