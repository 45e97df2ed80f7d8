"""However a program is compiled, it prints the same and fails at the same place in the same words."""

from __future__ import annotations

import re
from typing import Any, Optional

import pytest

from bramble.starlark import Dialect, EvalError, StarlarkError, Thread, compile_program, execute
from bramble.starlark.compile import toplevel
from bramble.starlark.compile.facts.inference import Inference
from bramble.starlark.compile.facts.ownership import LOCK, Ownership
from bramble.starlark.repl import new_session

from .random_programs import random_program

Outcome = tuple[Any, Any]
SEEDS = range(120)


def outcome(text: str, dialect: Optional[Dialect] = None, **limits: Any) -> Outcome:
    """Return what a program printed, and its error with its place and stack if it failed."""
    printed: list[str] = []
    thread = Thread(print=lambda line, _position: printed.append(line), **limits)
    try:
        execute(compile_program(text, "random.star", dialect=dialect or Dialect()), thread=thread)
    except EvalError as error:
        assert error.code != "eval.host", (text, error.__cause__)
        return printed, (error.code, error.message, str(error.position), list(map(str, error.stack)))
    except StarlarkError as error:
        return "static", [one.code for one in error.errors]
    return printed, None


@pytest.mark.parametrize("seed", SEEDS)
def test_counting_steps_changes_nothing_else(seed: int) -> None:
    text = random_program(seed)
    counted = outcome(text, max_steps=300_000)
    if not counted[1] or "too many steps" not in counted[1]:
        assert counted == outcome(text)


@pytest.mark.parametrize("seed", SEEDS)
def test_globals_that_may_be_assigned_again_change_nothing_else(seed: int) -> None:
    text = random_program(seed)
    assert outcome(text, Dialect(global_reassign=True)) == outcome(text)


@pytest.mark.parametrize("seed", SEEDS)
def test_functions_reached_as_values_do_the_same_as_functions_called_by_name(seed: int) -> None:
    text = random_program(seed)
    by_value = "\n".join(re.sub(r"^print\((f\d)\(", r"print([\1][0](", line) for line in text.split("\n"))
    one, other = outcome(text), outcome(by_value)
    assert (one[0], one[1] and one[1][:2]) == (other[0], other[1] and other[1][:2])


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_compiler_concludes_changes_only_the_speed(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = random_program(seed)
    expected = outcome(text)
    with monkeypatch.context() as patch:
        # Every function whose arguments are known has a version for them, however little it does.
        patch.setattr(toplevel, "repeating", lambda _known, facts: {*facts})
        assert outcome(text) == expected
    with monkeypatch.context() as patch:
        patch.setattr(Ownership, "private", lambda *_args: False)
        patch.setattr(Ownership, "needs_lock", lambda *_args: LOCK)
        patch.setattr(Inference, "may_recur", lambda *_args: True)
        patch.setattr(Inference, "_solve", lambda inference, _resolution: None)
        assert outcome(text) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_the_terminal_session_does_the_same(seed: int) -> None:
    text = random_program(seed)
    printed: list[str] = []
    session = new_session(Dialect())
    session.filename = "random.star"
    session.thread.print = lambda line, _position: printed.append(line)
    found: Outcome
    try:
        session.run(text)
        found = printed, None
    except EvalError as error:
        # What is typed is called otherwise than what a file has.
        stack = [str(frame).replace("in <expr>", "in <toplevel>") for frame in error.stack]
        found = printed, (error.code, error.message, str(error.position), stack)
    except StarlarkError as error:
        found = "static", [one.code for one in error.errors]
    assert found == outcome(text)
