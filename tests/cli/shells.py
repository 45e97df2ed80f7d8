"""A shell on a terminal of its own, to which a test types as a person does."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

PROMPT = "READY>"
HOME = "\x01"  # Ctrl-A: to the beginning of the line
DEADLINE = 60.0  # seconds, for machines under load
_SEQUENCE = re.compile(rb"\x1b(\[[0-9;?=<>]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>A-Za-z])")


def interactive(shell: str, setup: str, directory: Path) -> tuple[Sequence[str], dict[str, str]]:
    """Return how a shell is started that has read `setup` and shows PROMPT, and variables for that."""
    rc = directory / f"rc.{shell}"
    if shell == "bash":
        rc.write_text(f"PS1='{PROMPT} '\nbind 'set bell-style none'\n{setup}\n")
        return ["bash", "--rcfile", str(rc), "-i"], {"INPUTRC": "/dev/null"}
    if shell == "zsh":
        (directory / ".zshrc").write_text(
            f"PS1='{PROMPT} '\nunsetopt beep\nautoload -U compinit\ncompinit -u -D\nbindkey -e\n{setup}\n"
        )
        return ["zsh", "-i"], {"ZDOTDIR": str(directory)}
    rc.write_text(f"function fish_prompt; echo '{PROMPT} '; end\nset -g fish_greeting\n{setup}\n")
    return ["fish", "--no-config", "-i", "-C", f"source {rc}"], {}


class Typist:
    """A program on a terminal. Close it at the end."""

    def __init__(self, words: Sequence[str], cwd: Path, environ: dict[str, str]) -> None:
        self._leader, follower = pty.openpty()
        self._process = subprocess.Popen(
            words,
            cwd=cwd,
            env=environ,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # the terminal that controls it
        )
        os.close(follower)
        self.seen = b""

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def wait_for(self, pattern: str) -> str:
        """Wait for something, and return all that came so far, without escape sequences."""
        deadline = time.monotonic() + DEADLINE
        while not re.search(pattern, plain := _SEQUENCE.sub(b"", self.seen).decode("utf-8", "replace"), re.S):
            assert time.monotonic() < deadline, f"{pattern!r} did not come: {plain!r}"
            if select.select([self._leader], [], [], 0.5)[0]:
                self.seen += os.read(self._leader, 65536)
        self.seen = b""
        return plain

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._leader)


def installed(shell: str) -> bool:
    return shutil.which(shell) is not None
