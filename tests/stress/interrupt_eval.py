"""Interrupt programs inside one long operation each: how long Ctrl-C takes to be noticed.

    python3 tests/stress/interrupt_eval.py [--only WORD] [--signals]

Each program first makes its operand, and then does one thing with it, again and again. In a process of
its own a timer ticks, and the longest time of the processor between two ticks that Python noticed
is printed: what Ctrl-C would have waited, whenever it came; and then where the second of the two was noticed.
The time of the processor counts, so that other work on the machine does not.
With `--signals`, `bramble star` gets a SIGINT, and what is printed is the time of the processor that it took
from then on. The exit status is 1 when that is more than 0.1 s, or a command ends otherwise than with 130, or
writes anything.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from typing import Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from bramble.starlark import Dialect, EvalError, Thread  # noqa: E402
from bramble.starlark.bounds import bounded_memory  # noqa: E402
from bramble.starlark.command import FileLoader  # noqa: E402

LIMIT = 0.1
SECONDS = 1.0  # of the processor, for one program
MEMORY = 2 << 30

INTS = "[(i * 7919) % 1000003 for i in range(1500000)]"
TEXTS = "[str((i * 7919) % 1000003) for i in range(1500000)]"
LIST = "list(range(6000000))"
DICT = "{i: i for i in range(2000000)}"
LONG = '"ab" * (1 << 23)'
INT = "[1 << 511] * 2040"
# Name: the operands, and what is done with them.
PROGRAMS: dict[str, tuple[str, str]] = {
    "loop": ("", "[0 for i in range(1000) for j in range(100000)]"),
    "sorted ints": (f"x = {INTS}", "sorted(x)"),
    "sorted strings": (f"x = {TEXTS}", "sorted(x, reverse = True)"),
    "sorted pairs": ("x = [((i * 7919) % 1003, str(i)) for i in range(700000)]", "sorted(x)"),
    "sorted by a key": (f"x = {INTS}", "sorted(x, key = str)"),
    "sorted long strings": ('x = ["a" * 100000 + str((i * 7919) % 1007) for i in range(4000)]', "sorted(x)"),
    "== of lists": (f"x = {LIST}; y = {LIST}", "x == y"),
    "< of lists": (f"x = {LIST}; y = {LIST}", "x < y"),
    "== of shared lists": ("x = twice([1]); y = twice([1])", "[x == y for i in range(1000)]"),
    "== of sets": ("x = set(range(2000000)); y = set(range(2000000))", "x == y"),
    "int in list": ("x = [0] * 6000000", "7 in x"),
    "index": ("x = [0] * 6000000 + [1]", "x.index(1)"),
    "list of a range": ("x = 10000000", "list(range(x))"),
    "list": (f"x = {LIST}", "list(x)"),
    "extend": (f"x = {LIST}", "[].extend(x)"),
    "slice": (f"x = {LIST}", "x[::-1]"),
    "sum of lists": (f"x = {LIST}", "x + x"),
    "repeat": ("x = [1]", "x * 16000000"),
    "set": (f"x = {LIST}", "set(x)"),
    "dict of pairs": ("x = [(i, i) for i in range(1000000)]", "dict(x)"),
    "dict": (f"x = {DICT}", "dict(x)"),
    "union of dicts": (f"x = {DICT}", "x | x"),
    "items": (f"x = {DICT}", "x.items()"),
    "keys that collide": ("x = [i * ((1 << 61) - 1) for i in range(200000)]", "set(x)"),
    "a long key": ("x = tuple(range(250000))", "{x: 1}"),
    "join": (f"x = {TEXTS}", '",".join(x)'),
    "max": (f"x = {LIST}", "max(x)"),
    "min by a key": (f"x = {INTS}", "min(x, key = str)"),
    "any": ("x = [0] * 16000000", "any(x)"),
    "all": (f"x = {LIST}[1:]", "all(x)"),
    "reversed": (f"x = {LIST}", "reversed(x)"),
    "zip": (f"x = {LIST}", "zip(x, x)"),
    "enumerate": (f"x = {LIST}", "enumerate(x)"),
    "bytes": ("x = [1] * 6000000", "bytes(x)"),
    "hash": (f"x = {LONG}", "hash(x)"),
    "repr": ("x = list(range(1000000))", "repr(x)"),
    "repr of a string": (f"x = {LONG}", "repr(x + '\\n')"),
    "str of an int": (f"x = product({INT})", "str(x)"),
    "int of a string": ('x = "7" * 300000', "int(x)"),
    "int of millions of digits": ('x = "7" * 10000000', "attempt(int, x)"),
    "product": ("x = product([1 << 511] * 1000)", "x * x"),
    "percent": ('x = "%s" * 500000; y = tuple(range(500000))', "x % y"),
    "format": ('x = "{}" * 500000; y = tuple(range(500000))', "x.format(*y)"),
    "split": (f"x = {LONG}", 'x.split("a")'),
    "split at spaces": ('x = "a " * (1 << 23)', "x.split()"),
    "splitlines": ('x = "a\\n" * (1 << 23)', "x.splitlines()"),
    "replace": (f"x = {LONG}", 'x.replace("a", "cd")'),
    "find": ('x = "a" * (1 << 24); y = "a" * 60 + "b"', "x.find(y)"),
    "title": (f"x = {LONG}", "x.title()"),
    "json.encode": ("x = list(range(1000000))", "json.encode(x)"),
    "json.decode": ('x = "[" + "1," * 1000000 + "1]"', "json.decode(x)"),
    "json.decode of a string": (f"x = '\"' + {LONG} + '\"'", "json.decode(x)"),
    "json.decode of digits": ('x = "7" * 10000000', "attempt(json.decode, x)"),
    "many lists": ("x = []", "[x.append([i]) for i in range(3000000)]"),
}
HELPERS = """
def twice(x):
    for i in range(60):
        x = [x, x]
    return x

