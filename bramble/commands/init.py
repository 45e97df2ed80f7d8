"""`bramble init`: a project from a built-in template, or what a template has added to a project."""

from __future__ import annotations

import errno
import os
import pkgutil
import posixpath
import re
from collections.abc import Mapping

from bramble.errors import BrambleError, nearest
from bramble.project.access import create_file
from bramble.project.config import load_config
from bramble.project.names import CONFIG_NAME
from bramble.project.project import find_project
from bramble.record import dataclass

_MODULE = "default.bramble"
# In the files of a template, the name of the module that `default.bramble` will be.
_TEMPLATE_NAME = b'"example.com/hello"'
_TEMPLATE_PLACE = b'"../hello"'  # the path of this project from one beside it


@dataclass(frozen=True)
class Template:
    """What to start from. `files` are relative to the directory of its name beside this file."""

    summary: str
    # Named one by one, not listed from a directory: a template is found inside a zip as well.
    files: tuple[str, ...]
    following: tuple[str, ...]  # the command to try next


TEMPLATES: Mapping[str, Template] = {
    "hello": Template(
        "A script that says hello, built with nothing but derivation(): how everything works.",
        (CONFIG_NAME, "build.sh", _MODULE),
        ("run", "./:hello_world", "say-hello-world"),
    ),
    "c": Template(
        "A program in C with a header and a test.",
        (CONFIG_NAME, _MODULE, "greeting.c", "greeting.h", "main.c", "tests.c"),
        ("run", "./:greet", "greet", "you"),
    ),
    "c-lib": Template(
        "A library in C, and a program that is linked with it.",
        (CONFIG_NAME, _MODULE, "include/greeting.h", "src/greeting.c", "src/main.c"),
        ("run", "./:greet", "greet", "you"),
    ),
    "python": Template(
        "A program in Python with a test, and how to add packages.",
        (CONFIG_NAME, _MODULE, "greet/__init__.py", "greet/main.py", "greet/tests.py"),
        ("run", "./:greet", "greet", "you"),
    ),
    "node": Template(
        "A program in JavaScript for Node with a test, and how to add packages.",
        (
            *(CONFIG_NAME, _MODULE, "greeting.js", "main.js", "package-lock.json", "package.json"),
            "tests.js",
        ),
        ("run", "./:greet", "greet", "you"),
    ),
    "go": Template(
        "A program in Go with a test, and how to add modules.",
        (CONFIG_NAME, _MODULE, "go.mod", "main.go", "main_test.go"),
        ("run", "./:greet", "greet", "you"),
    ),
    "shell": Template(
        "A shell script that becomes a program, together with the tools that it calls.",
        (CONFIG_NAME, _MODULE, "words.sh"),
        ("run", "./:words", "words", _MODULE),
    ),
    "package": Template(
        "Functions for other projects to load, with examples.",
        (CONFIG_NAME, _MODULE, "examples.bramble"),
        ("run", "./examples:welcome", "welcome", "you"),
    ),
}


@dataclass(frozen=True)
class Created:
    """The files written from a template, relative to `directory`."""

    directory: str
    files: tuple[str, ...]  # written now
    left: tuple[str, ...]  # there before, and left as they are
    project: str  # the root of the project that they belong to, without symbolic links
    following: tuple[str, ...]  # the command to try next; none where the template's module was not written


def init(directory: str, template: str = "hello", *, module: bool = False, dry_run: bool = False) -> Created:
    """Write the files of `template` into `directory`, which is made if need be.

    Nothing is overwritten. With `module` they become a module of the project that the
    directory is in: there is no bramble.toml among them. With `dry_run` nothing is
    written at all. Raises BrambleError `init.*`; `config.*` for the project around it (spec: cli.init).
    """
    chosen = find_template(template)
    real = os.path.realpath(directory)
    if module:
        project = find_project(directory)
        root, name = project.root, posixpath.normpath(f"{project.name}/{project.location}")
    elif os.path.lexists(os.path.join(directory, CONFIG_NAME)):
        root, name = real, load_config(os.path.join(directory, CONFIG_NAME)).name
    else:
        root, name = real, f"example.com/{_project_word(directory)}"
    names = [file for file in chosen.files if file != CONFIG_NAME or not module]
    left = [file for file in names if os.path.lexists(os.path.join(directory, file))]
    new = [file for file in names if file not in left]
    if not new:
        raise BrambleError(
            "init.exists",
            f"{directory} already holds {', '.join(left)}",
            remedy="choose another directory: bramble init DIR",
        )
    contents = {file: _content(template, file, name) for file in new}
    if not dry_run:
        left += _write(directory, contents)
    return Created(
        directory,
        tuple(file for file in new if file not in left),
        tuple(left),
        root,
        () if _MODULE in left else chosen.following,
    )


def find_template(name: str) -> Template:
    """Return the template with this name. Raises init.unknown-template."""
    found = TEMPLATES.get(name)
    if found is None:
        meant = nearest(name, TEMPLATES)
        hint = f"did you mean {meant}? " if meant else ""
        raise BrambleError(
            "init.unknown-template",
            f"there is no template {name!r}",
            remedy=f"{hint}the templates are: {', '.join(sorted(TEMPLATES))}",
        )
    return found


def _write(directory: str, contents: Mapping[str, bytes]) -> list[str]:
    """Write the files; return those that somebody else has made meanwhile."""
    found = []
    path = directory
    try:
        os.makedirs(directory, exist_ok=True)
        for name, content in contents.items():
            path = os.path.join(directory, name)
            try:
                create_file(directory, name, content)
            except FileExistsError:
                found.append(name)
    except OSError as error:
        link = error.errno in (errno.ELOOP, errno.ENOTDIR)
        why = "a file or a symbolic link is where a directory should be" if link else error.strerror
        raise BrambleError(
            "init.not-writable",
            f"{path}: {why}",
            remedy="choose a directory that you may write to",
        ) from error
    return found


def _content(template: str, file: str, name: str) -> bytes:
    data = pkgutil.get_data("bramble.commands", f"templates/{template}/{file}")
    if data is None:
        raise AssertionError(f"the template file {template}/{file} is not installed")
    beside = f'"../{name.rpartition("/")[2]}"'.encode()
    return data.replace(_TEMPLATE_NAME, f'"{name}"'.encode()).replace(_TEMPLATE_PLACE, beside)


def _project_word(directory: str) -> str:
    """Return the last part of a path as a valid part of a module name."""
    base = os.path.basename(os.path.abspath(directory))
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", base).strip("-.") or "hello"
