"""How a command ended and what it printed; errors are one JSON object a line (spec: cli.errors.json)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from conformance.outcome import Mismatch
from conformance.script import Error
from conformance.world.following import AFTER_SIGNALS
from conformance.world.session import Ended

_SHOWN = 4000
# What somebody who begins needs most when an error is not found.
_FORM = '{"error": CODE, "at": PLACE, "message": TEXT, "remedy": TEXT}'
_NO_ERROR = f"none (an error is a line of standard error: {_FORM})"


def printed_errors(stderr: bytes) -> tuple[dict[str, Any], ...]:
    """Return the errors among the lines of standard error: the JSON objects with a key `error`.

    Raises Mismatch for one that has not the form of an error (spec: cli.errors.json).
    """
    found = []
    for line in stderr.decode("utf-8", "replace").splitlines():
        if not line.startswith("{"):
            continue
        with contextlib.suppress(ValueError):
            document = json.loads(line)
            if "error" in document:
                found.append(document)
    for error in found:
        check_form(error)
    return tuple(found)


def check_form(error: Mapping[str, Any]) -> None:
    """Demand that an error has the keys of one. Raises Mismatch."""
    at, remedy = error.get("at", 0), error.get("remedy", 0)
    if (
        not isinstance(error["error"], str)
        or not isinstance(error.get("message"), str)
        or not error["message"]
    ):
        raise Mismatch(f"an error has a code and a message: {json.dumps(error)}")
    if not (at is None or isinstance(at, str)) or not (remedy is None or isinstance(remedy, str)):
        raise Mismatch(f"an error has the keys at and remedy, text or null: {json.dumps(error)}")


def error_fits(expected: Error, file: Optional[str], error: Mapping[str, Any], *, codes: bool = True) -> bool:
    """Return whether a printed error is the one that is expected, `file` being the name of its file.

    Without `codes` only the phase of its code must agree, and no column.
    """
    # spec: conformance.codes
    if not codes:
        expected = replace(expected, code=_phase(expected.code), column=None)
        error = {**error, "error": _phase(error["error"])}
    if error["error"] != expected.code:
        return False
    if expected.nowhere:
        return error["at"] is None
    if file is None:
        return True
    # The file's name may itself hold colons: what is a number at the end is line and column.
    wanted = [file] + [str(part) for part in (expected.line, expected.column) if part is not None]
    at = str(error["at"])
    return at == ":".join(wanted) or (
        at.startswith(":".join(wanted) + ":") and len(at.split(":")) <= len(file.split(":")) + 2
    )


def _phase(code: str) -> str:
    phase = code.partition(".")[0]
    # Which of the two finds a fault differs between implementations, and nothing has run yet in both.
    return "syntax" if phase == "resolve" else phase


def errors_shown(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return errors as the codes and places that people compare."""
    return "; ".join(f"{error['error']} at {error['at']}" for error in errors) or _NO_ERROR


def check_ending(ended: Ended, status: int, *, signalled: bool = False) -> None:
    """Demand that a command ended by itself with this status. Raises Mismatch.

    Where it was `signalled` by the case, a signal that ended it is a status as well: 128 and its number.
    """
    if ended.timed_out:
        soon = f", or within {AFTER_SIGNALS:g} seconds of the last signal" if signalled else ""
        raise Mismatch(f"it did not end within the time limit{soon}")
    if ended.status < 0 and not signalled:
        raise Mismatch(f"signal {-ended.status} ended it")
    # spec: conformance.verbs.signal
    found = 128 - ended.status if ended.status < 0 else ended.status
    if found != status:
        raise Mismatch(f"its exit status is {found}, not {status}")


def shown(ended: Ended) -> str:
    """Return what a command printed, for a report."""
    parts = []
    for name, data in (("stdout", ended.stdout), ("stderr", ended.stderr)):
        text = data.decode("utf-8", "replace").rstrip("\n")
        if text:
            parts.append(f"--- {name} ---\n{text[-_SHOWN:]}")
    return "\n".join(parts)