def product(factors):
    made = 1
    for factor in factors:
        made = made * factor
    return made

def attempt(f, x):
    assert.fails(lambda: f(x), "")
"""


def text_of(name: str) -> str:
    """Return a program, which prints `begun` between its two parts."""
    operands, operation = PROGRAMS[name]
    lines = "".join(f"    {line}\n" for line in operands.split("; ") if line)
    loop = f"    print('begun')\n    for k in range(1000):\n        {operation}\n"
    return f"{HELPERS}\ndef f():\n{lines}{loop}\nf()\n"


class Enough(KeyboardInterrupt):
    """The program has run for long enough."""


class Ticks:
    """The longest time of the processor between two signals, from the program's `begun` on."""

    def __init__(self) -> None:
        self.begun: Optional[float] = None
        self.last = 0.0
        self.longest = 0.0
        self.place = ""

    def tick(self, _number: int, frame: object) -> None:
        """Handle a signal."""
        if self.begun is None:
            return
        now = time.process_time()
        if now - self.last > self.longest:
            self.longest = now - self.last
            code = getattr(frame, "f_code", None)
            self.place = "" if code is None else f"{code.co_name}:{getattr(frame, 'f_lineno', 0)}"
        if now - self.begun > SECONDS:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            raise Enough
        self.last = time.process_time()

    def show(self, text: str, _position: object) -> None:
        """Take what the program prints."""
        self.begun = self.last = time.process_time()


def longest_wait(path: str) -> tuple[float, str]:
    """Return the longest time without a signal of a program, and where the next one came."""
    ticks = Ticks()
    # As `bramble` does (cli/main.py).
    gc.set_threshold(100_000, 5, 1_000_000)
    signal.signal(signal.SIGVTALRM, ticks.tick)
    loader = FileLoader(Dialect())
    thread = Thread(load=loader.load, print=ticks.show)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.002, 0.002)
    try:
        with bounded_memory(MEMORY):
            loader.run(path, thread)
    except EvalError as error:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if error.code != "eval.interrupted":
            return -1.0, error.message
    return ticks.longest, ticks.place


def measured(path: str) -> tuple[float, str]:
    """Return `longest_wait` of a process of its own."""
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            seconds, place = longest_wait(path)
            os.write(theirs, f"{seconds} {place}".encode())
        finally:
            # Without giving back the memory.
            os._exit(0)
    os.close(theirs)
    with os.fdopen(mine) as answer:
        seconds, _, place = answer.read().partition(" ")
    os.waitpid(child, 0)
    return float(seconds or -1), place


def interrupted(path: str, wait: float) -> tuple[float, str]:
    """Return the seconds that `bramble star` needs to end by a SIGINT, and what is wrong with how it ends."""
    words = [sys.executable, "-I", os.path.join(ROOT, "bramble"), "star", path]
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(wait)
    with open(f"/proc/{process.pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    before = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    _, ended, used = os.wait4(process.pid, 0)
    status = process.returncode = os.waitstatus_to_exitcode(ended)
    seconds = used.ru_utime + used.ru_stime - before
    return seconds, "" if (status, said) == (130, b"") else f"status {status}, {said[-200:]!r}"


def main() -> int:
    """Try the programs and return the exit status."""
    parser = argparse.ArgumentParser(description="Interrupt long operations of programs.")
    parser.add_argument("--only", default="", help="programs whose name has this")
    parser.add_argument("--signals", action="store_true", help="send signals to a command")
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as directory:
        for name in PROGRAMS:
            if options.only not in name:
                continue
            path = os.path.join(directory, "program.star")
            with open(path, "w") as file:
                file.write(text_of(name))
            if options.signals:
                seconds, wrong = max(interrupted(path, wait) for wait in (0.05, 0.12, 0.31))
            else:
                seconds, place = measured(path)
                wrong = place if seconds < 0 or seconds > LIMIT else ""
            late = seconds > LIMIT or bool(wrong)
            bad += late
            print(f"{'!' if late else ' '} {name:28} {seconds:6.3f} s  {wrong}", flush=True)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"{bad} of the programs were late or ended wrongly; the largest had {most} MB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
