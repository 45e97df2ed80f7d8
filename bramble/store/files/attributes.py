"""Extended attributes, xattr(7), also for a Python whose `os` lacks them: CPython's does with musl.

There the C library is asked. Where `ctypes` is missing too, no file has attributes.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Union

PYTHON_HAS_THEM = hasattr(os, "listxattr")
ctypes: Any = None
if not PYTHON_HAS_THEM:
    # With nothing to do, loading it would be a good part of the time.
    with contextlib.suppress(ImportError):
        import ctypes
_ENOTSUP = 95


def attributes_of(fd: int) -> list[str]:
    """Return the names of an open file's attributes. Raises OSError."""
    if PYTHON_HAS_THEM:
        return os.listxattr(fd)
    size = _called("flistxattr", fd, None, 0)
    if size == 0:
        return []
    held = bytearray(size)
    names = held[: _called("flistxattr", fd, held, size)]
    return [os.fsdecode(bytes(name)) for name in names.split(b"\0") if name]


def remove_attribute(fd: int, name: str) -> None:
    """Take an attribute off an open file. Raises OSError."""
    if PYTHON_HAS_THEM:
        os.removexattr(fd, name)
    else:
        _called("fremovexattr", fd, os.fsencode(name))


def has_attribute(path: str, name: str) -> bool:
    """Return whether a file, or a link itself, has an attribute that this process may read."""
    try:
        if PYTHON_HAS_THEM:
            os.getxattr(path, name, follow_symlinks=False)
        else:
            _called("lgetxattr", os.fsencode(path), os.fsencode(name), None, 0)
    except OSError:
        return False
    return True


def _called(function: str, *words: Union[int, bytes, bytearray, None]) -> int:
    """Call a function of the C library. A bytearray is a buffer that it fills, None no buffer."""
    if ctypes is None:
        raise OSError(_ENOTSUP, os.strerror(_ENOTSUP))
    call = ctypes.CDLL(None, use_errno=True)[function]
    call.restype = ctypes.c_ssize_t
    result: int = call(*(_argument(word) for word in words))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _argument(word: Union[int, bytes, bytearray, None]) -> object:
    if isinstance(word, bytearray):
        return (ctypes.c_char * len(word)).from_buffer(word)
    return ctypes.c_size_t(word) if isinstance(word, int) else word
