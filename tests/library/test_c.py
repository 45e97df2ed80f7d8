"""std/c: programs and libraries in C and C++, built, run, and run again after the store has moved."""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path

import pytest

from tests.cli.world import World

# What a build function makes is up to the tools of this machine; who builds, and with which Python, is what
# the tests of the sandbox, of builds and of commands are about.
pytestmark = pytest.mark.once

FILES = {
    "default.bramble": """
load("std/c")

def greet():
    return c.library(
        "greet",
        files(["lib/*.c"]),
        headers=files(["lib/include/**"]),
        flags=['-DWHO="a $NAME \\\\"b\\\\""'],
        env={"NAME": "variable"},
    )

def host():
    return c.library("host", files(["host/host.c"]), deps=[greet()], libs=["greet"])

def app():
    return c.program("app", files(["src/**"]), deps=[greet()], libs=["greet", "m"], flags=["-DN=3"])

def guest():
    return c.program("guest", files(["host/main.c"]), deps=[host()], libs=["host"])

def configured():
    return c.autotools("configured", files(["tree/**"]), configure=["--with=a $out b"],
        deps=[host()], directory="tree", tests=True)

def otherwise():
    return c.autotools("otherwise", files(["tree/**"]), script="Setup", install=["install", "more", "flags"],
        directory="tree", env={"install": "mine", "mode": "mine", "path": "mine"},
        before="echo first > first",
        after="cp first $out/last; echo $out > $out/own.pyc; echo 1 > $out/else.pyc")

def tied():
    return c.autotools("tied", files(["tree/**"]), script="Setup", install=["tied"], directory="tree")

def ordered():
    return c.make("ordered", files(["order/Makefile"]), targets=["first", "second"], install=[],
        directory="order", after="cp second $out")

def unconfigured():
    return c.autotools("unconfigured", files(["tree/configure.ac"]), directory="tree")

def empty():
    return c.program("empty", files(["lib/include/**"]))
""",
    "lib/greet.c": "#include <greet/greet.h>\nconst char *greet(void) { return WHO; }\n",
    "lib/include/greet/greet.h": '#ifdef __cplusplus\nextern "C"\n#endif\nconst char *greet(void);\n',
    "host/host.c": "const char *greet(void);\nconst char *host(void) { return greet(); }\n",
    "host/main.c": "int puts(const char *);\nconst char *host(void);\nint main(void) { puts(host()); }\n",
    "src/main.cc": """
#include <cmath>
#include <cstdio>
#include <greet/greet.h>
int deep();
int main() {
    try { throw N; }
    catch (int n) { std::printf("%s|%d|%d|%.0f\\n", greet(), n, deep(), std::sqrt(n * 27.0)); }
}
""",
    "src/deep/deep.cpp": "int deep() { return 7; }\n",
    "tree/configure": """#!/bin/sh
printf '%s\\n' "$@" > words
prefix=${1#--prefix=}
printf 'prefix=%s\\nall:\\n\\t$(CC) -shared -fPIC -o libown.so own.c\\n' "$prefix" > Makefile
printf '\\t$(CC) $(CFLAGS) -o tool tool.c $(LDFLAGS) -L. -lown\\n' >> Makefile
printf 'check:\\n\\tLD_LIBRARY_PATH=. ./tool > checked\\n' >> Makefile
printf 'install:\\n\\tmkdir -p $(prefix)/bin $(prefix)/lib\\n\\tcp libown.so $(prefix)/lib\\n' >> Makefile
printf '\\tcp tool script $(prefix)/bin\\n' >> Makefile
printf '\\tcp words checked generated $(prefix)\\n' >> Makefile
printf 'generated: source\\n\\texit 1\\nall: generated\\n' >> Makefile
""",
    "tree/Setup": """#!/bin/sh
prefix=${1#--prefix=}
printf 'all:\ninstall more:\n\techo $@ >> %s/made\n' "$prefix" > Makefile
printf 'flags:\n\techo "$(CFLAGS)" > %s/flags && chmod +x %s/flags\n' "$prefix" "$prefix" >> Makefile
printf '\tenv | grep -v / > %s/environ; mkdir %s/bin\n' "$prefix" "$prefix" >> Makefile
printf '\tcp archive joined zipped %s/bin\n' "$prefix" >> Makefile
printf 'tied:\n\tpwd > %s/tied && chmod +x %s/tied\n' "$prefix" "$prefix" >> Makefile
""",
    "order/Makefile": "first:\n\tsleep 0.5\n\techo made > first\nsecond:\n\tcp first second\n",
    "tree/configure.ac": "",
    "tree/generated": "older than its source\n",
    "tree/source": "",
    "tree/archive": "#!/usr/bin/env sh\necho from an archive\nexit\n\0 found by its place",
    "tree/script": "#!/usr/bin/env sh\necho from a script\n",
    "tree/own.c": '#include <locale.h>\nconst char *own(void) { return setlocale(LC_ALL, ""); }\n',
    "tree/tool.c": """#include <stdio.h>
const char *own(void);
int main(void) { const char *found = own(); printf("%s %s\\n", __FILE__, found ? found : "none"); }
""",
}


