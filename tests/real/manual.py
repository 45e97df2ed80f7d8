"""Do what a manual shows, and compare: `python3 -m tests.real.manual MANUAL.md [--bramble "COMMAND"]`.

Of the Markdown file each file is written (a line `**./NAME**`, then a block), each command of a block that
begins with `$ bramble` is run in order, and each line of a block with `>>>` is given to `bramble repl`; what
comes out is compared with what the manual shows. A `[package]` without a file begins another project, and the
modules that `ls` shows are made of what it shows. Downloads come from a mirror that is made here: the archive
of the manual holds the busybox of this machine, so the digests of downloads are our own.

Not compared is what no two runs share (times), and what `KNOWN` names, with a reason. The exit status is 1
when something else differs.
"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

ROOT = Path(__file__).resolve().parent.parent.parent
_FILE = re.compile(r"\*\*\./(\S+)\*\*$|^# \./(\S+)$")
_TIME = re.compile(r" - [0-9.]+(ns|µs|ms|s)\b")
_URL = re.compile(r"https?://[^\s\"')]+\.tar\.gz")

# A line that the manual shows and we do not, or the other way round → why.
KNOWN = (
    (r"bramble path directory doesn't exist, creating", "a store is made in silence"),
    (r"✔ (url_fetcher|fetch-url|busybox-x86_64|busybox)", "nothing is fetched to be able to fetch"),
    (r"(basic_fetch_url|fetch_url) https", "the download is of this machine; nothing is fetched to fetch"),
    (r"^\+ /\S+/store/[a-z2-7]{32}$", "where the result is, on standard output"),
    (r"Module: \S+/$|Module: github.com/maxmcd/bramble$", "a module's name has no slash at its end"),
    (r"  assert\.star:30:14: in _contains", "assert is not written in Starlark"),
)  # fmt: skip


class Block(NamedTuple):
    """A fenced block: the line it begins at, the file that it is, its lines."""

    line: int
    file: Optional[str]
    lines: list[str]


class Shown(NamedTuple):
    """Something entered, at a line of the manual, and what it shows for it."""

    line: int
    entered: str
    output: list[str]


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a Markdown text."""
    inside: Optional[Block] = None
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if inside is not None:
                yield inside
                inside, before = None, ""
            else:
                named = _FILE.match(before)
                inside = Block(number, named.group(1) if named else None, [])
        elif inside is not None:
            inside.lines.append(line)
        elif line.strip():
            before = line.strip()


def shown(block: Block, prompt: str) -> list[Shown]:
    """Return what follows each prompt of a block."""
    found: list[Shown] = []
    for number, line in enumerate(block.lines, block.line + 1):
        if line.startswith(prompt):
            found.append(Shown(number, line[len(prompt) :], []))
        elif found:
            found[-1].output.append(line)
    return found


def named(block: Block) -> Optional[tuple[str, str]]:
    """Return name and text of the file that a block is, None if it is none."""
    if block.file is not None:
        return block.file, "\n".join(block.lines) + "\n"
    first = _FILE.match(block.lines[0]) if block.lines else None
    if first is not None and first.group(2):
        return first.group(2), "\n".join(block.lines[1:]) + "\n"
    return None


def modules(lines: list[str]) -> dict[str, str]:
    """Return the files, name to text, of the modules that an output of `ls` shows, the first for the root."""
    files: dict[str, str] = {}
    root = name = ""
    for line in lines:
        if line.startswith("Module: "):
            module = line[len("Module: ") :].rstrip("/")
            root = root or module
            name = f"{module[len(root) :]}/default.bramble".lstrip("/")
            files[name] = ""
        else:
            files[name] += f"{line}:\n        pass\n" if line.startswith("    def ") else f"{line}\n"
    return {name: _module(text) for name, text in files.items()}


def _module(text: str) -> str:
    # Functions are shown indented, and a docstring after its function: that comes before what it does.
    functions = re.sub(r'(        pass\n)(        """(?:.|\n)*?""")', r"\2\n\1", text)
    return re.sub(r"^    ", "", functions, flags=re.MULTILINE)


def differences(expected: list[str], got: list[str]) -> tuple[list[str], set[str]]:
    """Return the lines that differ, as of diff(1), and the reasons of those that are known."""
    lines, reasons = [], set()
    for line in difflib.ndiff([_plain(e) for e in expected], [_plain(g) for g in got]):
        if line[:1] not in "-+":
            continue
        reason = next((why for pattern, why in KNOWN if re.search(pattern, line)), None)
        if reason is None:
            lines.append(line)
        else:
            reasons.add(reason)
    return lines, reasons


def _plain(line: str) -> str:
    return _TIME.sub(" - TIME", line.rstrip())


