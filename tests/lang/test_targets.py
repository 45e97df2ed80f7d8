"""What a target means, and what its function may return."""

from __future__ import annotations

import pytest

from bramble.derivation.template import Template
from bramble.errors import Place
from bramble.lang.results import RunRequest
from tests.lang.worlds import NAME, World, failure

DEFAULT = """
def make(name="made", out="out"):
    return derivation(name, "t", outputs=[out])
def needs(name):
    return make(name)
def needs_keyword(*, name):
    return make(name)
def takes_any(*args, **kwargs):
    return make("any")
def text():
    return "text"
def nothing():
    print("called")
def _private():
    return make("private")
constant = make
number = 1
anonymous = lambda: make("anonymous")
"""


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, default=DEFAULT)


def names(world: World, *targets: str, **options) -> list[tuple[str, list[str]]]:
    """Return each result's target, without the project's name, and the names of its derivations."""
    evaluation = world.evaluate(*targets, **options)
    return [
        (result.target[len(NAME) :], [evaluation.graph.get(root.derivation).name for root in result.roots])
        for result in evaluation.results
    ]


def test_a_target_with_a_function_is_that_function(world):
    assert names(world, "./:make") == [(":make", ["made"])]
    assert names(world, f"{NAME}:make") == [(":make", ["made"])]
    assert names(world, "./:takes_any") == [(":takes_any", ["any"])]


def test_a_global_that_holds_a_function_is_one_too(world):
    assert names(world, "./:constant", "./:anonymous") == [
        (":constant", ["made"]),
        (":anonymous", ["anonymous"]),
    ]


def test_a_target_without_a_function_is_all_that_can_be_called(world):
    assert names(world, "./") == [
        (":make", ["made"]),
        (":nothing", []),
        (":takes_any", ["any"]),
        (":text", []),
    ]


def test_all_modules_below_come_in_the_order_of_their_names(world):
    for module in ("b", "a/x", "a/default", "a-b"):
        world.write(f"{module}.bramble", 'def z():\n    pass\ndef a():\n    return derivation("n", "t")\n')
    targets = [target for target, _ in names(world, "./...")]
    assert targets == [
        *(":make", ":nothing", ":takes_any", ":text"),
        *("/a:a", "/a:z", "/a-b:a", "/a-b:z", "/a/x:a", "/a/x:z", "/b:a", "/b:z"),
    ]
    assert [t for t, _ in names(world, "./a/...")] == ["/a:a", "/a:z", "/a/x:a", "/a/x:z"]
    assert [t for t, _ in names(world, "./...", start="a")] == ["/a:a", "/a:z", "/a/x:a", "/a/x:z"]


def test_a_function_is_called_once_whoever_asks_for_it(world):
    results = names(world, "./:nothing", "./", f"{NAME}:nothing", "./...")
    assert [target for target, _ in results] == [":nothing", ":make", ":takes_any", ":text"]
    assert world.printed == ["called"]


def test_a_target_without_functions_is_no_error(world):
    world.write("empty.bramble", "x = 1\n")
    assert names(world, "./empty") == []


@pytest.mark.parametrize(
    ("target", "code", "says"),
    [
        ("./:mke", "load.unknown-function", '"make"'),
        ("./:_private", "load.unknown-function", "it has:"),
        ("./:number", "load.unknown-function", "it has:"),
        ("./:nowhere_near", "load.unknown-function", "it has: anonymous"),
        ("./:needs", "load.parameters", "name"),
        ("./:needs_keyword", "load.parameters", "name"),
        ("./:text", "load.result", "return a derivation"),
        ("./lib:x", "load.unknown-module", "modules are"),
        ("other.test/x:f", "load.unknown-package", "bramble add"),
        ("make", "load.unknown-package", "the target ./:make;"),
    ],
)
def test_a_target_that_cannot_be_built_says_what_can(world, target, code, says):
    error = world.error(target)
    assert error.code == code and says in (error.remedy or "")


def test_a_function_that_cannot_be_a_target_is_shown_where_it_is(world):
    assert world.error("./:needs").place == Place("default.bramble", 4, 1)
    assert world.error("./:text").place == Place("default.bramble", 10, 1)
    assert world.error("./:mke").place == Place("default.bramble")


