"""Faults by chance: what is found in a program, what is chosen, and what an experiment says of it."""

from __future__ import annotations

import ast
import functools
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from conformance.casefile import parse_case_file
from conformance.mutants import chance, kinds
from tests.conformance.support import TOP

PROGRAM = '''\
"""Words."""
LIMIT = 3
def f(a, b=2):
    "Words."
    if a < b and a:
        g(a, key=b)
        raise E("a sentence", "code")
    for x in a:
        if x:
            continue
    try:
        return a + b
    except OSError:
        pass
    return None
'''


def all_faults(text: str) -> list[tuple[str, str]]:
    return [(one.kind, kinds.shown(text, one.number).partition("  ->  ")[2]) for one in kinds.faults(text)]


def test_faults_of_a_program() -> None:
    found = all_faults(PROGRAM)
    assert Counter(kind for kind, _ in found) == {
        "constant": 1,
        "default": 1,
        "negated": 2,
        "comparison": 1,
        "boundary": 1,
        "and/or": 1,
        "argument": 2,
        "deleted": 2,
        "text": 1,
        "leaving": 2,
        "+/-": 1,
        "except": 1,
    }
    for one in (
        ("constant", "LIMIT = 4"),
        ("default", "def f(a, b=3):"),
        ("boundary", "if a <= b and a:"),
        ("comparison", "if a > b and a:"),
        ("and/or", "if a < b or a:"),
        ("argument", "g(a)"),
        ("deleted", "pass"),
        ("leaving", "a + b"),
        ("+/-", "return a - b"),
        ("text", "raise E('a sentence', 'code~')"),
        ("except", "try: except OSError: raise"),
    ):
        assert one in found


def test_what_is_said_to_people_is_no_fault() -> None:
    text = """raise E(f'"{key}" is odd', remedy=f"see {key}", detail=key, code=f"x.{key}")\n"""
    assert [kind for kind, _ in all_faults(text)] == ["argument", "text"]


def test_sentences_of_an_error_are_for_people_whatever_makes_it() -> None:
    text = "raise broken('code', 'a b' if x > 1 else f'{y[:2]} c', 'do ' + f(1, 2))\n"
    assert [kind for kind, _ in all_faults(text)] == ["text"]
    assert "constant" in [kind for kind, _ in all_faults(text.replace("raise ", "z = "))]


def test_an_instant_and_the_name_of_a_function_in_an_error_are_no_faults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "a = want_string('join', 'x', b)\nif time.monotonic() > end:\n    pass\n"
    found = kinds.faults(text)
    assert [one.kind for one in found] == ["argument", "text", "negated", "comparison"]
    assert kinds.shown(text, found[1].number).endswith("a = want_string('join', 'x~', b)")
    # The others keep their keys.
    monkeypatch.setattr(kinds, "_NAMING", ())
    assert [one.key for one in kinds.faults(text) if one.kind == "text"][1:] == [found[1].key]


def test_a_call_that_raises_leaves_the_function_in_any_case() -> None:
    assert [kind for kind, _ in all_faults("def f(a):\n    return fail_with('x', 'a b')\n")] == ["text"]


def test_a_list_names_a_statement_whole_or_by_its_beginning() -> None:
    faults = kinds.faults("def f(a):\n    g(a, 1)\n    h(a)\n")
    for listed, left in (
        ("m.py f g(a, 1)", ["h(a)"]),
        ("m.py f g(…", ["h(a)"]),
        ("m.py f g", ["g(a, 1)", "h(a)"]),
        ("m.py g g(…", ["g(a, 1)", "h(a)"]),
    ):
        found = [one.statement for one in faults if not chance.names_statement([listed], "m.py", one)]
        assert list(dict.fromkeys(found)) == left


def test_what_the_end_of_a_function_does_as_well_is_no_fault() -> None:
    text = "def f(a):\n  if a:\n    for b in a:\n      return\n    return None\n  else:\n    return\n"
    assert [kind for kind, _ in all_faults(text)] == ["negated", "leaving"]
    assert [kind for kind, _ in all_faults(text + "  g()\n")].count("leaving") == 3


def test_the_name_of_an_encoding_is_no_text_with_a_fault() -> None:
    assert all_faults("x = data.decode('utf-8')\n") == []
    assert [kind for kind, _ in all_faults("x = data.decode('utf-8', 'replace')\n")] == ["argument", "text"]


def test_each_fault_is_another_program_with_the_same_lines() -> None:
    whole = ast.unparse(ast.parse(PROGRAM))
    programs = [ast.unparse(kinds.mutated(PROGRAM, one.number)) for one in kinds.faults(PROGRAM)]
    assert whole not in programs
    for one in kinds.faults(PROGRAM):
        kinds.mutated(PROGRAM, one.number)
        assert one.first <= one.line <= one.last or one.kind == "default"


def test_the_key_of_a_fault_depends_on_no_line_and_no_sentence() -> None:
    moved = [one.key for one in kinds.faults("\n\nOTHER = other()\n" + PROGRAM)]
    assert moved == [one.key for one in kinds.faults(PROGRAM)]
    assert len(set(moved)) == len(moved)
    other_words = [one.key for one in kinds.faults(PROGRAM.replace("a sentence", "other words"))]
    assert other_words == moved
    assert [one.key for one in kinds.faults(PROGRAM.replace("code", "other"))] != moved


