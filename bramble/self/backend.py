"""The build backend that `pyproject.toml` names: how `pip install`, `pipx` and `uv` come by a wheel.

It needs nothing but Python's own library, so that an installation needs no network. The names and
the parameters of the hooks are those of the build system interface (PEP 517, PEP 660); `config_settings`
has no effect.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from bramble.self.metadata import read_metadata
from bramble.self.repository import checkout, read_repository
from bramble.self.sdist import sdist, sdist_name
from bramble.self.tree import source_tree
from bramble.self.wheel import dist_info, dist_info_name, editable_wheel, wheel, wheel_name

__all__ = [
    "UnsupportedOperation",
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Optional[Mapping[str, Any]]


class UnsupportedOperation(Exception):
    """The source distribution cannot be made of this source tree (PEP 517)."""


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Return what has to be installed to build the wheel: nothing."""
    return []


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """Write `.dist-info` into a directory and return its name."""
    # spec: self.wheel.backend
    tree = source_tree()
    metadata = read_metadata(tree)
    directory = dist_info_name(metadata)
    for path, data in dist_info(metadata, tree).items():
        target = os.path.join(metadata_directory, directory, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _write(target, data)
    return directory


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None
) -> str:
    """Write the wheel into a directory and return its name."""
    # spec: self.wheel.backend
    tree = source_tree()
    name = wheel_name(read_metadata(tree))
    _write(os.path.join(wheel_directory, name), wheel(tree))
    return name


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None
) -> str:
    """Write a wheel that makes `import bramble` read this directory, and return its name."""
    # spec: self.wheel.editable
    tree = source_tree()
    name = wheel_name(read_metadata(tree))
    _write(os.path.join(wheel_directory, name), editable_wheel(tree, os.getcwd()))
    return name


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Write the source distribution into a directory and return its name.

    Raises UnsupportedOperation if the tests and the suite are not there, as in an extracted file.
    """
    # spec: self.sdist
    top = checkout()
    if top is None:
        raise UnsupportedOperation("the source distribution is made of a clone of the repository")
    repository = read_repository(top)
    name = sdist_name(read_metadata({path: file.data for path, file in repository.items()}))
    _write(os.path.join(sdist_directory, name), sdist(repository))
    return name


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
