"""`bramble run`: the specification of a sandbox in which a program of an output runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any

from bramble.commands.build import BuildResult, launcher
from bramble.commands.context.consent import Asked, asked, asked_to_generate, asked_to_run, check_granted
from bramble.commands.context.consent import below as _below
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.programs import executable, names_in, programs_of
from bramble.commands.context.setting import Setting
from bramble.commands.running import Prepared
from bramble.derivation.template import Template
from bramble.errors import BrambleError
from bramble.lang.results import RunRequest
from bramble.record import dataclass
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from bramble.sandbox.vocabulary import describe
from bramble.store.layout.place import OBJECT_LOCKS


@dataclass(frozen=True)
class RunChoices:
    """What the command line says about one run; None leaves it to the `run()` value."""

    arguments: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    read_only_paths: tuple[str, ...] | None = None
    hidden_paths: tuple[str, ...] | None = None
    network: bool = False
    nesting: bool = False
    rung: str = "namespaces"
    terminal: bool = False
    limits: Limits = Limits()
    unprotected: bool = False


def wishes_of(evaluated: Evaluated) -> list[Asked]:
    """Return what the one target asks for: when it is run, and while its generators are.

    Raises BrambleError `run.nothing` or `run.several`.
    """
    # spec: cli.trust
    wishes = [asked_to_run(evaluated.project), asked(evaluated, run_request(evaluated))]
    if any(derivation.network for derivation in evaluated.evaluation.graph.derivations.values()):
        wishes.append(asked_to_generate(evaluated.project))
    return wishes


def run_request(evaluated: Evaluated) -> RunRequest:
    """Return what the one target asks to run: its `run()` value, or its derivation as one without a command.

    Raises BrambleError `run.nothing` or `run.several`.
    """
    found = [result for result in evaluated.evaluation.results if result.run is not None or result.roots]
    if not found:
        raise BrambleError(
            "run.nothing",
            "the target returns nothing to run",
            remedy="name a function that returns a derivation or a run() value",
        )
    if len(found) > 1:
        raise BrambleError(
            "run.several",
            f"the target has {len(found)} functions that return something to run",
            remedy=f"name one of them, such as {found[0].target}",
        )
    (result,) = found
    if result.run is not None:
        return result.run
    if len(result.roots) > 1:
        raise BrambleError(
            "run.several",
            f"{result.target} returns {len(result.roots)} derivations",
            remedy="name a function that returns one, or a run() value",
        )
    return RunRequest(derivation=result.roots[0], cmd="")


def prepare(
    evaluated: Evaluated,
    result: BuildResult,
    request: RunRequest,
    choices: RunChoices,
    setting: Setting,
    wish: Asked,
) -> Prepared:
    """Return what decides the sandbox for `request`; the objects it shows are protected from collection.

    `wish` is the granted part of the request.

    Raises BrambleError `run.*` (spec: cli.run and below).
    """
    store, project = result.store, evaluated.project
    outputs = result.report.outputs
    output = outputs[request.derivation]
    needs = [outputs[ref].name for ref in request.needs]
    closure = store.closure([output.name, *needs])
    store.protect(closure)
    home = store.object_path(output.name)

    def written(text: Template) -> str:
        # spec: cli.run.references
        return text.render(lambda ref: store.object_path(outputs[ref].name))

    if request.cmd:
        words = [request.cmd, *map(written, request.args), *choices.arguments]
    else:
        words = _words(home, choices.arguments)
    program = _program(home, words[0])
    own = [text.text for text in request.paths if not text.references]
    writable = _host_paths(choices.paths, own, setting.cwd, project.here)
    if choices.paths is None and not request.paths:
        writable = (project.ground,) if project.ground else ()
    # What is in an output may be read anyway.
    read_only = _host_paths(
        choices.read_only_paths,
        [text.text for text in request.read_only_paths if not text.references],
        setting.cwd,
        project.here,
    )
    hidden = _host_paths(
        choices.hidden_paths, [*map(written, request.hidden_paths)], setting.cwd, project.here
    )
    found = [home]
    if request.closure_path:
        # spec: cli.run.closure-path
        found += [store.object_path(name) for name in dict.fromkeys([*needs, *sorted(closure)])]
    search = [f"{path}/bin" for path in dict.fromkeys(found) if path == home or os.path.isdir(f"{path}/bin")]
    environment = {"HOME": "/tmp", "PATH": ":".join(search), "TMPDIR": "/tmp"}
    if choices.terminal and setting.terminal_type:
        environment["TERM"] = setting.terminal_type
    environment.update((name, written(value)) for name, value in request.env)
    visible = (*writable, *read_only)
    start = setting.cwd if project.fetched is None else project.here
    # A store below what the program may write would be the program's to change (spec: cli.run.store).
    root = os.path.realpath(store.root)
    exposed = (root,) if any(_below(root, os.path.realpath(path)) for path in visible) else ()
    objects = [store.object_path(name) for name in closure]
    # The sandbox follows no link: what was checked here is what is shown.
    follow = os.path.realpath if choices.rung == "namespaces" else os.path.normpath
    places = {path: follow(path) for path in (*writable, *read_only, *exposed, *objects)}
    for given, paths, kind in (
        (choices.paths, writable if request.paths else (), "write"),
        (choices.read_only_paths, read_only, "read"),
    ):
        for path in paths if given is None else ():
            check_granted(wish, project, kind, os.path.realpath(places[path]))
    return Prepared(
        spec=SandboxSpec(
            argv=(program, *words[1:]),
            env=tuple(sorted(environment.items())),
            cwd=start if any(_below(start, path) for path in visible) else "/",
            mounts=(),
            hidden=(*hidden, *(os.path.join(root, "var") for root in exposed)),
            network=choices.network or request.network,
            nesting=choices.nesting,
            terminal=choices.terminal,
            rung=choices.rung,
            limits=choices.limits,
            purpose="run",
        ),
        writable=tuple(Mount(places[path], path, writable=True) for path in writable),
        read_only=tuple(Mount(places[path], path) for path in (*read_only, *exposed, *objects)),
        # Weaker modes have no mounts: changes are reported afterwards.
        guards=not choices.unprotected and choices.rung == "namespaces",
        # Only the user can name one of them: what a project names stays read-only.
        named=tuple(os.path.realpath(path) for path in writable) if choices.paths is not None else (),
        project=project.ground,
        unprotected=choices.unprotected,
        store=(store.directory, store.var, f"{store.var}/{OBJECT_LOCKS}"),
        objects=closure,
    )


def _host_paths(
    given: Sequence[str] | None, declared: Sequence[str], cwd: str, project_root: str
) -> tuple[str, ...]:
    # Paths of the command line are relative to the current directory, those of the project to the project.
    base, paths = (project_root, declared) if given is None else (cwd, given)
    found = tuple(os.path.normpath(os.path.join(base, path)) for path in paths)
    for path in found:
        if not os.path.lexists(path):
            raise BrambleError("run.no-path", f"{path} does not exist", remedy="name paths that exist")
    return found


def _words(home: str, arguments: Sequence[str]) -> list[str]:
    """Return the program and its arguments where only the command line can name it. Raises run.no-command."""
    # spec: cli.run.program
    programs = executable(home)
    if arguments and ("/" in arguments[0] or arguments[0] in names_in(home) or len(programs) != 1):
        return list(arguments)
    if len(programs) == 1:
        return [*programs, *arguments]
    fact = (
        f"the output has {len(programs)} programs, and none is named" if programs else "no program is named"
    )
    raise BrambleError("run.no-command", fact, remedy=programs_of(home, None))


def _program(home: str, word: str) -> str:
    path = os.path.join(home, "bin", word) if "/" not in word else os.path.normpath(os.path.join(home, word))
    if shutil.which(path) is not None:
        return path
    if os.path.isfile(path) and os.statvfs(path).f_flag & os.ST_NOEXEC:
        raise BrambleError(
            "run.no-program",
            f"{word!r} of the output cannot be executed: the file system of the store is mounted noexec",
            remedy="mount -o remount,exec that file system, or set BRAMBLE_PATH to another one",
        )
    if os.path.isfile(path):
        raise BrambleError(
            "run.no-program",
            f"{word!r} of the output cannot be executed",
            remedy="let the build make it executable: chmod +x",
        )
    raise BrambleError(
        "run.no-program", f"the output has no program {word!r}", remedy=programs_of(home, word)
    )


@dataclass(frozen=True)
class Explanation:
    """The steps that a sandbox takes: in words, and as objects."""

    words: str
    steps: tuple[dict[str, Any], ...]


def explain(spec: SandboxSpec) -> Explanation:
    """Return what running `spec` would do, step by step; nothing is run."""
    with launcher() as started:
        planned = started.plan(spec)
    return Explanation(describe(planned), tuple(step.to_json() for step in planned))
