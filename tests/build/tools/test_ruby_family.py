"""What a Ruby brings, from what one says."""

from __future__ import annotations

import pytest

from bramble.build.tools.families import listed, ruby
from bramble.build.tools.machine import Answer
from bramble.errors import BrambleError
from tests.build.tools.machines import Recorded

RUBY = "/usr/bin/ruby3.1"
ASKED = (RUBY, "--disable=gems", "-rrbconfig", "-e", ruby._QUESTION)
FILES = {
    RUBY: "",
    "/usr/lib/ruby/3.1.0/set.rb": "",
    "/usr/lib/x/ruby/3.1.0/stringio.so": "",
    "/usr/lib/ruby/vendor_ruby/rubygems.rb": "",
    "/usr/lib/ruby/gems/other.rb": "",
}


def test_it_brings_the_directories_that_it_names_and_starts_with_them() -> None:
    said = "/usr/lib/ruby/3.1.0\n/usr/lib/x/ruby/3.1.0\n/usr/lib/ruby/vendor_ruby\n/no/such\n"
    contents = ruby.gather(Recorded(FILES, {ASKED: Answer(0, said)}), {"ruby": RUBY, "ruby3.1": RUBY})
    assert sorted(take.place for take in contents.takes) == [
        "lib/ruby/3.1.0/set.rb",
        "lib/ruby/vendor_ruby/rubygems.rb",
        "lib/x/ruby/3.1.0/stringio.so",
        "libexec/wrapped/ruby",
    ]
    assert contents.wrappers[0].env == (
        ("RUBYLIB", "{out}/lib/ruby/3.1.0:{out}/lib/x/ruby/3.1.0:{out}/lib/ruby/vendor_ruby"),
    )
    assert [link.place for link in contents.links] == ["bin/ruby3.1"]


def test_one_that_does_not_say_where_its_library_is_is_refused() -> None:
    with pytest.raises(BrambleError, match="does not say where"):
        ruby.gather(Recorded(FILES), {"ruby": RUBY})
    with pytest.raises(BrambleError, match="a different Ruby"):
        ruby.gather(Recorded(FILES), {"ruby": RUBY, "ruby2": "/usr/bin/ruby2"})


def test_gdb_brings_python() -> None:
    assert "python3" in listed.needed({"gdb": "/usr/bin/gdb"})


def test_tclsh_is_told_where_its_modules_are() -> None:
    files = {"/usr/bin/tclsh": "", "/usr/share/tcltk/tcl8.6/tcl8/msgcat-1.6.1.tm": ""}
    (wrapper,) = listed.gather(Recorded(files), {"tclsh": "/usr/bin/tclsh"}).wrappers
    assert dict(wrapper.env)["TCL8_0_TM_PATH"] == "{out}/share/tcltk/tcl8.6/tcl8"


def test_groff_and_tput_are_told_where_their_data_are() -> None:
    files = {
        "/usr/bin/groff": "",
        "/usr/share/groff/1.23.0/font/devps/DESC": "",
        "/usr/share/groff/1.23.0/tmac/an": "",
    }
    (wrapper,) = listed.gather(Recorded(files), {"groff": "/usr/bin/groff"}).wrappers
    assert dict(wrapper.env)["GROFF_FONT_PATH"] == "{out}/share/groff/1.23.0/font"
    assert dict(wrapper.env)["GROFF_BIN_PATH"] == "{out}/bin"
    for directory in ("lib/terminfo", "share/terminfo"):
        files = {"/usr/bin/tput": "", f"/usr/{directory}/x/xterm": ""}
        contents = listed.gather(Recorded(files), {"tput": "/usr/bin/tput"})
        assert dict(contents.wrappers[0].env) == {"TERMINFO": "{out}/" + directory}
        assert f"{directory}/x/xterm" in {take.place for take in contents.takes}
