"""Programs made at random that hand containers around: other names, other containers, closures, globals."""

from __future__ import annotations

import random

LOCALS = ("a", "b", "c", "p", "q")
ATOMS = ("1", "0", "True", "None", '"k"', '"ab"', "1.0", 'float("nan")', "(1, True)", "(1, 1)", "10 << 70")


class _Maker:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.functions: list[tuple[str, int]] = []

    def pick(self, *options: str) -> str:
        return self.chance.choice(options)

    def name(self, names: tuple[str, ...]) -> str:
        return self.chance.choice(names)

    def value(self, names: tuple[str, ...], depth: int = 2) -> str:
        """Return an expression that does not fail: parts of values are looked at only where there are any."""
        if depth == 0 or self.chance.random() < 0.2:
            return self.name(names) if self.chance.random() < 0.5 else self.chance.choice(ATOMS)
        one, other = self.value(names, depth - 1), self.value(names, depth - 1)
        x = self.name(names)
        if self.functions and self.chance.random() < 0.2:
            name, count = self.chance.choice(self.functions)
            given = ", ".join(self.value(names, depth - 1) for _ in range(count))
            return f"{self.pick(name, name, f'[{name}][0]')}({self.pick(given, given, f'*[{given}]')})"
        return self.pick(
            f"[{one}, {other}]",
            f"[{one}]",
            "[]",
            "{}",
            "set()",
            f"({one}, {other})",
            f"({one},)",
            f'{{"k": {one}, 1: {other}}}',
            f"{{True: {one}}}",
            f"({x} if {one} else {other})",
            f"({one} or {other})",
            f"({one} and {other})",
            f"items({x})",
            f"list(items({x}))",
            f"sorted(items({x}), key = lambda v: type(v))",
            f"[(v, {one}) for v in items({x})]",
            f"{{i: v for i, v in enumerate(items({x}))}}",
            f"list(zip(items({x}), items({one})))",
            f"(items({x}) or [{one}])[0]",
            f"(items({x}) + [{one}])[-1]",
            f"[v for v in items({x})][:2]",
            f"(({one}, {other}) + ({x},))",
            f'({x}.get("k", {one}) if type({x}) == "dict" else {other})',
            f'({x}.items() if type({x}) == "dict" else [{one}])',
            f'({x}.pop() if type({x}) == "list" and {x} else {other})',
            f'({x}.setdefault("k", {one}) if type({x}) == "dict" else {other})',
            f"(lambda v: [v, {one}])({x})",
            f"({one} == {x})",
            f"(({one}, 1) == ({other}, True))",
            f"([{one}] != [{other}])",
            f'([len(str({x})), "k"] < [2, "k"])',
            f"((1, (len(str({x})), 2)) >= (1, (4, 2)))",
            f"(tuple([len(str({x})), 1]) == (len(str({one})), 1))",
        )

    def change(self, names: tuple[str, ...]) -> list[str]:
        """Return statements that change a container, if there is one."""
        x, one = self.name(names), self.value(names)
        by_list = (
            f"{x}.append({one})",
            f"{x}.extend(items({one}))",
            f"{x}.insert(0, {one})",
            f"{x} += [{one}]",
            f"{x}[:1].append({one})",
        )
        by_item = (f"{x}[0] = {one}", f"{x}[0], {x}[-1] = {one}, 1")
        by_dict = (
            f'{x}["k"] = {one}',
            f"{x}[1] = {one}",
            f"{x}.update(k = {one})",
            f"{x}.update([(True, {one})])",
            f"{x}[float('nan')] = {one}",
            f'{x}.setdefault("n", []).append({one}) if type({x}.get("n", [])) == "list" else None',
            f'{x} |= {{"o": {one}}}',
        )
        made = [
            f'if type({x}) == "list" and len({x}) < 9:\n    {self.chance.choice(by_list)}',
            f'if type({x}) == "list" and {x}:\n    {self.chance.choice(by_item)}',
            f'if type({x}) == "dict":\n    {self.chance.choice(by_dict)}',
            f'if type({x}) == "list" and {x} and type({x}[0]) == "list" and len({x}[0]) < 9:\n'
            f"    {x}[0].append({one})",
        ]
        return self.chance.choice(made).split("\n")

    def statement(self, names: tuple[str, ...], free: tuple[str, ...], depth: int) -> list[str]:
        roll = self.chance.random()
        target = self.name(free)
        if roll < 0.35:
            return [f"{target} = {self.value(names)}"]
        if roll < 0.65:
            lines = self.change(names)
            return ["pass"] if any(_assigns(line, set(names) - set(free)) for line in lines) else lines
        if roll < 0.7:
            return [f"{target}, {self.name(free)} = {self.value(names)}, {self.value(names)}"]
        if roll < 0.75:
            x = self.name(names)
            return [f'if type({x}) == "tuple" and len({x}) == 2:', f"    {target}, {self.name(free)} = {x}"]
        if roll < 0.85 and depth:
            body = self.block(names, free, 2, depth - 1)
            x = self.name(names)
            if self.chance.random() < 0.5:
                return [f"for {target} in items({x})[:3]:", *body]
            if self.chance.random() < 0.3:
                # Maybe what is iterated, by another name.
                body += [f"    {line}" for line in self.change((self.name(("a", "b", "c")),))]
            kind = self.pick("list", "list", "dict", "tuple")
            rounds = self.pick(x, x, f"enumerate({x})", f"zip({x}, {x})", f"sorted({x}, key = str)")
            return [
                f'if type({x}) == "{kind}":',
                *[f"    {line}" for line in (f"for {target} in {rounds}:", *body, f"    if len({x}) > 9:")],
                "            break",
            ]
        if roll < 0.92:
            return [f"say({self.value(names)})"]
        if depth == 2:
            inner = self.block(names, ("v",), 2, 0)
            return [
                "def g(v):",
                *inner,
                f"    return {self.name((*names, 'v'))}",
                f"{target} = g({self.value(names)})",
            ]
        return ["pass"]

    def block(self, names: tuple[str, ...], free: tuple[str, ...], count: int, depth: int) -> list[str]:
        names = (*names, *[n for n in free if n not in names])
        lines: list[str] = []
        for _ in range(count):
            lines += self.statement(names, free, depth)
        return [f"    {line}" for line in lines]

    def program(self) -> str:
        lines = [
            "def items(x):",
            '    return [v for v in x] if type(x) in ("list", "tuple", "dict", "set") else []',
            "def say(x):",
            "    print(type(x), len(str(x)))",
            f"G = {self.pick('[]', '[1]', '[[1], 2]')}",
            f"H = {self.pick('{}', '{1: 2}', '{True: [1]}')}",
        ]
        for number in range(3):
            count = self.chance.randrange(3)
            parameters = ("p", "q")[:count]
            free = ("a", "b", "c", *parameters)
            lines.append(f"def f{number}({', '.join(parameters)}):")
            lines += [f"    {name} = {self.pick('1', '[]', 'None', '{}', '()')}" for name in "abc"]
            lines += self.block(("G", "H", *free), free, 6, 2)
            lines.append(f"    return {self.value((*free, 'G'))}")
            self.functions.append((f"f{number}", count))
        for number in range(4):
            name, count = self.chance.choice(self.functions)
            given = ", ".join(self.value(("G", "H"), 1) for _ in range(count))
            lines.append(f"r{number} = {name}({given})")
            lines.append(f"say(r{number})")
        lines += [f"r4 = {self.value(('G', 'H', 'r0', 'r1', 'r2', 'r3'))}", "say([G, H, r4])"]
        return "\n".join(lines) + "\n"


def _assigns(line: str, names: set[str]) -> bool:
    """Return whether a line assigns to one of these names, which are not of the function."""
    return any(line.strip().startswith((f"{name} += ", f"{name} |= ", f"{name} = ")) for name in names)


def container_program(seed: int) -> str:
    """Return the program of a seed."""
    return _Maker(seed).program()
