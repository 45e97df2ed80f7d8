"""Random programs that are right, with line ends and comments wherever they may stand."""

from __future__ import annotations

from random import Random

_SMALL = ["a", "b", "f(a)", "[1, 2]", "{a: b}", "x.y", "x[1:2]", "(a, b)", "()", "not a", "-b", "'s'", "1.5"]
_OPERATORS = [" + ", " and ", " == ", " in ", " * ", " - "]


def random_program(seed: int) -> str:
    """Return a program of a few statements, three blocks deep at most."""
    random = Random(seed)
    return "".join(_statement(random, 3, 0) for _ in range(random.randrange(1, 6)))


def _gap(random: Random) -> str:
    number = random.randrange(99)
    return random.choice(["", "", "", "", f" # {number}\n ", "\n  ", f"\n\n# own {number}\n "])


def _expression(random: Random, depth: int) -> str:
    if depth == 0:
        return random.choice(_SMALL)

    def e() -> str:
        return _expression(random, depth - 1)

    def gap() -> str:
        return _gap(random)

    comma = random.choice([",", ""])
    return random.choice(
        [
            lambda: random.choice(_SMALL),
            lambda: f"({gap()}({e()}){random.choice(_OPERATORS)}{gap()}({e()}){gap()})",
            lambda: f"[{gap()}{e()},{gap()}{e()}{comma}{gap()}]",
            lambda: f"{{{gap()}{e()}:{gap()} {e()},{gap()}}}",
            lambda: f"f({gap()}{e()},{gap()} k={e()},{gap()}*{e()}{comma}{gap()})",
            lambda: f"[{gap()}({e()}) for a in ({e()}){gap()} if ({e()}){gap()}]",
            lambda: f"x[{gap()}({e()}):{gap()}({e()})]",
            lambda: f"(lambda a={e()}: {e()})",
            lambda: f"(({e()}){gap()} if ({e()}){gap()} else {e()})",
            lambda: f"f({gap()}[{e()}]{gap()})",
            lambda: f"(({e()}),{gap()})",
        ]
    )()


def _statement(random: Random, depth: int, indent: int) -> str:
    margin = "  " * indent
    tail = random.choice(["", "", "", "  # tail"])
    lead = "\n" * random.choice([0, 0, 0, 1, 3])
    if random.random() < 0.25:
        lead += "  " * random.randrange(4) + f"# own {random.randrange(99)}\n"
    kind = random.randrange(10)

    def body() -> str:
        return "".join(_statement(random, depth - 1, indent + 1) for _ in range(random.randrange(1, 4)))

    if depth == 0 or kind < 5:
        small = ["x = ", "f()[0] += ", "return ", "pass; y = "]
        return f"{lead}{margin}{random.choice(small)}{_expression(random, 3)}{tail}\n"
    if kind == 5:
        return f"{lead}{margin}for a, b in {_expression(random, 2)}:{tail}\n{body()}"
    if kind == 6:
        gap = random.choice(["", "# p\n"])
        return f"{lead}{margin}def f(a, {gap}b={_expression(random, 2)}):{tail}\n{body()}"
    text = f"{lead}{margin}if {_expression(random, 1)}:{tail}\n{body()}"
    if random.random() < 0.5:
        text += random.choice(["", f"{margin}# before elif\n"]) + f"{margin}elif a:{tail}\n{body()}"
    if random.random() < 0.5:
        text += random.choice(["", f"{margin}# before else\n"]) + f"{margin}else:{tail}\n{body()}"
    return text
