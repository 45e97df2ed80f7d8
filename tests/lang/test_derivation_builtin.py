"""derivation() and what it returns."""

from __future__ import annotations

import pytest

from bramble.derivation.model import Derivation, Sources
from tests.lang.worlds import World, failure, one_package


def world(tmp_path, body: str) -> World:
    return World(tmp_path, default=f"def f():\n    {body}\n")


def test_the_pinned_vectors_come_out_of_programs(tmp_path):
    made = World(
        tmp_path,
        default="""
def hi():
    return derivation("hi", "ho")
def several():
    return derivation("hi", "ho", outputs=["a", "b", "c"])
def b():
    a = derivation("a", "a")
    return derivation("b", a.out, args=[a.out])
""",
    )
    assert made.derivation("./:hi").id == "soen6obfffrahna6ojyc2cgxjx7jcmhv"
    assert made.derivation("./:several").id == "lvliebpnk6lcalc3sdsvfbrzwlamb4qo"
    assert made.derivation("./:b").id == "ojsnyikh3g6gkg2wvzte7mocqbjrgo6y"
    assert "uyfzbklpblwxplhwei63mtj3pnh2w3yr" in made.evaluate("./:b").graph


def test_a_reference_that_derivations_share_is_one_value(tmp_path):
    graph = World(
        tmp_path,
        default="""
def f():
    low = derivation("low", "x", outputs = ["out", "lib"])
    both = [low.lib + ":" + low.out]
    return [derivation("one", low.out + "/sh", args = both), derivation("two", "x", args = both + [low.lib])]
""",
    ).evaluate("./:f")
    low, one, two = (graph.graph.get(key) for key in graph.graph.derivations)
    assert one.dependencies == two.dependencies == Derivation(*two).dependencies
    assert [ref.output for ref in one.dependencies] == ["lib", "out"]
    for first, second in zip(one.dependencies, two.dependencies):
        assert first is second
        assert first.derivation is low.id


def test_every_parameter_arrives_where_it_belongs(tmp_path):
    made = world(
        tmp_path,
        'return derivation(name="n", builder="derivation_output", args=["a"], sources=["x"],'
        ' env={"B": "2", "A": "1"}, outputs=["out"], platform="linux-arm64", network=True, target="t")',
    )
    made.write("x")
    found = made.derivation()
    assert (found.name, str(found.builder), [str(a) for a in found.args]) == ("n", "derivation_output", ["a"])
    assert [(k, str(v)) for k, v in found.env] == [("A", "1"), ("B", "2")]
    assert found.sources == Sources("", "", ("x",))
    assert (found.outputs, found.platform, found.network, found.target) == (
        ("out",),
        "linux-arm64",
        True,
        "t",
    )


def test_positions_are_in_the_order_of_the_manual(tmp_path):
    made = world(
        tmp_path,
        'return derivation("n", "derivation_output", ["a"], ["x"], {"E": "e"}, ["out"],'
        ' "linux-arm64", True, "t")',
    )
    made.write("x")
    found = made.derivation()
    assert (found.platform, found.network, found.target) == ("linux-arm64", True, "t")


def test_this_machines_platform_is_no_platform(tmp_path):
    made = world(tmp_path, 'return derivation("n", "t", platform=sys.platform)')
    assert made.derivation().platform == ""
    other = World(tmp_path, default='def f():\n    return derivation("n", "t", platform="linux-amd64")\n')
    assert other.derivation(platform="linux-arm64").platform == "linux-amd64"


def test_a_derivation_in_the_place_of_text_is_its_default_output(tmp_path):
    made = world(
        tmp_path,
        'd = derivation("d", "t", outputs=["lib", "out"]); '
        'return derivation("n", d, [d, d.out], env={"D": d, "E": "%s" % d})',
    )
    found = made.derivation()
    lib, out = (f"{{{{ {ref.derivation}:{ref.output} }}}}" for ref in found.dependencies)
    assert str(found.builder) == lib
    assert [str(arg) for arg in found.args] == [lib, out]
    assert [str(value) for _, value in found.env] == [lib, lib]


