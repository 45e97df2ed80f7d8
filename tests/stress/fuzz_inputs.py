"""Spoil every input and every record, and try random command lines: no fault of Bramble itself may show.

    python3 tests/stress/fuzz_inputs.py [--seed N] [--count 1000] [--lines 2000] [--only WORD]

Each try takes a fresh copy of a small project and its store, spoils one file (or
variables of the environment, or takes a random command line), and runs a command
in a forked process. A finding is a traceback, the exit status 70, an end by a signal,
or a try that takes longer than a minute; it is printed with what makes it again
(`--seed N --only KIND:NUMBER`). The exit status is 1 when there is one.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import pkgutil
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from typing import Callable, NamedTuple, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from bramble.cli.main import main  # noqa: E402
from bramble.cli.verbs import VERBS  # noqa: E402

SECONDS = 60
MODULE = '''"""The module."""
load("example.test/p/lib", "fetch")

def tree():
    """A tree \u2192 with a name."""
    return fetch("data.tar")

def pax():
    return fetch("pax.tar")

def zipped():
    return fetch("data.zip")

def packed():
    return fetch("data.tar.gz")

def text():
    return fetch("text.json")

def cloned():
    return derivation("cloned", "fetch_git", env={"url": "https://example.test/repo", "reference": "main"})

def decoded():
    return derivation("decoded", "./b", env={"x": str(json.decode(read("text.json")))})

def needs():
    return derivation("needs", "./b", [tree(), json.encode([1, 2.5, None])], files(["b", "*.json"]))
'''
LIB = """def fetch(name):
    return derivation("got-" + name, "fetch_url", env={"url": "https://example.test/" + name})
