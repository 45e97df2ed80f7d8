"""Worlds with published packages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import remove_store
from tests.packages.published import Published, published


@pytest.fixture
def market() -> Iterator[Published]:
    base = Path(tempfile.mkdtemp(prefix="bp", dir="/tmp"))
    yield published(base)
    remove_store(base)
