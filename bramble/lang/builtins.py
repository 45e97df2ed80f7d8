"""The other built-ins of the dialect: `files()`, `run()`, `test()` and `sys`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError
from bramble.lang.arguments import Checker, bind
from bramble.lang.derivations import derivation
from bramble.lang.failure import place_of, refuse, refuse_as
from bramble.lang.results import RunRequest, TestRequest
from bramble.lang.session import Session, session_of
from bramble.lang.toml_module import TOML
from bramble.lang.values import RunValue, output_of
from bramble.project.files import find_files, is_directory, read_source
from bramble.project.modules import ModuleFile
from bramble.starlark import Builtin, List, ModuleValue, Thread, type_name
from bramble.starlark.assertions import ASSERT
from bramble.starlark.runtime.json import JSON

_FILES: dict[str, Any] = {"include": None, "exclude": (), "exclude_directories": True, "allow_empty": True}
_RUN: dict[str, Any] = {
    "derivation": None,
    "cmd": None,
    "args": (),
    "paths": (),
    "read_only_paths": (),
    "hidden_paths": (),
    "network": False,
    "env": {},
    "closure_path": False,
}
_LISTS = ("args", "paths", "read_only_paths", "hidden_paths")
_TEST: dict[str, Any] = {"derivation": None, "args": ()}
_READ: dict[str, Any] = {"path": None}


def files(thread: Thread, args: tuple[Any, ...], kwargs: dict[str, Any]) -> List:
    """Find source files; see spec/03-dialect.md."""
    # spec: dialect.files
    session = session_of(thread)
    given = bind("files", _FILES, args, kwargs, required=1)
    check = Checker("files", "eval.argument")
    caller = session.caller(thread)
    module = _of_project(caller.module, "files")
    unmatched: list[str] = []
    try:
        found = find_files(
            module.root,
            module.directory,
            check.strings("include", given["include"]),
            check.strings("exclude", given["exclude"]),
            check.boolean("exclude_directories", given["exclude_directories"]),
            check.boolean("allow_empty", given["allow_empty"]),
            listings=session.listings(module.root),
            unmatched=unmatched,
        )
    except BrambleError as error:
        refuse_as(error)
    if unmatched and "allow_empty" not in kwargs and len(args) < len(_FILES):
        # spec: dialect.files.unmatched
        for text in unmatched:
            session.warn(
                f'{caller.position}: no file matches "{text}"; pass allow_empty=True if this is expected'
            )
    directories: list[str] = []
    if given["exclude_directories"] is False:
        directories = [path for path in found if is_directory(session.listings(module.root), path)]
    project = session.project_of(module)
    if project:
        # spec: dialect.files.packages
        found = [f"{project}//{path}" for path in found]
        directories = [f"{project}//{path}" for path in directories]
    session.found.update(found)
    session.found_directories.update(directories)
    return List(found)


def read(thread: Thread, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the text of a source file; see spec/03-dialect.md."""
    # spec: dialect.read
    session = session_of(thread)
    given = bind("read", _READ, args, kwargs, required=1)
    path = Checker("read", "eval.argument").string("path", given["path"])
    module = _of_project(session.caller(thread).module, "read")
    try:
        return read_source(session.listings(module.root), module.directory, path)
    except BrambleError as error:
        refuse_as(error)


def _of_project(module: ModuleFile, function: str) -> ModuleFile:
    if not module.root:
        # spec: dialect.library
        refuse("eval.argument", f"{function}: the library has no source files")
    return module


