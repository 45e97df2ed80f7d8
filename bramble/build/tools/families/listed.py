"""Tools with data: a table of what each brings, and one rule that reads it.

A directory of data is given relative to the prefix of the tool (`/usr` of `/usr/bin/bison`), its last
name as a pattern, since many have a version in it. It keeps its place. A tool that looks for
it by an absolute path gets a variable (a wrapper sets it), or, where it is a script, the new path in
its text.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator, Mapping

from bramble.build.tools.contents import Contents, Link, Take, Trial, Wrapper
from bramble.build.tools.families.plain import programs
from bramble.build.tools.machine import Machine, names_found, tree
from bramble.record import dataclass, field


@dataclass(frozen=True)
class Listed:
    """What a group of programs brings. Any of `names` brings all of them that are there."""

    names: tuple[str, ...]
    data: tuple[str, ...] = ()  # directories, relative to the prefix; the last name is a pattern
    needs: tuple[str, ...] = ()  # other programs that they call
    env: Mapping[str, str] = field(default_factory=dict)  # of wrappers; "{out}/…"
    wrapped: tuple[str, ...] = ()  # the programs that get a wrapper
    trials: Mapping[str, Trial] = field(default_factory=dict)  # by the name of the program


# Of the data only what is run: the rest is copied into the work of a user, or has lengths of texts in it.
_RUN = (".pm", ".pl", ".cfg")
_AC = "AC_INIT([hello], [1])\nAC_OUTPUT\n"
_BISON = "%{\nint yylex(void); void yyerror(const char *s);\n%}\n%token A\n%%\nall: A;\n%%\n"
_FLEX = "%option noyywrap\n%%\na return 1;\n"

LISTED = (
    Listed(
        ("bison", "yacc"),
        data=("share/bison",),
        needs=("m4",),
        env={"BISON_PKGDATADIR": "{out}/share/bison", "M4": "{out}/bin/m4"},
        wrapped=("bison",),
        trials={
            "bison": Trial(
                ("{out}/bin/bison", "-o", "grammar.c", "grammar.y"),
                files={"grammar.y": _BISON},
                about="make a parser",
            )
        },
    ),
    Listed(
        ("flex", "lex", "flex++"),
        needs=("m4",),
        env={"M4": "{out}/bin/m4"},
        wrapped=("flex", "flex++"),
        trials={
            "flex": Trial(
                ("{out}/bin/flex", "-o", "scanner.c", "scanner.l"),
                files={"scanner.l": _FLEX},
                about="make a scanner",
            )
        },
    ),
    Listed(
        ("autoconf", "autoheader", "autom4te", "autoreconf", "autoscan", "autoupdate", "ifnames"),
        data=("share/autoconf",),
        needs=("m4", "perl", "sh", "sed", "cat", "mkdir", "rm", "chmod", "expr", "grep"),
        trials={
            "autoconf": Trial(
                ("{out}/bin/autoconf", "-o", "configure-hello", "configure.ac"),
                files={"configure.ac": _AC},
                about="make a configure script",
            )
        },
    ),
    Listed(
        ("automake", "aclocal"),
        data=("share/automake-*", "share/aclocal-*", "share/aclocal"),
        needs=("autoconf", "perl", "sh"),
        trials={
            "aclocal": Trial(
                ("{out}/bin/aclocal",),
                files={"configure.ac": "AC_INIT([hello], [1])\nAM_INIT_AUTOMAKE([foreign])\nAC_OUTPUT\n"},
                about="gather macros",
            ),
            "automake": Trial(("{out}/bin/automake", "--version"), "automake", about="say its version"),
        },
    ),
    Listed(
        ("libtoolize", "libtool"),
        data=("share/libtool", "share/aclocal"),
        needs=("sh", "sed", "grep", "cat", "rm", "mkdir", "cp", "tar", "chmod"),
        trials={
            "libtoolize": Trial(("{out}/bin/libtoolize", "--version"), "libtool", about="say its version")
        },
    ),
    Listed(
        ("autopoint", "gettextize"),
        data=("share/gettext", "share/gettext-*"),
        needs=("sh", "sed", "grep", "mktemp", "tar", "xz", "cp", "rm", "mkdir"),
        env={"gettext_datadir": "{out}/share/gettext"},
        wrapped=("autopoint",),
    ),
    Listed(
        ("cmake", "ctest", "cpack"),
        data=("share/cmake-*", "share/cmake"),
        trials={
            "cmake": Trial(
                ("{out}/bin/cmake", "-P", "hello.cmake"),
                says="works",
                files={"hello.cmake": "include(CMakePrintHelpers)\nmessage(STATUS works)\n"},
                about="run a script with a module of its own",
            )
        },
    ),
    Listed(
        ("git",),
        data=("lib/git-core", "libexec/git-core", "share/git-core"),
        needs=("sh",),
        env={
            "GIT_EXEC_PATH": "{out}/{lib/git-core,libexec/git-core}",
            "GIT_TEMPLATE_DIR": "{out}/share/git-core/templates",
        },
        wrapped=("git",),
        trials={"git": Trial(("{out}/bin/git", "init", "hello-git"), env={"HOME": "/tmp"}, about="init")},
    ),
    Listed(
        ("tclsh",),
        data=("share/tcltk/tcl8*", "lib/tcl8*", "share/tcl8*"),
        env={
            "TCL_LIBRARY": "{out}/{share/tcltk/tcl8.?,lib/tcl8.?,share/tcl8.?}",
            "TCL8_0_TM_PATH": "{out}/{share/tcltk/tcl8.?/tcl8,lib/tcl8.?/tcl8,share/tcl8.?/tcl8}",
        },
        wrapped=("tclsh",),
        trials={
            "tclsh": Trial(
                ("{out}/bin/tclsh", "hello.tcl"),
                says="works",
                files={"hello.tcl": "package require Tcl\nputs [clock format 0 -format works]\n"},
                about="run a program",
            )
        },
    ),
    Listed(
        # The Python in it looks for its library beside `bin`, as an installed one does.
        ("gdb",),
        data=("share/gdb",),
        needs=("python3",),
        trials={
            "gdb": Trial(
                ("{out}/bin/gdb", "-nx", "-batch", "-ex", "echo works"),
                says="works",
                about="run a command",
            )
        },
    ),
    Listed(
        ("groff", "nroff", "troff", "grotty", "grops", "grohtml", "preconv", "soelim", "tbl", "eqn", "pic"),
        data=("share/groff",),
        needs=("sh",),
        env={
            "GROFF_FONT_PATH": "{out}/{share/groff/[0-9]*/font}",
            "GROFF_TMAC_PATH": "{out}/{share/groff/[0-9]*/tmac}",
            "GROFF_BIN_PATH": "{out}/bin",
        },
        wrapped=("groff", "troff", "grotty", "grops", "grohtml", "eqn"),
        trials={
            "groff": Trial(
                ("{out}/bin/groff", "-Tascii", "-man", "-t", "hello.1"),
                says="works",
                files={"hello.1": ".TH HELLO 1\n.SH NAME\nworks\n"},
                about="format a page of a manual",
            )
        },
    ),
    Listed(
        # What names no terminal does not look for one: only programs that ask for terminals bring them.
        ("tput", "clear", "infocmp", "reset", "tset", "tabs"),
        data=("lib/terminfo", "share/terminfo", "share/tabset"),
        env={"TERMINFO": "{out}/{lib/terminfo,share/terminfo}"},
        wrapped=("tput", "clear", "infocmp", "reset", "tset", "tabs"),
        trials={
            "tput": Trial(("{out}/bin/tput", "-T", "xterm", "bold"), "\x1b[1m", about="ask for a terminal")
        },
    ),
    Listed(
        ("file",),
        data=("share/misc", "lib/file", "share/file"),
        env={"MAGIC": "{out}/{share/file/magic.mgc,lib/file/magic.mgc,share/misc/magic.mgc}"},
        wrapped=("file",),
        trials={"file": Trial(("{out}/bin/file", "{out}/bin"), "directory", about="tell what a file is")},
    ),
)


def needed(tools: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of programs that these programs call."""
    names = {name for name in tools}
    return tuple(need for one in LISTED if names & set(one.names) for need in one.needs)


