"""Ruby: the interpreter, started with the directories of its library, which it has by absolute paths."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from bramble.build.tools.contents import Contents, Link, Take, Trial, Wrapper
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, tree

NAMES = re.compile(r"ruby([0-9]+(\.[0-9]+)*)?")
_QUESTION = (
    'puts RbConfig::CONFIG.values_at("rubylibdir", "rubyarchdir"), $:.grep(/vendor_ruby/).select { |d| '
    'File.file?(d + "/rubygems.rb") }'
)
_INTERPRETER = "libexec/wrapped/ruby"


def is_ruby(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is a Ruby, by one of its names."""
    return any(NAMES.fullmatch(one) is not None for one in (name, posixpath.basename(real)))


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the interpreter with its own library. Raises build.host-tool-unsupported."""
    # spec: build.host-tools.ruby
    real, *others = sorted(set(tools.values()))
    if others:
        raise unsupported(real, f"{others[0]} is a different Ruby, and an output can contain only one")
    answer = machine.ask([real, "--disable=gems", "-rrbconfig", "-e", _QUESTION])
    directories = tuple(dict.fromkeys(filter(machine.is_directory, answer.out.splitlines())))
    if not directories:
        raise unsupported(real, f"it does not say where its library is: {answer.error.strip() or 'nothing'}")
    places = {directory: _place(directory) for directory in directories}
    takes = {Take(real, _INTERPRETER, program=True): None}
    for directory, place in places.items():
        top = machine.real(directory)
        for path in tree(machine, top):
            takes[Take(path, place + path[len(top) :], lenient=True)] = None
    library = ":".join("{out}/" + place for place in places.values())
    return Contents(
        takes=tuple(takes),
        links=tuple(Link(f"bin/{name}", "bin/ruby") for name in tools if name != "ruby"),
        wrappers=(Wrapper("bin/ruby", _INTERPRETER, (("RUBYLIB", library),), lists=("RUBYLIB",)),),
        places={real: "bin/ruby"},
        trials=(
            Trial(
                ("{out}/bin/ruby", "-W", "-rset", "-rstringio", "-e", "Gem.ruby_version; puts 'works'"),
                says="works",
                about="run a program that uses set and stringio",
            ),
        ),
    )


def _place(directory: str) -> str:
    return next(directory[len(top) :] for top in ("/usr/local/", "/usr/", "/") if directory.startswith(top))
