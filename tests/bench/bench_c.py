"""C: a program of many files beside the same `make` bare, and the copy of the toolchain, in one run.

    python3 -m tests.bench.bench_c [--files 200] [--rounds 5] [--jobs 2] [--only overhead,copy]

The sources are made here: each file has functions of the sort that programs have and includes
the usual headers. Both sides compile with the same flags, in turns; medians of processor time
(ours with all that it waits for: evaluation, sandbox, sealing) and of time. The library makes no
more processes than the machine has room for, so on a busy machine only processor time counts.
To be run by hand; nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = "-O2"
# What the toolchain's `specs` adds for names of store objects; bare make gets it too, in a line of its own.
WHOLE = "-mtune=znver3 -mtune-ctrl=^sse_unaligned_store_optimal -mmove-max=128 -mstore-max=128"
UNIT = """\
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "all.h"

struct pair_{n} {{ char *key; long value; struct pair_{n} *next; }};
static struct pair_{n} *table_{n}[64];

static unsigned hash_{n}(const char *text)
{{
    unsigned sum = {n};
    while (*text) sum = sum * 31 + (unsigned char)*text++;
    return sum % 64;
}}

long find_{n}(const char *key)
{{
    for (struct pair_{n} *one = table_{n}[hash_{n}(key)]; one; one = one->next)
        if (!strcmp(one->key, key)) return one->value;
    errno = ENOENT;
    return -1;
}}

int put_{n}(const char *key, long value)
{{
    unsigned at = hash_{n}(key);
    struct pair_{n} *one = malloc(sizeof *one);
    if (!one || !(one->key = strdup(key))) return -1;
    one->value = value;
    one->next = table_{n}[at];
    table_{n}[at] = one;
    return 0;
}}

int read_{n}(FILE *from)
{{
    char line[256], key[128];
    long value;
    int count = 0;
    while (fgets(line, sizeof line, from)) {{
        char *start = line;
        while (isspace((unsigned char)*start)) start++;
        if (*start == '#' || !*start) continue;
        if (sscanf(start, "%127[^=]=%ld", key, &value) != 2) return -1;
        for (char *at = key; *at; at++) *at = (char)tolower((unsigned char)*at);
        if (put_{n}(key, value)) return -1;
        count++;
    }}
    return count;
}}

static int order_{n}(const void *left, const void *right)
{{
    const struct pair_{n} *const *a = left, *const *b = right;
    return strcmp((*a)->key, (*b)->key);
}}

void print_{n}(FILE *to)
{{
    struct pair_{n} *all[1024];
    size_t count = 0;
    for (int at = 0; at < 64; at++)
        for (struct pair_{n} *one = table_{n}[at]; one && count < 1024; one = one->next) all[count++] = one;
    qsort(all, count, sizeof *all, order_{n});
    for (size_t at = 0; at < count; at++) fprintf(to, "%s=%ld\\n", all[at]->key, all[at]->value);
}}
"""
MAKEFILE = """\
OBJECTS = {objects}
prog: $(OBJECTS)
\t$(CC) -o $@ $(OBJECTS)
install: prog
\tmkdir -p $(PREFIX)/bin && cp prog $(PREFIX)/bin
"""
PROJECT = """\
load("std/c")

def program():
    return c.program("prog", files(["*.c", "*.h"]), env={{"round": "{turn}"}})

def make():
    return c.make("prog", files(["*.c", "*.h", "Makefile"]), env={{"round": "{turn}", "CFLAGS": "-O2"}})

def toolchain():
    env = {{"tools": "gcc g++", "turn": "{turn}"}}
    return derivation("gcc", builder="host_tools", env=env, outputs=["out", "rt"])
