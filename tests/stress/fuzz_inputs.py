"""Spoil every input and every record, and try random command lines: no fault of Bramble itself may show.

    python3 tests/stress/fuzz_inputs.py [--seed N] [--count 1000] [--lines 2000] [--only WORD]

Each try takes a fresh copy of a small project and its store, spoils one file, puts something else in
the place of a file or directory, sets variables of the environment or limits of the process, or takes a
random command line, and runs a command in a forked process. A finding is a traceback, the exit status 70,
an end by a signal, or a try that takes longer than a minute; it is printed with what makes it again
(`--seed N --only KIND:NUMBER`). The exit status is 1 when there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import pkgutil
import random
import resource
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
from bramble.cli.table import VERBS  # noqa: E402
from tests.stress.spoiling import PLACES, clear, endless, put, spoil  # noqa: E402

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
OTHERS = (
    ("trust", "list"),
    ("trust", "revoke"),
    ("size", "./:tree"),
    ("run", "./:text"),
    ("build", "-q", "--refresh", "./:needs"),
    ("store", "why", "./:tree", "./:text"),
    ("store", "relocate"),
    ("star", "default.bramble"),
    ("init", "new"),
)
LIMITS = (
    *((resource.RLIMIT_AS, most << 20) for most in (1, 200, 300, 500)),
    *((resource.RLIMIT_NOFILE, most) for most in (3, 4, 6, 8, 12, 20, 40)),
    *((resource.RLIMIT_FSIZE, most) for most in (0, 1, 100, 5000)),
    (resource.RLIMIT_NPROC, 0),
    (resource.RLIMIT_STACK, 1 << 16),
)
STREAMS = ("", "full", "closed", "broken pipe", "no errors", "nothing")


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
# A build that fails leaves its log; the others leave a record of each kind.
FAILING = ("build", "-q", "./:needs")
BEGIN = (
    ("build", "-q", *(f"./:{name}" for name in (*TARGETS.values(), "text", "cloned"))),
    FAILING,
    ("store", "root", "add", "kept", "./:tree"),
)
QUIET_VERBS = [verb.name for verb in VERBS] + ["help"]


class Try(NamedTuple):
    """One try: the command; what is spoiled, with which bytes or by which place; what is around it."""

    words: tuple[str, ...]
    spoiled: str = ""
    data: Optional[bytes] = None
    place: str = ""
    variables: dict[str, str] = {}
    limits: tuple[tuple[int, int], ...] = ()  # of the process
    streams: str = ""  # what standard output and errors are
    fresh: bool = False  # whether the store is taken away before


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
        os.makedirs(os.path.join(self.top, "x"))
        endless(os.path.join(self.top, "x"))

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
        config = os.path.join(self.environment["HOME"], ".config", "bramble")
        os.makedirs(config, mode=0o700)
        request = {"kind": "read", "path": "/usr"}
        grant = {"directory": self.project, "name": "p:text", "package": "", "requests": [request]}
        with open(os.path.join(config, "trust.json"), "w") as file:
            json.dump({"version": 1, "grants": [grant]}, file)
        repo = os.path.join(self.project, "repo")
        os.mkdir(repo)
        self._write("repo/file", b"1")
        author = ["-c", "user.name=a", "-c", "user.email=a@b"]
        commands = (
            ["init", "-q", "-b", "main", repo],
            ["-C", repo, "add", "."],
            ["-C", repo, *author, "commit", "-q", "-m", "a"],
            ["-C", repo, "pack-refs", "--all"],
        )
        for command in commands:
            subprocess.run(
                ["git", *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def keep(self) -> None:
        """Take what is there now as the beginning of each try."""
        _copy(self.top, self.good)

    def renew(self) -> None:
        clear(self.top)
        _copy(self.good, self.top)

    def records(self) -> list[str]:
        """Return the files in var/, the store derivations, and the person's own, relative to the top."""
        return [
            path
            for path in self.paths()
            if path.startswith(("s/var/", "home/")) or path.endswith(".drv")
            if os.path.isfile(os.path.join(self.good, path))
        ]

    def paths(self) -> list[str]:
        """Return every file and directory, but for most of the repository, relative to the top."""
        found = []
        for directory, inner, names in os.walk(self.good):
            for name in inner + names:
                path = os.path.join(directory, name)
                # Not the directory that the command begins in, either.
                if not os.path.islink(path) and path[len(self.good) :] not in ("/x", "/p"):
                    found.append(os.path.relpath(path, self.good))
            if directory == self.good:
                inner.remove("x")
            elif directory.endswith(".git"):
                inner[:] = ["refs"]
        return sorted(found)


