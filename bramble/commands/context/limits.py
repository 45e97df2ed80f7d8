"""Limits of evaluation, and the error of a program that exceeds one (spec: cli.limits)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bramble.commands.context.setting import EvaluationLimits
from bramble.errors import BrambleError
from bramble.starlark.bounds import Overtime, bounded_memory, bounded_time

_OPTIONS = {"steps": "N", "memory": "SIZE", "time": "SECONDS"}


@contextmanager
def bounded(limits: EvaluationLimits) -> Iterator[None]:
    """Hold what is evaluated inside the block to the limits.

    Raises BrambleError eval.limit; its remedy names the option that allows more.
    """
    try:
        with bounded_time(limits.seconds), bounded_memory(limits.memory):
            yield
    except BrambleError as error:
        limit = str(getattr(error.__cause__, "limit", ""))
        if limit and error.remedy is None:
            error.remedy = remedy_of(limit)
        raise
    except MemoryError as error:
        raise _exceeded("memory", "out of memory") from error
    except Overtime as error:
        raise _exceeded("time", str(error)) from error


def remedy_of(limit: str) -> str:
    """Return what to do about a program that met the limit `steps`, `memory` or `time`."""
    option = f"--eval-{limit} {_OPTIONS[limit]}"
    return f"if it needs more, raise the limit with {option} or BRAMBLE_EVAL_{limit.upper()}"


def _exceeded(limit: str, fact: str) -> BrambleError:
    return BrambleError("eval.limit", f"the modules cannot be evaluated: {fact}", remedy=remedy_of(limit))
