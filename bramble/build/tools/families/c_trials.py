"""What a C toolchain has to be able to do before anybody builds with it."""

from __future__ import annotations

from collections.abc import Sequence
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


def trials(languages: Sequence[str], *, static: bool) -> tuple[Trial, ...]:
    """Return the trials; `static` when the machine has a static C library."""
    # spec: build.host-tools.c.trials
    gcc = "{out}/bin/gcc"
    found = [
        *_program("C", (gcc, "-O2", "hello.c", "-o", "c", "-lm", "-pthread"), "c", {"hello.c": _C}),
        *_program("C with -flto", (gcc, "-O2", "-flto", "hello.c", "-o", "lto", "-lm", "-pthread"), "lto"),
    ]
    if static:
        fixed = (gcc, "-static", "hello.c", "-o", "static", "-lm", "-pthread")
        found += _program("C with -static", fixed, "static")
    if "c++" in languages:
        gxx = ("{out}/bin/g++", "-O2", "hello.cc", "-o", "cxx", "-pthread")
        found += _program("C++", gxx, "cxx", {"hello.cc": _CXX})
    if "fortran" in languages:
        gfortran = ("{out}/bin/gfortran", "hello.f90", "-o", "fortran")
        found += _program("Fortran", gfortran, "fortran", {"hello.f90": _FORTRAN})
    return tuple(found)


def _program(
    what: str, command: tuple[str, ...], name: str, files: Optional[dict[str, str]] = None
) -> tuple[Trial, Trial]:
    return (
        Trial(command, files=files or {}, about=f"compile and link a program in {what}"),
        Trial((f"./{name}",), says=_SAYS, about=f"run a program in {what}"),
    )
