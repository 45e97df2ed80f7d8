"""Extended attributes by way of `os`, and by way of the C library where `os` lacks them (musl)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from bramble.store.files import attributes


@pytest.fixture(params=["os", "the C library", "neither"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "os":
        monkeypatch.setattr(attributes, "PYTHON_HAS_THEM", False)
        monkeypatch.setattr(attributes, "ctypes", ctypes if request.param == "the C library" else None)
    return str(request.param)


def test_attributes_are_named_found_and_removed(way: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    fd = os.open(path, os.O_RDONLY)
    try:
        if way == "neither":
            assert not attributes.has_attribute(str(path), "user.a")
            for call in (lambda: attributes.attributes_of(fd), lambda: attributes.remove_attribute(fd, "x")):
                with pytest.raises(OSError):
                    call()
            return
        assert attributes.attributes_of(fd) == []
        try:
            for name in ("user.a", "user.bc"):
                os.setxattr(fd, name, b"x")
        except OSError as error:
            pytest.skip(f"the file system of {tmp_path}: {error.strerror}")
        assert sorted(attributes.attributes_of(fd)) == ["user.a", "user.bc"]
        assert attributes.has_attribute(str(path), "user.a")
        attributes.remove_attribute(fd, "user.a")
        assert attributes.attributes_of(fd) == ["user.bc"]
        assert not attributes.has_attribute(str(path), "user.a")
        with pytest.raises(OSError):
            attributes.remove_attribute(fd, "user.a")
    finally:
        os.close(fd)
