"""`bramble shell` and `bramble build --explain`: the environment of a build, on the terminal or in words."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Optional

from bramble.build.engine import build
from bramble.build.options import HOST_PATH
from bramble.build.shell import MULTICALL, build_environment, no_shell, own_shell, refuse_builtin
from bramble.commands.build import BuildChoices, BuildResult, Event, build_derivations, launcher, options_of
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.commands.run import Explanation, explain
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, nearest
from bramble.record import dataclass, replace
from bramble.sandbox.spec import SandboxSpec
from bramble.store.disk import Store
from bramble.store.history.records import builds

__all__ = ["Opened", "Wish", "build_inputs", "explain_build", "open_shell", "shell_target", "store_of"]

# In these one can go back in a line and in what was typed before.
_EDITING = ("bash", "zsh", "ksh", "mksh", MULTICALL)
_TERMINFO = ("lib/terminfo", "share/terminfo")


@dataclass(frozen=True)
class Wish:
    """What is wanted of a shell.

    `command` is run in place of typing, `tools` are names of programs of this machine that are to be
    there, `failed` means to enter what a failed build left, `terminal` that the input is a terminal, `rung`
    is the sandbox, `network` lets a generator that asks for the network have it.
    """

    rung: str
    terminal: bool
    failed: bool = False
    command: Optional[str] = None
    tools: tuple[str, ...] = ()
    pure: bool = False
    network: bool = False


@dataclass(frozen=True)
class Opened:
    """A shell that is ready: what a user should know of it, and how to let it run.

    `runs` is the command line of the build, `brought` the names of programs of this machine at the end of
    PATH, `typed_in` the shell of this machine that is used, "" if the build's own is.
    """

    name: str
    runs: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    brought: tuple[str, ...]
    typed_in: str
    run: Callable[[], int]


def store_of(setting: Setting) -> Optional[Store]:
    """Return the store, which has the records of failures; None if there is none.

    Raises BrambleError of opening it.
    """
    there = os.path.isdir(os.path.join(setting.store_root, "var"))
    return open_store(setting, read_only=True) if there else None


def shell_target(evaluated: Evaluated, of: str = "", failed_in: Optional[Store] = None) -> str:
    """Return the id of the one derivation that the target returned, which is built by a program.

    Of a target that returned none, it is the one that it registered as a test without arguments.
    With `of` it is one that the target needs, by its name or its id. With a store in `failed_in`, where the
    target did not fail itself, it is what it needs and what failed in the last build. Raises shell.several,
    shell.nothing, shell.unknown-derivation, shell.builtin.
    """
    graph = evaluated.evaluation.graph
    roots = {ref.derivation for result in evaluated.evaluation.results for ref in result.roots}
    tests = evaluated.evaluation.tests
    every = roots | {test.derivation.derivation for test in tests}
    if not roots:
        # What runs the program of a test with arguments is made by `bramble test`.
        roots = {test.derivation.derivation for test in tests if not test.args}
    if not (every if of or failed_in else roots):
        raise BrambleError(
            "shell.nothing", "the target returns no derivation", remedy="name a function that returns one"
        )
    if of:
        # spec: cli.shell.of
        found = _needed(evaluated, every, of)
    elif failed_in is not None:
        found = sorted(every & set(_failures(evaluated, failed_in))) or _failed(evaluated, every, failed_in)
    else:
        found = sorted(roots)
    if len(found) > 1:
        raise BrambleError(
            "shell.several",
            f"{len(found)} derivations have this name: "
            + ", ".join(_described(evaluated, id) for id in found),
            remedy="name one with --of and its id",
        )
    refuse_builtin(graph.get(found[0]))
    return found[0]


def _needed(evaluated: Evaluated, roots: Collection[str], of: str) -> list[str]:
    graph = evaluated.evaluation.graph
    needed = graph.order(sorted(roots))
    found = [id for id in needed if of in (id, graph.get(id).name)]
    if found:
        return found
    names = list(dict.fromkeys(graph.get(id).name for id in needed))
    near = nearest(of, names)
    raise BrambleError(
        "shell.unknown-derivation",
        f'the target needs no derivation called "{of}"',
        remedy=f'did you mean "{near}"?' if near else "it needs: " + ", ".join(names[:20]),
    )


def _failures(evaluated: Evaluated, store: Store) -> list[str]:
    """Return the ids of what failed in the last build of the project in which anything did."""
    recorded = (build.failed for build in builds(store, evaluated.project.home) if build.failed)
    return [one.id for one in next(recorded, ())]


def _failed(evaluated: Evaluated, roots: Collection[str], store: Store) -> list[str]:
    # spec: cli.shell.failed
    needed = set(evaluated.evaluation.graph.order(sorted(roots)))
    return [id for id in _failures(evaluated, store) if id in needed] or sorted(roots)


def _described(evaluated: Evaluated, id: str) -> str:
    place = evaluated.evaluation.places.get(id)
    return f"{evaluated.evaluation.graph.get(id).name} {id}" + (f" ({place})" if place else "")


def build_inputs(
    evaluated: Evaluated,
    target: str,
    setting: Setting,
    choices: BuildChoices,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
) -> BuildResult:
    """Build what the derivation `target` needs, but not itself."""
    roots = evaluated.evaluation.graph.dependencies(target)
    # What a failed build left is what may be looked at now.
    choices = replace(choices, keep_left=True)
    return build_derivations(evaluated, roots, setting, choices, on_event, cancelled)


@contextmanager
def open_shell(
    evaluated: Evaluated, target: str, result: BuildResult, setting: Setting, wish: Wish
) -> Iterator[Opened]:
    """Prepare a shell on the streams of this process (spec: cli.shell).

    Raises BrambleError shell.no-shell, shell.nothing-kept, and those of bringing programs of this machine.
    """
    derivation = evaluated.evaluation.graph.get(target)
    if derivation.network:
        asked = BuildChoices(network=wish.network)
        options_of(evaluated.project, evaluated.packages, setting, asked).check_network(derivation.name)
    brought = _bring(" ".join(wish.tools), evaluated, result.store, setting) if wish.tools else ""
    typing = wish.terminal and wish.command is None and not wish.pure
    editor = _editor(evaluated, result.store, setting) if typing else ""
    more = [name for name in (brought, editor) if name]
    choices = BuildChoices(sandbox=wish.rung)
    with _environment(evaluated, target, result, setting, choices, wish.failed, more) as spec:
        env = dict(spec.env)
        if brought:
            # At the end: what the build itself finds stays what it finds.
            own = [env["PATH"]] if env.get("PATH") else []
            env["PATH"] = ":".join([*own, f"{result.store.directory}/{brought}/bin"])
        plain = spec._replace(env=tuple(sorted(env.items())))
        argv, typed_in = own_shell(plain), ""
        if editor and (not argv or os.path.basename(os.path.realpath(argv[0])) not in _EDITING):
            place = f"{result.store.directory}/{editor}"
            argv, typed_in = (f"{place}/bin/bash", "--norc"), "bash"
            found = [f"{place}/{part}" for part in _TERMINFO if os.path.isdir(f"{place}/{part}")]
            env.update({"TERMINFO": found[0]} if found else {})
        if not argv:
            raise no_shell(derivation.name)
        if wish.command is not None:
            argv = (*argv, "-c", wish.command)
        if wish.terminal:
            env.update({"TERM": setting.terminal_type} if setting.terminal_type else {})
            env.setdefault("PS1", _prompt(derivation.name, spec))
        ready = spec._replace(argv=argv, env=tuple(sorted(env.items())), terminal=wish.terminal)

        def run() -> int:
            with launcher() as started:
                return started.run_attached(ready, 0, 1, 2).shell_status

        graph = evaluated.evaluation.graph
        inputs = sorted({graph.get(ref.derivation).name for ref in derivation.dependencies})
        tools = tuple(name.rpartition("/")[2] for name in wish.tools)
        yield Opened(derivation.name, spec.argv, derivation.outputs, tuple(inputs), tools, typed_in, run)


def _prompt(name: str, spec: SandboxSpec) -> str:
    """Return a prompt for bash, dash and busybox: the build, and where one is in its directory."""
    top = next((mount.target for mount in spec.mounts if mount.writable), spec.cwd)
    # They look for variables in it each time, and for nothing else in a text like this.
    return f"[{name} build${{PWD#{shlex.quote(top)}}}]$ "


def _editor(evaluated: Evaluated, store: Store, setting: Setting) -> str:
    """Return an object with this machine's bash; "" if it is not available."""
    # spec: cli.shell.editing
    tools = [
        name for name in ("bash", "tput") if any(os.access(f"{place}/{name}", os.X_OK) for place in HOST_PATH)
    ]
    if "bash" not in tools:
        return ""
    try:
        return _bring(" ".join(tools), evaluated, store, setting)
    except BrambleError:
        # The shell of the build does as well, only less comfortably.
        return ""


