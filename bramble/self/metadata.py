"""The metadata of the package for installers: read from `pyproject.toml`, written as core metadata.

Sources: the specification of `pyproject.toml` (PEP 621, PEP 639), the core metadata
specifications (version 2.4), the entry points specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bramble.errors import BrambleError
from bramble.project.toml import parse
from bramble.record import dataclass

PROJECT_FILE = "pyproject.toml"
VERSION_FILE = "bramble/__init__.py"
_VERSION = re.compile(r'^__version__ = "([0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?)"$', re.M)
_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


@dataclass(frozen=True)
class Metadata:
    """The `[project]` table of `pyproject.toml`, with the texts that it names.

    `readme` is the text of the long description, Markdown; `extras` maps the name of an extra to its
    requirements; `scripts` maps the name of a command to `MODULE:FUNCTION`; `license_files` are
    paths in the source tree.
    """

    name: str
    version: str
    summary: str
    readme: str
    requires_python: str
    license: str  # an SPDX expression
    license_files: tuple[str, ...]
    classifiers: tuple[str, ...]
    extras: Mapping[str, tuple[str, ...]]
    scripts: Mapping[str, str]

    @property
    def stem(self) -> str:
        """The beginning of the names of the wheel, the source distribution and `.dist-info`."""
        return f"{self.name}-{self.version}"


def read_metadata(tree: Mapping[str, bytes]) -> Metadata:
    """Return the metadata of the source tree `tree`, path → bytes.

    Raises BrambleError self.metadata when a file or a key is missing, or says what this
    reader does not understand; and `config.syntax` for a text that is not TOML.
    """
    # spec: self.wheel.info
    project = parse(_text(tree, PROJECT_FILE), PROJECT_FILE).get("project", {})
    found = _VERSION.search(_text(tree, VERSION_FILE))
    if found is None:
        raise _wrong(VERSION_FILE, "__version__ is missing, or is not a version such as 1.2.3")
    if project.get("dynamic") != ["version"] or project.get("dependencies") != []:
        raise _wrong(PROJECT_FILE, 'the version is dynamic, and "dependencies" is empty')
    licenses = _strings(project, "license-files")
    for path in licenses:
        _text(tree, path)
    name = _string(project, "name")
    if _NAME.fullmatch(name) is None:
        raise _wrong(PROJECT_FILE, f"{name!r} is not a normalised name of a distribution")
    return Metadata(
        name=name,
        version=found[1],
        summary=_string(project, "description"),
        readme=_text(tree, _string(project, "readme")),
        requires_python=_string(project, "requires-python"),
        license=_string(project, "license"),
        license_files=licenses,
        classifiers=_strings(project, "classifiers"),
        extras={
            name: _strings(project, "optional-dependencies", name)
            for name in _table(project, "optional-dependencies")
        },
        scripts={name: _string(project, "scripts", name) for name in _table(project, "scripts")},
    )


def core_metadata(metadata: Metadata) -> bytes:
    """Return the file METADATA of a wheel, which is PKG-INFO of a source distribution."""
    return ("\n".join(_fields(metadata)) + "\n\n" + metadata.readme).encode("utf-8")


def _fields(metadata: Metadata) -> Iterator[str]:
    yield "Metadata-Version: 2.4"
    yield f"Name: {metadata.name}"
    yield f"Version: {metadata.version}"
    yield f"Summary: {metadata.summary}"
    yield f"License-Expression: {metadata.license}"
    for path in metadata.license_files:
        yield f"License-File: {path}"
    for classifier in metadata.classifiers:
        yield f"Classifier: {classifier}"
    yield f"Requires-Python: {metadata.requires_python}"
    for extra, requirements in sorted(metadata.extras.items()):
        yield f"Provides-Extra: {extra}"
        for requirement in requirements:
            yield f'Requires-Dist: {requirement}; extra == "{extra}"'
    yield "Description-Content-Type: text/markdown"


def entry_points(metadata: Metadata) -> bytes:
    """Return the file entry_points.txt: the commands that an installer makes."""
    lines = (f"{name} = {target}\n" for name, target in sorted(metadata.scripts.items()))
    return ("[console_scripts]\n" + "".join(lines)).encode("utf-8")


def _text(tree: Mapping[str, bytes], path: str) -> str:
    try:
        return tree[path].decode("utf-8")
    except KeyError:
        raise _wrong(path, "the file is missing") from None
    except UnicodeDecodeError:
        raise _wrong(path, "the file is not UTF-8") from None


def _find(project: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = project
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _string(project: Mapping[str, Any], *keys: str) -> str:
    value = _find(project, keys)
    if not isinstance(value, str) or not value or "\n" in value:
        raise _wrong(PROJECT_FILE, f'"project.{".".join(keys)}" is missing, or is not one line of text')
    return value


def _strings(project: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    value = _find(project, keys)
    if not isinstance(value, list) or not all(isinstance(one, str) and "\n" not in one for one in value):
        raise _wrong(PROJECT_FILE, f'"project.{".".join(keys)}" is missing, or is not a list of lines')
    return tuple(value)


def _table(project: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = project.get(key)
    if not isinstance(value, dict):
        raise _wrong(PROJECT_FILE, f'"project.{key}" is missing, or is not a table')
    return value


def _wrong(path: str, fact: str) -> BrambleError:
    return BrambleError(
        "self.metadata", f"{path}: {fact}", remedy="use the source tree of a release, or of the repository"
    )
