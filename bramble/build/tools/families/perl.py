"""Perl: the interpreter, with its library. It knows both by paths that are absolute.

A script starts it with a module that says where they are. A variable such as PERL5LIB would not do: programs
in Perl start others by `$^X`, which is the interpreter itself, or write that into a Makefile, and the
variable is then not set; and with -T it is not read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from bramble.build.tools.contents import Contents, Link, Take, Text, Trial, Wrapper
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, tree

NAMES = re.compile(r"perl(5(\.[0-9]+)*)?")
_QUESTION = (
    'use Config; print "$_\\n" for $Config{privlibexp}, $Config{archlibexp}, grep m,/perl-base$,, @INC'
)
_INTERPRETER = "lib/perl/bin/perl"
_START = "lib/perl/start"
_MODULE = """\
$^X = '{out}/bin/perl';
@INC = (grep($_ ne '{out}/lib/perl/start', @INC), LIBRARY);
1;
"""
# With -T an empty PATH is an insecure directory too, since Perl 5.38; without one nothing is looked for.
_AGAIN = "delete $ENV{PATH}; exec $^X, '-Mstrict', '-e', 'print \"works\"'"
_LEFT_OUT = re.compile(r".*\.pod|.*/CORE/.*")
_SETTINGS = re.compile(r"Config(_heavy|_git)?\.p[lm]")


def is_perl(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is a Perl, by one of its names."""
    return any(NAMES.fullmatch(one) is not None for one in (name, posixpath.basename(real)))


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the interpreter with its core library. Raises build.host-tool-unsupported."""
    # spec: build.host-tools.perl
    real, *others = sorted(set(tools.values()))
    if others:
        raise unsupported(real, f"{others[0]} is a different Perl, and an output can contain only one")
    directories = _library(machine, real)
    takes = [Take(real, _INTERPRETER, program=True)]
    places = {directory: _place(directory) for directory in directories}
    for directory, place in places.items():
        for path in tree(machine, machine.real(directory)):
            below = path[len(machine.real(directory)) + 1 :]
            if _LEFT_OUT.fullmatch(below) is None:
                settings = _SETTINGS.fullmatch(posixpath.basename(path)) is not None
                takes.append(Take(path, f"{place}/{below}", lenient=True, moved=settings))
    library = ", ".join("'{out}/" + place + "'" for place in places.values())
    links = [Link(f"bin/{name}", "bin/perl") for name in tools if name != "perl"]
    return Contents(
        takes=tuple(takes),
        links=tuple(links),
        texts=(Text(f"{_START}/Placed.pm", _MODULE.replace("LIBRARY", library)),),
        wrappers=(
            Wrapper(
                "bin/perl",
                _INTERPRETER,
                (("PERL_BADLANG", "0"),),  # a sandbox has no locales, and Perl would say so again and again
                arguments=(f"-I{{out}}/{_START}", "-MPlaced"),
            ),
        ),
        places={real: "bin/perl"},
        moves={**places, posixpath.join("/usr/bin", "perl"): "bin/perl"},
        trials=(
            Trial(
                ("{out}/bin/perl", "-MList::Util", "-MData::Dumper", "-e", 'print "works\\n"'),
                says="works",
                about="run a program that uses List::Util and Data::Dumper",
            ),
            Trial(
                ("{out}/bin/perl", "-T", "-e", _AGAIN),
                says="works",
                about="start itself",
            ),
        ),
    )


def _library(machine: Machine, real: str) -> tuple[str, ...]:
    """Return the directories of what comes with Perl; those of other packages are not among them."""
    answer = machine.ask([real, "-e", _QUESTION])
    found = dict.fromkeys(line for line in answer.out.splitlines() if machine.is_directory(line))
    if not found:
        raise unsupported(real, f"it does not say where its library is: {answer.error.strip() or 'nothing'}")
    # The files of perl-base of Debian are part of the two others, if these are installed.
    whole = [directory for directory in found if not directory.endswith("/perl-base")]
    return tuple(whole if len(whole) > 1 else found)


def _place(directory: str) -> str:
    for prefix in ("/usr/local/", "/usr/", "/"):
        if directory.startswith(prefix):
            return directory[len(prefix) :]
    return directory