def is_listed(machine: Machine, name: str, real: str) -> bool:
    """Return whether the table has the program."""
    return any(name in one.names for one in LISTED)


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return what the table says of these programs."""
    # spec: build.host-tools.listed
    takes: list[Take] = []
    links: list[Link] = []
    wrappers, trials = [], []
    moves: dict[str, str] = {}
    places: dict[str, str] = {}
    for one in LISTED:
        asked = [name for name in one.names if name in tools]
        if not asked:
            continue
        found = {name: machine.real(path) for name, path in names_found(machine, one.names).items()}
        found.update((name, tools[name]) for name in asked)
        prefix = posixpath.dirname(posixpath.dirname(found[asked[0]]))
        directories = tuple(_directories(machine, prefix, one.data))
        # A version may be added only when it runs: aclocal has '/usr/share/aclocal-' . $APIVERSION.
        stems = (pattern[:-1] for pattern in one.data if pattern.endswith("-*"))
        moves.update((f"{prefix}/{stem}", stem) for stem in stems)
        for directory in directories:
            moves[f"{prefix}/{directory}"] = directory
            real = machine.real(f"{prefix}/{directory}")
            takes += [
                Take(path, directory + path[len(real) :], lenient=True, moved=path.endswith(_RUN))
                for path in tree(machine, real)
            ]
        for name in (*found, *one.needs):
            moves.update((f"{directory}/{name}", f"bin/{name}") for directory in ("/usr/bin", "/bin"))
        more, again = programs(found)
        for take in more:
            name = posixpath.basename(take.place)
            if name in one.wrapped:
                inner = f"libexec/wrapped/{name}"
                takes.append(Take(take.path, inner, program=True))
                env = tuple((key, _chosen(value, machine, prefix)) for key, value in one.env.items())
                wrappers.append(Wrapper(take.place, inner, env))
                places[take.path] = take.place
            else:
                takes.append(Take(take.path, take.place, program=True, moved=True))
        links += again
        trials += [trial for name, trial in one.trials.items() if name in found]
    return Contents(
        takes=tuple(takes),
        links=tuple(links),
        wrappers=tuple(wrappers),
        places=places,
        moves=moves,
        trials=tuple(trials),
    )


def _directories(machine: Machine, prefix: str, patterns: tuple[str, ...]) -> Iterator[str]:
    for pattern in patterns:
        parent, last = posixpath.split(pattern)
        for name in machine.names_in(f"{prefix}/{parent}"):
            if fnmatch.fnmatchcase(name, last) and machine.is_directory(f"{prefix}/{parent}/{name}"):
                yield f"{parent}/{name}"


def _chosen(value: str, machine: Machine, prefix: str) -> str:
    """Return a value with the first of its alternatives `{a,b}` that is there below the prefix."""
    start, brace, rest = value.partition("/{")
    if not brace:
        return value
    alternatives = rest.rstrip("}").split(",")
    for one in alternatives:
        found = [prefix]
        for part in one.split("/"):
            found = [
                f"{above}/{name}"
                for above in found
                for name in machine.names_in(above)
                if fnmatch.fnmatchcase(name, part)
            ]
        if found:
            return start + found[0][len(prefix) :]
    return f"{start}/{alternatives[0]}"