def test_a_list_of_outputs_may_change_afterwards(tmp_path):
    made = world(
        tmp_path,
        'a = ["x"]; d = derivation("n", "t", a); a.append("y"); return [d, derivation("m", "t", a)]',
    )
    evaluation = made.evaluate()
    assert [len(evaluation.graph.get(r.derivation).args) for r in evaluation.results[0].roots] == [1, 2]


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        ("derivation()", "eval.argument", "missing argument for name"),
        ('derivation("n")', "eval.argument", "missing argument for builder"),
        ('derivation("n", "t", sourses=[])', "eval.argument", "did you mean sources?"),
        ('derivation("n", "t", name="m")', "eval.argument", "multiple values"),
        ('derivation("n", "t", [], [], {}, ["out"], "", False, "", 1)', "eval.argument", "at most 9"),
        ("derivation(None, 't')", "derivation.name", "not NoneType"),
        ("derivation('n', 1)", "derivation.builder", "a string or a derivation, and not int"),
        ("derivation('n', ['t'])", "derivation.builder", "not list"),
        ("derivation('n', 't', 'x')", "derivation.args", "must be a list, and not string"),
        ("derivation('n', 't', {'a': 1})", "derivation.args", "must be a list, and not dict"),
        ("derivation('n', 't', ['a', None])", "derivation.args", "args[1]"),
        ("derivation('n', 't', sources=[1])", "derivation.sources", "sources[0]"),
        ("derivation('n', 't', sources=['a', derivation('m', 't')])", "derivation.sources", "not derivation"),
        ("derivation('n', 't', env=[])", "derivation.env", "a dict"),
        ("derivation('n', 't', env={1: 'a'})", "derivation.env", "not int"),
        ("derivation('n', 't', env={True: 'a'})", "derivation.env", "not bool"),
        ("derivation('n', 't', env={'A': 1})", "derivation.env", 'env["A"]'),
        ("derivation('n', 't', outputs='out')", "derivation.outputs", "must be a list"),
        ("derivation('n', 't', outputs=[derivation('m', 't')])", "derivation.outputs", "outputs[0]"),
        ("derivation('n', 't', platform=None)", "derivation.platform", "not NoneType"),
        ("derivation('n', 't', network=1)", "derivation.network", "True or False, and not int"),
        ("derivation('n', 't', target=1)", "derivation.target", "not int"),
        ("derivation('n/m', 't')", "derivation.name", "slash"),
        ("derivation('n', '/bin/sh')", "derivation.builder", "absolute"),
        ("derivation('n', 'fetch_url')", "derivation.env", '"url"'),
        ("derivation('n', 'fetch_git', env={'url': 'u'})", "derivation.env", '"reference"'),
        ("derivation('n', 'fetch_url', env={'url': 'u', 'sha265': ''})", "derivation.env", '"sha265"'),
    ],
)
def test_a_wrong_argument_is_named_with_a_way_out(tmp_path, call, code, says):
    error = world(tmp_path, f"return {call}").error("./:f")
    assert error.code == code
    assert says in error.message
    assert error.place is not None and (error.place.file, error.place.line) == ("default.bramble", 2)
    # The line and a caret; what is wrong, and where, the error itself says.
    line, caret = error.detail.split("\n")
    assert call.strip() in line and caret.strip() == "^"


def test_the_column_of_an_error_is_that_of_the_call(tmp_path):
    assert failure(world(tmp_path, 'return derivation("", "t")')) == (
        "derivation.name",
        "default.bramble:2:22",
    )


def test_a_missing_output_says_which_there_are(tmp_path):
    made = world(tmp_path, 'return derivation("busybox", "t", outputs=["out", "library"]).libary')
    error = made.error("./:f")
    assert error.code == "derivation.unknown-output"
    assert "it has: out, library" in error.message and '"library"' in (error.remedy or "")
    assert str(error.place) == "default.bramble:2:66"
    assert error.detail.endswith("^")


