"""Programs made at random, for comparing ways to run them. Some fail; none run long."""

from __future__ import annotations

import random

ATOMS = {
    "int": ("0", "1", "2", "3", "-1", "7"),
    "str": ('"a"', '"ab"', '""', '"k"', '"a,b"'),
    "bool": ("True", "False"),
    "list": ("[]", "[1, 2]", "[3, 1, 2]", '["a", "b"]', "[True, 0]", "[[1], [2]]", "[(1, 2), (3, 4)]"),
    "dict": ("{}", '{"k": 1}', "{1: 2, True: 3}", '{"a": [1], "b": [2]}', "{(1, True): 1, (1, 1): 2}"),
    "tuple": ("()", "(1, 2)", '("a", True)'),
    "any": ("None", "1.5", 'b"a"', "range(3)", "-0.0", "float('nan')"),
}
TYPES = tuple(ATOMS)
INT = (
    "(%i + %i)",
    "(%i - %i)",
    "(%i * %i)",
    "(%i // %i)",
    "(%i % %i)",
    "len(%l)",
    "len(%d)",
    "%l[%i]",
    "%d.get(%s, %i)",
)
INT += (
    "max(%i, %i)",
    "min(%i, %i)",
    "abs(%i)",
    "%s.find(%s)",
    "(%i & %i)",
    "(%i if %b else %i)",
    "int(%s)",
    "%l.pop()",
)
STR = (
    "(%s + %s)",
    "%s.upper()",
    "%s.strip()",
    "str(%i)",
    "str(%a)",
    '"%%s-%%d" % (%a, %i)',
    '"{}/{}".format(%a, %s)',
)
STR += (
    "%s[%i:]",
    "%s.replace(%s, %s)",
    '",".join(%l)',
    "repr(%l)",
    "type(%a)",
    "(%s * (%i % 4))",
    '"<%%s>" % %a',
)
BOOL = (
    "(%i < %i)",
    "(%i == %i)",
    "(%a == %a)",
    "(%s in %d)",
    "(%a in %l)",
    "not %a",
    "(%b and %b)",
    "(%s != %s)",
)
BOOL += (
    "%s.startswith(%s)",
    'type(%a) == "int"',
    "(%i in %d)",
    "(%l == %l)",
    "(%a not in %d)",
    "bool(%a)",
    "%l != []",
)
LIST = (
    "[%i, %i]",
    "(%l + %l)",
    "%l[%i:]",
    "%l[:%i]",
    "sorted(%l)",
    "list(%l)",
    "%d.keys()",
    "%d.values()",
    "%s.split(%s)",
)
LIST += (
    "[i for i in %l]",
    "[i + 1 for i in range(%i % 5)]",
    "[i * 2 for i in %l if i]",
    "[k for k, v in %d.items()]",
)
LIST += (
    "[(i, v) for i, v in enumerate(%l)]",
    "([%i] * (%i % 4))",
    "reversed(%l)",
    "list(range(%i % 5))",
    "[%a, %a]",
    "%d.items()",
)
LIST += (
    "sorted(%l, key = lambda v: -v)",
    "[f(i) for f in [lambda q: q] for i in %l]",
    "[a + b for a, b in zip(%l, %l)]",
)
DICT = (
    '{"k": %i, "m": %a}',
    "{%s: %i}",
    "dict(%d)",
    "{i: i * %i for i in range(%i % 5)}",
    "{k: v for k, v in %d.items()}",
)
DICT += ("(%d | %d)", "{%a: 1}", "dict([(%s, %i)])")
TUPLE = ("(%i, %a)", "tuple(%l)", "%d.popitem()", "(%a,)", "%s.partition(%s)")
ANY = (
    "%l[%i]",
    "%d[%s]",
    "%d.get(%a)",
    "%d.setdefault(%s, %l)",
    "%l.pop()",
    "%t[0]",
    "(%a or %a)",
    "%l.append(%i)",
)
ANY += (
    "(%a if %b else %a)",
    "%d.pop(%s)",
    "(lambda v: %a)(%a)",
    "hash(%s)",
    "%l.extend(%l[:2])",
    "%d.update(%d)",
    "set(%l)",
)
FORMS = {"int": INT, "str": STR, "bool": BOOL, "list": LIST, "dict": DICT, "tuple": TUPLE, "any": ANY}
HOLES = {"i": "int", "s": "str", "b": "bool", "l": "list", "d": "dict", "t": "tuple", "a": "any"}
EFFECTS = (
    "%l.append(%a)",
    "%l.append(%i)",
    "%l.extend(%l[:2])",
    "%l.insert(%i, %a)",
    "%l.pop()",
    "%l.remove(%i)",
    "%l.clear()",
)
EFFECTS += (
    "%d.pop(%s, None)",
    "%d.update(%d)",
    "%d.setdefault(%a, %i)",
    "%d.clear()",
    "print(%a)",
    "%l.append(%l)",
)
STORES = (
    "%l[%i] = %a",
    "%d[%s] = %a",
    "%d[%i] = %i",
    "%d[%a] = %a",
    "%l[%i] += %i",
    "%d[%s] += %i",
    "%l += %l[:2]",
    "%l += %t[:2]",
)
STORES += ("%d |= %d", "%l[0], %l[1] = %i, %i", "%d[%s] = %l", "%d[%i] = %d.get(%i, 0) + 1", "%l[-1] = %l")
LOOPS = ("%l", "range(%i % 5)", "%d", "%l", "sorted(%d)", "%t", "[1, 2, 3]")
PAIR_LOOPS = ("enumerate(%l)", "%d.items()", "zip(%l, %l)", "[(1, 2), (3, 4)]")


