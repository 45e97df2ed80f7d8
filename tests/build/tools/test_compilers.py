"""A compiler of this machine, from the store: what it makes runs, and needs little."""

from __future__ import annotations

import os
import shutil
import subprocess

from bramble.build.tools.elf import read_elf
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from tests.build.tools.test_host_tools import HostWorld, tools
from tests.build.world import derivation, ref

SOURCE = r"""
#include <stdio.h>
#include <string.h>
#include <math.h>
char place[200];
double two = 2;
int main(void) {
    strcpy(place, OUT "/share/a/file");
#ifdef __x86_64__
    char initialised[] = OUT "/share/initialised";
    char printed[300];
    sprintf(printed, "%s", OUT "/share/printed");
    if (!strchr(initialised, place[0]) || !strchr(printed, place[0])) return 1;
#endif
    printf("%s %.3f %s\n", place, sqrt(two), __FILE__);
    return 0;
}
"""
SCRIPT = """
cat > hello.c <<'X'
SOURCE
X
gcc -g -O2 -DOUT="\\"$out\\"" hello.c -o $out/hello -lm
$out/hello > $out/said
""".replace("SOURCE", SOURCE)


class Compiling(HostWorld):
    def test_a_program_runs_names_its_output_whole_and_refers_to_the_runtime_output_only(self) -> None:
        if shutil.which("gcc") is None:
            self.skipTest("there is no gcc")
        compiler = derivation("cc", "host_tools", env={"tools": "gcc"}, outputs=("out", "rt"))
        shells = tools("sh cat")
        path = f"{ref(compiler)}/bin:{ref(shells)}/bin"
        program = derivation("hello", ref(shells) + "/bin/sh", ["-ec", SCRIPT], env={"PATH": path})
        report = self.built(program, among=[compiler, shells], check=True)
        self.assertEqual(list(report.checked), [program.id])
        top = self.output(report, program)
        runtime = report.names[OutputRef(compiler.id, "rt")]
        self.assertEqual(self.references(report, program), {runtime, os.path.basename(top)})
        self.assertEqual(self.file(report, program, "said"), f"{top}/share/a/file 1.414 hello.c\n")
        ran = subprocess.run([top + "/hello"], capture_output=True, text=True, env={})
        self.assertEqual(ran.stdout, f"{top}/share/a/file 1.414 hello.c\n")
        with open(top + "/hello", "rb") as file:
            data = file.read()
        self.assertNotIn(b"/usr/include", data.replace(b"/toolchain/usr/include", b""))
        elf = read_elf(data)
        self.assertEqual(elf.search, (self.store.object_path(runtime) + "/lib",))
        self.assertTrue(elf.interpreter is not None and elf.interpreter.startswith(elf.search[0]))
        size = sum(
            os.lstat(os.path.join(directory, name)).st_size
            for directory, _, names in os.walk(self.store.object_path(runtime))
            for name in names
        )
        self.assertLess(size, 15 << 20)

    def test_a_runtime_output_without_a_compiler_is_refused(self) -> None:
        given = derivation("sh", "host_tools", env={"tools": "sh"}, outputs=("out", "rt"))
        self.failure(given, "derivation.outputs")

    def references(self, report: object, of: Derivation) -> set[str]:
        name = report.names[OutputRef(of.id, "out")]  # type: ignore[attr-defined]
        return set(self.store.references(name)) | {name}
