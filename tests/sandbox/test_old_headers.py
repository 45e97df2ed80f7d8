"""Python's `os` has only what the headers had that it was built with; Bramble asks the kernel itself."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

import bramble
from bramble.sandbox import syscalls

# os: not with musl, up to CPython 3.11 at least; pidfds: not with headers older than Linux 5.3.
MAY_LACK = re.compile(r"\bos\.(?:pidfd_open|\w+xattr)\(|\bsignal\.pidfd_send_signal\(")


def test_a_process_is_waited_for_and_signalled_by_descriptor() -> None:
    process = subprocess.Popen(["sleep", "60"])
    fd = syscalls.pidfd_open(process.pid)
    try:
        assert not os.get_inheritable(fd)
        assert select.select([fd], [], [], 0)[0] == []
        syscalls.pidfd_send_signal(fd, 0, 0)
        syscalls.pidfd_send_signal(fd, signal.SIGTERM, 0)
        assert select.select([fd], [], [], 30)[0] == [fd]
        assert process.wait() == -signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            syscalls.pidfd_send_signal(fd, signal.SIGTERM, 0)
    finally:
        os.close(fd)
        process.kill()
    with pytest.raises(ProcessLookupError):
        syscalls.pidfd_open(process.pid)


def test_nothing_calls_what_some_pythons_lack() -> None:
    top = Path(bramble.__file__).parent
    users = {
        path.relative_to(top).as_posix() for path in top.rglob("*.py") if MAY_LACK.search(path.read_text())
    }
    assert users == {"store/files/attributes.py"}