def zip_behind(script: bytes) -> bytes:
    """Return a zip of 300 files behind the script, whose offsets count from the beginning of the script."""
    file = io.BytesIO()
    file.write(script)
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(300):
            archive.writestr(str(number), str(number))
    return file.getvalue()


def behind_line(path: Path) -> bytes:
    line, _, rest = path.read_bytes().partition(b"\n")
    assert line.startswith(b"#!") and line.endswith(b"/bin/sh") and len(line) > 80
    return rest


def build(world: World, *targets: str) -> list[Path]:
    done = world.run("build", "--json", *targets)
    assert done.status == 0, done.err
    return [Path(result["outputs"]["out"]["path"]) for result in done.json["results"]]


def test_a_library_a_program_and_a_configured_tree(project: World) -> None:
    for name, text in FILES.items():
        path = project.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("tree/configure", "tree/Setup", "tree/script"):
        os.chmod(project.project / name, 0o755)
    zipped = zip_behind(b"#!/usr/bin/env sh\necho from a zip\nexit\n")
    joined = b"#!/usr/bin/env sh\nexit\n" + zip_behind(b"")
    for name, body in {"archive": FILES["tree/archive"].encode(), "joined": joined, "zipped": zipped}.items():
        (project.project / "tree" / name).write_bytes(body)
        (project.project / "tree" / name).chmod(0o755)
    # As in an unpacked archive, the file that others are generated from looks newer.
    os.utime(project.project / "tree/generated", (1, 1))
    app, configured, otherwise, ordered = build(
        project, "./:app", "./:configured", "./:otherwise", "./:ordered"
    )
    said = 'a variable "b"|3|7|9\n'
    assert project.run("run", "./:app", "app").out == said
    assert project.run("run", "./:guest", "guest").out == 'a variable "b"\n'
    assert (configured / "words").read_text().splitlines()[1] == f"--with=a {os.path.realpath(configured)} b"
    assert (configured / "checked").read_text() == "tool.c C\n"
    assert (ordered / "second").read_text() == "made\n"
    assert (otherwise / "made").read_text() == "install\nmore\n"
    assert (otherwise / "last").read_text() == "first\n"
    assert (otherwise / "else.pyc").exists() and not (otherwise / "own.pyc").exists()
    assert "-O2 -ffile-prefix-map=" in (otherwise / "flags").read_text()
    # A variable of the library is none of a makefile's, nor is the user's another's.
    variables = dict(line.split("=", 1) for line in (otherwise / "environ").read_text().splitlines())
    lower = {name: value for name, value in variables.items() if name[0].islower() and value != "mine"}
    assert lower == {}
    assert [variables[name] for name in ("install", "mode", "path")] == ["mine"] * 3
    assert (otherwise / "bin/archive").read_text() == FILES["tree/archive"]
    assert behind_line(otherwise / "bin/joined") == joined.partition(b"\n")[2]
    moved_zip = (otherwise / "bin/zipped").read_bytes()
    assert len(moved_zip) > len(zipped) + 32
    entries = [match.start() for match in re.finditer(b"PK\1\2", moved_zip)]
    places = [int.from_bytes(moved_zip[at + 42 : at + 46], "little") for at in entries]
    assert places == [match.start() for match in re.finditer(b"PK\3\4", moved_zip)] and len(places) == 300
    assert int.from_bytes(moved_zip[-6:-2], "little") == entries[0]
    with zipfile.ZipFile(io.BytesIO(moved_zip)) as opened:
        assert opened.testzip() is None and opened.read("299") == b"299"
    refused = project.run("build", "./:tied")
    assert refused.codes == ["build.failed"] and "still refer to the build directory" in refused.err
    refused = project.run("build", "./:unconfigured")
    assert refused.codes == ["build.failed"] and "autoreconf=True makes it" in refused.err
    assert project.run("run", "./:otherwise", "zipped").out == "from a zip\n"
    script = (configured / "bin/script").read_text()
    assert script.startswith(f"#!{os.path.realpath(project.store / 'store')}/")
    closure = project.run("store", "closure", "--json", app.name).json["objects"]
    sizes = project.run("store", "closure", "--json", "--size", app.name)
    assert len(closure) == 3, f"the program, its library and the runtime, but not the compiler: {sizes.out}"
    assert project.run("build", "./:empty").codes == ["eval.fail"]

    moved = project.base / "m"
    os.rename(project.store, moved)
    try:
        assert project.run("store", "relocate", BRAMBLE_PATH=str(moved)).status == 0
        assert project.run("run", "./:app", "app", BRAMBLE_PATH=str(moved)).out == said
        assert project.run("run", "./:configured", "script", BRAMBLE_PATH=str(moved)).out == "from a script\n"
        assert project.run("run", "./:configured", "tool", BRAMBLE_PATH=str(moved)).out == "tool.c C\n"
    finally:
        os.rename(moved, project.store)
        project.run("store", "relocate")


