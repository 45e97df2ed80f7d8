"""`bramble repl`: on a terminal as a person types, and with lines from a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import World

PROMPT = b">>> "
TESTS = '''
"""What is tested."""
def foo(times=1):
    """Says hi.

    As often as wanted.
    """
    print("hi")
def _bar():
    print("hello")
'''


@pytest.fixture
def modules(world: World) -> World:
    world.write(tests__default=TESTS, lib__c="x = 1\n")
    world.environ["BRAMBLE_ERROR_FORMAT"] = ""
    return world


class Typist:
    """Someone at a terminal: types, and waits for what is shown."""

    def __init__(self, command: list[str], cwd: Path, environ: dict[str, str]) -> None:
        self.terminal, other = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environ,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            # The terminal of the session, so that Ctrl-C is a signal.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(other)
        self.begun = self.until(PROMPT)

    def until(self, end: bytes) -> str:
        """Wait until this is the last thing that is shown, and return all since the last time."""
        seen = b""
        deadline = time.monotonic() + 60
        while not seen.endswith(end):
            assert time.monotonic() < deadline, seen
            if select.select([self.terminal], [], [], 1)[0]:
                try:
                    seen += os.read(self.terminal, 1000)
                except OSError:
                    break
        return re.sub(r"\x1b\[\??[0-9;]*[a-zA-Z]|\x07", "", seen.decode()).replace("\r\n", "\n")

    def types(self, line: str, end: bytes = PROMPT) -> str:
        """Type a line and return what is shown for it, without its echo."""
        os.write(self.terminal, f"{line}\n".encode())
        shown = self.until(end)
        assert shown.startswith(line) or "\t" in line, shown
        return shown.partition("\n")[2].removesuffix(end.decode())

    def interrupts(self) -> None:
        """Press Ctrl-C until it is noticed: Python misses one that comes as it begins to wait for a key."""
        os.write(self.terminal, b"\x03")
        while not select.select([self.terminal], [], [], 2)[0]:
            os.write(self.terminal, b"\x03")
        self.until(PROMPT)

    def leaves(self) -> int:
        os.write(self.terminal, b"\x04")
        return self.process.wait(60)


@pytest.fixture
def typist(modules: World) -> Iterator[Typist]:
    made = at_terminal(modules)
    yield made
    made.process.kill()
    made.process.wait()
    os.close(made.terminal)


def at_terminal(world: World, cwd: Path | None = None, **more: str) -> Typist:
    return Typist(world.command("repl"), cwd or world.project, world.environment(TERM="xterm", **more))


def test_the_examples_of_the_manual(typist: Typist) -> None:
    # spec: cli.repl, cli.repl.errors
    said = typist.types
    assert typist.begun.startswith("example.com/p · ")
    assert said('load("example.com/p/tests")') == ""
    assert said("tests") == '<module "example.com/p/tests">\n'
    assert said("dir(tests)") == '["foo"]\n'
    assert said("tests.foo()") == "hi\n"
    error = "Traceback (most recent call last):\n  <stdin>:1:6: in <expr>\nError: module has no ._bar field"
    assert said("tests._bar()").startswith(error)
    said('b = derivation("hi", "ho")')
    assert said("b") == "{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:out }}\n"
    assert said("b.out") == '"{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:out }}"\n'
    said('c = derivation("hi", "ho", outputs=["a", "b", "c"])')
    assert said('"{}/bin/bash".format(c)') == '"{{ lvliebpnk6lcalc3sdsvfbrzwlamb4qo:a }}/bin/bash"\n'
    assert said('"{}/bin/bash".format(c.b)') == '"{{ lvliebpnk6lcalc3sdsvfbrzwlamb4qo:b }}/bin/bash"\n'
    assert said("sys") == '<module "sys">\n'
    assert said('assert.contains("hihihi", "how")').endswith(
        "<stdin>:1:16: in <expr>\nError: hihihi does not contain how\n"
    )
    assert typist.leaves() == 0


def test_what_is_typed_can_have_several_lines(typist: Typist) -> None:
    more = b"... "
    assert typist.types("def f(a):", more) == ""
    assert typist.types("    return [a,", more) == ""
    assert typist.types("        1]", more) == ""
    assert typist.types("", PROMPT) == ""
    assert typist.types("f(2)") == "[2, 1]\n"
    assert typist.types("x = [1,", more) == ""
    typist.interrupts()
    assert typist.types("f") == "<function f>\n"
    typist.types("def g():", more)
    typist.types("    return f(1) + 1", more)
    typist.types("")
    assert typist.types("g()") == (
        "Traceback (most recent call last):\n  <stdin>:1:2: in <expr>\n  <stdin>:2:17: in g\n"
        "      return f(1) + 1\n                  ^\nError: unknown binary op: list + int\n"
    )
    assert typist.types("1 +").startswith("<stdin>:1:4: got newline, want primary expression\n")
    assert typist.types("exit").endswith("Ctrl-D ends the session\n")


def test_ctrl_c_ends_what_runs_and_not_the_session(typist: Typist) -> None:
    typist.types("def forever():", b"... ")
    typist.types("    print('begun')", b"... ")
    typist.types("    for i in range(1 << 60):", b"... ")
    typist.types("        pass", b"... ")
    typist.types("")
    # More memory than a process may have that ends at once.
    typist.types("big = [0] * (40 << 20)")
    typist.types("forever()", b"begun\r\n")
    typist.interrupts()
    assert typist.types("40 + 2") == "42\n"
    assert typist.leaves() == 0


def test_names_attributes_and_modules_are_completed(typist: Typist) -> None:
    # spec: cli.repl.editor
    pytest.importorskip("readline")
    typist.types('load("example.com/p/te\t")')
    assert typist.types("tests.f\t") == "<function foo>\n"
    assert typist.types('load(c = "std/\t\x15"x"') == '"x"\n'
    typist.types('load(c = "example.com/p/li\t")')
    assert typist.types("c.\t") == "1\n"
    assert typist.types("if True:", b"... ") == ""
    typist.types("\tpri\t('indented')", b"... ")
    assert typist.types("") == "indented\n"


def test_help_shows_documentation(typist: Typist) -> None:
    typist.types('load("example.com/p/tests")')
    assert (
        typist.types("help(tests)") == '<module "example.com/p/tests">\nWhat is tested.\n    foo(times=1)\n'
    )
    assert typist.types("help(tests.foo)") == "foo(times=1)\nSays hi.\n\nAs often as wanted.\n"
    assert "derivation(name, builder, args=[]" in typist.types("help(derivation)")
    assert "sys.platform" in typist.types("help(sys)")


def test_what_was_typed_is_kept_for_the_person_alone(modules: World) -> None:
    # spec: cli.repl.history
    pytest.importorskip("readline")
    first = at_terminal(modules)
    first.types("the_first = 1")
    assert first.leaves() == 0
    kept = modules.base / "home/.local/state/bramble/repl_history"
    assert kept.read_text() == "the_first = 1\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    second = at_terminal(modules)
    second.types("a = 2")
    os.write(second.terminal, b"\x1b[A\x1b[A\n")
    assert "the_first = 1" in second.until(PROMPT)
    second.leaves()
    assert kept.read_text() == "the_first = 1\na = 2\nthe_first = 1\n"


@pytest.mark.parametrize("state", ["/dev/null/x", "/proc/self", "relative"])
def test_where_nothing_can_be_kept_nothing_is(modules: World, state: str) -> None:
    here = at_terminal(modules, XDG_STATE_HOME=state, HOME="/dev/null")
    assert here.types("1 + 1") == "2\n"
    assert here.leaves() == 0


def test_history_follows_no_link_and_waits_for_no_pipe(modules: World) -> None:
    directory = modules.base / "state/bramble"
    directory.mkdir(parents=True)
    os.symlink(modules.base / "victim", directory / "repl_history")
    here = at_terminal(modules, XDG_STATE_HOME=str(modules.base / "state"))
    here.types("x = 1")
    assert here.leaves() == 0
    assert not (modules.base / "victim").exists()
    (directory / "repl_history").unlink()
    os.mkfifo(directory / "repl_history")
    here = at_terminal(modules, XDG_STATE_HOME=str(modules.base / "state"))
    assert here.types("1") == "1\n" and here.leaves() == 0


def test_python_without_an_editor_does(modules: World) -> None:
    program = (
        "import sys; sys.modules['readline'] = None\n"
        "from bramble.cli.main import main\nsys.exit(main(['repl']))"
    )
    here = Typist([sys.executable, "-c", program], modules.project, modules.environment(TERM="xterm"))
    assert here.types("[1, 2]") == "[1, 2]\n"
    assert here.leaves() == 0


def test_outside_of_a_project_there_is_the_library(modules: World) -> None:
    elsewhere = modules.base / "elsewhere"
    elsewhere.mkdir()
    here = at_terminal(modules, elsewhere)
    assert here.begun.startswith("no project · ")
    assert here.types('load("std")') == ""
    assert here.types("std") == '<module "std">\n'
    assert "there is no project here" in here.types('load("example.com/p/tests")')
    (elsewhere / "a.c").touch()
    assert here.types("files(['*'])") == '["a.c"]\n'
    assert here.types("files(['*.h'])").startswith('warning: <stdin>:1:6: no file matches "*.h"')
    assert here.leaves() == 0


def test_lines_of_a_pipe_are_run_and_counted(modules: World) -> None:
    text = "x = 1\n\nx\ndef f():\n    return y\n\n# nothing\nx + 'a'\nx + 1"
    ran = modules.run("repl", stdin=text.encode(), BRAMBLE_ERROR_FORMAT="json")
    assert (ran.status, ran.out) == (1, "1\n2\n")
    assert [(error["error"], error["at"]) for error in ran.errors] == [
        ("resolve.undefined", "<stdin>:5:12"),
        ("eval.operand", "<stdin>:8:3"),
    ]
    assert modules.run("repl", stdin=b"print('a')\n'b'").out == '"b"\n'
    assert modules.run("repl").status == 0


def test_bytes_that_are_no_text_are_an_error(modules: World) -> None:
    ran = modules.run("repl", stdin=b"x = '\xff'\n1\n", BRAMBLE_ERROR_FORMAT="json", LC_ALL="C.UTF-8")
    assert (ran.status, ran.out, ran.codes) == (1, "1\n", ["syntax.encoding"])


def test_limits_hold_for_each_input(modules: World) -> None:
    text = b"def f():\n    for i in range(2000): pass\n\nf()\nf()\n1\n"
    assert modules.run("repl", "--eval-steps", "9000", stdin=text).out == "1\n"
    ran = modules.run("repl", "--eval-steps", "1000", stdin=text, BRAMBLE_ERROR_FORMAT="json")
    assert (ran.out, ran.codes[:1]) == ("1\n", ["eval.limit"])
    assert "--eval-steps" in ran.errors[0]["remedy"]


def test_a_full_output_ends_it(modules: World) -> None:
    # spec: cli.output
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            modules.command("repl"),
            cwd=modules.project,
            env=modules.environment(),
            input=b"1\n2\n",
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1 and done.stderr.count(b"cli.output") == 1
    assert b"Traceback" not in done.stderr
