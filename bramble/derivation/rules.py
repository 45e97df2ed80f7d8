"""What every derivation must satisfy, whichever front end made it.

Each rule names the parameter that breaks it: the code is `derivation.PARAMETER`.
"""

from __future__ import annotations

import re
from typing import Optional

from bramble.derivation.model import (
    BUILTIN_BUILDERS,
    DEFAULT_OUTPUTS,
    GENERATOR,
    NO_SOURCES,
    Derivation,
    Sources,
)
from bramble.derivation.template import OUTPUT_NAME
from bramble.errors import BrambleError, nearest

NAME_LIMIT = 200  # bytes; "DIGEST-NAME.drv" must fit into the 255 of a file name
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_PLATFORM = re.compile(r"[a-z0-9_]+-[a-z0-9_]+")

# The variables of each built-in builder that has its own: those it cannot work without, and the others.
# spec: derivation.builder.built-in, build.builtin.variables
_NEEDED = {"fetch_url": ("url",), "fetch_git": ("url", "reference"), "host_tools": ("tools",)}
_OPTIONAL = {
    "fetch_url": ("hash", "sha256", "sha512", "integrity", "name", "unpack", "executable", "strip"),
    "fetch_git": ("hash", "submodules", "directory"),
    "host_tools": ("files",),
}
# What any derivation may say of its outputs. spec: build.restrictions, build.allowed-pieces
_RESERVED = ("allowed_name_pieces", "allowed_references", "disallowed_closure", "disallowed_references")


def check(derivation: Derivation) -> None:
    """Raise a `derivation.*` error for the first rule that the derivation breaks."""
    kind = derivation.builtin
    _check_name(derivation.name)
    _check_builder(derivation, kind)
    # spec: derivation.args
    for number, arg in enumerate(derivation.args):
        if "\x00" in arg.text:
            raise _broken("args", f"args[{number}] holds a NUL character")
    # spec: derivation.args.command
    if kind == GENERATOR:
        _check_command(derivation)
    # spec: derivation.outputs
    if derivation.outputs != DEFAULT_OUTPUTS:
        _check_outputs(derivation.outputs, kind)
    _check_env(derivation)
    if derivation.sources is not NO_SOURCES:
        _check_sources(derivation.sources)
    # spec: derivation.platform
    if derivation.platform and _PLATFORM.fullmatch(derivation.platform) is None:
        raise _broken(
            "platform",
            f'"{derivation.platform}" is not a platform',
            "write it as OS-ARCHITECTURE, for example linux-amd64",
        )
    # spec: derivation.network
    if derivation.network and kind != GENERATOR:
        raise _broken(
            "network",
            "only the builder derivation_output may use the network",
            "fetch what the build needs with fetch_url or fetch_git and refer to it",
        )
    # spec: derivation.target
    if derivation.target and _CONTROL.search(derivation.target):
        raise _broken("target", f"the target {_shown(derivation.target)} holds a control character")


def _broken(parameter: str, message: str, remedy: Optional[str] = None) -> BrambleError:
    return BrambleError("derivation." + parameter, message, remedy=remedy)


def _shown(text: str) -> str:
    return ascii(text)


def _check_name(name: str) -> None:
    # spec: derivation.name
    if not name:
        raise _broken("name", "the name is empty", "give the derivation a name, for example its program's")
    if "/" in name or _CONTROL.search(name):
        raise _broken(
            "name",
            f"the name {_shown(name)} holds a slash or a control character",
            "a name becomes part of a file name: use letters, digits, - and _",
        )
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > NAME_LIMIT:
        raise _broken("name", f"the name has {size} bytes; at most {NAME_LIMIT} are allowed")


def _check_builder(derivation: Derivation, kind: str) -> None:
    builder = derivation.builder.text
    # spec: derivation.builder
    if not builder or "\x00" in builder:
        raise _broken(
            "builder",
            "the builder is empty" if not builder else "the builder holds a NUL character",
            "name a built-in builder, a program in an output, or a source file",
        )
    if builder.startswith("/"):
        raise _broken(
            "builder",
            f'the builder "{builder}" is an absolute path, and a build sees nothing of this machine',
            'use a program of an output, such as tools.out + "/bin/sh" with '
            'tools = derivation("tools", "host_tools", env={"tools": "sh"})',
        )
    if kind in _NEEDED:
        _check_variables(derivation, kind)


