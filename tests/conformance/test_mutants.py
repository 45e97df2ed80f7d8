"""A fault fits the source in one place, or is stale."""

from __future__ import annotations

import os

import pytest

from conformance.mutants.__main__ import MUTANTS, Mutant, Stale, cases_of, main, mutated
from conformance.runner import load
from tests.conformance.support import TOP

FAULT = Mutant("store.padding", "m.py", "a + b", "a - b")


def test_a_fault_replaces_one_text() -> None:
    assert mutated("x = a + b\n", FAULT) == "x = a - b\n"


@pytest.mark.parametrize("text", ["x = a * b\n", "x = a + b + a + b\n"])
def test_a_fault_that_fits_nowhere_or_twice_is_stale(text: str) -> None:
    with pytest.raises(Stale):
        mutated(text, FAULT)


def test_every_fault_breaks_a_paragraph_that_has_cases() -> None:
    cases = load()
    assert [fault.paragraph for fault in MUTANTS if not cases_of(fault, cases)] == []


def test_every_fault_fits_the_source_in_one_place() -> None:
    stale = []
    for fault in MUTANTS:
        with open(os.path.join(TOP, fault.path), encoding="utf-8") as file:
            if file.read().count(fault.old) != 1:
                stale.append((fault.paragraph, fault.path, fault.old))
    assert stale == []


def test_no_faults_are_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store.there-is-none"]) == 1
    assert capsys.readouterr().out == "0 of 0 faults caught\n"
