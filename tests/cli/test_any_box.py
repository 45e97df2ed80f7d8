"""Odd surroundings of a process: each works, or is refused with a way out, and never with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.world import ROOT, Ran, World

MODULE = """
def f():
    \"\"\"Says é.\"\"\"
    return derivation("f", builder="fetch_url", env={{"url": "file://{}/a.txt"}}, sources=files(["a.txt"]))
"""
BRAMBLE = [sys.executable, "-I", "-S", str(ROOT / "bramble")]


def run(world: World, *command: str, without: tuple[str, ...] = (), shell: str = "", **more: str) -> Ran:
    """Run Bramble; `shell` is what a shell does first, in the project, to what becomes of the process."""
    environ = {**world.environment(PYTHONDONTWRITEBYTECODE="1"), **more}
    for name in ("PYTHONPATH", *without):
        environ.pop(name, None)
    words = [*BRAMBLE, *command]
    if shell:
        words = ["/bin/sh", "-c", shell, "sh", *words]
    done = subprocess.run(words, cwd=world.project, env=environ, input=b"", capture_output=True, timeout=120)
    err = done.stderr.decode("utf-8", "replace")
    assert "Traceback" not in err and "Fatal" not in err, err
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), err)


@pytest.fixture
def small(world: World) -> World:
    """A world that builds without a sandbox, and without programs of the machine."""
    world.write(default=MODULE.format(world.project))
    (world.project / "a.txt").write_text("a\n")
    return world


def test_a_user_without_an_entry_and_without_a_home_is_served(small: World) -> None:
    if os.geteuid():
        pytest.skip("only root can become a user whom nobody has entered")
    become = (
        "import os, sys; os.setgroups([]); os.setgid(54321); os.setuid(54321);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )

    def as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": "/usr/bin:/bin", "BRAMBLE_PATH": str(small.store), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-I", "-c", become, *command],
            cwd=small.project, env=environ, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    for path in (small.base, small.project, *small.project.iterdir()):
        os.chown(path, 54321, 54321)
    pythons = [
        python
        for python in (sys.executable, "/usr/bin/python3")
        if os.path.exists(python)
        and as_nobody(python, "-I", "-S", "-c", f"open({BRAMBLE[-1]!r} + '/__main__.py')").returncode == 0
    ]
    if not pythons:
        pytest.skip("neither this Python nor /usr/bin/python3 is for everybody, or this directory is not")
    for words in (["--version"], ["ls"], ["build", "./:f"]):
        done = as_nobody(pythons[0], *BRAMBLE[1:], *words)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "xx_YY.nonsense"])
def test_names_and_texts_are_utf8_in_every_locale(small: World, locale: str) -> None:
    inner = small.project / "dé→"
    inner.mkdir()
    for name in ("default.bramble", "a.txt"):
        (inner / name).write_bytes((small.project / name).read_bytes())
    built = run(small, "build", "./dé→:f", LC_ALL=locale)
    assert built.status == 0, built.err
    assert "f()" in run(small, "ls", "./dé→", LC_ALL=locale).out


def test_a_locale_that_makes_other_names_is_refused_for_these_only(small: World) -> None:
    inner = small.project / "dé→"
    inner.mkdir()
    (inner / "default.bramble").write_bytes((small.project / "default.bramble").read_bytes())
    latin = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    # Only without -I does Python read the two variables. There are locales that have the same effect.
    words = [sys.executable, str(ROOT / "bramble")]
    environ = {**small.environment(), **latin}
    for target, codes in (("./:f", []), ("./dé→:f", ["load.source-name"])):
        done = subprocess.run(
            [*words, "build", target], cwd=small.project, env=environ, capture_output=True, timeout=120
        )
        ran = Ran(done.returncode, "", done.stderr.decode("utf-8", "replace"))
        assert ran.codes == codes, ran.err
        assert not codes or "LC_ALL=C.UTF-8" in ran.errors[0]["remedy"]


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONHOME": "/nonsense", "PYTHONPATH": "/nonsense", "PYTHONSTARTUP": "/nonsense"},
        {
            "PYTHONINSPECT": "1",
            "PYTHONOPTIMIZE": "2",
            "PYTHONWARNINGS": "error",
            "PYTHONIOENCODING": "utf-16",
        },
    ],
)
def test_what_python_reads_of_the_environment_has_no_effect(small: World, variables: dict[str, str]) -> None:
    assert run(small, "--version", **variables).out == "bramble 0.1.0\n"
    assert run(small, "build", "./:f", **variables).status == 0
    assert run(small, "repl", **variables).status == 0


def test_development_mode_finds_nothing_amiss(small: World) -> None:
    environ = small.environment(PYTHONDEVMODE="1", PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(
        [sys.executable, str(ROOT / "bramble"), "build", "./:f"],
        cwd=small.project, env=environ, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def test_the_version_is_written_as_everything_is(small: World) -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        assert run(small, "--version", shell=f'"$@" {closed}').status == 0
    ran = run(small, "--version", shell='"$@" >/dev/full')
    assert (ran.status, ran.codes) == (1, ["cli.output"])
    assert run(small, "--version", shell='"$@" | true').status == 0
    assert run(small, "-V").out == run(small, "--version").out == run(small, "-C", ".", "-V").out


def test_a_working_directory_that_is_gone_is_said_to_be(small: World) -> None:
    gone = "mkdir ../gone && cd ../gone && rmdir ../gone && "
    assert run(small, "--version", shell=gone + '"$@"').status == 0
    for words in (("ls",), ("build", "./:f")):
        ran = run(small, *words, shell=gone + '"$@"')
        assert (ran.status, ran.codes) == (1, ["cli.no-directory"])
