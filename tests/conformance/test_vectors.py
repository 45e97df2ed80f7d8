"""The files of vectors are what the oracle computes of their inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.vectors.__main__ import PLACE, computed, written


@pytest.mark.parametrize("name", list(computed()))
def test_the_files_are_what_the_oracle_computes(name: str) -> None:
    assert Path(PLACE, f"{name}.json").read_text() == written(computed()[name])
