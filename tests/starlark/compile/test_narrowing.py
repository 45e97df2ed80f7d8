"""What tests tell of the kinds of variables: with values of all types as the reference evaluator does."""

from __future__ import annotations

import pytest

from bramble.starlark import Dialect

from ..reference.both import difference

VALUES = (
    '[None, True, 7, 2.5, "ab", b"x", [], ["a", 1], {}, {True: 2}, (1, "b"), set([1]), range(3), len,'
    " struct(strip = lambda: 3)]"
)
OTHERS = '[None, True, 7, "ab", ["a"]]'
# Bodies of a function of x and y. Most end in `x + 1`: for what surely is no bool it is Python's own, and
# Python takes True for 1.
BODIES = (
    'if type(x) == "string":\n        return x.strip() + "!"\n    return x + 1',
    'if type(x) != "list":\n        return x + 1\n    return x + [y] == y',
    'if type(x) == "int":\n        x = y\n    return x + 1',
    'if type(x) == "int":\n        x = y\n        return x + 1\n    return 0',
    "if x == None:\n        return y\n    return x + 1",
    'if x != None and type(x) != "int":\n        return x[0]\n    return x + 1',
    'if type(x) == "string":\n        pass\n    elif type(x) == "dict":\n        return x.items() + list(x)\n'
    '    elif type(x) in ("list", "tuple"):\n        return list(x)\n    else:\n'
    "        return x + 1\n    return x.upper()",
    'if type(x) not in ("int", "list"):\n        fail("no", x)\n'
    '    return x + 1 if type(x) != "list" else x + [1]',
    'if type(x) != "int":\n        y = 1\n    return x + 1',
    'if type(x) != "int":\n        if y:\n            return 1\n    return x + 1',
    'return x.strip() if type(x) == "string" else x.items() if type(x) == "dict" else x + 1',
    'return type(x) == "int" or x + 1',
    'return type(x) != "int" and x + 1',
    'return (type(x) == "int" or type(x) == "float" or type(x) == "bool") and x + 1',
    'return (type(x) == "int" or y) and x + 1',
    'return not (type(x) != "int" and y) and x + 1',
    'return not (x == None or type(x) == "int") and x + 1',
    'for z in [x, y, 1, "s"]:\n        if type(x) == "int":\n            x = x + 1\n        x = z\n'
    "    return x + 1",
    'if type(x) == "int":\n        for z in [True, "a"]:\n            y = x + 1\n            x = z\n'
    "    return (x, y)",
    'if type(x) == "int":\n        for i in range(2):\n            for x in [i, y]:\n                pass\n'
    "        return x + 1\n    return 0",
    'if type(x) == "int":\n        if y:\n            x = y\n        return x + 1\n    return 0',
    'if type(x) == "int":\n        if y:\n            return x + 1\n        else:\n'
    "            x = True\n    return x + 1",
    'if type(x) == "list":\n        x += [y]\n        return x\n    if type(x) == "int":\n'
    "        x += 1\n    return x",
    'if type(x) == "int":\n        x, y = y, x\n        return (x + 1, y)\n    return x != y',
    'return [z + 1 for z in [x, y, 3] if type(z) == "int" or z] + [z + 1 for z in [x] if z]',
    'return [x + 1 for x in [1, x, y] if type(x) == "int" if x + 1] + [x + 1]',
    'if type(x) == "int":\n        def g():\n            return x + 1\n        x = y\n'
    "        return g()\n    return x",
    'def g():\n        return x * 2 if type(x) == "string" else x + 1\n    x = y\n    return g()',
    'if type(x) == type({}) and type(y) == type("") and y not in x:\n        x[y] = 1\n    return x == y',
)


@pytest.mark.once
@pytest.mark.parametrize("body", BODIES)
def test_what_is_known_behind_a_test_is_so(body: str) -> None:
    text = (
        f"def f(x, y):\n    {body}\n\n[print(attempt(lambda: f(x, y))) for x in {VALUES} for y in {OTHERS}]\n"
    )
    assert not difference({"main.star": text}, Dialect())