def test_a_module_without_functions_is_answered_with_how_to_write_one(tmp_path):
    error = World(tmp_path, default="x = 1\n").error("./:hello")
    assert "def hello()" in (error.remedy or "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("None", []),
        ("[]", []),
        ("d('a')", ["a"]),
        ("[d('b'), d('a'), d('b')]", ["b", "a"]),
        ("(d('a'), [d('b'), (d('c'),)], None)", ["a", "b", "c"]),
        ("{'x': d('a'), 'y': [d('b')]}", ["a", "b"]),
        ("set([d('b'), d('a')])", ["b", "a"]),
        ("run(d('a'), 'x')", ["a"]),
        ("[d('a'), run(d('b'), 'x')]", ["a", "b"]),
    ],
)
def test_a_function_may_return_derivations_in_any_collection(tmp_path, value, expected):
    text = f"def d(name):\n    return derivation(name, 't')\ndef f():\n    return {value}\n"
    assert names(World(tmp_path, default=text), "./:f") == [(":f", expected)]


@pytest.mark.parametrize("value", ["1", "''", "['x']", "[None, 1]", "f", "{'x': 1}", "sys", "d('a').out"])
def test_a_named_function_may_return_nothing_else(tmp_path, value):
    text = f"def d(name):\n    return derivation(name, 't')\ndef f():\n    return {value}\n"
    world = World(tmp_path, default=text)
    assert failure(world) == ("load.result", "default.bramble:3:1")
    assert names(world, "./") == [(":f", [])]


def test_a_list_that_holds_itself_ends(tmp_path):
    text = "def f():\n    x = [derivation('n', 't')]\n    x.append(x)\n    return x\n"
    assert names(World(tmp_path, default=text), "./:f") == [(":f", ["n"])]


def test_a_list_of_lists_of_any_depth_is_gone_through(tmp_path):
    text = (
        "def f():\n    x = derivation('n', 't')\n    for _ in range(10000):\n        x = [x]\n    return x\n"
    )
    assert names(World(tmp_path, default=text), "./:f") == [(":f", ["n"])]


def test_a_root_is_the_default_output(world):
    world.write("x.bramble", f'load(root="{NAME}")\ndef f():\n    return root.make(out="lib")\n')
    ((root,),) = (result.roots for result in world.evaluate("./x:f").results)
    assert root.output == "lib"


def test_the_graph_is_what_the_results_need(tmp_path):
    text = """
def f():
    a = derivation("a", "t")
    derivation("unused", "t")
    return derivation("b", "t", [a])
"""
    evaluation = World(tmp_path, default=text).evaluate("./:f")
    assert [d.name for d in evaluation.graph.derivations.values()] == ["a", "b"]


def test_a_run_value_says_all_that_it_was_given(tmp_path):
    text = """
def f():
    d = derivation("d", "t", outputs=["out", "tools"])
    return run(d.tools, "sh", ["-c"], paths=["."], read_only_paths=["a"], hidden_paths=["b"], network=True,
        env={"B": "2", "A": "1"}, closure_path=True)
"""
    (result,) = World(tmp_path, default=text).evaluate("./:f").results
    (root,) = result.roots
    assert root.output == "tools"
    lists = [(Template.parse(text),) for text in ("-c", ".", "a", "b")]
    env = (("A", Template.parse("1")), ("B", Template.parse("2")))
    assert result.run == RunRequest(root, "sh", *lists, True, env, True)
    assert result.needs == ()


def test_what_a_run_value_refers_to_is_needed_and_not_asked_for(tmp_path):
    # spec: dialect.run.references
    text = """
def f():
    d, e, c = [derivation(name, "t", outputs=["out", "lib"]) for name in ("d", "e", "c")]
    return run(d, "x", [e.lib, d], hidden_paths=[c.out + "/etc"], env={"E": e.lib + ":" + e.out})
"""
    evaluation = World(tmp_path, default=text).evaluate("./:f")
    (result,) = evaluation.results
    names = [(evaluation.graph.get(ref.derivation).name, ref.output) for ref in result.needs]
    assert names == [("e", "lib"), ("c", "out"), ("e", "out")]
    assert [evaluation.graph.get(ref.derivation).name for ref in result.roots] == ["d"]


def test_only_a_run_value_itself_is_one(tmp_path):
    text = "def f():\n    return [run(derivation('d', 't'), 'x')]\n"
    (result,) = World(tmp_path, default=text).evaluate("./:f").results
    assert result.run is None and len(result.roots) == 1


