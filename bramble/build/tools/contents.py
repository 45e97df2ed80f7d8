"""What a family of tools brings into an output, as values. Pure.

A *place* is a path relative to the output. Texts and link targets may hold
`{out}` and `{rt}`, which mean the paths of the two outputs in the store; they are one
where the derivation declares one.
"""

from __future__ import annotations

from collections.abc import Mapping

from bramble.record import dataclass, field

OUT = "out"
RT = "rt"


@dataclass(frozen=True)
class Take:
    """One file of the machine. A link is followed; what the file is decides what becomes of it.

    A program and a library are made to find their loader and libraries in the output, a
    script its interpreter; anything else is copied as it is.
    """

    path: str
    place: str
    output: str = OUT
    program: bool = False  # it has to be a program or a script: somebody asked for it by name
    # A script or library that needs what the machine does not have is copied all the same.
    lenient: bool = False
    whole: bool = False  # copy it as it is, whatever it is
    moved: bool = False  # a text: the paths in `Contents.moves` are replaced in it


@dataclass(frozen=True)
class Text:
    """One file that is written by us."""

    place: str
    text: str
    executable: bool = False
    interpreter: str = ""  # a program of the machine that comes along and is named by a first line before it


@dataclass(frozen=True)
class Wrapper:
    """A script that starts a program with variables: for one that looks for its parts by absolute paths.

    A variable that is set already is kept, or, where it is a list of directories, comes first.
    """

    place: str
    program: str  # its place
    env: tuple[tuple[str, str], ...]
    lists: tuple[str, ...] = ()  # the variables that are lists of directories
    arguments: tuple[str, ...] = ()  # before those that it is given; without blanks


@dataclass(frozen=True)
class Link:
    """One symbolic link: to a place in an output."""

    place: str
    target: str
    target_output: str = OUT
    fallback: bool = False  # only where nothing that came before has the place


@dataclass(frozen=True)
class Trial:
    """One command that has to work inside a sandbox that shows nothing but the outputs.

    It runs in a directory with `files`; later trials of the same contents see what
    earlier ones wrote. `{out}` and `{rt}` in `argv` are the outputs.
    """

    argv: tuple[str, ...]
    says: str = ""  # must be in what it writes
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""  # what to install where it fails
    unless: str = ""  # a pattern: where it writes this and ends with a status, that proves nothing
    about: str = ""  # what is tried, for people: "link a program with -lm"


@dataclass(frozen=True)
class Contents:
    """All that one family brings."""

    takes: tuple[Take, ...] = ()
    texts: tuple[Text, ...] = ()
    links: tuple[Link, ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    # Real path of a program → its place, where that is another than the one it is taken to.
    places: Mapping[str, str] = field(default_factory=dict)
    # Absolute path on the machine → place: what the texts of this family call by its path.
    moves: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    started: tuple[str, ...] = ()  # places of programs of which nobody knows more than that they start
    # Real paths of programs of which nobody knows what data they need: what they name is warned of.
    watched: tuple[str, ...] = ()
    runtime: bool = False  # something of it belongs into the output rt
    # The output whose programs load modules in machine code that others compiled, such as those of wheels.
    loads_others: str = ""
