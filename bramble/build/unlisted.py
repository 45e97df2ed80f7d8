"""What a failed build looked for in vain: files that the project has, and programs."""

from __future__ import annotations

import os
import posixpath
import re
from typing import Optional

from bramble.derivation.model import Sources

_READ = 1 << 16  # bytes at the end of a log that are looked at
_LINES, _WORDS = 64, 8  # lines that are looked at, and words in one, of which each is looked for beside each
_NAMED = 3  # files that are named; who has forgotten more sees the pattern
# How compilers, shells and interpreters say that a file is not there.
_MISSED = re.compile(r"no such file|not found|cannot find|can't find|can't open|there is no file", re.I)
# A word in quotes, or one with a dot or a slash in it: `file` and `such` are words of the sentence.
_WORD = re.compile(r"""['"`‘]([^'"`’]{1,255})['"’]|((?:[\w@%+-]|[./](?=[\w./@+-])){2,255})""")
# How shells (`sh: 1: ed: not found`, `bash: ed: command not found`), make and env say that of a program.
_UNCALLED = re.compile(
    r"(?:^|: )(?P<by_shell>[\w+-]+): (?:command )?not found\s*$"
    r"|^(?:make(?:\[[0-9]+\])?|\S*\benv): ['‘]?(?P<by_other>[\w+-]+)['’]?: No such file or directory\s*$"
)


def uncalled(log_path: Optional[str]) -> tuple[str, ...]:
    """Return the names of programs that the end of the log says could not be run, since there are none."""
    # spec: build.failure
    if log_path is None:
        return ()
    matches = map(_UNCALLED.search, _end(log_path).splitlines()[-_LINES:])
    return tuple(dict.fromkeys(match[match.lastgroup or 0] for match in matches if match))[:_NAMED]


def unlisted(log_path: Optional[str], sources: Sources, root: Optional[str]) -> tuple[str, ...]:
    """Return files of the project, not among the sources, that the end of the log reports as missing.

    They are relative to the directory of the .bramble file, as files() expects them. `root` is the
    directory of the project that the sources are of; without it or a log there are none.
    """
    # spec: build.failure
    if log_path is None or root is None:
        return ()
    found: dict[str, None] = {}
    for line in list(filter(_MISSED.search, _end(log_path).splitlines()))[-_LINES:]:
        pairs = _WORD.findall(line)
        words = [quoted or bare for quoted, bare in pairs if quoted or set(bare) & {".", "/"}][:_WORDS]
        # What a file includes is named from where that file is.
        for directory in dict.fromkeys(["", *map(posixpath.dirname, words)]):
            for word in words:
                path = posixpath.normpath(posixpath.join(directory, word))
                if _is_unlisted(path, sources, root):
                    found[path] = None
    return tuple(found)[:_NAMED]


def _is_unlisted(word: str, sources: Sources, root: str) -> bool:
    inner = posixpath.normpath(posixpath.join(sources.location, word))
    if "\0" in word or word.startswith("/") or inner == "." or inner.split("/")[0] == "..":
        return False
    return os.path.isfile(os.path.join(root, inner)) and inner not in sources.files


def _end(path: str) -> str:
    try:
        with open(path, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _READ))
            return log.read(_READ).decode("utf-8", "replace")
    except OSError:
        return ""  # the advice is a help, and not worth a second error