def test_a_result_that_needs_the_compiler_is_refused_unless_that_is_allowed(project: World) -> None:
    (project.project / "main.c").write_text("int main(void) { return 0; }\n")
    project.write(
        default="""
load("std/c")

def app(keep_compiler=False):
    link = ["-Wl,-rpath,%s/lib" % c.toolchain()]
    return c.program("app", files(["main.c"]), link=link, keep_compiler=keep_compiler)

def kept():
    return app(keep_compiler=True)

def debug():
    return c.program("app", files(["main.c"]), flags=["-g"], strip=False)

def stripped():
    return c.program("app", files(["main.c"]), flags=["-g"])
"""
    )
    assert project.run("build", "./:app").codes == ["build.reference-refused"]
    assert project.run("build", "./:kept").status == 0
    debug, stripped = build(project, "./:debug", "./:stripped")
    assert b".debug_info" in (debug / "bin/app").read_bytes()
    assert b".debug_info" not in (stripped / "bin/app").read_bytes()


def test_what_is_missing_is_named_with_where_it_could_come_from(project: World) -> None:
    (project.project / "lib.c").write_text("int one(void) { return 1; }\n")
    (project.project / "main.c").write_text("int one(void); int main(void) { return one(); }\n")
    (project.project / "lost.c").write_text('#include <zlib.h>\n#include <stdio.h>\n#include "own.h"\n')
    (project.project / "own.h").write_text("")
    project.write(
        default="""
load("std/c")

def app(libs, sources=["main.c"]):
    deps = [c.library("one", files(["lib.c"]))]
    return c.program("app", files(sources), deps=deps, libs=libs)

def unnamed():
    return app(["m"])

def wrong():
    return app(["onne"])

def lost():
    return app([], ["lost.c"])
"""
    )
    unnamed = project.run("build", "./:unnamed").err
    assert "deps=[…] have the library one, which libs=[…] does not name" in unnamed
    assert "no derivation of deps" not in unnamed  # libm is the C library's
    wrong = project.run("build", "./:wrong").err
    assert "no derivation of deps=[…] has a library onne; they have one" in wrong
    lost = project.run("build", "./:lost").err
    assert "lost.c includes zlib.h, which is not found" in lost and "includes stdio.h" not in lost
    assert "the project has own.h, but not among the sources" in lost
