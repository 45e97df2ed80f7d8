"""Commands of an implementation in Python that a process forks (`forking`), for cases to be run with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from conformance.mutants.forking import LARGEST
from conformance.world.following import LAST_WORDS, Signal, follow, ignore_nothing, kill_group
from conformance.world.session import Ended

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "forking.py")


class Imported:
    """A process that has imported the implementation in a directory."""

    def __init__(self, directory: str, entry: str, rooms: Sequence[str]) -> None:
        ignore_nothing()
        self._channel, theirs = _pair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, _PROGRAM, str(theirs.fileno()), directory, entry, *rooms],
                cwd=directory,
                env={"PATH": os.defpath, "PYTHONPATH": directory, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def __enter__(self) -> Imported:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.wait()

    @contextlib.contextmanager
    def with_fault(self, code: str = "", lines: str = "") -> Iterator[Commands]:
        """Give commands of the implementation with the functions in the file `code`.

        Below the directory `lines` each command writes the lines that it runs.
        """
        ours, theirs = _pair()
        with ours:
            with theirs:
                socket.send_fds(
                    self._channel, [json.dumps({"code": code, "lines": lines}).encode()], [theirs.fileno()]
                )
            yield Commands(ours)
        self._channel.recv(64)


class Commands:
    """Runs commands, one at a time."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def carry_out(
        self,
        command: Sequence[str],
        *,
        directory: str,
        environment: Mapping[str, str],
        seconds: float,
        standard_input: Optional[str] = None,
        signals: Optional[list[Signal]] = None,
    ) -> Ended:
        """Run a command as `session.run_command` does; its first word is replaced by the implementation."""
        with contextlib.ExitStack() as opened:
            source = opened.enter_context(open(standard_input or os.devnull, "rb"))
            streams, given = [], [source.fileno()]
            for _ in range(2):
                reading, writing = os.pipe()
                streams.append(opened.enter_context(open(reading, "rb", buffering=0)))
                given.append(writing)
            request: dict[str, Any] = {
                "words": [*command[1:]],
                "directory": directory,
                "environment": dict(environment),
            }
            try:
                socket.send_fds(self._channel, [json.dumps(request).encode()], given)
                process = int(self._channel.recv(64))
            finally:
                for end in given[1:]:
                    os.close(end)
            texts = [bytearray(), bytearray()]
            by_end = dict(zip((stream.fileno() for stream in streams), texts))
            in_time = follow(process, by_end, time.monotonic() + seconds, signals)
            if not in_time:
                kill_group(process)
                follow(process, by_end, time.monotonic() + LAST_WORDS)
            status = int(self._channel.recv(64))
            kill_group(process)
        return Ended(status if in_time else -signal.SIGKILL, bytes(texts[0]), bytes(texts[1]), not in_time)


def _pair() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in pair:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
    return pair
