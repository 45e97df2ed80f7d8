"""Reads a page of the guide, does what it says, and compares what comes with what it shows.

A page is Markdown. Its fenced blocks are carried out in order, in one directory:

    ```LANG file=PATH [executable]    the block is the content of this file
    ```sh [fails]                     commands; each must succeed (the last one must fail)
    ```text                           right after commands: what they print

A line `…` stands for any lines, and `…` in a line for any text. Times, digests, sizes and the
place of the store are replaced before the comparison; lines that depend on what the store has
already (copies of the machine's tools) are left out. Lines of builds may come in any order.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

COPIED = re.compile(r"! (\S+) copies programs of this machine")
# What other tests may have built in the same store.
TOOLS = (
    "build-tools",
    "dev-tools",
    "gcc",
    "go",
    "kit",
    "node",
    "python3",
    "rust",
    "say_hello_world",
    "tools",
    "unix",
)
OF_TOOLS = re.compile(rf"✔ (?:{'|'.join(TOOLS)}) (?:- TIME|\(cached\))")
PLACES = (
    (re.compile(r"/[^\s'\":]*?/bramble_store_padding[a-z_/]*/(?=[a-z2-7]{32})"), "STORE/"),
    (re.compile(r"/[^\s'\":]*?/store/(?=[a-z2-7]{32})"), "STORE/"),
    (re.compile(r"/[^\s'\":]*?/var/logs/(?=[a-z2-7]{32})"), "LOGS/"),
    (re.compile(r"/[^\s'\":]*?/var/kept/\S*[a-z0-9-]"), "KEPT"),
    (re.compile(r"now try: .* -C"), "now try: bramble -C"),
    (re.compile(r"\b[a-z2-7]{32}\b"), "DIGEST"),
    (re.compile(r"(?<= - )(?:\d+m ?)?[\d.]+m?s$", re.M), "TIME"),
    (re.compile(r" *\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB)\b"), " SIZE"),
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    line: int
    language: str
    words: tuple[str, ...]  # of the info string, after the language
    text: str

    @property
    def file(self) -> str:
        return next((word[len("file=") :] for word in self.words if word.startswith("file=")), "")


def read_page(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in their order."""
    found: list[str] = []
    opened: tuple[int, list[str]] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None:
            if line.startswith("```"):
                opened, found = (number, line[3:].split()), []
        elif line == "```":
            start, words = opened
            language, *more = words or [""]
            yield Block(start, language, tuple(more), "".join(one + "\n" for one in found))
            opened = None
        else:
            found.append(line)
    assert opened is None, f"the block of line {opened} has no end"


def follow(page: Path, directory: Path, environ: Mapping[str, str]) -> None:
    """Do what the page says, beginning in `directory`. Raises AssertionError where it is not so."""
    here = directory
    blocks = list(read_page(page.read_text("utf-8")))
    for number, block in enumerate(blocks):
        where = f"{page.name}:{block.line}"
        if block.file:
            path = here / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
            path.chmod(0o755 if "executable" in block.words else 0o644)
        elif block.language == "text":
            assert number and blocks[number - 1].language == "sh", f"{where}: what prints this?"
        elif block.language == "sh":
            after = blocks[number + 1 : number + 2]
            shown = after[0].text if after and after[0].language == "text" and not after[0].file else None
            here = _command(where, block, shown, here, directory, environ)
        else:
            raise AssertionError(f"{where}: nothing is done with this block")


def _command(
    where: str, block: Block, shown: str | None, here: Path, top: Path, environ: Mapping[str, str]
) -> Path:
    """Run commands and return the directory in which they ended."""
    ended = top / ".ended"
    done = subprocess.run(
        ["bash", "-ec", f"trap 'pwd > \"{ended}\"' EXIT\n{block.text}"],
        cwd=here,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    printed = done.stdout.decode("utf-8", "replace")
    fails = "fails" in block.words
    assert (done.returncode != 0) == fails, f"{where}: exit status {done.returncode}\n{printed}"
    if shown is not None:
        assert matches(shown, printed), f"{where} shows\n{shown}\nand this came\n{printed}"
    return Path(ended.read_text().strip())


def matches(shown: str, printed: str) -> bool:
    """Tell whether a page may show `shown` where `printed` was printed."""
    if not set(COPIED.findall(shown)) <= set(COPIED.findall(printed)):
        return False
    lines = [re.escape(line).replace("…", ".*") + "\n" for line in _lines(shown)]
    pattern = "".join("(?:.*\n)*?" if line == ".*\n" else line for line in lines)
    return re.fullmatch(pattern, "".join(line + "\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    """The lines that count, with what differs from machine to machine replaced."""
    for pattern, name in PLACES:
        text = pattern.sub(name, text)
    lines = [line.rstrip() for line in text.splitlines()]
    lines = [line for line in lines if not COPIED.fullmatch(line) and not OF_TOOLS.fullmatch(line)]
    found: list[str] = []
    building: list[str] = []
    for line in [*lines, ""]:
        if line.startswith("✔ "):
            building.append(line)
            continue
        found += sorted(building) + [line]
        building = []
    return found[:-1]
