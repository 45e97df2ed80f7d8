"""What a process loads: a command that has nothing to do waits for no module that it does not need.

Counted are modules and not milliseconds, which are the benchmark's (tests/bench/bench_startup.py).
"""

from __future__ import annotations

import subprocess
import sys

from tests.cli.world import ROOT, World
from tests.recall.marked import prepared, recorded

# As the one file starts: without `site`, and without what running a directory takes.
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]; "
    "from bramble.__main__ import start; sys.exit(start())"
)
# Modules of Bramble beyond this are to be argued for; now there are as many, or one fewer.
MOST_FOR_LS, MOST_FOR_A_BUILD, MOST_TO_RUN_AGAIN = 105, 134, 45
# All that is loaded where an answer is given again, by whatever command; and `bramble.cli.invocation`, which
# is imported by name, and such modules Python does not count.
TO_ANSWER = [
    *("bramble", "bramble.__main__", "bramble.cli", "bramble.cli.first"),
    *("bramble.interpreter", "bramble.isolation"),
    *("bramble.recall", "bramble.recall.answers", "bramble.recall.kept", "bramble.recall.reads"),
    "bramble.recall.witness",
]
HEAVY = {"argparse", "contextlib", "dataclasses", "enum", "hashlib", "json", "re", "signal", "typing"}
WHAT_A_RUN_LACKS = HEAVY - {"contextlib"} | {"threading", "weakref"}
# What only work needs, or a person who watches it, or an error.
WORK = (
    *("bramble.build.fetch", "bramble.build.tools", "bramble.build.maker", "bramble.build.placing"),
    *("bramble.cli.live", "bramble.cli.trace", "bramble.cli.listing", "bramble.cli.usage"),
    *("bramble.commands.doctor", "bramble.commands.graphs", "bramble.commands.trust", "bramble.self"),
    *("bramble.sandbox.launch", "bramble.sandbox.probe", "bramble.sandbox.syscalls"),
    *("bramble.store.publish", "bramble.store.gc", "bramble.store.questions", "bramble.store.transfer"),
    *("ctypes", "socket", "ssl", "subprocess", "tempfile", "traceback", "zlib", "urllib", "shutil"),
)


def loaded(world: World, *words: str) -> list[str]:
    """Return the modules that a command loads, in the order in which they are complete."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", "-c", START, str(ROOT), *words],
        cwd=world.project, env=world.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]


def ours(modules: list[str]) -> list[str]:
    return [name for name in modules if name.partition(".")[0] == "bramble"]


def needless(modules: list[str]) -> list[str]:
    return [name for name in modules if name.startswith(tuple(f"{it}." for it in WORK)) or name in WORK]


def test_the_version_loads_four_modules(world: World) -> None:
    found = loaded(world, "--version")
    assert sorted(set(ours(found))) == [
        *("bramble", "bramble.__main__", "bramble.cli", "bramble.cli.first"),
        *("bramble.interpreter", "bramble.isolation"),
    ]
    assert not {"argparse", "enum", "json", "re", "signal", "typing", "dataclasses"} & set(found)


def test_what_is_answered_again_loads_twelve_modules(tooled: World) -> None:
    tooled.write(default='def f():\n    """F."""\n')
    for words in (("build", "./tools:tools"), ("ls",), ("graph", "./tools:tools")):
        recorded(tooled, *words)
        found = loaded(tooled, *words)
        assert sorted(set(ours(found))) == TO_ANSWER
        assert not HEAVY & set(found)


def test_what_was_evaluated_before_needs_no_language(tooled: World) -> None:
    recorded(tooled, "graph", "./tools:tools")
    found = loaded(tooled, "build", "--just-parse", "./tools:tools")
    assert not [name for name in found if name.startswith(("bramble.starlark", "bramble.lang.evaluate"))]
    assert not {"bramble.build.engine", "bramble.build.builder", "bramble.build.schedule"} & set(found)


def test_a_program_that_is_run_again_needs_the_sandbox_and_the_locks(tooled: World) -> None:
    words = ("run", "./tools:tools", "sh", "-c", "true")
    prepared(tooled, *words)
    found = loaded(tooled, *words)
    rooms = {name.split(".")[1] for name in ours(found) if "." in name}
    assert rooms == {
        *("__main__", "cli", "commands", "errors", "interpreter", "isolation", "project"),
        *("recall", "record", "sandbox", "store"),
    }
    assert not {*WHAT_A_RUN_LACKS, "ctypes", "inspect"} & set(found)
    assert len(ours(found)) <= MOST_TO_RUN_AGAIN


def test_a_list_needs_nothing_that_builds(world: World) -> None:
    world.write(default='def f():\n    return derivation("f", "x")\n')
    loaded(world, "ls")
    found = loaded(world, "ls")
    assert not needless(found)
    assert not [name for name in found if name.startswith(("bramble.build.", "bramble.sandbox."))]
    assert len(ours(found)) <= MOST_FOR_LS


def test_a_build_with_nothing_to_do_needs_nothing_that_works(tooled: World) -> None:
    assert tooled.run("build", "./tools:tools").status == 0
    found = loaded(tooled, "build", "./tools:tools")
    assert not needless(found)
    # What reads a module's text is not needed: it is kept, compiled.
    assert not [name for name in found if name.startswith("bramble.starlark.") and "parse" in name]
    assert len(ours(found)) <= MOST_FOR_A_BUILD
