"""Why execve(2) refused a program: the one question whose errno says too little.

ENOENT may mean the program, the interpreter in its first line, or the loader
that its header names. Runs in pid 2, inside the sandbox, where the program
would have run; reads at most a few kilobytes of it.
"""

from __future__ import annotations

import os

ENOEXEC = 8
PT_INTERP = 3
WIDE = 2  # EI_CLASS: ELFCLASS64
LITTLE_ENDIAN = 1  # EI_DATA
HEAD = 65536


def find(name: bytes, path: bytes) -> bytes:
    """Return the first file `name` in the directories of `path`, one that can be executed if any can."""
    candidates = [(directory or b".") + b"/" + name for directory in path.split(b":")]
    files = [candidate for candidate in candidates if os.path.isfile(candidate)]
    return next((file for file in files if os.access(file, os.X_OK)), files[0] if files else name)


def interpreter(head: bytes) -> tuple[str, bytes]:
    """Return what a file that begins with `head` needs to run: (kind, path).

    Kind is "script" with the interpreter of its first line, "program" with the
    loader of its ELF header (empty for a static one, or one of another byte
    order), or "unknown". See execve(2) and elf(5).
    """
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n", 1)[0].split()
        return ("script", words[0] if words else b"")
    if head[:4] != b"\x7fELF" or len(head) < 64:
        return ("unknown", b"")
    if head[5] != LITTLE_ENDIAN:
        return ("program", b"")
    wide = head[4] == WIDE
    word = 8 if wide else 4
    table, sizes, offset_in_entry, size_in_entry = (32, 54, 8, 32) if wide else (28, 42, 4, 16)

    def number(at: int, length: int) -> int:
        return int.from_bytes(head[at : at + length], "little")

    size, count = number(sizes, 2), number(sizes + 2, 2)
    for index in range(count):
        entry = number(table, word) + index * size
        if number(entry, 4) == PT_INTERP:
            start = number(entry + offset_in_entry, word)
            end = start + number(entry + size_in_entry, word)
            return ("program", head[start:end].rstrip(b"\0"))
    return ("program", b"")


def explain(program: bytes, errno: int, depth: int = 4) -> str:
    """Return why execve(2) failed with `errno`, as a word and, after a blank, what is missing.

    "missing", "link TARGET", "directory", "special", "noexec", "mode", "unreadable", "format",
    "script INTERPRETER", "loader PATH", "architecture" or "other".
    """
    if not os.path.lexists(program):
        return "missing"
    if not os.path.exists(program):
        return "link " + text(os.readlink(program))
    if os.path.isdir(program):
        return "directory"
    if not os.path.isfile(program):
        return "special"
    if os.statvfs(program).f_flag & os.ST_NOEXEC:
        # Asked first: access(2) refuses to execute anything there, whatever its mode.
        return "noexec"
    if not os.access(program, os.X_OK):
        return "mode"
    try:
        fd = os.open(program, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        head = os.read(fd, HEAD)
        os.close(fd)
    except OSError:
        return "unreadable"
    kind, needs = interpreter(head)
    if kind == "unknown" or (kind == "script" and not needs):
        return "format"
    if needs and not os.path.exists(needs):
        return ("script " if kind == "script" else "loader ") + text(needs)
    if kind == "script" and depth > 0:
        return explain(needs, errno, depth - 1)
    return "architecture" if errno == ENOEXEC else "other"


def text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