class Maker:
    """Makes the text of one program from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.functions: list[tuple[str, list[str], str]] = []

    def expression(self, kind: str, names: dict[str, str], depth: int) -> str:
        """Return an expression that mostly is of a kind; `names` are the kinds of variables."""
        r = self.random.random()
        if r < 0.02:
            kind = self.random.choice(TYPES)
        if kind == "any" and r < 0.7:
            kind = self.random.choice(TYPES)
        known = [name for name, k in names.items() if k == kind]
        if depth <= 0 or r < 0.25:
            return self.random.choice(known) if known and r < 0.8 else self.random.choice(ATOMS[kind])
        if r < 0.5 and known:
            return self.random.choice(known)
        calls = [(name, kinds) for name, kinds, result in self.functions if result == kind]
        if r < 0.58 and calls:
            name, kinds = self.random.choice(calls)
            return f"{name}({', '.join(self.expression(k, names, depth - 1) for k in kinds)})"
        return self.filled(self.random.choice(FORMS[kind]), names, depth - 1)

    def filled(self, form: str, names: dict[str, str], depth: int) -> str:
        out = []
        at = 0
        while at < len(form):
            if form[at] == "%" and form[at + 1 : at + 2] == "%":
                out.append("%")
                at += 2
            elif form[at] == "%" and form[at + 1 : at + 2] in HOLES:
                out.append(self.expression(HOLES[form[at + 1]], names, depth))
                at += 2
            else:
                out.append(form[at])
                at += 1
        return "".join(out)

    def targeted(self, form: str, names: dict[str, str]) -> str:
        """Fill a statement whose first hole is a variable if there is one of its kind."""
        known = [name for name, k in names.items() if k == HOLES.get(form[1:2])]
        if known and form[0] == "%":
            form = self.random.choice(known) + form[2:]
        return self.filled(form, names, 1)

    def statement(self, names: dict[str, str], indent: str, depth: int, loops: int) -> None:
        r = self.random.random()
        add = self.lines.append
        if r < 0.25:
            kind = self.random.choice(TYPES[:-1])
            name = f"{kind[0]}{self.random.randint(0, 2)}"
            limit = "[:6]" if kind in ("str", "list", "tuple") and loops else ""
            add(f"{indent}{name} = {self.expression(kind, names, 2)}{limit}")
            names[name] = kind
        elif r < 0.40:
            add(indent + self.targeted(self.random.choice(EFFECTS), names))
        elif r < 0.58:
            add(indent + self.targeted(self.random.choice(STORES), names))
        elif r < 0.64:
            known = [name for name, k in names.items() if k in ("int", "str", "list")]
            if known:
                name = self.random.choice(known)
                limit = "" if names[name] == "int" else "[:2]"
                add(f"{indent}{name} += {self.expression(names[name], names, 1)}{limit}")
        elif r < 0.78 and depth:
            if self.random.random() < 0.6:
                target, iterable = "i", self.filled(self.random.choice(LOOPS), names, 1)
                inner = {**names, "i": "int"}
            else:
                target, iterable = "i, v", self.filled(self.random.choice(PAIR_LOOPS), names, 1)
                inner = {**names, "i": "int", "v": "any"}
            add(f"{indent}for {target} in {iterable}:")
            self.block(inner, indent + "    ", depth - 1, loops + 1)
        elif r < 0.9 and depth:
            add(f"{indent}if {self.expression('bool', names, 2)}:")
            self.block(dict(names), indent + "    ", depth - 1, loops)
        elif r < 0.94:
            add(f"{indent}print({self.expression('any', names, 1)})")
        elif r < 0.96 and loops:
            add(indent + self.random.choice(("break", "continue")))
        elif r < 0.97:
            add(f"{indent}return {self.expression('any', names, 1)}")
        else:
            add(indent + "pass")

    def block(self, names: dict[str, str], indent: str, depth: int, loops: int) -> None:
        before = len(self.lines)
        for _ in range(self.random.randint(1, 3)):
            self.statement(names, indent, depth, loops)
        if len(self.lines) == before:
            self.lines.append(indent + "pass")

    def program(self) -> str:
        for number in range(self.random.randint(1, 3)):
            kinds = [self.random.choice(TYPES[:5]) for _ in range(self.random.randint(0, 2))]
            parameters = [f"p{n}" for n in range(len(kinds))]
            self.lines.append(f"def f{number}({', '.join(parameters)}):")
            names = dict(zip(parameters, kinds))
            for kind in ("int", "list", "dict", "str"):
                if self.random.random() < 0.7:
                    names[f"{kind[0]}0"] = kind
                    self.lines.append(f"    {kind[0]}0 = {self.random.choice(ATOMS[kind])}")
            for _ in range(self.random.randint(2, 7)):
                self.statement(names, "    ", 2, 0)
            result = self.random.choice(TYPES[:5])
            self.lines.append(f"    print({', '.join(names) or 0})")
            self.lines.append(f"    return {self.expression(result, names, 0)}")
            self.functions.append((f"f{number}", kinds, result))
        for name, kinds, _result in self.functions:
            arguments = ", ".join(self.random.choice(ATOMS[kind]) for kind in kinds)
            self.lines.append(f"print({name}({arguments}))")
        return "\n".join(self.lines) + "\n"


def random_program(seed: int) -> str:
    """Return the text of a program; the same for the same seed."""
    return Maker(seed).program()
