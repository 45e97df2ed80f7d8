"""Paths of the host are opened without following a link: by the kernel in one call, or name by name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bramble.sandbox import pid1, syscalls

WAYS = {
    "directory/file": 0,
    "directory": 0,
    "to-file": errno.ELOOP,
    "to-directory/file": errno.ELOOP,
    "to-directory": errno.ELOOP,
    "to-nothing": errno.ELOOP,
    "missing/file": errno.ENOENT,
    "directory/missing": errno.ENOENT,
    "directory/file/below": errno.ENOTDIR,
}


def in_one_call(path: str) -> int:
    try:
        return syscalls.openat2(syscalls.AT_FDCWD, os.fsencode(path), pid1.NO_LINKS)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            pytest.skip("this kernel, or what this runs in, has no openat2(2)")
        raise


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("opened", (pid1.walk, in_one_call), ids=("walk", "openat2"))
def test_no_link_is_followed(tmp_path: Path, opened: object, way: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "file").write_text("")
    for name, to in (("file", "directory/file"), ("directory", "directory"), ("nothing", "nothing")):
        (tmp_path / f"to-{name}").symlink_to(to)
    assert callable(opened)
    path = os.path.realpath(tmp_path) + "/" + way
    count = len(os.listdir("/proc/self/fd"))
    if WAYS[way]:
        with pytest.raises(OSError) as found:
            opened(path)
        assert found.value.errno == WAYS[way]
    else:
        fd = opened(path)
        try:
            assert os.path.samestat(os.fstat(fd), os.stat(path))
        finally:
            os.close(fd)
    assert len(os.listdir("/proc/self/fd")) == count
