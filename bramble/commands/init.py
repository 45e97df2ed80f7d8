"""`bramble init`: a new project from a built-in template."""

from __future__ import annotations

import os
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bramble.errors import BrambleError
from bramble.project.access import create_file

# Named one by one, not listed from a directory: a template is found inside a zip as well.
TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "hello": ("bramble.toml", "build.sh", "default.bramble"),
}
_TEMPLATE_NAME = b'"example.com/hello"'


@dataclass(frozen=True)
class Created:
    """A new project: its directory and the files in it, relative to that."""

    directory: str
    files: tuple[str, ...]


def init(directory: str, template: str = "hello") -> Created:
    """Write the files of `template` into `directory`, which is made if need be.

    Nothing is overwritten: when one of the files is there already, nothing at
    all is written. Raises BrambleError `init.*` (spec: cli.init).
    """
    names = TEMPLATES.get(template)
    if names is None:
        raise BrambleError(
            "init.unknown-template",
            f"there is no template {template!r}",
            remedy=f"the templates are: {', '.join(sorted(TEMPLATES))}",
        )
    present = [name for name in names if os.path.lexists(os.path.join(directory, name))]
    if present:
        raise BrambleError(
            "init.exists",
            f"{directory} already holds {', '.join(present)}",
            remedy="choose another directory: bramble init DIR",
        )
    contents = {name: _content(template, name, directory) for name in names}
    try:
        os.makedirs(directory, exist_ok=True)
        for name, content in contents.items():
            create_file(directory, name, content)
    except OSError as error:
        raise BrambleError(
            "init.not-writable",
            f"{error.filename or directory}: {error.strerror}",
            remedy="choose a directory that you may write to",
        ) from error
    return Created(directory, names)


def _content(template: str, name: str, directory: str) -> bytes:
    data = pkgutil.get_data("bramble.commands", f"templates/{template}/{name}")
    if data is None:
        raise AssertionError(f"the template file {template}/{name} is not installed")
    return data.replace(_TEMPLATE_NAME, f'"example.com/{_project_word(directory)}"'.encode())


def _project_word(directory: str) -> str:
    """Return the last part of a path as a word that can stand in a module name."""
    base = os.path.basename(os.path.abspath(directory))
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", base).strip("-.") or "hello"