@pytest.mark.parametrize(
    "call",
    [
        *(
            "run()",
            "run(d)",
            "run(d, 1)",
            "run(d, '')",
            "run('d', 'x')",
            "run(None, 'x')",
            "run(d, 'x', 'y')",
        ),
        *(
            "run(d, 'x', [1])",
            "run(d, 'x', [1, d])",
            "run(d, 'x', ['\\x00'])",
            "run(d, 'x', paths=['a/' + d.out])",
            "run(d, 'x', paths=[d.out + 'a'])",
            "run(d, 'x', read_only_paths=[d.out + '/a/../..'])",
            "run(d, 'x', hidden_paths=[d.out + d.out])",
            "run(d, 'x', env=['A'])",
            "run(d, 'x', env={'A': 1})",
            "run(d, 'x', env={'': 'a'})",
            "run(d, 'x', closure_path='yes')",
            "run(d, d.out)",
            "run(d, 'x', path=[])",
        ),
        *(
            "run(d, 'x', network='yes')",
            "run(d, 'x', paths='.')",
            "run(d, 'x', cmd='y')",
            "run(d.out + '/', 'x')",
        ),
        *(
            "test()",
            "test(1)",
            "test(d, 'x')",
            "test(d, [1])",
            "test(d, [''])",
            "test(d, arg=[])",
            "test([d])",
        ),
        *(
            "files()",
            "files('*')",
            "files([1])",
            "files(['*'], 'x')",
            "files(['*'], allow_empty=1)",
            "files(['*'], x=1)",
        ),
        "files(['*'], exclude_directories=None)",
    ],
)
def test_a_wrong_argument_of_the_other_built_ins_is_one_code(tmp_path, call):
    world = World(tmp_path, default=f"def f():\n    d = derivation('d', 't')\n    {call}\n")
    code, place = failure(world)
    assert code == "eval.argument" and place is not None and place.startswith("default.bramble:3:")


def test_an_output_for_run_must_be_one_that_was_made(tmp_path):
    for text, code in (("{{ " + "a" * 32 + ":out }}", "derivation.unknown-reference"),):
        world = World(tmp_path, default=f"def f():\n    return run('{text}', 'x')\n")
        assert failure(world)[0] == code
    world = World(
        tmp_path, default="def f():\n    return run(str(derivation('d', 't')).replace(':out', ':x'), 'x')\n"
    )
    assert failure(world)[0] == "derivation.unknown-output"


def test_tests_are_registered_for_the_target_that_made_them(tmp_path):
    text = """
def d():
    return derivation("d", "t")
def first():
    test(d(), args=["x"])
    assert.eq(test(d()), None)
def second():
    return derivation("e", "t")
"""
    world = World(tmp_path, default=text)
    evaluation = world.evaluate("./:first")
    assert [(t.target, t.args, str(t.place)) for t in evaluation.tests] == [
        (f"{NAME}:first", ("x",), "default.bramble:5:9"),
        (f"{NAME}:first", (), "default.bramble:6:19"),
    ]
    # What a test needs is in the graph, although nothing returned it.
    assert {d.name for d in evaluation.graph.derivations.values()} == {"d"}
    assert world.evaluate("./:second").tests == ()


def test_the_warnings_of_the_configuration_come_along(tmp_path):
    world = World(tmp_path, default="def f():\n    pass\n")
    world.write("bramble.toml", f'[package]\nname = "{NAME}"\nversion = "0.0.1"\nnmae = 1\n')
    (warning,) = world.evaluate().warnings
    assert warning.startswith("bramble.toml:4:1: ")


def test_what_is_not_said_has_the_values_of_the_manual(tmp_path):
    text = """
def program():
    return run(derivation("d", "t"), "sh")
def found():
    return derivation("n", "t", files(["*"]) + files(["*.rs"]))
"""
    world = World(tmp_path, default=text)
    world.write("dir/x")
    (result,) = world.evaluate("./:program").results
    assert result.run == RunRequest(result.roots[0], "sh", (), (), (), (), False)
    # Directories are left out, and nothing found is no error.
    assert [str(arg) for arg in world.derivation("./:found").args] == ["bramble.toml", "default.bramble"]


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        ("files('*')", "put it in brackets"),
        ("files(1)", "write include=[…]"),
        ("run(d, 1)", "write it in quotes"),
        ("run(d, [])", "make it a string"),
        ("test()", "write test(derivation, …)"),
        ("files(include=['*'], excludes=[])", "the parameters are include, exclude"),
    ],
)
def test_the_way_out_of_a_wrong_argument_fits_it(tmp_path, call, remedy):
    world = World(tmp_path, default=f"def f():\n    d = derivation('d', 't')\n    {call}\n")
    assert remedy in (world.error("./:f").remedy or "")


def test_a_private_function_is_called_private_and_a_number_a_number(world):
    assert "private" in world.error("./:_private").message
    assert "is of type int, and not a function" in world.error("./:number").message
    assert "has no function" in world.error("./:_unheard_of").message
