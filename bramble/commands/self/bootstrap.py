"""`bramble self build`: Bramble builds itself, what it built builds it again, and that once more."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Callable, Optional

from bramble.commands.context.written import unwritable
from bramble.commands.self.once_more import own_command
from bramble.commands.self.source import lay_out
from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.self.stages import difference, products, project_of
from bramble.self.tree import source_tree
from bramble.store.files.remove import remove_tree

STAGES = 3
_PROGRAMS = ("python3", "sh", "mkdir")


@dataclass(frozen=True)
class Stage:
    """What a Bramble has built: the name of its object and where that is, the same of the tools it took."""

    number: int  # from 1
    name: str
    path: str
    tools: str
    tools_path: str
    nested: bool  # built in a sandbox


@dataclass(frozen=True)
class Work:
    """How `build_self` works: where, with which Python at first, what is built in a sandbox; variables."""

    directory: str
    python: str
    nested: bool
    environ: Mapping[str, str]  # of every stage
    at_first: Mapping[str, str]  # of the first one besides, which runs where the user does


def build_self(
    directory: Optional[str],
    environ: Mapping[str, str],
    at_first: Mapping[str, str],
    *,
    python: str = "",
    nested: bool = False,
    on_stage: Callable[[int], None],
) -> tuple[Stage, ...]:
    """Let Bramble build itself three times, each time by the one before, and compare; return the stages.

    The stores are in `directory`, new or empty, and stay; None is for one that goes away again. `python`
    is a program that the first tools are copied with, "" for the machine's python3. With `nested`
    the second stage is built in a sandbox, which shows nothing of the machine. `environ` are variables
    for every Bramble that is started, `at_first` for the first one besides.

    Raises BrambleError: `self.not-identical`, `self.stage-failed`, `self.not-empty`, `cli.unwritable`.
    """
    # spec: self.build
    made = None
    if directory is None:
        # A store's path may not be long.
        made = directory = tempfile.mkdtemp(prefix="bramble-")
    try:
        lay_out({}, directory)
        return _build(Work(os.path.realpath(directory), python, nested, environ, at_first), on_stage)
    except OSError as error:
        raise unwritable(error.filename or directory, error.strerror) from error
    finally:
        if made is not None:
            remove_tree(made)


def _build(work: Work, on_stage: Callable[[int], None]) -> tuple[Stage, ...]:
    source = source_tree()
    expected = products(source)
    before = "what this Bramble makes"
    stages: list[Stage] = []
    for number in range(1, STAGES + 1):
        on_stage(number)
        home = f"{work.directory}/{number}"
        earlier = stages[-1] if stages else None
        if earlier is None:
            tools = " ".join((work.python, *_PROGRAMS[1:])) if work.python else ""
        else:
            tools = " ".join(f"{earlier.tools_path}/bin/{name}" for name in _PROGRAMS)
        lay_out(project_of(source, tools), f"{home}/project")
        nested = work.nested and number == 2
        stage = _stage(number, _call(work, home, earlier, nested), nested)
        found = _files(stage.path)
        differs = difference(expected, found)
        if not differs and earlier is not None and earlier.name != stage.name:
            differs = f"its object is {stage.name}, and not {earlier.name}"
        if differs:
            # spec: self.build.identical
            raise BrambleError(
                "self.not-identical",
                f"stage {number} differs from {before}: {differs}",
                remedy="look for code that depends on the time, on random numbers or on paths",
            )
        expected, before = found, f"stage {number}"
        stages.append(stage)
    return tuple(stages)


def _call(work: Work, home: str, earlier: Optional[Stage], nested: bool) -> tuple[list[str], dict[str, str]]:
    """Return the command that builds a stage, and its environment."""
    build = ["-C", f"{home}/project", "build", "--json", "./:bramble", "./:tools"]
    environ = dict(work.environ)
    if earlier is None:
        environ.update(work.at_first)
        return [*own_command(environ), *build], {**environ, "HOME": home}
    # spec: self.build.alone
    tools = earlier.tools_path
    command = [f"{tools}/bin/sh", f"{earlier.path}/bin/bramble"]
    if nested:
        # spec: self.build.nested
        before = f"{work.directory}/{earlier.number}"
        script = 'HOME="$0" exec sh "$BRAMBLE" "$@"'
        words = ["-C", f"{before}/project", "run", "--nesting", "--paths", home, "./:shell"]
        command += [*words, "-c", script, home, *build]
        home = before
    else:
        command += build
        environ["BRAMBLE_HOST_TOOLS"] = tools
    environ["BRAMBLE_PYTHON"] = _python(f"{work.directory}/{earlier.number}/python", tools)
    return command, {**environ, "HOME": home}


def _python(path: str, tools: str) -> str:
    """Write a command that starts the Python of tools; return its path.

    It keeps bytecode beside it: root could write that into an object of the store.
    """
    if not os.path.exists(path):
        with open(path, "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(
                f'#!{tools}/bin/sh\nexec {tools}/bin/python3 -X pycache_prefix="${{0%/*}}/bytecode" "$@"\n'
            )
        os.chmod(path, 0o755)
    return path


def _stage(number: int, call: tuple[Sequence[str], Mapping[str, str]], nested: bool) -> Stage:
    command, environ = call
    remedy = "its messages are above"
    try:
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        fault = f"its Bramble ended with status {done.returncode}" if done.returncode else ""
    except OSError as error:
        fault, remedy = f"{command[0]} cannot be started: {error.strerror}", ""
    if fault:
        raise BrambleError("self.stage-failed", f"stage {number} was not built: {fault}", remedy=remedy)
    outputs = [result["outputs"]["out"] for result in json.loads(done.stdout)["results"]]
    (name, path), (tools, tools_path) = [(out["name"], os.path.realpath(out["path"])) for out in outputs]
    return Stage(number, name, path, tools, tools_path, nested)


def _files(directory: str) -> dict[str, bytes]:
    found = {}
    for top, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
    return found
