"""Programs made at random: typed enough to run for a while, and wrong now and then.

A program is a mapping of file names to texts; `main.star` is run, and may load `lib.star`. `attempt(f)` calls
f and gives its value, or what went wrong, so that one failure does not end a program. The same seed gives the
same program.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

from bramble.starlark import Dialect

from .forms import (
    ATOMS,
    EFFECTS,
    EXPRESSIONS,
    FAULTY,
    FAULTY_EFFECTS,
    FAULTY_STORES,
    KINDS,
    LOOPS,
    MUTATIONS,
    NARROWER,
    PAIR_LOOPS,
    STORES,
    UNPACKINGS,
)

PLAIN = "isbnumld"
# How often a value of another kind stands where one of a kind is wanted, and a form that often fails.
WRONG = 0.003
FAULT = 0.008
# How often a variable is read that may have no value yet, where there is one.
EARLY = 0.012


class Case(NamedTuple):
    """A program, and the dialect that it is run with."""

    files: dict[str, str]
    dialect: Dialect


class Signature(NamedTuple):
    """A function to call: its parameters as (name, star, kind, has a default), and its result's kind."""

    name: str
    parameters: tuple[tuple[str, str, str, bool], ...]
    result: str


Names = dict[str, str]


class Maker:
    """Writes one file."""

    def __init__(self, rng: random.Random, dialect: Dialect) -> None:
        self.random = rng
        self.dialect = dialect
        self.lines: list[str] = []
        self.functions: list[Signature] = []
        self.globals: Names = {}
        self.number = 0
        # Variables of the function that is being written.
        self.written: list[str] = []
        self.in_function = False
        # Variables of the file, or of functions around, that get their values late.
        self.late: Names = {}

    def pick(self, options: Iterable[str]) -> str:
        return self.random.choice(list(options))

    def often(self, chance: float) -> bool:
        return self.random.random() < chance

    # ---- expressions

    def expression(self, kind: str, names: Names, depth: int) -> str:
        """Return an expression that mostly is of a kind."""
        if self.often(WRONG):
            kind = self.pick(KINDS)
        if kind == "a" and self.often(0.7):
            kind = self.pick("iisbnumldetfyr")
        kind = self.pick(NARROWER.get(kind, kind))
        if self.late and self.in_function and self.often(EARLY):
            return self.pick(self.late)
        variables = [name for name, k in names.items() if k == kind]
        if variables and self.often(0.45 if depth > 0 else 0.8):
            return self.pick(variables)
        if depth <= 0 or self.often(0.2):
            return self.pick(ATOMS[kind])
        calls = [f for f in self.functions if f.result == kind]
        if calls and self.often(0.3):
            return self.call(self.random.choice(calls), names, depth - 1)
        forms = FAULTY if self.often(FAULT) else EXPRESSIONS
        return self.filled(self.pick(forms[kind]), names, depth - 1)

    def filled(self, form: str, names: Names, depth: int) -> str:
        """Return a form with its holes filled."""
        out = []
        at = 0
        while at < len(form):
            if form[at] == "%":
                letter = form[at + 1]
                out.append("%" if letter == "%" else self.expression(letter, names, depth))
                at += 2
            else:
                out.append(form[at])
                at += 1
        return "".join(out)

    def targeted(self, usual: tuple[str, ...], faulty: tuple[str, ...], names: Names) -> str:
        """Return a form whose first hole is a variable of its kind, or `pass` where there is none."""
        form = self.pick(faulty if self.often(0.06) else usual)
        kinds = NARROWER["d"] if form[1] == "d" else form[1]
        known = [name for name, kind in names.items() if kind in kinds]
        return self.pick(known) + self.filled(form[2:], names, 1) if known else "pass"

    def call(self, function: Signature, names: Names, depth: int) -> str:
        """Return a call whose arguments mostly fit."""
        positional: list[str] = []
        named: list[str] = []
        tail: list[str] = []
        by_name = False
        for name, star, kind, default in function.parameters:
            if star == "*":
                by_name = True
                if name and self.often(0.5):
                    tail.append(self.pick(("*[%i, %a]", "*%l", "*(1, 2)", "*[]", "*%t")))
                continue
            if star == "**":
                if self.often(0.6):
                    tail.append(
                        self.pick(("**{%s: %a}", "**%d", '**{"z": 1, "q": %i}', "**{}", "**dict(q = %a)"))
                    )
                continue
            if default and self.often(0.5):
                by_name = True
                continue
            by_name = by_name or self.often(0.2)
            value = self.expression(kind, names, depth)
            if by_name:
                named.append(f"{name} = {value}")
            else:
                positional.append(value)
        if self.often(0.02):
            fault = self.pick(("drop", "more", "word", "star", "twice"))
            if fault == "drop" and positional:
                positional.pop()
            elif fault == "more":
                positional.append("1")
            elif fault == "word":
                named.append("nope = 1")
            elif fault == "star":
                tail = [self.pick(("*1", "**1", "**{1: 2}", '**{"p0": 1}', "*[1, 2, 3, 4]"))]
            elif function.parameters and not any(
                n.startswith(f"{function.parameters[0][0]} =") for n in named
            ):
                named.append(f"{function.parameters[0][0]} = 0")
        tail.sort(key=lambda text: text.startswith("**"))
        tail = [self.filled(part, names, 0) for part in tail]
        return f"{function.name}({', '.join([*positional, *named, *tail])})"

    # ---- statements

    def block(self, names: Names, indent: str, depth: int, loops: int, inside: str, size: int = 3) -> None:
        """Write the statements of a block; `inside` is the variable that the loop around goes through."""
        before = len(self.lines)
        for _ in range(self.random.randint(1, size)):
            self.statement(names, indent, depth, loops, inside)
        if len(self.lines) == before:
            self.lines.append(f"{indent}pass")

    def statement(self, names: Names, indent: str, depth: int, loops: int, inside: str) -> None:
        add = self.lines.append
        if inside and self.often(0.04):
            kind = names[inside]
            forms = [f for f in (*EFFECTS, *STORES, *FAULTY_EFFECTS) if f[:2] == f"%{kind}"]
            add(indent + inside + self.filled(self.pick(forms)[2:], names, 1))
            return
        if self.often(0.03) and (indent or self.dialect.global_reassign):
            self.shared(names, indent)
            return
        r = self.random.random()
        if r < 0.22:
            self.assignment(names, indent, loops)
        elif r < 0.34:
            add(indent + self.targeted(EFFECTS, FAULTY_EFFECTS, names))
        elif r < 0.47:
            add(indent + self.targeted(STORES, FAULTY_STORES, names))
        elif r < 0.53:
            self.augmented(names, indent, loops)
        elif r < 0.57:
            self.unpacking(names, indent)
        elif r < 0.71 and depth and loops < 3:
            self.loop(names, indent, depth, loops)
        elif r < 0.82 and depth:
            self.condition(names, indent, depth, loops, inside)
        elif r < 0.87:
            add(f"{indent}print({self.expression('a', names, 2)}, {self.expression('a', names, 1)})")
        elif r < 0.90 and loops:
            add(f"{indent}if {self.expression('b', names, 1)}: {self.pick(('break', 'continue'))}")
        elif r < 0.91 and self.in_function:
            add(f"{indent}return {self.expression('a', names, 1)}")
        elif r < 0.96 and depth and self.in_function:
            self.inner_function(names, indent)
        elif r < 0.962 and self.written and self.in_function:
            # A variable that may have no value yet.
            add(f"{indent}print({self.pick(self.written)})")
        else:
            calls = self.functions
            if calls:
                add(indent + self.call(self.random.choice(calls), names, 1))

    def shared(self, names: Names, indent: str) -> None:
        """Give a container a second name and change it by that, or change it while something goes through."""
        known = [name for name, kind in names.items() if kind in "nulmde"]
        if not known:
            return
        name = self.pick(known)
        kind = names[name]
        if self.often(0.4):
            form = self.pick(MUTATIONS[kind if kind in "le" else ("d" if kind in "md" else "l")])
            form = form.replace("NAME", name)
            self.lines.append(f"{indent}print({form if self.often(0.3) else f'attempt(lambda: {form})'})")
            return
        other = self.fresh(kind, indent)
        forms = [form for form in (*EFFECTS, *STORES) if form[1] == kind]
        self.lines.append(f"{indent}{other} = {name}")
        self.lines.append(indent + other + self.filled(self.pick(forms)[2:], names, 1))
        self.lines.append(f"{indent}print({name})")
        names[other] = kind

    def unpacking(self, names: Names, indent: str) -> None:
        form, bound = self.random.choice(UNPACKINGS[: None if self.often(0.1) else -3])
        if {"i0", "i1"} <= set(names) and self.often(0.3):
            form, bound = "i0, i1 = i1, i0", ()
        if indent or self.dialect.global_reassign:
            self.lines.append(indent + self.filled(form, names, 1))
            names.update({name: name[0] for name in bound})

    def assignment(self, names: Names, indent: str, loops: int) -> None:
        kind = self.pick("iiissnnuulmmddbetfayr")
        name = self.fresh(kind, indent)
        value = self.expression(kind, names, 2)
        if loops and kind == "i":
            value = f"({value}) % 1000"
        elif loops and kind in "snulty" and self.often(0.9):
            value = f"({value})[:6]"
        self.lines.append(f"{indent}{name} = {value}")
        names[name] = kind
        if indent:
            self.written.append(name)

    def fresh(self, kind: str, indent: str) -> str:
        """Return a variable to assign to: one of few in a function, a new one at top level."""
        if indent or (self.dialect.global_reassign and kind != "a"):
            return f"{kind}{self.random.randint(0, 2)}"
        self.number += 1
        return f"{kind.upper()}{self.number}"

    def augmented(self, names: Names, indent: str, loops: int) -> None:
        known = [name for name, kind in names.items() if kind in "isnulef"]
        if not known or (not indent and not self.dialect.global_reassign):
            return
        name = self.pick(known)
        kind = names[name]
        op = self.pick({"i": "+-*|&", "e": "|&-", "f": "+-*"}.get(kind, "+"))
        value = self.expression(kind if self.often(0.98) else "a", names, 1)
        limit = "[:2]" if kind in "snul" else (" % 10" if kind == "i" and loops else "")
        self.lines.append(f"{indent}{name} {op}= ({value}){limit}")

    def loop(self, names: Names, indent: str, depth: int, loops: int) -> None:
        inner = dict(names)
        inside = ""
        if self.dialect.while_loops and self.often(0.3):
            name = f"w{loops}"
            self.lines.append(f"{indent}{name} = 0")
            self.lines.append(f"{indent}while {name} < {self.random.randint(1, 4)}:")
            self.lines.append(f"{indent}    {name} += 1")
            inner[name] = "i"
        elif self.often(0.6):
            kind = self.pick(LOOPS)
            known = [name for name, k in names.items() if k in "numlde"]
            iterable = self.filled(self.pick(LOOPS[kind]), names, 1)
            if known and self.often(0.4):
                inside = iterable = self.pick(known)
            target = f"{kind}{self.random.randint(0, 2)}" if indent else f"{kind}{9 + loops}"
            if inside == target:
                target = "j"
            self.lines.append(f"{indent}for {target} in {iterable}:")
            inner[target] = kind
        else:
            kind = self.pick(PAIR_LOOPS)
            targets = self.pick((f"{kind}0, v", f"({kind}1, v)", f"{kind}2, a0", f"[{kind}0, a1]"))
            self.lines.append(
                f"{indent}for {targets} in {self.filled(self.pick(PAIR_LOOPS[kind]), names, 1)}:"
            )
            inner.update({name.strip("()[]"): name.strip("()[]")[0] for name in targets.split(", ")})
            inner.update({"v": "a"} if "v" in inner else {})
        self.block(inner, f"{indent}    ", depth - 1, loops + 1, inside)
        if inside and self.often(0.5):
            # What was locked is free again.
            free = tuple(form for form in (*EFFECTS, *STORES) if form[1] == names[inside])
            self.lines.append(indent + inside + self.filled(self.pick(free)[2:], names, 1))
        if self.often(0.02):
            # They have no value if the loop had no round.
            names.update(inner)

    def condition(self, names: Names, indent: str, depth: int, loops: int, inside: str) -> None:
        self.lines.append(f"{indent}if {self.expression('b', names, 2)}:")
        self.block(dict(names), f"{indent}    ", depth - 1, loops, inside)
        while self.often(0.25):
            self.lines.append(f"{indent}elif {self.expression('b', names, 2)}:")
            self.block(dict(names), f"{indent}    ", depth - 1, loops, inside)
        if self.often(0.4):
            self.lines.append(f"{indent}else:")
            self.block(dict(names), f"{indent}    ", depth - 1, loops, inside)

    # ---- functions

    def parameters(self, names: Names) -> tuple[str, tuple[tuple[str, str, str, bool], ...]]:
        """Return the text of parameters and what a caller has to know of them."""
        found: list[tuple[str, str, str, bool]] = []
        texts: list[str] = []
        optional = False
        for number in range(self.random.randint(0, 3)):
            kind = self.pick("iissnulmdbeta")
            optional = optional or self.often(0.25)
            found.append((f"p{number}", "", kind, optional))
            texts.append(f"p{number} = {self.expression(kind, names, 1)}" if optional else f"p{number}")
        if self.often(0.3):
            only = self.often(0.5)
            named = not only or self.often(0.5)
            found.append(("rest" if named else "", "*", "t", False))
            texts.append("*rest" if named else "*")
            for number in range(self.random.randint(1, 2) if only else 0):
                kind, default = self.pick("isld"), self.often(0.5)
                found.append((f"k{number}", "", kind, default))
                texts.append(f"k{number} = {self.expression(kind, names, 1)}" if default else f"k{number}")
        if self.often(0.25):
            found.append(("words", "**", "d", False))
            texts.append("**words")
        return ", ".join(texts), tuple(found)

    def inner_function(self, names: Names, indent: str) -> None:
        """Write a nested function, and use it."""
        self.number += 1
        name = f"g{self.number}"
        outer = self.lines
        text, parameters = self.parameters(names)
        inner: Names = dict(names) if self.often(0.8) else {}
        inner.update({p: k for p, _star, k, _default in parameters if p})
        result = self.pick(PLAIN)
        self.lines = []
        before, early = self.late, f"o{self.number}" if self.often(0.15) else ""
        if early:
            self.late = {**before, early: self.pick(PLAIN)}
        if self.often(0.3):
            outer.append(f"{indent}{name} = lambda {text}: {self.expression(result, inner, 2)}")
        else:
            outer.append(f"{indent}def {name}({text}):")
            self.block(inner, f"{indent}    ", 1, 1, "", 2)
            self.lines.append(f"{indent}    return {self.expression(result, inner, 1)}")
        outer += self.lines
        self.lines = outer
        signature = Signature(name, parameters, result)
        if early:
            self.lines.append(f"{indent}print(attempt(lambda: {self.call(signature, names, 1)}))")
            self.lines.append(f"{indent}{early} = {self.pick(ATOMS[self.late[early]])}")
        self.late = before
        for _ in range(self.random.randint(0, 2)):
            self.lines.append(f"{indent}print({self.call(signature, names, 1)})")
        if self.often(0.2):
            keyed = self.pick(
                ("sorted(%l, key = NAME)", "[NAME(x) for x in %l]", "max(%l, key = NAME)", "[NAME]")
            )
            self.lines.append(f"{indent}print({self.filled(keyed, names, 1).replace('NAME', name)})")

    def function(self) -> None:
        """Write a function of the file."""
        name = f"f{len(self.functions)}"
        self.written = []
        self.in_function = True
        text, parameters = self.parameters(self.globals)
        names = {p: k for p, _star, k, _default in parameters if p}
        result = self.pick("iissnulmdbeta")
        self.lines.append(f"def {name}({text}):")
        if self.often(0.2):
            self.lines.append('    "What it does."')
        for kind in "isnumld":
            if self.often(0.5):
                names[f"{kind}0"] = kind
                self.lines.append(f"    {kind}0 = {self.pick(ATOMS[kind])}")
                self.written.append(f"{kind}0")
        names = {**(self.globals if self.often(0.6) else {}), **names}
        for _ in range(self.random.randint(2, 7)):
            self.statement(names, "    ", 2, 0, "")
        if self.often(0.1):
            arguments = ", ".join(
                self.expression(k, names, 0) for _p, star, k, d in parameters if not (star or d)
            )
            self.lines.append(f"    if {self.expression('b', names, 1)}: return {name}({arguments})")
        self.lines.append(f"    return {self.expression(result, names, 1)}")
        self.functions.append(Signature(name, parameters, result))
        self.in_function = False

    def toplevel(self) -> None:
        """Write statements at the top level of the file."""
        # What was loaded is frozen.
        own = self.globals if self.often(0.1) else {n: k for n, k in self.globals.items() if n[-1:].isdigit()}
        r = self.random.random()
        if r < 0.6:
            self.assignment(self.globals, "", 0)
        elif r < 0.7:
            self.lines.append(self.targeted(EFFECTS, FAULTY_EFFECTS, own))
        elif r < 0.8:
            self.lines.append(self.targeted(STORES[:4], FAULTY_STORES[:2], own))
        elif self.dialect.toplevel_control and self.dialect.global_reassign:
            self.statement(self.globals, "", 2, 0, "")
        elif self.often(0.15):
            self.lines.append(
                self.pick(("print(ZZ)", "print(len(F1))", "A = B = 1", "x = 1; x = 2", "return 1"))
            )

    def file(self, functions: int) -> None:
        """Write a file: globals, functions, and calls of these."""
        for _ in range(self.random.randint(0, 3)):
            self.toplevel()
        for number in range(self.random.choice((0, 0, 1, 2))):
            self.late[f"LATE{number}"] = self.pick(PLAIN)
        for _ in range(functions):
            self.function()
            if self.often(0.3):
                self.toplevel()
        for function in self.functions:
            for name in [*self.late] if self.often(0.3) else ():
                self.lines.append(f"{name} = {self.pick(ATOMS[self.late.pop(name)])}")
            if self.often(0.9):
                call = self.call(function, self.globals, 1)
                self.lines.append(f"print(attempt(lambda: {call}))" if self.often(0.8) else f"print({call})")
        for name, kind in self.late.items():
            self.lines.append(f"{name} = {self.pick(ATOMS[kind])}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def library(rng: random.Random, dialect: Dialect) -> Maker:
    """Return a file whose globals another one uses when they are frozen."""
    made = Maker(rng, dialect)
    made.lines += ["shared = [3, 1, 2]", 'table = {"a": [1], "k": 2}', "elements = set([1, 2])"]
    made.lines += ["def push(v, to = []):", "    to.append(v)", "    return to"]
    made.lines += [
        "def counter():",
        "    c = [0]",
        "    def step():",
        "        c[0] += 1",
        "        return c[0]",
    ]
    made.lines += ["    return step", "tick = counter()", "print(tick())", "print(push(1))"]
    if made.often(0.5):
        made.function()
    return made


def random_case(seed: int) -> Case:
    """Return the program of a seed."""
    rng = random.Random(seed)

    def some(chance: float) -> bool:
        return rng.random() < chance

    dialect = Dialect(some(0.2), some(0.2), some(0.25), some(0.25))
    main = Maker(rng, dialect)
    files: dict[str, str] = {}
    if some(0.3):
        lib = library(rng, dialect)
        files["lib.star"] = lib.text
        main.lines.append('load("lib.star", "shared", "push", "tick", t = "table", e = "elements")')
        main.globals.update({"shared": "l", "t": "d", "e": "e"})
        main.functions.append(Signature("push", (("v", "", "a", False), ("to", "", "l", True)), "l"))
        main.functions.append(Signature("tick", (), "i"))
        if "def f0" in files["lib.star"]:
            main.lines[-1] = main.lines[-1].replace('"tick"', '"tick", f9 = "f0"')
            main.functions.append(lib.functions[0]._replace(name="f9"))
    main.file(rng.randint(1, 5))
    files["main.star"] = main.text
    return Case(files, dialect)


def reduced(files: dict[str, str], fails: Callable[[dict[str, str]], object]) -> dict[str, str]:
    """Return a smaller program for which `fails(files)` still holds: lines are taken out while it does."""
    size = max(text.count("\n") for text in files.values())
    while size >= 1:
        shrunk = False
        for name in files:
            lines = files[name].splitlines(keepends=True)
            at = 0
            while at < len(lines):
                fewer = lines[:at] + lines[at + size :]
                candidate = {**files, name: "".join(fewer)}
                if fails(candidate):
                    files, lines, shrunk = candidate, fewer, True
                else:
                    at += 1
        if not shrunk:
            size //= 2
    return files
