"""What families leave to each other, and what is written for them."""

from __future__ import annotations

import os
import pathlib

from bramble.build.tools.contents import Contents, Link, Text
from bramble.build.tools.kit import Kit, Output
from bramble.build.tools.machine import ThisMachine


def kit(top: pathlib.Path) -> Kit:
    return Kit(ThisMachine(()), {"out": Output(str(top), "/seen")}, lambda name: os.path.realpath("/bin/sh"))


def test_a_name_that_something_has_already_is_left_alone(tmp_path: pathlib.Path) -> None:
    made = kit(tmp_path)
    made.add(Contents(links=(Link("bin/cc", "bin/gcc"),)))
    given = (Link("bin/cc", "bin/clang", fallback=True), Link("bin/c++", "bin/clang++", fallback=True))
    made.add(Contents(links=given))
    made.write(lambda: None)
    assert os.readlink(tmp_path / "bin/cc") == "gcc"
    assert os.readlink(tmp_path / "bin/c++") == "clang++"


def test_a_script_of_ours_brings_its_interpreter(tmp_path: pathlib.Path) -> None:
    made = kit(tmp_path)
    made.add(Contents(texts=(Text("bin/tool", "exec {out}/bin/x\n", executable=True, interpreter="sh"),)))
    made.write(lambda: None)
    name = os.path.basename(os.path.realpath("/bin/sh"))
    assert (tmp_path / "bin/tool").read_text() == f"#!/seen/libexec/{name}\nexec /seen/bin/x\n"
    assert os.access(tmp_path / "bin/tool", os.X_OK) and (tmp_path / "libexec" / name).is_file()
