"""Why execve(2) refused a program: the one question whose errno says too little.

ENOENT may mean the program, the interpreter in its first line, or the loader
that its header names. Runs in pid 2, inside the sandbox, where the program
would have run; reads at most a few kilobytes of it.
"""

from __future__ import annotations

import os

ENOENT = 2
EACCES = 13
ENOEXEC = 8
PT_INTERP = 3
HEAD = 65536


def find(name: bytes, path: bytes) -> bytes:
    """Return the first executable file called `name` in the directories of `path`, or `name` itself."""
    for directory in path.split(b":"):
        candidate = (directory or b".") + b"/" + name
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    return name


def interpreter(head: bytes) -> tuple[str, bytes]:
    """Return what a file that begins with `head` needs to run: (kind, path).

    Kind is "script" with the interpreter of its first line, "program" with the
    loader of its ELF header (empty for a static one), or "unknown".
    """
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n", 1)[0].split()
        return ("script", words[0] if words else b"")
    if head[:4] != b"\x7fELF" or len(head) < 64:
        return ("unknown", b"")
    order = "little" if head[5] == 1 else "big"
    wide = head[4] == 2
    offset_at, size_at, entry_at = (32, 54, (8, 32)) if wide else (28, 42, (4, 16))
    word = 8 if wide else 4
    table = int.from_bytes(head[offset_at : offset_at + word], order)
    size = int.from_bytes(head[size_at : size_at + 2], order)
    count = int.from_bytes(head[size_at + 2 : size_at + 4], order)
    for start in range(table, table + size * count, size or 1):
        entry = head[start : start + size]
        if int.from_bytes(entry[:4], order) == PT_INTERP:
            where = int.from_bytes(entry[entry_at[0] : entry_at[0] + word], order)
            length = int.from_bytes(entry[entry_at[1] : entry_at[1] + word], order)
            return ("program", head[where : where + length].rstrip(b"\0"))
    return ("program", b"")


def explain(program: bytes, errno: int) -> str:
    """Return a word and a path for the reason: "missing", "script PATH", "loader PATH", "directory", "mode", "format"."""
    if not os.path.lexists(program):
        return "missing"
    if not os.path.exists(program):
        return "link " + os.fsdecode(os.readlink(program))
    if os.path.isdir(program):
        return "directory"
    if errno == EACCES and not os.access(program, os.X_OK):
        return "mode"
    try:
        fd = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
        head = os.read(fd, HEAD)
        os.close(fd)
    except OSError:
        return "unreadable"
    kind, needs = interpreter(head)
    text = os.fsdecode(needs)
    if kind == "unknown":
        return "format"
    if errno in (ENOENT, EACCES) and needs:
        return ("script " if kind == "script" else "loader ") + text
    return "architecture" if errno == ENOEXEC else "other"
