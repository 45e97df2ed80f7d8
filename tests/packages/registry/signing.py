"""A key of a registry, and signatures of it, by the ssh-keygen of this machine."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Signer:
    """Signs as the owner of a registry does."""

    program: str
    path: Path  # of the secret key

    @property
    def key(self) -> str:
        return self.path.with_suffix(".pub").read_text()

    def sign(self, text: bytes, namespace: str = "bramble-registry") -> str:
        command = [self.program, "-Y", "sign", "-f", str(self.path), "-n", namespace]
        return subprocess.run(command, input=text, capture_output=True, check=True).stdout.decode()


def make_signer(directory: Path, kind: str = "ed25519") -> Signer:
    """Return a new key; the test is passed over where no ssh-keygen can make one."""
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("there is no ssh-keygen on this machine to make signatures")
    path = directory / f"key-{kind}"
    subprocess.run([program, "-q", "-t", kind, "-N", "", "-C", "x y", "-f", str(path)], check=True)
    return Signer(program, path)
