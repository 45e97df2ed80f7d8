"""What families leave to each other, and what is written for them."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from bramble.build.tools.contents import Contents, Link, Take, Text
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


@pytest.mark.parametrize("tags, comes", [("--disable-new-dtags", True), ("--enable-new-dtags", False)])
def test_a_module_has_its_libraries_from_where_its_program_looks(
    tags: str, comes: bool, tmp_path: pathlib.Path
) -> None:
    """By DT_RPATH, as in an output of ours, and not by DT_RUNPATH, which is for the program alone."""

    def compile(text: str, out: str, *words: str) -> str:
        (tmp_path / "x.c").write_text(text)
        subprocess.run(["gcc", "x.c", "-o", out, *words], cwd=tmp_path, check=True)
        return str(tmp_path / out)

    for name in ("bin", "libraries", "out"):
        (tmp_path / name).mkdir()
    compile("int b(void) { return 0; }", "libraries/libb.so", "-shared", "-fPIC")
    module = "int b(void); int a(void) { return b(); }"
    module = compile(module, "module.so", "-shared", "-fPIC", "-Llibraries", "-lb")
    origin = f"-Wl,-rpath,$ORIGIN/../libraries,{tags}"
    program = compile("int main(void) { return 0; }", "bin/program", origin)
    made = kit(tmp_path / "out")
    takes = (Take(program, "bin/program", program=True), Take(module, "lib/module.so", lenient=True))
    made.add(Contents(takes))
    made.write(lambda: None)
    assert (tmp_path / "out/lib/libb.so").exists() == comes
