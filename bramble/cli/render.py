"""Values become text: errors, durations, and foreign bytes made harmless."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Optional, TextIO

from bramble.cli.environment import Surface
from bramble.errors import BrambleError

RED, GREEN, YELLOW, DIM, BOLD, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


def paint(text: str, colour: str, surface: Surface) -> str:
    """Return `text` in a colour where colours are wanted."""
    return f"{colour}{text}{PLAIN}" if surface.colour else text


def print_error(error: BrambleError, surface: Surface) -> None:
    """Show an error, and the others found with it, on standard error (spec: cli.errors)."""
    for one in (error, *error.others):
        _print_one_error(one, surface)


def _print_one_error(error: BrambleError, surface: Surface) -> None:
    if surface.json_errors:
        print(json.dumps(error.to_json()), file=sys.stderr)
        return
    if error.detail:
        say(harmless(error.detail.rstrip("\n")))
    where = f" {error.place}" if error.place is not None else ""
    say(f"{paint(f'error[{error.code}]', BOLD + RED, surface)}{harmless(where)}: {harmless(error.message)}")
    if error.remedy:
        say("  " + harmless(error.remedy).replace("\n", "\n  "))


def say(text: str, stream: Optional[TextIO] = None) -> None:
    """Print one piece of text, whatever the encoding of the stream can hold."""
    out = stream if stream is not None else sys.stderr
    encoding = out.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=out, flush=True)


def say_changed(path: str) -> None:
    """Say that a program that was run has touched what decides what is run next (spec: cli.run.guarded)."""
    say(f"warning: while the program ran, {on_one_line(path)} was made, changed or removed")


def print_json(value: Any) -> None:
    """Print a result as one JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


def harmless(text: str) -> str:
    """Return `text` with control characters written out, so that no terminal obeys them.

    Newlines and tabs stay. Escape sequences of a build's output could set titles,
    write the clipboard or hide lines (spec: cli.harmless-output).
    """
    if text.isprintable():
        return text
    return "".join(
        char if char in "\n\t" or not _is_control(char) else f"\\x{ord(char):02x}"
        for char in text.replace("\r\n", "\n")
    )


def on_one_line(text: str) -> str:
    """Return `text` with all written out that is not seen as itself: also newlines and what has no width.

    For what a user decides upon: a name must not look like another one, or like a line of ours.
    """
    # spec: cli.harmless-output
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)


def _is_control(char: str) -> bool:
    code = ord(char)
    return (
        code < 0x20
        or 0x7F <= code < 0xA0
        or code in (0x2028, 0x2029)
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
    )


def duration(seconds: float) -> str:
    """Return a duration as the build lines show it: `88.1ms`, `2.35s`, `3m12s`."""
    if seconds < 1:
        return f"{seconds * 1000:.1f}ms"
    if seconds < 60:
        return f"{seconds:.2f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s"


def moment(seconds: float) -> str:
    """Return a point in time, seconds since 1970, in the time zone of the user: `2026-02-03 14:05:06`."""
    # A record may say anything; no time zone has a year that large.
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(min(seconds, 253370764800)))


def several(number: int, noun: str) -> str:
    """Return a number of things for people: `1 object`, `2 objects`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(count: int) -> str:
    """Return a number of bytes for people: `512 B`, `4.2 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the last unit has no limit")