"""
ARCHIVES = ("data.tar", "pax.tar", "data.zip", "data.tar.gz")
TARGETS = {"data.tar": "tree", "pax.tar": "pax", "data.zip": "zipped", "data.tar.gz": "packed"}
INPUTS = (
    "bramble.toml",
    "bramble.lock",
    "default.bramble",
    "lib.bramble",
    "text.json",
    "mirror.toml",
    *ARCHIVES,
)
GIT = ("HEAD", "config", "packed-refs", "refs/heads/main", "index")
READERS = (
    ("ls",),
    ("ls", "--json"),
    ("build", "--just-parse", "./..."),
    ("build", "--just-parse", "--json", "./..."),
)
STORE_READERS = (
    ("build", "-q", "./:tree", "./:pax", "./:text"),
    ("build", "--json", "./:zipped"),
    ("gc",),
    ("gc", "--json", "--dry-run", "--forget-idle", "1s"),
    ("store", "verify"),
    ("store", "verify", "--repair", "--json"),
    ("store", "root", "list"),
    ("store", "optimise"),
    ("store", "path", "./:tree"),
    ("doctor",),
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VARIABLES = _words("""
BRAMBLE_PATH BRAMBLE_JOBS BRAMBLE_MIRROR BRAMBLE_OFFLINE BRAMBLE_ERROR_FORMAT BRAMBLE_EVAL_STEPS
BRAMBLE_EVAL_MEMORY BRAMBLE_EVAL_TIME HOME XDG_CACHE_HOME XDG_CONFIG_HOME TERM NO_COLOR
CLICOLOR_FORCE CI http_proxy https_proxy no_proxy ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR NETRC LANG
LC_ALL PATH TMPDIR COLUMNS
""")
VALUES = (
    "", "0", "1", "-1", "x", "/proc", ".", "..", "/dev/null", "/proc/self/mem", "json", "a" * 5000,
    "http://[::1", "http://u:p@h:99999", "::", "*", "\udcff", "\u2192\x1b[2J", "9" * 20, "1e999", "~",
)  # fmt: skip
WORDS = _words("""
./:tree ./:nothing ./... . .. ./ : :f ./lib:fetch example.test/p:text std:x ../:f /:f ./:a:b -- - -C
-h --help --json --just-parse --explain --color --color=never --version -j -j0 -k -q -v --pure
--offline --check --timeout --sandbox=none --sandbox=x --memory --eval-time --eval-steps=1
--eval-memory 1M 10 1s 0 -1 --dry-run --older-than --max-size --network --paths --read_only_paths=/
--hidden_paths --failed --size --tree --repair --alone --each --template hello text.json
default.bramble a aaaa /dev/null /proc/nonexistent
""")
STORE_WORDS = _words("""
path hash references referrers closure why diff verify export import optimise delete relocate root
add remove list
""")
QUIET_VERBS = [verb.name for verb in VERBS] + ["help"]


class Try(NamedTuple):
    """One try: what is spoiled, in words; the command; variables; whether the store is taken away before."""

    words: tuple[str, ...]
    spoiled: str = ""
    data: Optional[bytes] = None
    variables: dict[str, str] = {}
    fresh: bool = False


def spoil(data: bytes, dice: random.Random) -> bytes:
    """Return bytes with one to four mutations."""
    made = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at, end = sorted(dice.randrange(len(made) + 1) for _ in range(2))
        end = min(end, at + dice.choice((1, 2, 8, 64, 100000)))
        way = dice.randrange(9)
        if way == 0:
            del made[at:end]
        elif way == 1:
            del made[at:]
        elif way == 2:
            made[at:at] = made[at:end] * dice.choice((1, 2, 50))
        elif way == 3:
            made[at:end] = dice.randbytes(end - at) if hasattr(dice, "randbytes") else os.urandom(end - at)
        elif way == 4 and made:
            made[min(at, len(made) - 1)] ^= 1 << dice.randrange(8)
        elif way == 5:
            made[at:end] = dice.choice(
                (b"", b"\0", b"\xff", b"../", b"/", b"\n", b'"', b"{", b"[" * 3000, b"\xc3")
            )
        elif way == 6:
            made[at:end] = dice.choice(
                (b"-1", b"9" * 30, b"1e999", b"null", b"true", b"NaN", b"Infinity", b"{}", b"[]")
            )
        elif way == 7:
            numbers = [n for n in range(len(made)) if 48 <= made[n] < 58]
            if numbers:
                made[dice.choice(numbers)] = 48 + dice.randrange(10)
        else:
            parts = bytes(made).split(b'"')
            if len(parts) > 3:
                one, other = dice.randrange(len(parts)), dice.randrange(len(parts))
                parts[one], parts[other] = parts[other], parts[one]
            made = bytearray(b'"'.join(parts))
    return bytes(made)


class World:
    """A directory that each try begins with anew."""

    def __init__(self, top: str) -> None:
        self.top, self.good = os.path.join(top, "w"), os.path.join(top, "good")
        self.project, self.store = os.path.join(self.top, "p"), os.path.join(self.top, "s")
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": os.path.join(self.top, "home"),
            "BRAMBLE_PATH": self.store,
            "BRAMBLE_MIRROR": os.path.join(self.project, "mirror.toml"),
            "NO_COLOR": "1",
        }
        os.makedirs(self.project)
        self._make()
        self.out = os.path.join(top, "out")

    def _write(self, name: str, data: bytes) -> None:
        with open(os.path.join(self.project, name), "wb") as file:
            file.write(data)

    def _make(self) -> None:
        self._write("bramble.toml", b'[package]\nname = "example.test/p"\nversion = "0.0.1"\n')
        self._write("default.bramble", MODULE.encode())
        self._write("lib.bramble", LIB.encode())
        self._write("text.json", json.dumps({"a": [1, 2.5, None, "\u2192", {"b": "c" * 50}]}).encode())
        self._write("b", b"#!/bin/sh\n")
        routes = [f'"https://example.test/{name}" = "{name}"\n' for name in (*ARCHIVES, "text.json", "repo")]
        self._write("mirror.toml", ("[mirror]\n" + "".join(routes)).encode())
        for name, kind, mode in (
            ("data.tar", tarfile.GNU_FORMAT, "w"),
            ("pax.tar", tarfile.PAX_FORMAT, "w"),
            ("data.tar.gz", tarfile.USTAR_FORMAT, "w:gz"),
        ):
            held = io.BytesIO()
            with tarfile.open(fileobj=held, mode=mode, format=kind) as archive:  # type: ignore[call-overload]
                _fill(archive, kind)
            self._write(name, held.getvalue())
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("d/one", b"1" * 100)
            zipped.writestr("d/\u00fc", b"2" * 100)
        self._write("data.zip", held.getvalue())
        repo = os.path.join(self.project, "repo")
        os.mkdir(repo)
        self._write("repo/file", b"1")
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        commands = (
            ["init", "-q", "-b", "main", repo],
            ["-C", repo, "add", "."],
            ["-C", repo, *name, "commit", "-q", "-m", "a"],
            ["-C", repo, "pack-refs", "--all"],
        )
        for command in commands:
            subprocess.run(
                ["git", *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def keep(self) -> None:
        """Take what is there now as the beginning of each try."""
        shutil.copytree(self.top, self.good, symlinks=True)

    def renew(self) -> None:
        _remove(self.top)
        # In place of Python's: it keeps times, which records compare, to the nanosecond.
        subprocess.run(["cp", "-a", self.good, self.top], check=True)

    def records(self) -> list[str]:
        """Return the files in var/, and the store derivations, relative to the top."""
        found = []
        for directory, _, names in os.walk(os.path.join(self.good, "s")):
            for name in names:
                path = os.path.join(directory, name)
                inside = os.path.relpath(path, self.good)
                if not os.path.islink(path) and (inside.startswith("s/var/") or name.endswith(".drv")):
                    found.append(inside)
        return sorted(found)


def _fill(archive: tarfile.TarFile, kind: int) -> None:
    names = ["d/one", "d/" + "x" * 90, "d/two"] + (
        ["d/\u00fc" + "y" * 150] if kind != tarfile.USTAR_FORMAT else []
    )
    for name in names:
        member = tarfile.TarInfo(name)
        member.size = 100
        archive.addfile(member, io.BytesIO(b"z" * 100))
    link = tarfile.TarInfo("d/link")
    link.type, link.linkname = tarfile.SYMTYPE, "one"
    archive.addfile(link)


def _remove(path: str) -> None:
    for directory, _, _ in os.walk(path):
        os.chmod(directory, 0o700)
    shutil.rmtree(path, ignore_errors=True)


def run(world: World, one: Try) -> tuple[str, str]:
    """Carry out one try; return what is wrong with it, "" if nothing, and what standard error got."""
    world.renew()
    if one.fresh:
        _remove(world.store)
    if one.data is not None:
        path = os.path.join(world.top, one.spoiled)
        os.chmod(os.path.dirname(path), 0o700)
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(one.data)
    environment = {**world.environment, **one.variables}
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _child(world, one, environment)
    return _outcome(world, child)


def _child(world: World, one: Try, environment: dict[str, str]) -> None:
    status = 99
    try:
        os.setsid()
        os.chdir(world.project)
        nothing = os.open(os.devnull, os.O_RDWR)
        errors = os.open(world.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number, handle in enumerate((nothing, nothing, errors)):
            os.dup2(handle, number)
        os.environ.clear()
        os.environ.update(environment)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        status = main(one.words)
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(status)


def _outcome(world: World, child: int) -> tuple[str, str]:
    end = time.monotonic() + SECONDS
    pause = 0.001
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done or time.monotonic() > end:
            break
        time.sleep(pause)
        pause = min(0.05, pause * 1.3)
    if not done:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with open(world.out, errors="backslashreplace") as file:
        shown = file.read()
    if not done:
        return f"no end after {SECONDS} s", shown
    if os.WIFSIGNALED(status):
        return f"ended by signal {os.WTERMSIG(status)}", shown
    if os.WEXITSTATUS(status) in (70, 99) or 'Traceback (most recent call last):\n  File "/' in shown:
        return f"exit status {os.WEXITSTATUS(status)}", shown
    return "", shown


def _file_try(world: World, dice: random.Random) -> Try:
    name = dice.choice(INPUTS + tuple(f"repo/.git/{name}" for name in GIT))
    path = os.path.join(world.good, "p", name)
    if not os.path.isfile(path):
        path, name = os.path.join(world.good, "p", "bramble.toml"), "bramble.toml"
    with open(path, "rb") as file:
        data = spoil(file.read(), dice)
    words: tuple[str, ...] = dice.choice(READERS)
    fresh = False
    if name in TARGETS:
        words, fresh = ("build", "-q", f"./:{TARGETS[name]}"), True
    elif name.startswith("repo/"):
        words, fresh = ("build", "-q", "./:cloned"), True
    elif name in ("mirror.toml", "text.json", "bramble.lock"):
        words, fresh = ("build", "-q", "./:text", "./:tree"), True
    return Try(words, f"p/{name}", data, fresh=fresh)


def _record_try(world: World, dice: random.Random) -> Try:
    name = dice.choice(world.records())
    with open(os.path.join(world.good, name), "rb") as file:
        data = spoil(file.read(), dice)
    return Try(dice.choice(STORE_READERS), name, data)


def _environment_try(world: World, dice: random.Random) -> Try:
    given = {
        dice.choice(VARIABLES): dice.choice(VALUES).replace("\0", "") for _ in range(dice.choice((1, 1, 3)))
    }
    return Try(dice.choice((*READERS, *STORE_READERS)), variables=given)


def _line_try(world: World, dice: random.Random) -> Try:
    verb = dice.choice(QUIET_VERBS)
    words = [verb] if dice.random() < 0.95 else []
    if verb == "store":
        words += dice.sample(STORE_WORDS, dice.choice((0, 1, 1, 1, 2)))
    for _ in range(dice.randrange(6)):
        pick = dice.random()
        word = dice.choice(WORDS)
        if pick < 0.15:
            spoiled = spoil(os.fsencode(word), dice)[:3000].replace(b"\0", b"")
            # Nothing is to be made elsewhere, as `init` does.
            word = os.fsdecode(spoiled).lstrip("/")
        elif pick < 0.2:
            word = dice.choice(VALUES)
        words.insert(dice.randrange(len(words) + 1) if dice.random() < 0.1 else len(words), word)
    return Try(tuple(words))


KINDS: dict[str, Callable[[World, random.Random], Try]] = {
    "input": _file_try,
    "record": _record_try,
    "environment": _environment_try,
    "line": _line_try,
}


def search(top: str, seed: int, count: int, lines: int, only: str) -> int:
    """Try everything; print the findings and return how many there are."""
    world = World(top)
    begin = Try(("build", "-q", *(f"./:{name}" for name in (*TARGETS.values(), "text", "cloned"))))
    world.keep()
    wrong, shown = run(world, begin)
    if wrong or "error" in shown:
        print(f"the project cannot be built: {wrong}\n{shown}")
    shutil.rmtree(world.good)
    world.keep()
    tries = {"input": count, "record": count, "environment": count // 4, "line": lines}
    found = 0
    for kind, number in [(kind, number) for kind, most in tries.items() for number in range(most)]:
        if only and only not in (kind, f"{kind}:{number}"):
            continue
        one = KINDS[kind](world, random.Random(f"{seed} {kind} {number}"))
        wrong, shown = run(world, one)
        if wrong:
            found += 1
            what = f"{' '.join(one.words)!r} {one.spoiled} {one.variables}"
            print(f"--seed {seed} --only {kind}:{number}: {wrong}: {what}")
            print("\n".join(f"    {line}" for line in shown.splitlines()[-6:]), flush=True)
    print(f"{only or sum(tries.values())} tries, {found} findings")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument(
        "--only", default="", help="a kind (input, record, environment, line), or one try: line:17"
    )
    given = parser.parse_args()
    # Loaded once, for all that are forked.
    for module in pkgutil.walk_packages([os.path.join(ROOT, "bramble")], "bramble."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    with tempfile.TemporaryDirectory(prefix="bf", dir="/tmp") as top:
        try:
            sys.exit(1 if search(top, given.seed, given.count, given.lines, given.only) else 0)
        finally:
            _remove(top)
            os.makedirs(top, exist_ok=True)
