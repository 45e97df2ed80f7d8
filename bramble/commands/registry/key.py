"""The key of a registry: made once by ssh-keygen, and used by it alone (ssh-keygen(1))."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile

from bramble.commands.context.search import find_program
from bramble.errors import BrambleError
from bramble.packages.registry.checkpoint import NAMESPACE
from bramble.store.files.remove import remove_tree

_SECONDS = 60
_SIGNING, _MAKING = ".sign-", ".key-"  # begin the names of directories


def public_key(path: str) -> str:
    """Return the public key of the key at `path`, which is made if it is not there.

    Raises registry.key if ssh-keygen cannot do it, and for a key that others may read or that is no file.
    """
    # spec: registry.serve.key
    if not os.path.lexists(path):
        _make(path)
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise BrambleError(
            "registry.key", f"{path} is not a file", remedy="name a key that ssh-keygen has made: --key FILE"
        )
    if status.st_mode & 0o077 or status.st_uid not in (0, os.geteuid()):
        raise BrambleError(
            "registry.key",
            f"others can read {path}, with which the registry signs",
            remedy=f"chmod 600 {path}; if others may have read it, make a new key and tell everybody who "
            "trusts it",
        )
    words = _run(["-y", "-P", "", "-f", path]).decode("ascii", "replace").split()
    if words[:1] != ["ssh-ed25519"] or len(words) < 2:
        raise BrambleError(
            "registry.key",
            f"{path} is not a key of the kind ssh-ed25519",
            remedy="make one: ssh-keygen -t ed25519 -N '' -f FILE",
        )
    return " ".join(words[:2])


def signature(path: str, text: bytes, scratch: str) -> str:
    """Return the armored signature of `text` by the key at `path`. Raises registry.key.

    `scratch` is a directory in which a process that is killed may leave something (`forget_unfinished`).
    """
    with tempfile.TemporaryDirectory(prefix=_SIGNING, dir=scratch) as directory:
        message = os.path.join(directory, "message")
        with open(message, "xb") as file:
            file.write(text)
        _run(["-q", "-Y", "sign", "-f", path, "-n", NAMESPACE, message])
        with open(message + ".sig", encoding="ascii") as signed:
            return signed.read()


def forget_unfinished(directory: str) -> None:
    """Remove what processes have left in a directory that were killed while they signed, or made a key."""
    for name in os.listdir(directory):
        if name.startswith((_SIGNING, _MAKING)):
            remove_tree(os.path.join(directory, name))


def _make(path: str) -> None:
    """Make a key; it has its name when it is whole."""
    directory = os.path.dirname(path)
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=directory) as made:
        new = os.path.join(made, "key")
        _run(["-q", "-t", "ed25519", "-N", "", "-C", "bramble registry", "-f", new])
        os.chmod(new, 0o600)
        os.rename(new + ".pub", path + ".pub")
        os.rename(new, path)


def _run(words: list[str]) -> bytes:
    program = find_program("ssh-keygen")
    if program is None:
        raise BrambleError(
            "registry.key",
            "there is no ssh-keygen, which a registry signs with",
            remedy="install OpenSSH: apt install openssh-client, dnf install openssh",
        )
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrambleError(
            "registry.key", f"ssh-keygen failed: {error}", remedy="run the command yourself to see why"
        ) from error
    if done.returncode:
        raise BrambleError(
            "registry.key",
            "ssh-keygen failed",
            remedy="its messages are above; a key with a passphrase cannot be used by a server",
            detail=done.stdout.decode("utf-8", "replace"),
        )
    return done.stdout
