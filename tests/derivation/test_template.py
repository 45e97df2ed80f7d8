"""Text that names outputs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.derivation.template import OutputRef, Template

ID = "soen6obfffrahna6ojyc2cgxjx7jcmhv"
OTHER = "lvliebpnk6lcalc3sdsvfbrzwlamb4qo"
REFERENCE = "{{ " + ID + ":out }}"


def test_a_reference_is_found_between_two_texts():
    assert Template.parse(f"a{REFERENCE}/bin").parts == ("a", OutputRef(ID, "out"), "/bin")


def test_neighbouring_references_have_no_empty_text_between_them():
    assert Template.parse(REFERENCE * 2).parts == (OutputRef(ID, "out"),) * 2


def test_the_empty_text_has_no_parts():
    assert Template.parse("").parts == ()
    assert str(Template.parse("")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{{" + ID + ":out}}",
        "{{  " + ID + ":out }}",
        "{{ " + ID + ":out  }}",
        "{{ " + ID + ": out }}",
        "{{ " + ID + " }}",
        "{{ " + ID + ": }}",
        "{{ " + ID + ":1out }}",
        "{{ " + ID + ":out-put }}",
        "{{ " + ID + ":oüt }}",
        "{{ " + ID[:-1] + ":out }}",
        "{{ " + ID + "a:out }}",
        "{{ " + ID.upper() + ":out }}",
        "{{ " + ID[:-1] + "1:out }}",
        "{{ " + ID[:-1] + "8:out }}",
        "{ " + ID + ":out }",
        "{{ " + ID + ":out }",
        "{{\n" + ID + ":out }}",
        "{{ name:out }}",
        "{{ }}",
        "{{ ",
    ],
)
def test_text_that_merely_looks_like_a_reference_stays_text(text):
    assert Template.parse(text).parts == (text,)


def test_braces_around_a_reference_are_text():
    assert Template.parse("{" + REFERENCE + "}").parts == ("{", OutputRef(ID, "out"), "}")


def test_references_come_in_the_order_of_the_text():
    template = Template.parse("{{ " + OTHER + ":b }} {{ " + ID + ":a }} {{ " + OTHER + ":b }}")
    assert template.references == (OutputRef(OTHER, "b"), OutputRef(ID, "a"), OutputRef(OTHER, "b"))


def test_rendering_replaces_references_and_never_looks_at_the_result_again():
    template = Template.parse(f"<{REFERENCE}>")
    assert (
        template.render(lambda ref: "{{ " + OTHER + ":" + ref.output + " }}") == "<{{ " + OTHER + ":out }}>"
    )


@given(
    st.lists(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from([REFERENCE, "{{ ", " }}", ":out", ID, "{", "}", "{{ " + OTHER + ":a_1 }}"]),
        )
    )
)
def test_a_template_writes_the_text_that_it_was_parsed_from(pieces):
    text = "".join(pieces)
    template = Template.parse(text)
    assert str(template) == text
    assert Template.parse(str(template)) == template
    for before, after in zip(template.parts, template.parts[1:]):
        assert isinstance(before, OutputRef) or isinstance(after, OutputRef)
    assert "" not in template.parts
