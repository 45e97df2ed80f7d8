"""What `build` takes for a target, how it says what belongs to which, and what it does with errors."""

from __future__ import annotations

import pytest

from tests.cli.world import Ran, World

FILES = {
    "default": """
load("example.com/p/tools")
def one():
    return tools.script("one", "echo 1 > $out/n")
def two():
    return tools.script("two", "echo 1 > $lib/n; echo 2 > $doc/n", outputs=["lib", "doc"])
def several():
    return [one(), two()]
""",
    "lib__default": 'load("example.com/p")\ndef below():\n    return p.one()\n',
    "lib__deep__x": 'load("example.com/p")\ndef deepest():\n    return p.one()\n',
}


@pytest.fixture
def targets(tooled: World) -> World:
    tooled.write(**FILES)
    nested = tooled.project / "nested"
    nested.mkdir()
    (nested / "bramble.toml").write_text('[package]\nname = "example.com/n"\nversion = "0.1.0"\n')
    (nested / "default.bramble").write_text("this is no Starlark")
    return tooled


def labels(ran: Ran) -> list[str]:
    assert ran.status == 0, ran.err
    return [line.split()[0] for line in ran.out.splitlines()]


def test_a_single_path_stands_alone(targets: World) -> None:
    # spec: cli.build.results
    alone = targets.run("build", "./:one")
    assert alone.out.startswith(f"{targets.store}/store/") and alone.out.count("\n") == 1
    assert targets.run("build", "./lib/deep/x").out == alone.out


def test_of_several_outputs_each_has_a_label(targets: World) -> None:
    # spec: cli.build.results
    assert labels(targets.run("build", "./:two")) == ["./:two", "./:two.doc"]
    assert labels(targets.run("build", "./:several", "./:one")) == [
        *("./:several[one]", "./:several[two]", "./:several[two].doc", "./:one")
    ]
    ran = targets.run("build", "./:one", "./:two")
    assert len({line.rindex(" ") for line in ran.out.splitlines()}) == 1


@pytest.mark.parametrize(
    ("where", "words", "expected"),
    [
        ("lib", ("./x", "../:one"), "load.unknown-module"),
        ("lib", (".", "../:one"), ["./:below", "../:one"]),
        ("lib", ("./deep/...", "."), ["./deep/x:deepest", "./:below"]),
        ("lib/deep", ("../../:one", "..:below"), ["../../:one", "../:below"]),
        ("", ("./lib/...",), ["./lib:below", "./lib/deep/x:deepest"]),
        ("", ("example.com/p/lib", "example.com/p:one"), ["./lib:below", "./:one"]),
        ("lib", ("example.com/p/lib/...",), ["./:below", "./deep/x:deepest"]),
        ("", ("../",), "load.outside"),
        ("", ("./nested:f",), "load.unknown-module"),
        ("", (":one",), "load.target"),
        ("", ("./:",), "load.target"),
        ("", ("...",), "load.target"),
        ("", ("",), "load.target"),
        ("", ("/etc:f",), "load.target"),
        ("", ("./...:one",), "load.target"),
    ],
)
def test_every_form_of_a_target(
    targets: World, where: str, words: tuple[str, ...], expected: list[str] | str
) -> None:
    # spec: cli.targets, cli.build
    ran = targets.run("build", *words, cwd=targets.project / where)
    if isinstance(expected, str):
        assert (ran.status, ran.codes) == (1, [expected])
    else:
        assert labels(ran) == expected


def test_without_a_target_it_is_all_that_is_here_and_below(targets: World) -> None:
    # spec: cli.build
    every = ["./:one", "./:several[one]", "./:several[two]", "./:several[two].doc", "./:two", "./:two.doc"]
    below = ["./lib:below", "./lib/deep/x:deepest"]
    (targets.project / "tools.bramble").rename(targets.project / "tools.txt")
    text = (targets.project / "tools.txt").read_text().replace("def tools()", "def _tools()")
    (targets.project / "tools.bramble").write_text(text.replace("= tools()", "= _tools()"))
    assert labels(targets.run("build")) == [*every, *below]
    assert labels(targets.run("build", cwd=targets.project / "lib")) == ["./:below", "./deep/x:deepest"]


def test_a_path_without_its_dot_is_told(targets: World) -> None:
    (error,) = targets.run("build", "lib:below").errors
    assert error["error"] == "load.unknown-package" and error["remedy"].endswith("write ./lib:below")
    (error,) = targets.run("build", "deep/x", cwd=targets.project / "lib").errors
    assert error["remedy"].endswith("write ./deep/x")
    (error,) = targets.run("build", "neither:below").errors
    assert "./" not in error["remedy"].split(" as in ")[0]


BROKEN = {
    "good": 'load("example.com/p/tools")\ndef f():\n    return tools.script("good", "echo > $out/x")\n',
    "bad": "def wrong():\n    return 1 // 0\ndef other():\n    return [][0]\n",
    "broken": 'print("once")\nx = fail("broken")\n',
    "m1": 'load("example.com/p/broken")\n',
    "m2": 'load("example.com/p/m1")\n',
    "syntax": "def f(:\n",
    "lost": 'load("example.com/p/none")\n',
}


def test_with_keep_going_all_errors_of_evaluation_are_shown_each_once(tooled: World) -> None:
    # spec: cli.build.keep-going
    tooled.write(**BROKEN)
    ran = tooled.run("build", "-k", "--json", "./...")
    assert ran.status == 1
    assert ran.codes == [
        *("eval.index", "eval.division", "eval.fail", "load.unknown-module"),
        "syntax.unexpected",
    ]
    assert ran.err.count("once\n") == 1
    assert "good" in ran.json["built"]


def test_without_keep_going_the_first_error_of_evaluation_ends_it(tooled: World) -> None:
    # spec: cli.build.keep-going
    tooled.write(**BROKEN)
    ran = tooled.run("build", "./...")
    assert (ran.status, ran.codes, ran.out) == (1, ["eval.index"], "")
    assert not tooled.store.exists()


def test_what_meets_a_limit_is_not_passed_over(tooled: World) -> None:
    # spec: cli.build.keep-going
    tooled.write(slow="def a():\n    for i in range(100000):\n        pass\n", **BROKEN)
    ran = tooled.run("build", "-k", "--eval-steps", "1000", "./slow", "./good")
    assert (ran.status, ran.codes, ran.out) == (1, ["eval.limit"], "")


def test_with_keep_going_the_label_stays_where_a_target_is_missing(tooled: World) -> None:
    # spec: cli.build.results
    tooled.write(**BROKEN)
    ran = tooled.run("build", "-k", "./good:f", "./good:none")
    assert (ran.status, ran.codes) == (1, ["load.unknown-function"])
    assert ran.out.startswith("./good:f  /")
    ran = tooled.run("build", "-k", "./bad")
    assert (ran.status, sorted(ran.codes), ran.out) == (1, ["eval.division", "eval.index"], "")
