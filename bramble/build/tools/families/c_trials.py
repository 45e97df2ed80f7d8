"""What a C toolchain has to be able to do before anybody builds with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from bramble.build.tools.contents import Trial

_C = """\
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *work(void *number) { *(double *)number = sqrt(*(double *)number); return 0; }

int main(int count, char **words) {
    double number = count * 1764.0;
    pthread_t thread;
    if (pthread_create(&thread, 0, work, &number) || pthread_join(thread, 0)) return 1;
    printf("%d %s\\n", (int)floor(number), strlen(words[0]) ? "works" : "");
    return 0;
}
"""
_CXX = """\
#include <future>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

int main() {
    auto later = std::async(std::launch::async, []() -> int { throw std::runtime_error("42 works"); });
    try { return later.get(); } catch (const std::exception &problem) {
        std::vector<std::string> said{problem.what()};
        std::cout << said.front() << std::endl;
    }
    return 0;
}
"""
_FORTRAN = "program hello\n  print *, '42 works'\nend program\n"
_SAYS = "42 works"
GCC = {"c": "gcc", "c++": "g++", "fortran": "gfortran"}


def trials(
    languages: Sequence[str],
    *,
    static: bool,
    drivers: Mapping[str, str] = GCC,
    lto: Sequence[tuple[str, ...]] = (("-flto",),),
) -> tuple[Trial, ...]:
    """Return the trials; `static` when the machine has a static C library.

    `drivers` maps each language to the name of its driver, `lto` are ways to optimise while linking.
    """
    # spec: build.host-tools.c.trials
    cc = "{out}/bin/" + drivers["c"]
    common = ("hello.c", "-lm", "-pthread")
    found = _program("C", (cc, "-O2", *common, "-o", "c"), "c", {"hello.c": _C})
    for flags in lto:
        found += _program(f"C with {' '.join(flags)}", (cc, "-O2", *flags, *common, "-o", "lto"), "lto")
    if static:
        found += _program("C with -static", (cc, "-static", *common, "-o", "static"), "static")
    if "c++" in languages:
        cxx = ("{out}/bin/" + drivers["c++"], "-O2", "hello.cc", "-o", "cxx", "-pthread")
        found += _program("C++", cxx, "cxx", {"hello.cc": _CXX})
    if "fortran" in languages:
        fortran = ("{out}/bin/" + drivers["fortran"], "hello.f90", "-o", "fortran")
        found += _program("Fortran", fortran, "fortran", {"hello.f90": _FORTRAN})
    return found


def _program(
    what: str, command: tuple[str, ...], name: str, files: Optional[dict[str, str]] = None
) -> tuple[Trial, ...]:
    return (
        Trial(command, files=files or {}, about=f"compile and link a program in {what}"),
        Trial((f"./{name}",), says=_SAYS, about=f"run a program in {what}"),
    )