def _bring(tools: str, evaluated: Evaluated, store: Store, setting: Setting) -> str:
    """Return the object with programs of this machine. It is not part of a build, and is not a root.

    Raises BrambleError build.host-tool-*.
    """
    # spec: cli.shell.with
    env = (("tools", Template.parse(tools)),)
    made = Derivation(name="shell-tools", builder=Template.parse("host_tools"), env=env)
    report = build(
        DerivationGraph({made.id: made}),
        [made.id],
        store=store,
        source_roots={},
        pins={},
        options=options_of(evaluated.project, evaluated.packages, setting, BuildChoices()),
        on_event=lambda event: None,
        cancelled=threading.Event(),
    )
    if report.failures:
        raise report.failures[0].error
    return report.names[OutputRef(made.id, "out")]


def explain_build(
    evaluated: Evaluated, target: str, result: BuildResult, setting: Setting, choices: BuildChoices
) -> Explanation:
    """Return the steps of the sandbox in which `target` is built; it is not built."""
    with _environment(evaluated, target, result, setting, choices, failed=False) as spec:
        return explain(spec)


def _environment(
    evaluated: Evaluated,
    target: str,
    result: BuildResult,
    setting: Setting,
    choices: BuildChoices,
    failed: bool,
    more: Sequence[str] = (),
) -> AbstractContextManager[SandboxSpec]:
    derivation = evaluated.evaluation.graph.get(target)
    report = result.report
    return build_environment(
        derivation,
        inputs={ref: report.outputs[ref].name for ref in derivation.dependencies},
        filenames=report.derivations,
        store=result.store,
        source_roots=evaluated.evaluation.source_roots,
        platform=setting.platform,
        rung=choices.sandbox,
        limits=choices.limits,
        failed=failed,
        more=more,
    )
