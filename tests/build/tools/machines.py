"""Machines that answer from a table: what a program of another distribution would say."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from bramble.build.tools.elf import Elf
from bramble.build.tools.machine import Answer


def library(soname: str) -> Elf:
    return Elf(62, (), ((14, 1),), None, (), soname, ())


@dataclass(frozen=True)
class Recorded:
    """`files` maps paths to texts, to libraries, or to "-> TARGET" for a link."""

    files: Mapping[str, object]
    answers: Mapping[tuple[str, ...], Answer] = field(default_factory=dict)
    path: tuple[str, ...] = ("/usr/bin",)

    def ask(self, argv: Sequence[str], stdin: str = "") -> Answer:
        return self.answers.get(tuple(argv), Answer(1, "", "it is not recorded: " + " ".join(argv)))

    def find(self, tool: str) -> Optional[str]:
        candidates = [tool] if tool.startswith("/") else [f"{directory}/{tool}" for directory in self.path]
        return next((path for path in candidates if self.is_file(path)), None)

    def real(self, path: str) -> str:
        path = posixpath.normpath(path)
        for _ in range(40):
            parts = path.split("/")
            for count in range(2, len(parts) + 1):
                here = "/".join(parts[:count])
                target = self.files.get(here)
                if isinstance(target, str) and target.startswith("-> "):
                    path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target[3:]))
                    path = posixpath.join(path, *parts[count:])
                    break
            else:
                return path
        return path

    def is_file(self, path: str) -> bool:
        return self.real(path) in self.files

    def is_directory(self, path: str) -> bool:
        return any(file.startswith(self.real(path) + "/") for file in self.files)

    def files_below(self, directory: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self.files if path.startswith(directory + "/")))

    def names_in(self, directory: str) -> tuple[str, ...]:
        below = self.files_below(directory)
        return tuple(sorted({path[len(directory) + 1 :].partition("/")[0] for path in below}))

    def text(self, path: str) -> str:
        found = self.files[self.real(path)]
        return found if isinstance(found, str) else ""

    def head(self, path: str) -> bytes:
        return self.text(path).encode()

    def elf(self, path: str) -> Optional[Elf]:
        found = self.files[self.real(path)]
        return found if isinstance(found, Elf) else None
