"""files() in programs, errors with their call stacks, documentation, and the cache of compiled modules."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bramble.errors import BrambleError
from bramble.lang.docs import module_docs
from bramble.lang.loader import compile_module
from bramble.project.modules import ModuleFile
from bramble.project.project import find_project
from bramble.starlark import Program
from bramble.starlark.kept import Kept
from tests.lang.worlds import NAME, World, failure


def args(world: World, target: str = "./:f") -> list[str]:
    return [str(arg) for arg in world.derivation(target).args]


def test_files_is_a_new_list_each_time(tmp_path):
    world = World(
        tmp_path,
        default="""
def f():
    x = files(["*.c"])
    x.append("mine")
    return derivation("n", "t", x + files(["*.c"]))
""",
    )
    world.write("b.c")
    world.write("a.c")
    assert args(world) == ["a.c", "b.c", "mine", "a.c", "b.c"]


def test_files_looks_where_the_function_is_written_that_calls_it(tmp_path):
    world = World(tmp_path)
    for file in ("lib/l.c", "app/a.c"):
        world.write(file)
    world.write(
        "lib/default.bramble", "def here(pattern):\n    return files([pattern])\nall = files(['*.c'])\n"
    )
    world.write(
        "app/default.bramble",
        f'load("{NAME}/lib")\n'
        'def f():\n    return derivation("n", "t", lib.here("*.c") + files(["*.c"]) + lib.all)\n',
    )
    assert args(world, "./app:f") == ["lib/l.c", "app/a.c", "lib/l.c"]


def test_files_takes_its_arguments_by_name_and_by_place(tmp_path):
    world = World(
        tmp_path,
        default="""
def f():
    a = files(("*.c",), ["b.c"], True, True)
    b = files(include=["*"], exclude=("*.c", "*.*"), exclude_directories=False, allow_empty=False)
    return derivation("n", "t", a + ["|"] + b)
