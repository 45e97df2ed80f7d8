"""A store that is wrong is seen, whatever wrote it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conformance import audit, oracle

HI = "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r"
RECIPE = {
    "Args": None, "Builder": "b", "Env": None, "Dependencies": None, "Name": "n", "OutputNames": ["out"],
    "Outputs": None, "Platform": "linux-amd64", "Source": {"RelativeBuildPath": "", "Path": ""},
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one object, which holds the file hi.txt, at rest."""
    directory = tmp_path / HI
    directory.mkdir()
    (directory / "hi.txt").write_text("hi")
    rest(directory)
    return tmp_path


def rest(directory: Path) -> None:
    for path in [*directory.rglob("*"), directory]:
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
        os.utime(path, (audit.TIME_OF_CHANGE, audit.TIME_OF_CHANGE))


def problems(store: Path) -> list[str]:
    return list(audit.of_store(str(store)))


def test_a_store_at_rest_has_no_problems(store: Path) -> None:
    assert problems(store) == []
    assert problems(store / "nothing") == []


def test_an_object_with_other_bytes_is_seen(store: Path) -> None:
    os.chmod(store / HI / "hi.txt", 0o644)
    (store / HI / "hi.txt").write_text("ho")
    rest(store / HI)
    assert len(problems(store)) == 1 and f"{HI} should have the name" in problems(store)[0]


def test_an_object_that_can_be_written_to_is_seen(store: Path) -> None:
    os.chmod(store / HI / "hi.txt", 0o644)
    assert "can be written" in problems(store)[0]


def test_an_object_with_a_time_of_its_own_is_seen(store: Path) -> None:
    os.utime(store / HI, (1, 1))
    assert "was changed at" in problems(store)[0]


def test_a_recipe_under_another_name_or_in_another_spelling_is_seen(store: Path) -> None:
    data = oracle.store_derivation_bytes(RECIPE)
    name = oracle.store_derivation_digest(RECIPE) + "-n.drv"
    (store / name).write_bytes(data)
    assert problems(store) == []
    (store / name).write_bytes(json.dumps(RECIPE).encode())
    assert "should be written as" in problems(store)[0]
    (store / name).write_bytes(data.replace(b'"b"', b'"c"'))
    assert "should be called" in problems(store)[0]
    (store / name).write_bytes(b"{")
    assert "is not a store derivation" in problems(store)[0]


def test_what_a_build_reports_is_looked_at(store: Path) -> None:
    def found(**changes: object) -> list[str]:
        output = {"path": f"{store}/{HI}", "name": HI, "references": [], **changes}
        document = {"results": [{"target": "t", "outputs": {"out": output}}]}
        return list(
            audit.of_command(["build", "--json", "x"], json.dumps(document).encode(), "/", str(store))
        )

    assert found() == []
    assert "and not at" in found(path=f"{store}/elsewhere")[0]
    assert "not sorted" in found(references=["b", "a"])[0]
    assert "does not hold its reference" in found(references=["a" * 32])[0]
    assert "not a JSON document" in next(audit.of_command(["build", "--json", "x"], b"", "/", str(store)))
