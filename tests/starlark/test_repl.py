"""The terminal session: one input after another, and no error ends it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bramble.starlark import Dialect, EvalError, ResolveFailure, SyntaxFailure, Thread
from bramble.starlark.repl import new_session
from bramble.starlark.session import Session, describe_value

ROOT = Path(__file__).parents[2]


@pytest.fixture
def session() -> Session:
    return new_session(Dialect())


def printed(session: Session) -> list[str]:
    lines: list[str] = []
    session.thread = Thread(print=lambda text, _position: lines.append(text), load=session.thread.load)
    return lines


def test_an_input_has_the_value_of_the_expression_at_its_end(session: Session) -> None:
    assert session.run("x = 1\n") is None
    assert session.run("x + 1\n") == 2
    assert session.run("y = 5; y * 2\n") == 10
    assert session.run("z = 7; 2\n") == 2
    assert session.run("z\n") == 7


def test_functions_see_the_globals_that_are_assigned_later(session: Session) -> None:
    session.run("x = 1\n")
    session.run("def f():\n    return x\n\n")
    session.run("x = [2]\n")
    assert session.run("f()\n") == [2]
    session.run("x += [3]\n")
    assert session.run("f()\n") == [2, 3]


def test_a_global_may_change_its_kind(session: Session) -> None:
    session.run("n = 1\ndef twice():\n    return n * 2\n\n")
    assert session.run("twice()\n") == 2
    session.run("n = 'a'\n")
    assert session.run("twice()\n") == "aa"
    session.run("n = True\n")
    with pytest.raises(EvalError):
        session.run("twice()\n")


def test_control_statements_may_stand_alone(session: Session) -> None:
    lines = printed(session)
    session.run("for i in range(2):\n    print(i)\n\n")
    session.run("if i:\n    print('last', i)\n\n")
    assert lines == ["0", "1", "last 1"]


def test_what_has_run_before_an_error_stays(session: Session) -> None:
    with pytest.raises(EvalError):
        session.run("x = 1\ny = x // 0\n")
    assert session.run("x\n") == 1
    with pytest.raises(ResolveFailure):
        session.run("z\n")


def test_lines_are_counted_from_the_number_that_an_input_is_given(session: Session) -> None:
    session.run("def f(a):\n    return a + 1\n\n", 7)
    with pytest.raises(EvalError) as caught:
        session.run("\nf('a')\n")
    assert [str(frame) for frame in caught.value.stack] == [
        "<stdin>:2:2: in <expr>",
        "<stdin>:8:14: in f",
    ]
    assert str(caught.value.position) == "<stdin>:8:14"
    assert caught.value.line_text == "    return a + 1"
    with pytest.raises(ResolveFailure) as several:
        session.run("x\ny\n", 3)
    assert str(several.value) == "<stdin>:3:1: undefined: x\n<stdin>:4:1: undefined: y"
    with pytest.raises(SyntaxFailure) as failure:
        session.run("x = 1\nx = ]\n", 3)
    assert str(failure.value.position) == "<stdin>:4:5"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("x = 1\n", False),
        ("def f():\n", True),
        ("def f():\n    return 1\n", True),
        ("def f():\n    return 1\n\n", False),
        ("for x in y:\n    if x:\n", True),
        ("x = [1,\n", True),
        ("x = (\n", True),
        ('x = """a\n', True),
        ("x = 'a\n", False),
        ("x = 1 +\n", False),
        ("if x: pass\n", True),
        ("# comment\n", False),
        ("x = ]\n", False),
        ("x = [\n" + 300 * "    1,\n", True),
        ("x = [\n" + 300 * "    1,\n" + "]\n", False),
        ("x = [" + 300 * "    1,\n" + "    ]\n", True),
    ],
)
def test_an_input_goes_on_until_it_is_whole(session: Session, text: str, more: bool) -> None:
    assert session.needs_more(text) is more


def test_dir_without_arguments_lists_the_globals(session: Session) -> None:
    session.run("b = 1\na = 2\n")
    assert session.run("dir()\n") == ["a", "b"]
    assert session.run("dir({})\n")[0] == "clear"


def test_help_tells_how_a_function_is_called_and_its_documentation(session: Session) -> None:
    lines = printed(session)
    session.run(
        'def f(a, b = [1], *, c):\n    """Add.\n\n    More.\n    """\n\nhelp(f)\nhelp(len)\n'
        "help(struct(x = 1))\n"
    )
    assert lines == [
        "f(a, b = [1], *, c)\nAdd.\n\nMore.",
        "<built-in function len>",
        "struct: struct(x = 1)\nx",
    ]
    assert describe_value(3) == "int: 3"


def test_names_and_attributes_are_completed(session: Session) -> None:
    session.run("apple = 'a'\ns = struct(inner = struct(deep = 1))\n")
    assert session.complete("app") == ["apple"]
    assert session.complete("enum") == ["enumerate"]
    assert "apple.strip" in session.complete("apple.st")
    assert session.complete("s.inner.d") == ["s.inner.deep"]
    assert session.complete("nothing.x") == []


def talk(*inputs: bytes, wait: float = 0.4, home: str = "/nonexistent/home") -> bytes:
    """Type into a session on a terminal and return all that it shows."""
    main, other = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": home, "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bramble.starlark"],
        stdin=other,
        stdout=other,
        stderr=other,
        env=environ,
        close_fds=True,
        start_new_session=True,
    )
    os.close(other)
    shown = b""
    try:
        _until(main, b">>> ")
        for text in inputs:
            if text == b"^C":
                time.sleep(wait)
                process.send_signal(signal.SIGINT)
            else:
                os.write(main, text)
            shown += _until(main, b">>> ") if text != b"\x04" and not text.startswith(b"forever") else b""
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(main)
    assert process.returncode == 0
    return shown


def _until(main: int, end: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + 30
    while not seen.endswith(end) and time.monotonic() < deadline:
        try:
            seen += os.read(main, 1000)
        except OSError:
            break
    return seen


def test_on_a_terminal_ctrl_c_ends_the_program_and_ctrl_d_the_session() -> None:
    shown = talk(
        b"def forever():\n    for i in range(1 << 60):\n        pass\n\n",
        b"forever()\n",
        b"^C",
        b"1 + 'a'\n",
        b"[1, 2]\n",
        b"^C",
        b"40 + 2\n",
        b"\x04",
    )
    assert b"Error: interrupted" in shown
    assert b"unknown binary op: int + string" in shown and b"^" in shown
    assert b"[1, 2]" in shown and b"42" in shown


def test_who_has_no_home_gets_none_and_others_a_history(tmp_path: Path) -> None:
    assert b"42" in talk(b"40 + 2\n", b"\x04", home=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    talk(b"40 + 2\n", b"\x04", home=str(tmp_path))
    assert (tmp_path / ".starlark_history").read_text() == "40 + 2\n"