def test_a_missing_output_is_the_same_error_by_getattr(tmp_path):
    made = world(tmp_path, 'return getattr(derivation("n", "t"), "x")')
    assert failure(made)[0] == "derivation.unknown-output"


def test_looking_for_an_output_is_no_error(tmp_path):
    made = world(
        tmp_path,
        'd = derivation("n", "t");'
        ' return derivation("m", "t", [str(hasattr(d, "x")), getattr(d, "x", "none"), d.out])',
    )
    assert [str(arg) for arg in made.derivation().args[:2]] == ["False", "none"]


def test_another_missing_attribute_stays_what_it_is(tmp_path):
    made = world(tmp_path, 'd = derivation("n", "t"); hasattr(d, "x"); return "text".x')
    assert failure(made)[0] == "eval.attribute"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("str(d)", "{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:out }}"),
        ("repr(d)", "{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:out }}"),
        ("repr(d.out)", '"{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:out }}"'),
        ("str([d])", "[{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:out }}]"),
        ("type(d)", "derivation"),
        ("str(dir(d))", '["out"]'),
        ("str(bool(d))", "True"),
        ('str(d == derivation("hi", "ho"))', "True"),
        ('str(d == derivation("hi", "hu"))', "False"),
        ("str(d == d.out)", "False"),
        ('str({d: 1}[derivation("hi", "ho")])', "1"),
        ("str(run(d, 'x'))", "<run x>"),
        ("type(run(d, 'x'))", "run"),
        ("str(sys)", '<module "sys">'),
        ("str(dir(sys))", '["arch", "os", "platform"]'),
        ("' '.join([sys.arch, sys.os, sys.platform])", "amd64 linux linux-amd64"),
        ("str(derivation)", "<built-in function derivation>"),
    ],
)
def test_values_of_the_dialect_as_text(tmp_path, expression, text):
    made = world(tmp_path, f'd = derivation("hi", "ho"); return derivation("n", "t", [{expression}])')
    assert str(made.derivation().args[0]) == text


def test_two_derivations_cannot_be_ordered(tmp_path):
    made = world(tmp_path, 'd = derivation("n", "t"); return d < d')
    assert failure(made)[0] == "eval.operand"


def test_the_attributes_of_a_derivation_cannot_be_set(tmp_path):
    made = world(tmp_path, 'd = derivation("n", "t"); d.out = "x"')
    assert failure(made)[0] == "eval.attribute"


@pytest.mark.parametrize("call", ['derivation("n", "t")', "test(1)", '[derivation("n", "t") for x in [1]]'])
def test_the_top_level_is_no_place_for_a_derivation(tmp_path, call):
    made = World(tmp_path, default=f"x = {call}\n")
    assert failure(made)[0] == "derivation.misplaced"
    # What test() returns is None.
    assert ("return" in made.error("./:f").remedy) is not call.startswith("test")


def test_a_function_called_at_the_top_level_is_a_function(tmp_path):
    made = World(
        tmp_path, default='def g():\n    return derivation("n", "t")\nx = g()\ndef f():\n    return x\n'
    )
    assert made.derivation().name == "n"


def test_a_reference_must_be_to_something_that_was_made(tmp_path):
    lost = "{{ " + "a" * 32 + ":out }}"
    error = world(tmp_path, f'return derivation("n", "t", ["{lost}"])').error("./:f")
    assert error.code == "derivation.unknown-reference" and str(error.place) == "default.bramble:2:22"
    made = world(
        tmp_path, 'd = derivation("n", "t"); return derivation("m", "t", [d.out.replace(":out", ":lib")])'
    )
    assert failure(made)[0] == "derivation.unknown-output"


