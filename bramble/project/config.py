"""bramble.toml: what a project calls itself and what it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from bramble.errors import BrambleError, Place, nearest
from bramble.library import modules as library
from bramble.project.access import read_file
from bramble.project.names import CONFIG_NAME, broken_name
from bramble.project.toml import Moment, Path, TomlDocument, decode, parse_document
from bramble.project.versions import Version
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import dataclass, field

MOST_WARNINGS = 100
LARGEST = 4 << 20  # bytes: what is larger takes seconds to read, and nobody has written it

_KNOWN: Mapping[str, tuple[str, ...]] = {
    "": ("package", "dependencies", "mirror", "vendor"),
    "package": ("name", "version", "description"),
    "vendor": ("path",),
}
_KNOWN_OF_DEPENDENCY = ("version", "path", "git", "rev")


@dataclass(frozen=True)
class Dependency:
    """Another project that this one loads modules of."""

    version: Optional[str]  # the least version that will do; None beside a path or a revision: any
    path: str = ""  # a directory relative to the project, used instead of a published package
    git: str = ""  # the repository, where it is elsewhere than the name says
    rev: str = ""  # a commit, branch or tag of the repository, used instead of a published version
    place: Place = field(default=Place(CONFIG_NAME), compare=False)  # what bramble.toml says of it


@dataclass(frozen=True)
class ProjectConfig:
    """What bramble.toml says."""

    name: str  # the module name of the project's root
    version: str
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)  # by package name
    description: str = ""  # what it is for, in a line
    mirror: Mapping[str, str] = field(default_factory=dict)  # URL → path, relative to the project
    vendor: str = ""  # the vendor directory, relative to the project; "" for none
    warnings: tuple[str, ...] = ()  # "bramble.toml:4:1: …", in the order of the file


def load_config(path: str, reads: Reads = NOT_NOTED) -> ProjectConfig:
    """Read the configuration at `path`. Raises config.* with the line and column that is wrong."""
    reads.file(*os.path.split(path))
    try:
        data = read_file(*os.path.split(path), LARGEST)
    except OSError as error:
        raise BrambleError(
            "config.unreadable",
            f"{path} cannot be read: {error.strerror}",
            remedy="make it a file that you may read",
        ) from error
    return parse_config(decode(data, CONFIG_NAME))


def parse_config(text: str, filename: str = CONFIG_NAME) -> ProjectConfig:
    """Return what the text of a bramble.toml says. Raises config.* with line and column."""
    # spec: project.config
    document = parse_document(text, filename)
    values = document.values
    package = _table(document, values, "package")
    if package is None:
        raise BrambleError(
            "config.missing",
            "the table [package] is missing",
            place=Place(filename, 1, 1),
            remedy='add [package] with name = "example.com/hello" and version = "0.0.1"',
        )
    return ProjectConfig(
        name=_name(document, _required(document, package, "name", "example.com/hello")),
        version=_version(document, _required(document, package, "version", "0.0.1"), ("package", "version")),
        description=_string(document, ("package", "description"), package.get("description", "")),
        dependencies=_dependencies(document, _table(document, values, "dependencies") or {}),
        mirror=_mirror(document, _table(document, values, "mirror") or {}),
        vendor=_vendor(document, _table(document, values, "vendor")),
        warnings=tuple(_warnings(document)),
    )


def _type_error(document: TomlDocument, path: Path, expected: str, value: Any) -> BrambleError:
    name = ".".join(str(part) for part in path)
    return BrambleError(
        "config.type",
        f"{name} is {_kind(value)}; {expected} is expected",
        place=document.value_place(path),
        remedy=f'write it in quotes: "{value}"'
        if expected == "a string" and isinstance(value, (int, float))
        else f"make it {expected}",
    )


def _kind(value: Any) -> str:
    for kind, name in (
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a number"),
        (str, "a string"),
        (list, "an array"),
        (Moment, "a date or a time"),
    ):
        if isinstance(value, kind):
            return name
    return "a table"


def _table(document: TomlDocument, values: Mapping[str, Any], name: str) -> Optional[dict[str, Any]]:
    table = values.get(name)
    if table is not None and not isinstance(table, dict):
        raise _type_error(document, (name,), "a table", table)
    return table


def _string(document: TomlDocument, path: Path, value: Any) -> str:
    if not isinstance(value, str):
        raise _type_error(document, path, "a string", value)
    return value


def _required(document: TomlDocument, package: Mapping[str, Any], key: str, example: str) -> str:
    # spec: project.config.package
    if key not in package:
        raise BrambleError(
            "config.missing",
            f"[package] has no {key}",
            place=document.key_place(("package",)),
            remedy=f'add {key} = "{example}" below [package]',
        )
    return _string(document, ("package", key), package[key])


def _name(document: TomlDocument, name: str) -> str:
    wrong = broken_name(name)
    if wrong is None and name.partition("/")[0] == library.PACKAGE:
        # spec: project.modules.library
        wrong = f'"{library.PACKAGE}" is the name of the library that comes with Bramble'
    if wrong is not None:
        raise BrambleError(
            "config.name",
            wrong,
            place=document.value_place(("package", "name")),
            remedy="use letters, digits, and . _ + ~ - in parts between slashes, "
            'for example "example.com/hello"',
        )
    return name


def _version(document: TomlDocument, text: str, path: Path) -> str:
    try:
        Version.parse(text)
    except BrambleError as error:
        raise BrambleError(
            error.code, error.message, place=document.value_place(path), remedy=error.remedy
        ) from error
    return text


def _dependencies(document: TomlDocument, table: Mapping[str, Any]) -> dict[str, Dependency]:
    # spec: project.config.dependencies
    found = {}
    for name, value in table.items():
        path: Path = ("dependencies", name)
        wrong = broken_name(name)
        if wrong is None and name.partition("/")[0] == library.PACKAGE:
            wrong = f'"{library.PACKAGE}" is the library that comes with Bramble, and needs no entry'
        if wrong is not None:
            raise BrambleError(
                "config.name",
                wrong,
                place=document.key_place(path),
                remedy='a dependency is named as it names itself, in quotes: "example.com/lib" = "0.1.0"',
            )
        if isinstance(value, str):
            if Version.parse(_version(document, value, path)).build:
                raise _without_build(document, path, value)
            found[name] = Dependency(value, place=document.value_place(path))
            continue
        if not isinstance(value, dict):
            raise _type_error(document, path, "a version or a table", value)
        if "version" not in value and not (value.get("path") or value.get("rev")):
            raise BrambleError(
                "config.missing",
                f'the dependency "{name}" has neither version nor path nor rev',
                place=document.value_place(path),
                remedy=f'write "{name}" = "0.1.0"',
            )
        version = value.get("version")
        if version is not None:
            key = (*path, "version")
            version = _version(document, _string(document, key, version), key)
        if version is not None and Version.parse(version).build:
            raise _without_build(document, (*path, "version"), version)
        places = {key: _string(document, (*path, key), value.get(key, "")) for key in ("path", "git", "rev")}
        _refuse_two_places(document, path, value)
        found[name] = Dependency(version, **places, place=document.value_place(path))
    return found


def _without_build(document: TomlDocument, path: Path, version: str) -> BrambleError:
    # spec: packages.names.tag
    return BrambleError(
        "config.version",
        f'"{version}" has build metadata, and no version of a package is published with it',
        place=document.value_place(path),
        remedy=f'write "{version.partition("+")[0]}"',
    )


def _refuse_two_places(document: TomlDocument, path: Path, value: Mapping[str, Any]) -> None:
    # spec: project.config.dependencies
    for key in ("path", "git", "rev"):
        if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in value.get(key, "")):
            raise BrambleError(
                "config.dependency",
                f'there is a control character in the {key} of "{path[-1]}"',
                place=document.value_place((*path, key)),
                remedy="remove it",
            )
    for key, other in (("path", "git"), ("path", "rev"), ("rev", "version")):
        if value.get(key) and value.get(other):
            raise BrambleError(
                "config.dependency",
                f'the dependency "{path[-1]}" has both {key} and {other}',
                place=document.value_place(path),
                remedy=f"leave {other if key == 'path' else key} out",
            )


def _mirror(document: TomlDocument, table: Mapping[str, Any]) -> dict[str, str]:
    # spec: project.config.mirror
    return {url: _string(document, ("mirror", url), path) for url, path in table.items()}


def _vendor(document: TomlDocument, table: Optional[Mapping[str, Any]]) -> str:
    # spec: project.config.vendor
    if table is None:
        return ""
    path: Path = ("vendor", "path")
    if "path" not in table:
        raise BrambleError(
            "config.missing",
            "[vendor] has no path",
            place=document.key_place(("vendor",)),
            remedy='add path = "vendor" below [vendor]',
        )
    text = _string(document, path, table["path"])
    parts = text.split("/")
    if not text.isprintable() or {"..", ""} & set(parts) or set(parts) == {"."}:
        raise BrambleError(
            "config.vendor",
            f"{ascii(text)} is not a directory below the project",
            place=document.value_place(path),
            remedy='name one, such as path = "vendor"; for one elsewhere: bramble --vendor DIR build',
        )
    return text


def _warnings(document: TomlDocument) -> list[str]:
    """Return a line for every key that has no effect: a misspelt one would go unnoticed."""
    # spec: project.config.unknown
    unknown: list[tuple[Path, tuple[str, ...]]] = []
    for table, known in _KNOWN.items():
        values = document.values.get(table, {}) if table else document.values
        path: Path = (table,) if table else ()
        unknown += [((*path, key), known) for key in values if key not in known]
    for name, value in document.values.get("dependencies", {}).items():
        if isinstance(value, dict):
            unknown += [
                (("dependencies", name, key), _KNOWN_OF_DEPENDENCY)
                for key in value
                if key not in _KNOWN_OF_DEPENDENCY
            ]
    placed = [(document.key_place(path), path, known) for path, known in unknown]
    placed.sort(key=lambda item: (item[0].line or 0, item[0].column or 0))
    lines = []
    for place, path, known in placed[:MOST_WARNINGS]:
        meant = nearest(str(path[-1]), known)
        hint = f'; did you mean "{meant}"?' if meant else f"; known are {', '.join(known)}"
        lines.append(f'{place}: the key "{".".join(str(part) for part in path)}" has no effect{hint}')
    if placed[MOST_WARNINGS:]:
        lines.append(f"{placed[MOST_WARNINGS][0]}: {len(placed) - MOST_WARNINGS} more keys have no effect")
    return lines