""",
    )
    for file in ("a.c", "b.c", "dir/x"):
        world.write(file)
    assert args(world) == ["a.c", "|", "dir"]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ('files(["../x"])', "load.source-outside"),
        ('files(["/etc/hosts"])', "load.source-outside"),
        ('files(["missing"])', "load.source-missing"),
        ('files(["*.rs"], allow_empty=False)', "load.source-none"),
        ('files([""])', "load.source-pattern"),
    ],
)
def test_what_files_refuses_has_the_place_of_the_call(tmp_path, call, code):
    error = World(tmp_path, default=f"def f():\n    return {call}\n").error("./:f")
    assert (error.code, str(error.place)) == (code, "default.bramble:2:17")
    assert error.remedy and error.detail.endswith("^")


def test_an_error_carries_the_call_stack_in_the_form_of_the_manual(tmp_path):
    world = World(tmp_path, lib="def deep(x):\n    return derivation(x, 't')\n")
    world.write("default.bramble", f'load("{NAME}/lib")\ndef f():\n    return lib.deep("")\n')
    error = world.error("./:f")
    assert error.detail == (
        "Traceback (most recent call last):\n"
        "  default.bramble:3:20: in f\n"
        "  lib.bramble:2:22: in deep\n"
        "      return derivation(x, 't')\n"
        "                       ^"
    )
    assert error.message == "the name is empty"


def test_an_assertion_fails_as_in_the_manual(tmp_path):
    world = World(tmp_path, default='def f():\n    assert.contains("hihihi", "how")\n')
    error = world.error("./:f")
    assert error.code == "eval.assert" and "how" in error.message
    assert str(error.place) == "default.bramble:2:20"


def test_a_program_can_expect_a_derivation_to_be_refused(tmp_path):
    world = World(
        tmp_path, default='def f():\n    assert.fails(lambda: derivation("", "t"), "name is empty")\n'
    )
    assert world.evaluate("./:f").results[0].roots == ()


def test_a_syntax_error_shows_its_line(tmp_path):
    error = World(tmp_path, default="x = 1\ndef f(:\n    pass\n").error("./:f")
    assert error.code == "syntax.unexpected" and "def f(:" in error.detail


def test_all_undefined_names_are_told_at_once(tmp_path):
    error = World(tmp_path, default="def f():\n    return derivtion(one)\n").error("./:f")
    assert [(e.code, str(e.place)) for e in (error, *error.others)] == [
        ("resolve.undefined", "default.bramble:2:12"),
        ("resolve.undefined", "default.bramble:2:22"),
    ]
    assert "derivation" in error.message


def test_deep_calls_are_an_error_of_the_program(tmp_path):
    # A tower of different functions: recursion is refused, depth is not.
    text = "".join(f"def g{n}():\n    return g{n + 1}()\n" for n in range(3000))
    world = World(tmp_path, default=text + "def g3000():\n    return None\ndef f():\n    return g0()\n")
    try:
        world.evaluate("./:f")
    except BrambleError as error:
        assert error.code == "eval.limit"


def test_a_fault_of_a_built_in_is_not_the_programs(tmp_path, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("bramble.lang.builtins.find_files", broken)
    with pytest.raises(ZeroDivisionError):
        World(tmp_path, default="def f():\n    return files([])\n").evaluate("./:f")


def test_an_interrupt_is_passed_on(tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bramble.lang.builtins.find_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        World(tmp_path, default="def f():\n    return files([])\n").evaluate("./:f")


def test_a_program_cannot_reach_python(tmp_path):
    for expression in ("derivation('n', 't').derivation", "derivation('n', 't').__class__", "sys.__dict__"):
        assert failure(World(tmp_path, default=f"def f():\n    return {expression}\n"))[0] in (
            "derivation.unknown-output",
            "eval.attribute",
        )


def test_evaluation_writes_nothing_and_opens_only_files_of_the_project(tmp_path):
    world = World(tmp_path, default="def f():\n    return derivation('n', 't', sources=files(['*']))\n")
    before = sorted(os.listdir(tmp_path))
    opened: list[str] = []
    watching = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching[0] and event in (
            "open",
            "os.mkdir",
            "os.rename",
            "os.remove",
            "socket.connect",
            "os.exec",
        ):
            opened.append(f"{event} {arguments[0]}")

    sys.addaudithook(hook)
    world.evaluate("./:f")
    watching[0] = False
    own = [entry for entry in opened if not entry.endswith((".py", ".pyc")) and "/lib/python" not in entry]
    # Each by its name in the directory of the project, which is opened first.
    assert own == [f"open {name}" for name in (tmp_path, "bramble.toml", tmp_path, "default.bramble")]
    assert sorted(os.listdir(tmp_path)) == before


# --- documentation


def test_documentation_is_read_without_running_anything(tmp_path):
    world = World(
        tmp_path,
        default='"""\nThe top.\n\n    indented\n"""\nfail("never")\n'
        'def b(x, *, y=1):\n    """\n    Two\n      lines.\n    """\n'
        "def a():\n    pass\ndef _c():\n    pass\n",
    )
    for module in ("x", "lib/default", "lib/more", "lib/deeper/default", "empty/more", ".hidden/default"):
        world.write(f"{module}.bramble", "def f():\n    pass\n")
    docs, errors = module_docs(find_project(str(tmp_path)), str(tmp_path))
    assert errors == []
    assert [module.name for module in docs] == [NAME, f"{NAME}/x", f"{NAME}/lib"]
    top = docs[0]
    assert top.docstring == "The top.\n\n    indented" and top.file == "default.bramble"
    assert [(f.name, f.parameters, f.docstring, str(f.place)) for f in top.functions] == [
        ("b", "x, *, y=1", "Two\n  lines.", "default.bramble:7:1"),
        ("a", "", "", "default.bramble:12:1"),
    ]


def test_documentation_of_a_directory_below(tmp_path):
    world = World(tmp_path, default="")
    world.write("lib/more.bramble", "")
    docs, _ = module_docs(find_project(str(tmp_path)), str(tmp_path / "lib"))
    assert [module.name for module in docs] == [f"{NAME}/lib/more"]


def test_documentation_of_a_broken_file_is_its_error_and_hides_no_other(tmp_path):
    World(tmp_path, default="x = (\n").write("lib/default.bramble", "")
    docs, errors = module_docs(find_project(str(tmp_path)), str(tmp_path))
    assert [module.name for module in docs] == [f"{NAME}/lib"]
    assert [error.code for error in errors] == ["syntax.unexpected"]
    with pytest.raises(BrambleError) as caught:
        module_docs(find_project(str(tmp_path)), str(tmp_path.parent))
    assert caught.value.code == "load.outside"


# --- the cache


def module_at(root: Path, text: str) -> ModuleFile:
    (root / "default.bramble").write_text(text)
    return ModuleFile(NAME, NAME, str(root), "default.bramble")


def test_a_compiled_module_is_found_again_by_its_content(tmp_path, monkeypatch):
    cache, cached = Kept(str(tmp_path), ("cache",)), tmp_path / "cache"
    first = module_at(tmp_path, "def f():\n    return 1\n")
    compile_module(first, "default.bramble", cache)
    assert len(os.listdir(cached)) == 1
    seen: list[int] = []
    original = Program.from_bytes
    monkeypatch.setattr(Program, "from_bytes", lambda data: seen.append(1) or original(data))
    compile_module(first, "default.bramble", cache)
    assert seen == [1]
    compile_module(module_at(tmp_path, "def f():\n    return 2\n"), "default.bramble", cache)
    assert seen == [1] and len(os.listdir(cached)) == 2
    # The same text under another name has other places in its errors.
    compile_module(first, "other/default.bramble", cache)
    assert len(os.listdir(cached)) == 3


def test_a_cache_changes_nothing_but_the_time(tmp_path):
    world = World(
        tmp_path / "p", default="def f():\n    return derivation('n', 't')\ndef g():\n    fail('x')\n"
    )
    cache = Kept(str(tmp_path), ("cache",))
    plain = world.derivation()
    assert world.derivation(cache=cache) == plain == world.derivation(cache=cache)
    before, after = world.error("./:g"), world.error("./:g", cache=cache)
    assert (before.detail, before.place) == (after.detail, after.place)


def test_a_damaged_entry_is_not_used(tmp_path):
    cache = tmp_path / "cache"
    module = module_at(tmp_path, "x = 1\n")
    kept = Kept(str(tmp_path), ("cache",))
    compile_module(module, "default.bramble", kept)
    (entry,) = cache.iterdir()
    good = entry.read_bytes()
    for bad in (b"", good[:-1], good[:40], good[:-1] + bytes([good[-1] ^ 1]), b"\x00" * len(good)):
        entry.write_bytes(bad)
        assert compile_module(module, "default.bramble", kept).globals == ("x",)
        assert entry.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_only_slower(tmp_path):
    (tmp_path / "cache").write_text("a file")
    module = module_at(tmp_path, "x = 1\n")
    assert compile_module(module, "default.bramble", Kept(str(tmp_path), ("cache",))).globals == ("x",)


def _other_owner(path: Path) -> None:
    os.chown(path, 12345, 12345)


OPEN_TO_OTHERS = {
    "the directory is writable for the group": lambda cache, entry: cache.chmod(0o770),
    "the directory is writable for all": lambda cache, entry: cache.chmod(0o707),
    "the file is writable for the group": lambda cache, entry: entry.chmod(0o620),
    "the file is writable for all": lambda cache, entry: entry.chmod(0o602),
    "the file is a link": lambda cache, entry: (
        entry.rename(cache.parent / "elsewhere"),
        entry.symlink_to(cache.parent / "elsewhere"),
    ),
    "the directory is a link": lambda cache, entry: (
        cache.rename(cache.parent / "elsewhere"),
        cache.symlink_to(cache.parent / "elsewhere"),
    ),
    "the file is a FIFO": lambda cache, entry: (entry.unlink(), os.mkfifo(entry)),
    "the file is another user's": lambda cache, entry: _other_owner(entry),
    "the directory is another user's": lambda cache, entry: _other_owner(cache),
    "the root is another user's": lambda cache, entry: _other_owner(cache.parent),
}


@pytest.mark.parametrize("how", list(OPEN_TO_OTHERS))
def test_code_that_others_could_have_written_is_not_run(tmp_path, monkeypatch, how):
    # spec: dialect.cache
    if "user's" in how and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    root = tmp_path / "root"
    root.mkdir()
    module, kept = module_at(tmp_path, "x = 1\n"), Kept(str(root), ("cache",))
    compile_module(module, "default.bramble", kept)
    (entry,) = (root / "cache").iterdir()
    OPEN_TO_OTHERS[how](root / "cache", entry)
    monkeypatch.setattr(Program, "from_bytes", lambda data: pytest.fail("code of others is run"))
    assert compile_module(module, "default.bramble", kept).globals == ("x",)


def test_the_cache_is_the_users_alone_whatever_the_umask(tmp_path):
    module = module_at(tmp_path, "x = 1\n")
    for mask in (0o000, 0o002, 0o077, 0o377):
        before = os.umask(mask)
        try:
            compile_module(module, "default.bramble", Kept(str(tmp_path), (f"c{mask}",)))
        finally:
            os.umask(before)
        directory = tmp_path / f"c{mask}"
        if mask != 0o377:
            assert [path.stat().st_mode & 0o777 for path in directory.iterdir()] == [0o600]
        assert not directory.stat().st_mode & 0o077


def test_root_makes_no_directories_in_the_home_of_another_user(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root could")
    home = tmp_path / "home"
    home.mkdir()
    _other_owner(home)
    module = module_at(tmp_path, "x = 1\n")
    compile_module(module, "default.bramble", Kept(str(home / ".cache"), ("bramble", "modules")))
    assert not any(home.iterdir())


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("std.script('a', 'b', dep=[])", "did you mean deps?"),
        ("std.path() + std.write('a', 'b')", 'write d.out + "/bin/x", or "{}/bin/x".format(d)'),
        ("std.write('a', 'b') + '/bin'", 'write d.out + "/bin/x", or "{}/bin/x".format(d)'),
        ("short(zzzzzz=1)", "it has the parameters one, two"),
        ("[] + 1", None),
    ],
)
def test_an_error_of_the_language_says_what_to_do_where_the_author_can_do_it(tmp_path, line, remedy):
    text = f'load("std")\ndef short(one=1, *, two=2):\n    pass\ndef f():\n    return {line}\n'
    error = World(tmp_path, default=text).error("./:f")
    assert error.remedy == remedy
    assert (error.place.file, error.place.line) == ("default.bramble", 2 if "short" in line else 5)


@pytest.mark.parametrize(("name", "module"), [("std", "std"), ("c", "std/c"), ("python", "std/python")])
def test_a_module_of_the_library_that_is_not_loaded_is_named(tmp_path, name, module):
    error = World(tmp_path, default=f"def f():\n    return {name}.x()\n").error("./:f")
    assert error.code == "resolve.undefined" and f'load("{module}")' in error.remedy


def test_an_fstring_is_called_one(tmp_path):
    for number, text in enumerate(('f"{x}"', 'g(f"{x}")', 'rf"x"')):
        error = World(tmp_path / str(number), default=f"def f():\n    return {text}\n").error("./:f")
        assert error.code == "syntax.unexpected" and "there are no f-strings" in error.remedy
    error = World(tmp_path / "other", default='def f():\n    return x"y"\n').error("./:f")
    assert "f-string" not in error.message


def test_a_file_that_is_missing_is_looked_for_among_those_beside_it(tmp_path):
    # spec: project.files.named
    world = World(tmp_path, default='def f():\n    return files(["src/mian.c"])\n')
    (tmp_path / "src").mkdir()
    assert "did you mean" not in world.error("./:f").remedy
    (tmp_path / "src/main.c").write_text("")
    assert world.error("./:f").remedy.startswith('did you mean "src/main.c"? ')


def test_an_end_in_a_bracket_says_that_it_is_not_closed(tmp_path):
    # spec: starlark.error.instead
    assert World(tmp_path, default="x = [1,\n").error("./:f").remedy == "a bracket further up is not closed"
