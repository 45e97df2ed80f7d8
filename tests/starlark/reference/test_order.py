"""Operands are evaluated in their order: a variable without a value is an error where its turn is.

What comes before it is done, and what comes after it is not: in every construct, at every place of an
operand, for every kind of variable, by the compiler and by the reference evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

import pytest

from bramble.starlark import Dialect, compile_program

from .both import Outcome, compiled, referred
from .order import EXPRESSIONS, STATEMENTS

HEAD = """
def t(number, value):
    print(number)
    return value
def three(a, b = 0, c = 0):
    return a
def curried(a):
    return lambda b: b
"""
BEFORE = 'd = {"k": 1}; l = [0]; s = "s"'
AFTER = "print(d, l, s)"
FUNCTION = f"def run():\n    {BEFORE}\n    FORM\n    {AFTER}\n"
# Where X has no value: its statement comes too late, or is in a loop without a round.
KINDS = {
    "global": f"{FUNCTION}run()\nX = LATER\n",
    "outer": "def outer():\n" + "".join(f"    {line}\n" for line in FUNCTION.splitlines())
    + "    run()\n    X = LATER\nouter()\n",
    "local": f"{FUNCTION}    X = LATER\nrun()\n",
    "maybe": FUNCTION.replace("FORM", "for _ in []:\n        X = LATER\n    FORM") + "run()\n",
    "outside": f"{BEFORE}\nFORM\n{AFTER}\nX = LATER\n",
}  # fmt: skip
# What X would be: the code for it depends on what is known of that.
LATER = ("1", '"s"', "[1]", '{"a": 1}', "t(9, None)", "t")
CONTEXTS = ("FORM", "r = FORM", "return FORM", "three(FORM, 1)", "if FORM: pass")
DIALECT = Dialect(toplevel_control=True, global_reassign=True)


def programs(kind: str) -> Iterator[tuple[int, str]]:
    """Yield programs, and how many operands come before X."""
    number = 0
    for forms, contexts in ((EXPRESSIONS, CONTEXTS), (STATEMENTS, CONTEXTS[:1])):
        for form, values in forms.items():
            for at in range(len(values)):
                operands = [f"t({i}, {value})" for i, value in enumerate(values)]
                operands[at] = "X"
                number += 1
                text = contexts[number % len(contexts)].replace("FORM", form.format(*operands))
                if kind != "outside" or not text.startswith("return"):
                    body = KINDS[kind].replace("FORM", text).replace("LATER", LATER[number % len(LATER)])
                    yield at, HEAD + body


def wrong(outcome: Outcome, before: int) -> bool:
    done = outcome.printed == [str(number) for number in range(before)]
    return not done or "X referenced before assignment" not in str(outcome.error)


@pytest.mark.parametrize("kind", KINDS)
def test_an_operand_without_a_value_is_an_error_where_its_turn_is(kind: str) -> None:
    found = []
    for before, text in programs(kind):
        files = {"main.star": text}
        expected, actual = referred(files, DIALECT), compiled(files, DIALECT)
        if wrong(expected, before) or actual.seen != expected.seen:
            found.append(f"{text[len(HEAD) :]}\nreference {expected.seen}\ncompiled  {actual.seen}")
    if found:
        pytest.fail(f"{len(found)} programs\n" + "\n\n".join(found[:3]), pytrace=False)


WRONG = (
    *("None", "1", '"x"', "[1]", "[[1]]", '{"a": 1}', "{}", "([1], True)", "True", "-1", "1.5"),
    *('float("nan")', "set([1])", 'b"a"', "len", "struct(a = 1)", "range(2)", "(1, 2)"),
)


def test_operands_that_do_not_fit_are_refused_in_the_same_order_and_words() -> None:
    found = []
    number = 0
    for form, values in {**EXPRESSIONS, **STATEMENTS}.items():
        for at in range(len(values)):
            operands = [f"t({i}, {value})" for i, value in enumerate(values)]
            others = [*operands]
            number += 1
            operands[at] = f"t({at}, {WRONG[number % len(WRONG)]})"
            others[at] = "X"
            others[-1 - at] = f"t(-1, {WRONG[number % 7]})"
            for chosen in (operands, others):
                text = form.format(*chosen)
                context = "print(FORM)" if form in EXPRESSIONS else "FORM"
                body = FUNCTION.replace("FORM", context.replace("FORM", text)).replace("run()", "run(X)")
                files = {"main.star": f"{HEAD}{body}run({WRONG[-1 - number % len(WRONG)]})\n"}
                expected, actual = referred(files, DIALECT), compiled(files, DIALECT)
                if actual.seen != expected.seen:
                    found.append(f"{text}\nreference {expected.seen}\ncompiled  {actual.seen}")
    assert not found, "\n\n".join(found[:3])


# Statements that call `run`, in every way in which a file can; `run1` is the same with a parameter.
CALLERS = (
    *("run()", "y = run()", "y = [run() for _ in [1]]", "y = (lambda: run())()", "y = attempt(run)"),
    *("def g(x = run()):\n    pass", "def g(x = sorted([1], key = lambda _: run())):\n    pass"),
    *("y = sorted([1], key = run1)", "y = max([1, 2], key = run1)", "y = min([1, 2], key = run1)"),
    *("y = struct(a = run).a()", 'y = {"a": run}["a"]()', "y = [run][0]()", "for _ in [1]:\n    run()"),
    *("if True:\n    run()", "y = [1][run():]", "y = [0]\ny[0] += run()", "y = lambda x = run(): x"),
    *(
        "def g():\n    run()\ng()",
        "call(run)",
        "x, y = 1, run()",
        'y = "%s" % run()',
        "y = 1 if run() else 2",
    ),
)
RUN = """load("lib.star", "call")
def run():
    r = X in attempt(lambda: print("late"))