def test_a_misspelt_builder_is_warned_about(tmp_path):
    made = world(tmp_path, 'return derivation("n", "fetch-url", env={"url": "u"})')
    (warning,) = made.evaluate().warnings
    assert warning.startswith("default.bramble:2:22: ") and '"fetch_url"' in warning
    assert world(tmp_path, 'return derivation("hi", "ho")').evaluate().warnings == ()


def test_a_place_is_known_for_every_derivation(tmp_path):
    made = world(tmp_path, 'd = derivation("n", "t"); return derivation("m", "t", [d])')
    evaluation = made.evaluate()
    assert {str(place) for place in evaluation.places.values()} == {
        "default.bramble:2:19",
        "default.bramble:2:48",
    }
    assert set(evaluation.places) == set(evaluation.graph.derivations)


# --- sources


def test_no_sources_have_no_location(tmp_path):
    made = World(tmp_path)
    made.write("deep/x.bramble", 'def f():\n    return derivation("n", "t")\n')
    assert made.derivation("./deep/x:f").sources == Sources()


def test_sources_are_located_where_derivation_is_called(tmp_path):
    made = World(tmp_path)
    made.write("lib/s.c")
    made.write("lib/default.bramble", "def sources():\n    return files(['*.c'])\n")
    made.write(
        "app/x.bramble",
        'load("example.test/p/lib")\ndef f():\n    return derivation("n", "t", sources=lib.sources())\n',
    )
    assert made.derivation("./app/x:f").sources == Sources("", "app", ("lib/s.c",))


def test_sources_of_a_package_are_named_with_it(tmp_path):
    made = World(tmp_path / "p")
    (tmp_path / "lib/src").mkdir(parents=True)
    (tmp_path / "lib/src/s.c").write_text("")
    (tmp_path / "lib/src/default.bramble").write_text(
        "def sources():\n    return files(['*.c'])\n"
        "def build():\n    return derivation('n', 't', sources=sources())\n"
        "def build_of(sources):\n    return derivation('n', 't', sources=sources)\n"
        "def written():\n    return derivation('n', 't', sources=['src/s.c'])\n"
        "def written_whole():\n    return derivation('n', 't', sources=['other.test/lib//src/s.c'])\n"
    )
    made.write("app/a.c")
    made.write(
        "app/default.bramble",
        """
load("other.test/lib/src")
def theirs():
    return src.build()
def ours():
    return src.build_of(files(["a.c"]))
def theirs_here():
    return derivation("n", "t", sources=src.sources())
def mixed():
    return derivation("n", "t", sources=src.sources() + files(["a.c"]))
def written():
    return src.written()
def written_whole():
    return src.written_whole()
""",
    )
    packages = one_package("other.test/lib", str(tmp_path / "lib"))

    def sources(name: str) -> Sources:
        return made.derivation(f"./app:{name}", packages=packages).sources

    assert sources("theirs") == Sources("other.test/lib", "src", ("src/s.c",))
    # Called in the package, but the sources are ours: the build starts where our function is.
    assert sources("ours") == Sources("", "app", ("app/a.c",))
    # Called here, but no function of the package is running: its root.
    assert sources("theirs_here") == Sources("other.test/lib", "", ("src/s.c",))
    assert sources("written_whole") == Sources("other.test/lib", "src", ("src/s.c",))
    error = made.error("./app:mixed", packages=packages)
    assert error.code == "derivation.sources" and "other.test/lib" in error.message
    assert made.error("./app:written", packages=packages).code == "derivation.sources"
    evaluation = made.evaluate("./app:theirs", packages=packages)
    assert evaluation.source_roots == {"": str((tmp_path / "p").resolve()), **packages.directories}


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("./a.c", "derivation.sources"),
        ("/a.c", "derivation.sources"),
        ("", "derivation.sources"),
        ("a.c/", "derivation.sources"),
        ("../p/a.c", "derivation.sources"),
        ("x//a.c", "derivation.sources"),
        ("missing.c", "load.source-missing"),
        ("out", "load.source-outside"),
        ("dir/s.c", "load.source-outside"),
    ],
)
def test_a_source_that_the_program_writes_itself_is_checked(tmp_path, source, code):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/s.c").write_text("")
    made = world(tmp_path / "p", f'return derivation("n", "t", sources=["{source}"])')
    made.write("a.c")
    (tmp_path / "p/out").symlink_to("../elsewhere/s.c")
    (tmp_path / "p/dir").symlink_to("../elsewhere")
    assert failure(made) == (code, "default.bramble:2:22")