def _copy(source: str, target: str) -> None:
    # In place of Python's: it keeps times, which records compare, to the nanosecond, and reads no devices.
    subprocess.run(["cp", "-a", source, target], check=True)


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


def run(world: World, one: Try) -> tuple[str, str]:
    """Carry out one try; return what is wrong with it, "" if nothing, and what standard error got."""
    world.renew()
    if one.fresh:
        clear(world.store)
    path = os.path.join(world.top, one.spoiled)
    if one.spoiled:
        os.chmod(os.path.dirname(path), 0o700)
    if one.data is not None:
        clear(path)
        with open(path, "wb") as file:
            file.write(one.data)
    if one.place:
        put(one.place, path, os.path.join(world.top, "x"))
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
        os.closerange(3, 100)
        _change_streams(one.streams)
        os.environ.clear()
        os.environ.update(environment)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        for limit, most in sorted(one.limits, reverse=True):
            resource.setrlimit(limit, (most, most))
        status = main(one.words)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                # The end of a process makes no more of it either.
                with contextlib.suppress(OSError):
                    stream.flush()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(status)


def _change_streams(streams: str) -> None:
    """Give this process other standard streams; Python has None for one that is closed."""
    if streams == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    elif streams == "broken pipe":
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
    if streams in ("closed", "nothing"):
        os.close(1)
        sys.stdout = None
    if streams in ("no errors", "nothing"):
        os.close(2)
        sys.stderr = None


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


def _place_try(world: World, dice: random.Random) -> Try:
    paths = world.paths()
    # Half of them where Bramble itself writes.
    own = [path for path in paths if path.startswith(("s/var", "home"))]
    words: tuple[str, ...] = dice.choice((*READERS, *STORE_READERS, *OTHERS))
    path, place = dice.choice(dice.choice((paths, own))), dice.choice(PLACES)
    if place == "huge" and path.startswith("s/bramble_store"):
        # It is read to its end, as it should be, which takes hours.
        place = "long line"
    return Try(words, path, place=place)


def _limits_try(world: World, dice: random.Random) -> Try:
    limits = tuple(dice.choice(LIMITS) for _ in range(dice.choice((0, 1, 1, 2))))
    words: tuple[str, ...] = dice.choice((*READERS, *STORE_READERS, *OTHERS))
    return Try(words, limits=limits, streams=dice.choice(STREAMS), fresh=dice.random() < 0.3)


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
    "place": _place_try,
    "limits": _limits_try,
    "environment": _environment_try,
    "line": _line_try,
}


def search(top: str, seed: int, count: int, lines: int, only: str) -> int:
    """Try everything; print the findings and return how many there are."""
    world = World(top)
    for words in BEGIN:
        world.keep()
        wrong, shown = run(world, Try(words))
        if wrong or ("error" in shown and words != FAILING):
            print(f"the project cannot be built: {wrong}\n{shown}")
        clear(world.good)
    world.keep()
    tries = {"input": count, "record": count, "place": count, "limits": count // 4}
    tries.update(environment=count // 4, line=lines)
    found = tried = 0
    for kind, number in [(kind, number) for kind, most in tries.items() for number in range(most)]:
        if only and not {kind, f"{kind}:{number}"} & set(only.split(",")):
            continue
        one = KINDS[kind](world, random.Random(f"{seed} {kind} {number}"))
        wrong, shown = run(world, one)
        tried += 1
        if wrong:
            found += 1
            around = f"{one.variables} {one.limits} {one.streams}"
            what = f"{' '.join(one.words)!r} {one.spoiled} {one.place} {around}"
            print(f"--seed {seed} --only {kind}:{number}: {wrong}: {what}")
            print("\n".join(f"    {line}" for line in shown.splitlines()[-6:]), flush=True)
    print(f"{tried} tries, {found} findings")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--only", default="", help=f"kinds ({','.join(KINDS)}), or one try: line:17")
    given = parser.parse_args()
    # Loaded once, for all that are forked.
    for module in pkgutil.walk_packages([os.path.join(ROOT, "bramble")], "bramble."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    with tempfile.TemporaryDirectory(prefix="bf", dir="/tmp") as top:
        try:
            sys.exit(1 if search(top, given.seed, given.count, given.lines, given.only) else 0)
        finally:
            clear(top)
            os.makedirs(top, exist_ok=True)