class Machine:
    """A project and a store of their own, and the bramble that is tried."""

    def __init__(self, base: Path, command: list[str]) -> None:
        self._base, self._command, self._count = base, command, 0
        self.begin()
        home = base / "home"
        home.mkdir()
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(home),
            "BRAMBLE_PATH": str(base / "store"),
            "BRAMBLE_MIRROR": str(base / "mirror.toml"),
            "LANG": "C.UTF-8",
        }

    def begin(self) -> None:
        """Go to a new project, which has no file yet."""
        self._count += 1
        self.project = self._base / f"project{self._count}"
        self.project.mkdir()

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, words: list[str], given: str = "") -> list[str]:
        """Run bramble and return the lines of both its outputs: errors first."""
        done = subprocess.run(
            [*self._command, *words],
            cwd=self.project,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        return (done.stderr + done.stdout).splitlines()

    def typed(self, lines: list[str]) -> list[list[str]]:
        """Type lines at the prompt of `repl`, each when it is asked for, and return what follows each."""
        ours, its = pty.openpty()
        quiet = termios.tcgetattr(its)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(its, termios.TCSANOW, quiet)
        repl = subprocess.Popen(
            [*self._command, "repl"],
            cwd=self.project,
            env={**self._environment, "TERM": "dumb", "NO_COLOR": "1"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        try:
            _until_prompt(ours)
            found = []
            for line in lines:
                os.write(ours, f"{line}\n".encode())
                found.append(_until_prompt(ours).splitlines())
            os.write(ours, b"\x04")
            repl.wait(60)
        finally:
            repl.kill()
            os.close(ours)
        return [part[1:] if part[:1] == [line] else part for line, part in zip(lines, found)]


def _until_prompt(terminal: int) -> str:
    seen = b""
    while not seen.endswith(b">>> "):
        ready, _, _ = select.select([terminal], [], [], 30)
        if not ready:
            raise SystemExit(f"no prompt after: {seen!r}")
        seen += os.read(terminal, 4096)
    return seen[: -len(b">>> ")].decode().replace("\r\n", "\n")


def mirror(base: Path, text: str) -> None:
    """Make the archives that a manual names, each with the busybox of this machine, and the table of them."""
    busybox = shutil.which("busybox")
    if busybox is None:
        sys.exit("busybox is missing: apt install busybox-static")
    # Debian's names itself among its commands; the busybox that the manual means did not, and links them all.
    program = Path(busybox).read_bytes().replace(b"\0busybox\0bz", b"\0bussbox\0bz")
    table = {}
    for url in sorted(set(_URL.findall(text))):
        name = url.rpartition("/")[2]
        with tarfile.open(base / name, "w:gz") as archive:
            member = tarfile.TarInfo(name.partition(".")[0])
            member.size, member.mode = len(program), 0o755
            archive.addfile(member, io.BytesIO(program))
        table[url] = str(base / name)
    (base / "mirror.toml").write_text(
        "[mirror]\n" + "".join(f'"{url}" = "{path}"\n' for url, path in table.items())
    )


def main() -> int:
    """Try a manual."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manual", type=Path)
    parser.add_argument("--bramble", default=f"{sys.executable} -I {ROOT}/bramble")
    options = parser.parse_args()
    text = options.manual.read_text()
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        mirror(base, text)
        machine = Machine(base, options.bramble.split())
        for block in blocks(text):
            file = named(block)
            if file is not None:
                wrong += _file(machine, block, *file)
            elif block.lines[:1] == ["[package]"]:
                machine.begin()
                machine.write("bramble.toml", "\n".join([*block.lines, 'version = "0.0.1"', ""]))
            for each in shown(block, "$ bramble "):
                if each.entered == "ls":
                    for name, module in modules(each.output).items():
                        machine.write(name, module)
                wrong += _told(each, machine.run(each.entered.split()))
            prompts = shown(block, ">>> ")
            if prompts:
                wrong += _session(machine, prompts)
    print(f"{wrong} wrong")
    return 1 if wrong else 0


def _file(machine: Machine, block: Block, name: str, text: str) -> int:
    if name.endswith(".lock"):
        written = (machine.project / name).read_text()
        return _told(Shown(block.line, name, text.splitlines()), written.splitlines())
    machine.write(name, text)
    return 0


def _session(machine: Machine, prompts: list[Shown]) -> int:
    return sum(_told(each, part) for each, part in zip(prompts, machine.typed([p.entered for p in prompts])))


def _told(each: Shown, got: list[str]) -> int:
    lines, reasons = differences([line for line in each.output if line], [line for line in got if line])
    print(
        f"{'✘' if lines else '✔'} {each.line}: {each.entered}"
        + "".join(f"  ({why})" for why in sorted(reasons))
    )
    for line in lines:
        print(f"    {line}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
