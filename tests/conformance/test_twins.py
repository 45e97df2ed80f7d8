"""What is given instead of a chunk does not tell the answer, and whoever does not evaluate it fails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from conformance import runner, twins
from conformance.casefile import Chunk
from conformance.chunks import check
from conformance.outcome import Mismatch
from tests.conformance import impostors
from tests.conformance.impostors import Impostor
from tests.conformance.support import chunk_of

CHUNKS = [case for case in runner.load() if isinstance(case, Chunk)]
# The three codes that most chunks name.
COMMON = [code for code, _ in Counter(error.code for case in CHUNKS for error in case.errors).most_common(3)]


Programs = Mapping[str, tuple[twins.Program, twins.Program]]
Known = Mapping[str, impostors.Answer]


def given(chunk: Chunk, seed: str = "1") -> tuple[twins.Program, twins.Program]:
    return twins.programs_of(chunk, Random(f"{seed} {chunk.id}"))


@pytest.fixture(scope="module")
def programs() -> dict[str, tuple[twins.Program, twins.Program]]:
    return {one.id: given(one) for one in CHUNKS}


def passes(impostor: Impostor, programs: Sequence[twins.Program]) -> bool:
    for program in programs:
        answer = impostor(program.text, program.name)
        if answer.status != (1 if program.errors else 0):
            return False
        try:
            check(program, answer.errors, answer.printed)
        except Mismatch:
            return False
    return True


def chunk(body: str) -> Chunk:
    found = chunk_of(body)
    assert isinstance(found, Chunk)
    return found


@pytest.mark.parametrize(
    "impostor",
    [
        impostors.accepting,
        impostors.silent,
        impostors.failing,
        impostors.copying,
        impostors.reading,
        *[impostors.rejecting(code) for code in COMMON],
    ],
)
def test_who_does_not_evaluate_passes_no_chunk(impostor: Impostor, programs: Programs) -> None:
    assert [name for name, given in programs.items() if passes(impostor, given)] == []


@pytest.mark.parametrize("code", [*COMMON, "syntax.unexpected", "resolve.undefined"])
def test_guesses_pass_next_to_nothing(code: str, programs: Programs) -> None:
    # They look at the last line that is not the runner's, and know how text looks that is not run.
    right = [name for name, given in programs.items() if passes(impostors.guessing(code), given)]
    assert len(right) <= 5 and len(CHUNKS) > 1900


def test_answers_of_another_run_pass_no_chunk(programs: Programs) -> None:
    for one in CHUNKS:
        answers = {}
        for program in programs[one.id]:
            errors = tuple(impostors.error(error.code, "NAME", error.line) for error in program.errors)
            answers[bool(errors)] = impostors.Answer(1 if errors else 0, errors, program.printed)

        # The most that it can know: which of the two it is given, and the name of the file.
        new = given(one, "2")
        known = {program.name: answers[bool(program.errors)] for program in new}

        def replayed(text: str, name: str, known: Known = known) -> impostors.Answer:
            answer = known[name]
            errors = [{**error, "at": str(error["at"]).replace("NAME", name)} for error in answer.errors]
            return answer._replace(errors=tuple(errors))

        assert not passes(replayed, new), one.id


def test_nothing_tells_the_answer(programs: Programs) -> None:
    for one in CHUNKS:
        for program in programs[one.id]:
            assert "###" not in program.text
            assert not set(re.findall(r"\w+", program.name)) & set(re.findall(r"\w+", one.id)) - {"star"}


def test_a_run_can_be_repeated_and_no_two_are_alike() -> None:
    one = CHUNKS[0]
    assert given(one, "1") == given(one, "1")
    assert given(one, "1") != given(one, "2")


def test_errors_are_expected_where_the_line_went() -> None:
    one = chunk("x = 1\ny = 1 // 0 ### eval.zero:7\n")
    for seed in "abc":
        wrong = next(program for program in given(one, seed) if program.errors)
        (error,) = wrong.errors
        lines = wrong.text.split("\n")
        assert lines[error.line - 1] == "y = 1 // 0"
        assert (error.code, error.column) == ("eval.zero", 7)
        assert lines[error.line - 2] == "x = 1"


def test_the_phase_decides_what_must_be_printed() -> None:
    late = next(p for p in given(chunk("1 // 0 ### eval.zero\n")) if p.errors)
    early = next(p for p in given(chunk("nothing ### resolve.undefined\n")) if p.errors)
    assert len(late.printed) == len(late.unprinted) == 1
    assert len(early.unprinted) == 2 and not early.printed
    with pytest.raises(Mismatch, match="nothing may run"):
        check(
            early,
            [impostors.error("resolve.undefined", early.name, early.errors[0].line)],
            early.unprinted,
        )


def test_each_assertion_can_be_the_one_that_is_turned() -> None:
    one = chunk("assert.eq(1, 1)\nx = [\n  2]\nassert.ne(x, 3)\n  # assert.eq(\n")
    texts = [twins.turned(one, Random(1), number) for number in range(len(twins.turnable(one)))]
    assert [text.text.count("assert.ne") for text in texts] == [2, 0]
    for program in texts:
        assert program.text.split("\n")[program.errors[0].line - 1].startswith("assert.")


def test_what_is_not_run_has_every_line_in_every_form() -> None:
    one = chunk("def f(x):\n    return x // 0\n\nf(1) ### eval.zero\n")
    comment, double, single, function = twins.inert_forms(one, "_u")
    assert comment == "# def f(x):\n#     return x // 0\n# \n# f(1)\n"
    assert double == '_u = """\ndef f(x):\n    return x // 0\n\nf(1)\n"""\n'
    assert single == double.replace('"""', "'''")
    assert function == "def _u():\n    def f(x):\n        return x // 0\n\n    f(1)\n"


@pytest.mark.parametrize(
    "body, forms",
    [
        ('x = "a" \\ ### syntax.unexpected\n', 1),
        ("'''\n1 // 0 ### eval.zero\n", 3),
        ("x ### resolve.undefined\n", 3),
        ('load("m", "n") ### eval.load\n', 3),
        ("\tx = 1 // 0 ### eval.zero\n", 1),
    ],
)
def test_a_form_that_would_change_the_text_is_left_out(body: str, forms: int) -> None:
    assert len(list(twins.inert_forms(chunk(body), "_u"))) == forms