def test_sources_are_sorted_and_named_once(tmp_path):
    made = world(tmp_path, 'return derivation("n", "t", sources=["b", "a"] + files(["b"]))')
    made.write("a")
    made.write("b")
    assert made.derivation().sources.files == ("a", "b")


def test_directories_among_the_sources_are_left_out(tmp_path):
    made = world(
        tmp_path,
        'all = files(["*"], exclude=["*.*"], exclude_directories=False);'
        ' return [derivation("n", "t", sources=all + ["d/e"]),'
        ' derivation("m", "t", sources=["d", "d/e/f"])]',
    )
    made.write("d/e/f")
    made.write("a")
    evaluation = made.evaluate()
    found = [evaluation.graph.get(root.derivation).sources for root in evaluation.results[0].roots]
    assert found == [Sources("", "", ("a",)), Sources("", "", ("d/e/f",))]
    only = world(tmp_path, 'return derivation("n", "t", sources=["d"])')
    assert only.derivation().sources == Sources()


def test_derivations_of_the_same_files_have_one_value_for_their_sources(tmp_path):
    made = World(
        tmp_path,
        default="""
def f():
    every = files(["*.c"])
    every.append("d.txt")
    a, b = files(["*.c"]), files(["a.c"])
    return [
        derivation("a", "t", sources=a),
        derivation("again", "t", sources=files(["*.c"])),
        derivation("reversed", "t", sources=reversed(a)),
        derivation("part", "t", sources=b),
        derivation("more", "t", sources=every),
        derivation("written", "t", sources=["a.c", "a.c"]),
    ]
""",
    )
    for name in ("a.c", "b.c", "d.txt"):
        made.write(name)
    evaluation = made.evaluate()
    found = [evaluation.graph.get(root.derivation).sources for root in evaluation.results[0].roots]
    assert [one.files for one in found] == [
        ("a.c", "b.c"),
        ("a.c", "b.c"),
        ("a.c", "b.c"),
        ("a.c",),
        ("a.c", "b.c", "d.txt"),
        ("a.c",),
    ]
    assert found[0] is found[1] is found[2] and found[3] is found[5]


def test_the_same_files_in_two_places_are_sources_with_two_locations(tmp_path):
    made = World(
        tmp_path, default='load("example.test/p/lib")\ndef f():\n    return [lib.one(), lib.two()]\n'
    )
    made.write("x.c")
    made.write("lib/sub.bramble", "def two(given):\n    return derivation('n', 't', sources=given)\n")
    made.write(
        "lib/deep/default.bramble", "def one(given):\n    return derivation('n', 't', sources=given)\n"
    )
    made.write(
        "lib/default.bramble",
        'load("example.test/p/lib/sub")\nload("example.test/p/lib/deep")\n'
        "def one():\n    return deep.one(files(['../x.c']))\n"
        "def two():\n    return sub.two(files(['../x.c']))\n",
    )
    evaluation = made.evaluate()
    found = [evaluation.graph.get(root.derivation).sources for root in evaluation.results[0].roots]
    assert found == [Sources("", "lib/deep", ("x.c",)), Sources("", "lib", ("x.c",))]
    assert found[0] != found[1] and found[0].encoded != found[1].encoded


def test_a_list_that_files_returned_is_the_programs_to_change(tmp_path):
    made = world(
        tmp_path,
        'a = files(["*.c"]); a.clear(); return derivation("n", "t", sources=files(["*.c"]))',
    )
    made.write("a.c")
    assert made.derivation().sources.files == ("a.c",)