"""


def sources(directory: Path, count: int) -> None:
    """Write a project of `count` C files, with a header, a Makefile and bramble.toml."""
    names = [f"unit{number:03}" for number in range(count - 1)]
    for number, name in enumerate(names):
        (directory / f"{name}.c").write_text(UNIT.format(n=number))
    declared = "long find_{n}(const char *);\nint read_{n}(FILE *);\nvoid print_{n}(FILE *);\n"
    lines = [declared.format(n=number) for number in range(count - 1)]
    (directory / "all.h").write_text("#include <stdio.h>\n" + "".join(lines))
    body = "".join(f"    read_{n}(stdin);\n    print_{n}(stdout);\n" for n in range(count - 1))
    (directory / "main.c").write_text('#include "all.h"\n\nint main(void)\n{\n' + body + "    return 0;\n}\n")
    objects = " ".join(f"{name}.o" for name in [*names, "main"])
    (directory / "Makefile").write_text(MAKEFILE.format(objects=objects))
    (directory / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')


def timed(words: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> tuple[float, float]:
    """Run it; return the seconds of processor time and those of the clock."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, cwd=cwd, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace")[-4000:])
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


class Bench:
    """A project, a store, and what was measured."""

    def __init__(self, top: Path, jobs: int) -> None:
        self._project, self._bare, self._jobs = top / "project", top / "bare", jobs
        self._environ = {"PATH": os.environ["PATH"], "HOME": str(top), "BRAMBLE_PATH": str(top / "s")}
        self._turn = 0
        self._project.mkdir()

    def sources(self, count: int) -> None:
        sources(self._project, count)

    def build(self, function: str) -> tuple[float, float]:
        """Build what the function returns, as it never was."""
        self._turn += 1
        (self._project / "default.bramble").write_text(PROJECT.format(turn=self._turn))
        return self.build_again(function)

    def build_again(self, function: str) -> tuple[float, float]:
        """Build it as it stands."""
        words = [sys.executable, "-I", str(ROOT / "bramble"), "build", f"./:{function}"]
        return timed(words, self._project, self._environ)

    def make(self, flags: str) -> tuple[float, float]:
        """Copy the sources, and run make there."""
        shutil.rmtree(self._bare, ignore_errors=True)
        began, before = time.perf_counter(), time.process_time()
        shutil.copytree(self._project, self._bare)
        copied, used = time.perf_counter() - began, time.process_time() - before
        words = ["make", f"-j{self._jobs}", f"CFLAGS={flags}", f"PREFIX={self._bare}/out", "install"]
        cpu, seconds = timed(words, self._bare, self._environ)
        return cpu + used, seconds + copied


def show(name: str, ours: Sequence[tuple[float, float]], bare: Sequence[tuple[float, float]]) -> None:
    """Print medians, and the ratio to what is bare."""
    (cpu, seconds), (bare_cpu, bare_seconds) = (
        [statistics.median(column) for column in zip(*times)] for times in (ours, bare)
    )
    line = f"{name:42} cpu {cpu:6.2f} s  ratio {cpu / bare_cpu:5.3f}"
    print(f"{line}   wall {seconds:6.2f} s  ratio {seconds / bare_seconds:5.3f}", flush=True)


def overhead(bench: Bench, rounds: int) -> None:
    """The program by the library, beside make."""
    bench.build("program")  # the tools, once
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        found.setdefault("make, bare", []).append(bench.make(FLAGS))
        found.setdefault("c.program", []).append(bench.build("program"))
        found.setdefault("make, bare, with the flags of specs", []).append(bench.make(f"{FLAGS} {WHOLE}"))
        found.setdefault("c.make", []).append(bench.build("make"))
    for name, times in found.items():
        show(name, times, found["make, bare"])


def copy(bench: Bench, rounds: int) -> None:
    """The copy of the toolchain: made, and found again."""
    cold = [bench.build("toolchain") for _ in range(rounds)]
    warm = [bench.build_again("toolchain") for _ in range(rounds)]
    show("copy of gcc and g++, with its trials", cold, cold)
    show("found again", warm, cold)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="overhead,copy")
    options = parser.parse_args()
    top = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    try:
        bench = Bench(top, options.jobs)
        bench.sources(options.files)
        for name in options.only.split(","):
            {"overhead": overhead, "copy": copy}[name](bench, options.rounds)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(top)], check=False)
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