def run(thread: Thread, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RunValue:
    """Say how to run a program of an output; see spec/03-dialect.md."""
    # spec: dialect.run
    session = session_of(thread)
    given = bind("run", _RUN, args, kwargs, required=2)
    check = Checker("run", "eval.argument")
    cmd = check.string("cmd", given["cmd"])
    if not cmd:
        refuse("eval.argument", "run: cmd is empty", "name a program of the output, such as sh")
    _plain("run", "cmd", cmd)
    lists = {name: tuple(map(Template.parse, check.texts(name, given[name]))) for name in _LISTS}
    env = check.mapping("env", given["env"])
    values = tuple(
        (name, Template.parse(check.text("env", f'env["{name}"]', env[name]))) for name in sorted(env)
    )
    _check_run(lists, values)
    references = [ref for name in _LISTS for text in lists[name] for ref in text.references]
    references += [ref for _, text in values for ref in text.references]
    for ref in references:
        _output(session, "run", str(ref))
    module = session.caller(thread).module
    # For the library, the caller's module is the one that asks.
    owner = session.project_of(module) if module.root else ""
    return RunValue(
        RunRequest(
            owner=owner,
            derivation=_output(session, "run", given["derivation"]),
            cmd=cmd,
            network=check.boolean("network", given["network"]),
            env=values,
            closure_path=check.boolean("closure_path", given["closure_path"]),
            needs=tuple(dict.fromkeys(references)),
            **lists,
        )
    )


def test(thread: Thread, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Register a test; see spec/03-dialect.md."""
    # spec: dialect.test
    session = session_of(thread)
    caller = session.caller(thread)
    caller.within_function("test")
    given = bind("test", _TEST, args, kwargs, required=1)
    output = _output(session, "test", given["derivation"])
    words = tuple(Checker("test", "eval.argument").texts("args", given["args"]))
    for word in words:
        if "\x00" in word:
            refuse("eval.argument", "test: args holds a NUL character")
        for ref in Template.parse(word).references:
            _output(session, "test", str(ref))
    if words and not words[0]:
        refuse("eval.argument", "test: the first of args is empty", "name a program of the output first")
    session.tests.append(
        TestRequest(output, words, session.target, place_of(caller.position), len([*caller.calls]))
    )


def _check_run(lists: Mapping[str, tuple[Template, ...]], env: tuple[tuple[str, Template], ...]) -> None:
    # spec: dialect.run.references
    for name, _ in env:
        if not name or "=" in name or "\x00" in name:
            refuse(
                "eval.argument",
                f"run: {ascii(name)} cannot be the name of a variable",
                'use a name that is not empty and has no "="',
            )
    texts = [(name, text) for name in _LISTS for text in lists[name]]
    for where, text in [*texts, *((f'env["{name}"]', text) for name, text in env)]:
        if "\x00" in text.text:
            refuse("eval.argument", f"run: a text in {where} holds a NUL character")
        if where not in _LISTS[1:] or not text.references:
            continue
        first, rest = text.parts[0], text.parts[1:]
        inner = "".join(map(str, rest))
        leaves = inner[:1] not in ("", "/") or ".." in inner.split("/")
        if not isinstance(first, OutputRef) or len(text.references) > 1 or leaves:
            refuse(
                "eval.argument",
                f"run: a path in {where} refers to an output, but is not a path in it",
                'begin it with the output, without leaving it: conf.out + "/etc"',
            )


def _output(session: Session, function: str, value: Any) -> OutputRef:
    """Return the output that a `derivation` parameter means."""
    found = output_of(value)
    if found is None:
        refuse(
            "eval.argument",
            f"{function}: derivation must be a derivation or one of its outputs, and not {type_name(value)}",
            "pass what derivation() returned",
        )
    made = session.derivations.get(found.derivation)
    if made is None or found.output not in made.outputs:
        refuse(
            "derivation.unknown-reference" if made is None else "derivation.unknown-output",
            f"{function}: {found} is not an output of a derivation",
            "pass what derivation() returned",
        )
    return found


def _plain(function: str, parameter: str, text: str) -> None:
    if Template.parse(text).references:
        refuse(
            "eval.argument",
            f"{function}: {parameter} cannot refer to an output",
            "make a derivation of a script that has the path, and run that",
        )


def predeclared(platform: str, target: str = "") -> Mapping[str, Any]:
    """Return the names that every `.bramble` file knows. `platform` is OS-ARCHITECTURE, that of the machine.

    `target` is what the user builds for: "" is that platform.
    """
    # spec: dialect.predeclared
    system, _, architecture = platform.partition("-")
    return {
        # spec: dialect.assert
        "assert": ASSERT,
        "derivation": Builtin("derivation", derivation),
        "files": Builtin("files", files),
        # spec: dialect.json
        "json": JSON,
        "read": Builtin("read", read),
        "run": Builtin("run", run),
        # spec: dialect.sys
        "sys": ModuleValue(
            "sys",
            {"arch": architecture, "os": system, "platform": platform, "target": target or platform},
            # spec: dialect.sys.target
            unlisted=() if target else ("target",),
        ),
        "test": Builtin("test", test),
        "toml": TOML,
    }