def run1(_):
    r = X in attempt(lambda: print("late"))
"""


@pytest.mark.parametrize("caller", CALLERS)
def test_whatever_calls_a_function_may_call_it_before_a_global_has_a_value(caller: str) -> None:
    library = "def call(f):\n    f()\n"
    files = {"lib.star": library, "main.star": f"{RUN}A = 1\n{caller}\nX = [None]\n"}
    expected = referred(files, DIALECT)
    assert expected.printed == [] and (expected.error or "attempt(run)" in caller)
    assert compiled(files, DIALECT).seen == expected.seen


def kept(text: str) -> int:
    """Return how many values the functions of a program keep in variables that no program can name."""
    parts, _operations = compile_program(text, "a.star").code(False)
    found = 0
    work: list[CodeType] = [one for part in parts for one in part.co_consts if isinstance(one, CodeType)]
    while work:
        code = work.pop()
        found += sum(name[0] == "$" and name[1:].isdigit() for name in code.co_varnames)
        work += [one for one in code.co_consts if isinstance(one, CodeType)]
    return found


@pytest.mark.parametrize("use", ["X[k]", "k in Y", "A + k", "L(k)", "[X, Y, A, B, k]", "B[k:A]", "f and k"])
def test_a_name_that_surely_has_a_value_costs_nothing(use: str) -> None:
    bound = "X = [1]\nA, B = 1, list([2])\n"
    function = f"def f(k):\n    return {use}\n"
    loads = 'load("lib.star", "L")\n'
    # Before the function, and behind it where nothing calls it before.
    early = f"{loads}{bound}{function}Y = {{}}\nZ = attempt(f)\n"
    late = f"{function}def attempt(_): pass\nZ = attempt(f)\n{loads}{bound}Y = {{}}\n"
    early = f"def attempt(_): pass\n{early}"
    plain = kept(f"def f(k, X, Y, A, B, L):\n    return {use}\n")
    assert kept(early) == plain
    # `f` has its name before anything can call it.
    assert (kept(late) > plain) == (use != "f and k")


def test_what_a_function_inside_another_takes_from_it_costs_nothing_where_it_has_a_value() -> None:
    inner = "def outer(a):\n    b = a\n    def g(k):\n        return USE\n    h = g\n    return g, h\n"
    uses = {"k in a and k in b": 0, "k in g": 0, "h and k": 1}
    assert {
        use: kept(inner.replace("USE", use)) - kept(inner.replace("USE", "k in k")) for use in uses
    } == uses
