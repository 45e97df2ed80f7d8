"""load(), and modules as values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lang.worlds import NAME, World, failure, one_package

LIB = """
\"\"\"A library.\"\"\"
shared = []
_secret = "s"
def greet(who="you"):
    return _secret + who
"""


def args(world: World, target: str = "./:f") -> list[str]:
    return [str(arg) for arg in world.derivation(target).args]


def returning(*expressions: str) -> str:
    return f"def f():\n    return derivation('n', 't', [{', '.join(f'str({e})' for e in expressions)}])\n"


def test_a_module_is_bound_under_its_last_name(tmp_path):
    world = World(tmp_path, default=f'load("{NAME}/lib")\n' + returning("lib", "dir(lib)", "lib.greet()"))
    world.write("lib.bramble", LIB)
    assert args(world) == [f'<module "{NAME}/lib">', '["greet", "shared"]', "syou"]


def test_a_module_is_bound_under_a_name_of_ones_own(tmp_path):
    world = World(tmp_path, default=f'load(l = "{NAME}/lib")\n' + returning("l", "type(l)"))
    world.write("lib/default.bramble", LIB)
    assert args(world) == [f'<module "{NAME}/lib">', "module"]


def test_names_are_loaded_alone(tmp_path):
    world = World(
        tmp_path, default=f'load("{NAME}/lib", "greet", s = "shared")\n' + returning("greet(1 and 'me')", "s")
    )
    world.write("lib.bramble", LIB)
    assert args(world) == ["sme", "[]"]


def test_the_root_of_a_project_is_loaded_by_its_name(tmp_path):
    world = World(tmp_path, default="x = 1\n", other=f'load(root = "{NAME}")\n' + returning("root.x"))
    assert args(world, "./other:f") == ["1"]


def test_what_a_module_has_loaded_is_not_its_own(tmp_path):
    world = World(tmp_path, a="x = 1\n", b=f'load("{NAME}/a")\nload("{NAME}/a", "x")\ny = x\n')
    world.write("default.bramble", f'load("{NAME}/b")\n' + returning("dir(b)"))
    assert args(world) == ['["y"]']


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        (f'load("{NAME}/lib")\ndef f():\n    return lib._secret\n', "eval.attribute", "default.bramble:3:15"),
        (f'load("{NAME}/lib")\ndef f():\n    return lib.gret\n', "eval.attribute", "default.bramble:3:15"),
        (f'load("{NAME}/lib", "_secret")\n', "syntax.load", "default.bramble:1:28"),
        (f'x = 1\nload("{NAME}/lib", "gret")\n', "eval.load", "default.bramble:2:5"),
        (f'load("{NAME}/lib")\ndef f():\n    lib.shared.append(1)\n', "eval.frozen", "default.bramble:3:22"),
        ('load("./lib")\n', "load.relative", "default.bramble:1:6"),
        ('load("../lib")\n', "load.relative", "default.bramble:1:6"),
        ('load("/lib")\n', "load.relative", "default.bramble:1:6"),
        (f'load("{NAME}//lib")\n', "load.relative", "default.bramble:1:6"),
        (f'load("{NAME}/a/../lib")\n', "load.relative", "default.bramble:1:6"),
        (f'x = 1\nload("{NAME}/lob")\n', "load.unknown-module", "default.bramble:2:6"),
        (f'load(l="{NAME}/lib/default")\n', "load.unknown-module", "default.bramble:1:8"),
        ('load("elsewhere.test/lib")\n', "load.unknown-package", "default.bramble:1:6"),
        (f'load("{NAME}2/lib")\n', "load.unknown-package", "default.bramble:1:6"),
        (f'load("{NAME}/two-words")\n', "syntax.load", "default.bramble:1:6"),
        ('load("")\n', "syntax.load", "default.bramble:1:6"),
        (f'def f():\n    load("{NAME}/lib")\n', "resolve.misplaced", "default.bramble:2:5"),
    ],
)
def test_a_load_that_cannot_be_is_refused_at_its_place(tmp_path, text, code, place):
    world = World(tmp_path, default=text, lib=LIB)
    world.write("two-words.bramble", "")
    found_code, found_place = failure(world)
    assert found_code == code
    assert found_place is not None and found_place.split(":")[:2] == place.split(":")[:2]
    if code.startswith("load."):
        assert found_place == place


def test_a_relative_name_is_answered_with_the_full_one(tmp_path):
    world = World(tmp_path)
    world.write("deep/x.bramble", 'load("../lib")\n')
    assert f'"{NAME}/lib"' in (world.error("./deep/x:f").remedy or "")
    world.write("deep/x.bramble", 'load("./y")\n')
    assert f'"{NAME}/deep/y"' in (world.error("./deep/x:f").remedy or "")


def test_a_missing_module_is_answered_with_the_nearest_each_time(tmp_path):
    world = World(tmp_path, default=f'load("{NAME}/libary")\n', library="")
    for _ in range(2):
        error = world.error("./:f")
        assert error.code == "load.unknown-module" and f"{NAME}/library" in (error.remedy or "")


def test_a_cycle_is_printed_from_its_beginning_to_its_end(tmp_path):
    world = World(
        tmp_path,
        default=f'load("{NAME}/a")\n',
        a=f'load("{NAME}/b")\n',
        b=f'x = 1\nload("{NAME}/c")\n',
        c=f'\n\nload("{NAME}/a", "x")\n',
    )
    error = world.error("./:f")
    assert error.code == "load.cycle" and str(error.place) == "c.bramble:3:6"
    assert error.message.endswith(f"{NAME}/a → {NAME}/b → {NAME}/c → {NAME}/a")


def test_a_file_that_loads_itself_is_a_cycle(tmp_path):
    assert failure(World(tmp_path, a=f'load("{NAME}/a")\n'), "./a:f") == ("load.cycle", "a.bramble:1:6")


def test_two_ways_to_one_module_are_no_cycle(tmp_path):
    world = World(
        tmp_path,
        a=f'load("{NAME}/c")\nx = c.x\n',
        b=f'load("{NAME}/c")\nx = c.x\n',
        c='print("once")\nx = []\n',
        default=f'load("{NAME}/a")\nload("{NAME}/b")\n' + returning("a.x == b.x"),
    )
    assert args(world) == ["True"]
    assert world.printed == ["once"]


def test_a_module_is_executed_once_for_all_targets(tmp_path):
    world = World(
        tmp_path, lib='print("once")\n', default=f'print("twice?")\nload("{NAME}/lib")\n' + returning("1")
    )
    world.write("other.bramble", f'load("{NAME}/lib")\nload(root="{NAME}")\ndef g():\n    return root.f()\n')
    world.evaluate("./:f", "./other:g", "./...")
    assert world.printed == ["once", "twice?"]


def test_modules_run_before_the_file_that_loads_them_in_its_order(tmp_path):
    world = World(
        tmp_path,
        a='print("a")\n',
        b=f'load("{NAME}/c")\nprint("b")\n',
        c='print("c")\n',
        default=f'print("first line")\nload("{NAME}/b")\nload("{NAME}/a")\n' + returning("1"),
    )
    world.evaluate()
    assert world.printed == ["c", "b", "a", "first line"]


def test_an_error_in_a_loaded_module_stays_where_it_is(tmp_path):
    world = World(tmp_path, default=f'load("{NAME}/lib")\n', lib="x = 1\ny = 1 // 0\n")
    assert failure(world) == ("eval.division", "lib.bramble:2:7")
    world.write("lib.bramble", "x = 1\ny = (\n")
    assert failure(world)[0] == "syntax.unexpected"
    world.write("lib.bramble", "x = one\ny = two\n")
    error = world.error("./:f")
    assert [str(e.place) for e in (error, *error.others)] == ["lib.bramble:1:5", "lib.bramble:2:5"]


def test_an_error_in_a_package_names_the_package(tmp_path):
    world = World(tmp_path / "p", default='load("other.test/lib")\n')
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/default.bramble").write_text("x = 1 // 0\n")
    error = world.error("./:f", packages=one_package("other.test/lib", str(tmp_path / "lib")))
    assert str(error.place) == "other.test/lib/default.bramble:1:7"


def test_a_package_cannot_load_what_it_does_not_know(tmp_path):
    world = World(tmp_path / "p", default='load("other.test/lib/x")\n')
    (tmp_path / "lib").mkdir()
    error = world.error("./:f", packages=one_package("other.test/lib", str(tmp_path / "lib")))
    assert (error.code, str(error.place)) == ("load.unknown-module", "default.bramble:1:6")


def test_a_chain_of_a_thousand_modules_needs_no_deep_stack(tmp_path):
    world = World(tmp_path)
    for number in range(1000):
        world.write(
            f"m{number}.bramble", f'load("{NAME}/m{number + 1}", "x")\ny = x\nx2 = x\n'.replace("x2", "z")
        )
    # Names that are loaded are not passed on, so each module defines x again under another way.
    for number in range(1000):
        world.write(f"m{number}.bramble", f'load("{NAME}/m{number + 1}", v = "x")\nx = v + 1\n')
    world.write("m1000.bramble", "x = 0\n")
    world.write("default.bramble", f'load("{NAME}/m0", "x")\n' + returning("x"))
    assert args(world) == ["1000"]


def test_a_module_that_cannot_be_read_is_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root can read everything")
    world = World(tmp_path, default="")
    (tmp_path / "default.bramble").chmod(0)
    assert failure(world)[0] == "load.unreadable"


def test_the_language_has_no_more_than_the_dialect_says(tmp_path):
    for text, code in (
        ("if True:\n    pass\n", "resolve.control"),
        ("for x in [1]:\n    pass\n", "resolve.control"),
        ("x = 1\nx = 2\n", "resolve.reassigned"),
        ("def f():\n    while True:\n        pass\n", "resolve.dialect"),
        ("def f():\n    return f()\n", "eval.recursion"),
        ("x = struct()\n", "resolve.undefined"),
    ):
        assert failure(World(tmp_path, default=text))[0] == code
    world = World(tmp_path, default="files = 1\nrun = lambda x: x / 2\n" + returning("files", "run(1)"))
    assert args(world) == ["1", "0.5"]


def test_a_byte_that_is_no_text_is_named_with_its_line(tmp_path: Path):
    world = World(tmp_path, default="")
    (tmp_path / "default.bramble").write_bytes(b"x = 1\ny = '\xff'\n")
    assert failure(world) == ("syntax.encoding", "default.bramble:2:6")
