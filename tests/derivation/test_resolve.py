"""Store derivations: recipes whose inputs have paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.derivation.model import Derivation, Sources
from bramble.derivation.resolve import (
    Digests,
    ResolvedDependency,
    ResolvedDerivation,
    SourceObject,
    resolve,
)
from bramble.derivation.template import OutputRef, Template
from bramble.store.digest import digest
from bramble.store.path import prefix_of_record

parse = Template.parse
X, Y = "x" * 32, "y" * 32
ONE, TWO = "a" * 32, "b" * 32
PREFIX = prefix_of_record()


def ref(derivation: str, output: str = "out") -> str:
    return str(OutputRef(derivation, output))


def test_references_become_paths_below_the_prefix_of_record():
    derivation = Derivation(
        "n",
        parse(ref(ONE) + "/bin/sh"),
        args=(parse("-c"), parse(f"{ref(ONE)}:{ref(TWO, 'lib')}")),
        env=(("PATH", parse(ref(ONE) + "/bin")),),
    )
    resolved = resolve(
        derivation,
        inputs={OutputRef(ONE, "out"): X, OutputRef(TWO, "lib"): Y},
        filenames={ONE: f"{ONE}-one.drv", TWO: f"{TWO}-two.drv"},
        source=None,
        platform="linux-amd64",
    )
    assert resolved.builder == f"{PREFIX}/{X}/bin/sh"
    assert resolved.args == ("-c", f"{PREFIX}/{X}:{PREFIX}/{Y}")
    assert resolved.env == (("PATH", f"{PREFIX}/{X}/bin"),)
    assert resolved.dependencies == (
        ResolvedDependency(X, "out", f"{ONE}-one.drv"),
        ResolvedDependency(Y, "lib", f"{TWO}-two.drv"),
    )


def one_input(derivation_id: str, filename: str, output: str = X) -> ResolvedDerivation:
    return resolve(
        Derivation("n", parse(ref(derivation_id))),
        inputs={OutputRef(derivation_id, "out"): output},
        filenames={derivation_id: filename},
        source=None,
        platform="linux-amd64",
    )


def test_inputs_that_came_out_the_same_are_the_same_derivation():
    assert one_input(ONE, "one.drv").digest == one_input(TWO, "two.drv").digest
    assert one_input(ONE, "one.drv").encode() != one_input(TWO, "two.drv").encode()


def test_inputs_that_came_out_otherwise_are_another_derivation():
    assert one_input(ONE, "one.drv", X).digest != one_input(ONE, "one.drv", Y).digest


def two_inputs(first: str, second: str, outputs: tuple[str, str]) -> ResolvedDerivation:
    return resolve(
        Derivation("n", parse("b"), args=(parse(ref(first)), parse(ref(second)))),
        inputs={OutputRef(first, "out"): outputs[0], OutputRef(second, "out"): outputs[1]},
        filenames={first: "f", second: "s"},
        source=None,
        platform="linux-amd64",
    )


def test_the_order_of_unbuilt_ids_does_not_reach_the_digest():
    assert two_inputs(ONE, TWO, (X, Y)).digest == two_inputs(TWO, ONE, (X, Y)).digest


def test_two_recipes_for_one_object_count_once():
    twice_the_same = two_inputs(ONE, TWO, (X, X))
    once = resolve(
        Derivation("n", parse("b"), args=(parse(ref(ONE)), parse(ref(ONE)))),
        inputs={OutputRef(ONE, "out"): X},
        filenames={ONE: "f"},
        source=None,
        platform="linux-amd64",
    )
    assert twice_the_same.digest == once.digest


def test_a_dependency_that_is_not_known_keeps_its_file_name_in_the_digest():
    def waiting(filename: str) -> ResolvedDerivation:
        needs = (ResolvedDependency("", "out", filename),)
        return ResolvedDerivation("n", "b", (), (), needs, ("out",), None, "linux-amd64")

    assert waiting("one.drv").digest != waiting("two.drv").digest


def test_the_bytes_are_as_the_chapter_says():
    resolved = resolve(
        Derivation(
            "n",
            parse(ref(ONE)),
            sources=Sources("", "dir", ("dir/a",)),
            outputs=("out", "lib"),
            target="t",
        ),
        inputs={OutputRef(ONE, "out"): X},
        filenames={ONE: f"{ONE}-one.drv"},
        source=SourceObject(Y, "dir"),
        platform="linux-arm64",
    )
    assert resolved.encode().decode() == (
        f'{{"Args":null,"Builder":"{PREFIX}/{X}","Env":null,'
        f'"Dependencies":[{{"Filename":"{ONE}-one.drv","OutputName":"out","Output":"{X}"}}],'
        '"Name":"n","OutputNames":["out","lib"],"Outputs":null,"Platform":"linux-arm64",'
        f'"Source":{{"RelativeBuildPath":"dir","Path":"{PREFIX}/{Y}"}},"Target":"t"}}'
    )
    known = resolved.encode({"lib": (Y, ()), "out": (X, (Y, X))}).decode()
    assert (
        f'"Outputs":[{{"Path":"{X}","Dependencies":["{X}","{Y}"]}},{{"Path":"{Y}","Dependencies":null}}]'
        in known
    )


def test_the_digest_is_taken_without_outputs_and_without_file_names():
    resolved = one_input(ONE, "one.drv")
    bare = resolved.encode().replace(b'"Filename":"one.drv"', b'"Filename":""')
    assert b'"Outputs":null' in bare
    assert resolved.digest == digest(bare)
    assert resolved.filename == f"{resolved.digest}-n.drv"


def test_the_machine_gives_the_platform_that_the_recipe_leaves_open():
    named = Derivation("n", parse("b"), platform="linux-arm64")
    free = Derivation("n", parse("b"))
    for derivation, expected in ((named, "linux-arm64"), (free, "linux-amd64")):
        resolved = resolve(derivation, inputs={}, filenames={}, source=None, platform="linux-amd64")
        assert resolved.platform == expected


TEXTS = st.text(st.sampled_from('a{} :"\\<&\n\t\u2028/é'), max_size=6)
IDS = st.sampled_from([letter * 32 for letter in "abcdefghijklmnopqrst"])
REFS = st.builds(OutputRef, IDS, st.sampled_from(["out", "lib", "A"]))
TEMPLATES = st.lists(TEXTS | REFS.map(str) | st.just("{{ " + "z" * 32 + " }}"), max_size=5).map("".join)


@given(data=st.data())
def test_a_digest_that_is_found_without_the_rest_is_the_same(data):
    derivations = data.draw(
        st.lists(
            st.builds(
                Derivation,
                name=TEMPLATES,
                builder=TEMPLATES.map(parse),
                args=st.lists(TEMPLATES.map(parse), max_size=3).map(tuple),
                env=st.dictionaries(TEMPLATES, TEMPLATES.map(parse), max_size=4).map(
                    lambda found: tuple(sorted(found.items()))
                ),
                outputs=st.sampled_from([("out",), ("lib", "out")]),
                platform=st.sampled_from(["", "linux-arm64"]),
                network=st.booleans(),
                target=TEMPLATES,
                sources=st.just(Sources()),
            ),
            max_size=6,
        )
    )
    # A reference may stand for another object than it did for an earlier derivation.
    digests = Digests("linux-amd64")
    for derivation in derivations:
        inputs = {
            ref: data.draw(st.sampled_from(["2" * 32, "3" * 32, "4" * 32])) for ref in derivation.dependencies
        }
        source = data.draw(st.sampled_from([None, SourceObject("5" * 32, ""), SourceObject("5" * 32, "a<b")]))
        whole = resolve(
            derivation,
            inputs=inputs,
            filenames={ref.derivation: f"{ref.derivation}-n.drv" for ref in inputs},
            source=source,
            platform="linux-amd64",
        )
        for ref, name in inputs.items():
            digests.tell(ref.derivation, [(ref.output, name)])
        assert digests.of(derivation, source) == whole.digest


@pytest.mark.parametrize("count", [1, 2, 16, 17, 40])
def test_that_is_so_with_any_number_of_inputs(count):
    refs = [OutputRef(digest(b"%d" % number), "out") for number in range(count)]
    derivation = Derivation("n", parse(str(refs[0])), env=(("PATH", parse(":".join(map(str, refs)))),))
    inputs = {ref: digest(ref.derivation.encode()) for ref in derivation.dependencies}
    filenames = dict.fromkeys([ref.derivation for ref in refs], "f")
    whole = resolve(derivation, inputs=inputs, filenames=filenames, source=None, platform="p")
    digests = Digests("p")
    for ref, name in inputs.items():
        digests.tell(ref.derivation, [("lib", "2" * 32), (ref.output, name)])
    assert digests.of(derivation, None) == whole.digest
    assert whole.env[0][1] == ":".join(f"{PREFIX}/{inputs[ref]}" for ref in refs)