def _check_variables(derivation: Derivation, kind: str) -> None:
    # spec: build.builtin.variables
    needed = _NEEDED[kind]
    known = (*needed, *_OPTIONAL[kind])
    for key, _ in derivation.env:
        if key not in known and key not in _RESERVED:
            near = nearest(key, known)
            raise _broken(
                "env",
                f"the builder {kind} has no variable {_quoted(key)}",
                f'did you mean "{near}"?' if near else f"it has: {', '.join(known)}",
            )
    given = {key for key, value in derivation.env if value.text}
    for key in needed:
        if key not in given:
            raise _broken("env", f'the builder {kind} needs "{key}" in env', f'add env={{"{key}": "…"}}')


def _quoted(key: str) -> str:
    return f'"{key}"' if key.isprintable() else _shown(key)


def _check_command(derivation: Derivation) -> None:
    command = derivation.args[0].text if derivation.args else ""
    if not command or command.startswith("/"):
        raise _broken(
            "args",
            f"the command {command} is an absolute path, and a build sees nothing of this machine"
            if command
            else "the first argument of derivation_output is its command, and it is missing",
            'begin args with a program of an output, such as tools.out + "/bin/sh", or with a source file',
        )


def _check_outputs(outputs: tuple[str, ...], kind: str) -> None:
    if not outputs:
        raise _broken("outputs", "outputs is empty", 'omit it for one output called "out"')
    for output in outputs:
        if OUTPUT_NAME.fullmatch(output) is None:
            raise _broken(
                "outputs",
                f"{_shown(output)} cannot be the name of an output",
                "an output is a variable of the build: use letters, digits and _, no digit first",
            )
    if len(set(outputs)) < len(outputs):
        twice = next(output for output in outputs if outputs.count(output) > 1)
        raise _broken("outputs", f'the output "{twice}" is named twice', "name each output once")
    # spec: derivation.outputs.built-in
    if kind == GENERATOR:
        raise _broken(
            "outputs",
            'the builder derivation_output has the one output "out"',
            "omit outputs",
        )
    if kind == "host_tools" and outputs == ("out", "rt"):
        return
    if kind and len(outputs) > 1:
        raise _broken(
            "outputs",
            f"the builder {kind} has one output, not {len(outputs)}",
            'leave outputs out; host_tools may have ["out", "rt"]',
        )


def _check_env(derivation: Derivation) -> None:
    # spec: derivation.env
    before = ""
    for name, value in derivation.env:
        if not name or "=" in name or "\x00" in name:
            raise _broken(
                "env",
                f"{_shown(name)} cannot be the name of an environment variable",
                'use a name that is not empty and has no "="',
            )
        if name in derivation.outputs:
            raise _broken(
                "env",
                f'"{name}" is an output of this derivation, and its variable is set by the build',
                "use another name in env, or another name for the output",
            )
        if "\x00" in value.text:
            raise _broken("env", f'the value of "{name}" holds a NUL character')
        if name <= before:
            raise _broken("env", "the variables are not sorted by name, each once")
        before = name


def _check_sources(sources: Sources) -> None:
    # spec: derivation.sources
    for file in () if sources.well_formed else sources.files:
        if not is_relative_path(file):
            raise _broken(
                "sources",
                f"{_shown(file)} is not a path relative to the project",
                'name sources with files(), or as "directory/file" from the project\'s root',
            )
    if not sources.well_formed:
        raise _broken("sources", "the files are not sorted, each once")
    if sources.location and not is_relative_path(sources.location):
        raise _broken("sources", f"{_shown(sources.location)} is not a directory of the project")
    # spec: derivation.sources.none
    if not sources.files and (sources.location or sources.project):
        raise _broken("sources", "a location is given, but no file")
    if sources.project and not is_relative_path(sources.project):
        raise _broken("sources", f"{_shown(sources.project)} is not the name of a project")


def is_relative_path(path: str) -> bool:
    """Return whether `path` is `name/name/…`: not empty, not absolute, without `.` and `..`."""
    if "\x00" in path:
        return False
    return all(name not in ("", ".", "..") for name in path.split("/"))


def suggest_builder(builder: str) -> Optional[str]:
    """Return the built-in builder that a misspelt one was probably meant to be."""
    return nearest(builder, BUILTIN_BUILDERS) if builder not in BUILTIN_BUILDERS else None