def test_what_is_chosen_is_spread_over_the_rooms() -> None:
    text = "def f(a):\n" + "".join(f"    g({n}, a)\n" for n in range(50))
    every = [
        chance.Chosen(f"bramble/{room}/x.py", fault) for room in chance.ROOMS for fault in kinds.faults(text)
    ]
    chosen = chance.choose(every, 80, "1")
    assert Counter(one.room for one in chosen) == dict.fromkeys(chance.ROOMS, 10)
    assert chosen == chance.choose(every, 80, "1") != chance.choose(every, 80, "2")
    assert len({(one.path, one.fault.first) for one in chosen}) == 80


def test_guesses_which_cases_find_a_fault_take_turns() -> None:
    def unit(name: str, rule: str, text: str) -> chance.Unit:
        told = CASE.replace("store.padding", rule).replace("stdout is\n", f"stdout is {text}\n")
        return chance.Unit(name, (parse_case_file(name, told, name),))

    units = [unit(f"cheap{n}", "build.a", "word") for n in range(5)]
    units += [unit("writes", "build.a", "colour"), unit("chapter", "store.b", "x")]
    units += [unit("thorough", "build.a", "x")]
    path = "bramble/store/x.py"
    (fault,) = [one for one in kinds.faults("def f(a):\n    g('colour')\n") if one.kind == "text"]
    lines = {one.name: frozenset({2}) for one in units} | {"thorough": frozenset(range(50))}
    known = {
        one.name: chance.Reached(float(at < 5) or 1000.0, {path: lines[one.name]})
        for at, one in enumerate(units)
    }
    words = {one.name: chance.words_of(one) for one in units}
    order = chance.order_of(chance.Chosen(path, fault), units, known, [], words)
    assert [one.name for one in order[:4]] == ["cheap0", "writes", "chapter", "thorough"]
    assert {one.name for one in order} == {one.name for one in units}


@functools.cache
def faults_of(path: str) -> tuple[str, tuple[kinds.Fault, ...]]:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return text, kinds.faults(text)


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="a key follows what ast.unparse writes, and the faults are for 3.12"
)
@pytest.mark.parametrize("name", ["left-out", "equivalent"])
def test_what_is_listed_is_there(name: str) -> None:
    wrong = []
    for key, reason in chance.listed(name).items():
        path, _, rest = key.partition(" ")
        full = os.path.join(TOP, path)
        if not reason or not os.path.exists(full):
            wrong.append(key)
        elif rest:
            text, faults = faults_of(full)
            names = {f"{one.inside or '-'} {one.key}" for one in faults} | {one.inside for one in faults}
            for first, last, kind in chance.handlers(text):
                names |= {f"{one.inside} except {kind}" for one in faults if first <= one.line <= last}
            if rest not in names and not any(chance.names_statement([key], path, one) for one in faults):
                wrong.append(key)
    assert wrong == []


TREE = {
    "bramble/__init__.py": "",
    "bramble/__main__.py": "import sys\nfrom bramble.build.two import told, larger\n\n"
    "def start():\n    print(told() if larger(int(sys.argv[1])) else '')\n    return 0\n",
    "bramble/build/__init__.py": "",
    "bramble/build/two.py": "WORD = 'yes'\n\ndef told():\n    return WORD\n\n"
    "def larger(n):\n    return n > 1\n\ndef unused():\n    return 1\n",
}
CASE = """# A.
spec: store.padding
level: store

run 1
text stdout is
run 2
text stdout is yes
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="lines are recorded by what Python has since 3.12")
def test_an_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, text in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(chance, "SOURCE", ("bramble",))
    wanted = list(chance.concerned(str(tmp_path), {}))
    case = parse_case_file("c.txt", CASE.replace("is\nrun", "lacks yes\nrun"), "c")
    found = {
        (one.chosen.fault.inside, one.shown.partition("  ->  ")[2]): (one.status, one.by)
        for one in chance.investigate(wanted, str(tmp_path), [case], {}, map_file=str(tmp_path / "map"))
    }
    assert found == {
        ("", "WORD = 'yes~'"): ("caught", "c"),
        ("told", "WORD"): ("caught", "c"),
        ("larger", "n > 1"): ("caught", "c"),
        ("larger", "return n < 1"): ("caught", "c"),
        ("larger", "return n >= 1"): ("caught", "c"),
        ("larger", "return n > 2"): ("caught", "c"),
        ("unused", "1"): ("unreached", ""),
        ("unused", "return 2"): ("unreached", ""),
    }
    # The copy is right again after each fault, and what is known of the cases is kept.
    assert (tmp_path / "map").exists()
    weak = parse_case_file("c.txt", CASE.partition("text")[0] + "text stdout lacks no\n", "c")
    (equal,) = [one for one in wanted if one.fault.inside == "larger" and one.fault.kind == "boundary"]
    (one,) = chance.investigate([equal], str(tmp_path), [weak], {})
    assert (one.status, one.reaching) == ("survived", 1)
    (one,) = chance.investigate([equal], str(tmp_path), [weak], {equal.name: "for a reason"})
    assert (one.status, one.by) == ("equivalent", "for a reason")
    assert "build             1       0         0          0           1" in chance.table([one])
