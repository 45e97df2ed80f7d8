"""Quick ways for short values of the usual types: with values of all types as the reference evaluator does.

Sorting, listing, joining and printing; keys that are tuples; what takes items apart.
"""

from __future__ import annotations

import pytest

from bramble.starlark import Dialect

from ..reference.both import difference

VALUES = (
    '[None, True, 7, "ab", [], ["b", 1], ["b", "a"], [("a", 1)], [(True, 2)], {}, {True: 2},'
    ' {"b": 5, "a": 6}, (1, "b"), set([1]), range(3), len,'
    ' struct(keys = lambda: ["b", "a"], items = lambda: (1, 2))]'
)
OTHERS = '[None, True, "b", ["a", 2], {"a": 5, 1: 6}, (1, "b")]'
# Bodies of a function of x and y.
BODIES = (
    "return (dict([(x, y)], a = 1), dict([], a = x), dict([x, y], b = 2))",
    "z = [x]\n    z.append(y)\n    return dict(z, a = 1)",
    "return sorted([x, y, 1])",
    "return sorted(x, key = lambda k: (x.append(k) if len(x) < 9 else 0, 1)[1])",
    "return sorted(x.keys())",
    "return sorted(x.keys(), reverse = y)",
    "return list(x.keys())",
    "return list(x.items())",
    "return list(x.values())",
    'return sorted(x, key = lambda k: (x.update({"zz": 1}), k)[1]) if type(x) == "dict" else 0',
    'return sorted(x.keys(), key = lambda k: (x.update({"zz": 1}), str(k))[1])',
    "return sorted(x, key = y)",
    "return sorted(x, key = len)",
    "return sorted(x, key = lambda k: k, reverse = y)",
    "out = []\n    out += x\n    out += y\n    return out",
    "out = [1]\n    for z in out:\n        out += x\n    return out",
    (
        "d = {}\n    "
        'for k in ["b", "a"]:\n    '
        "    d[k] = 1\n    "
        "return (sorted(d.keys()), list(d.keys()), list(d.items()), list(d.values()), sorted(d.items()))"
    ),
    "d = {}\n    d[x] = 1\n    return (sorted(d.keys()), list(d.keys()), list(d), sorted(d))",
    "return (dict(zip(x, y)), zip(x, y))",
    "return dict([(x, y), (y, x)])",
    "return dict([x, y])",
    'return "%s" % x',
    'return ("%d" % x, "%s-%d" % (y, x))',
    "return (str(x), str(y))",
    "return (x in y, x not in y)",
    "return max(x)",
    "return min(x)",
    "return (x < y, x == y)",
    'return ((x, 1) < (y, 2), (x, "a") == (y, "a"))',
    (
        "d = {(1, x): 5}\n    "
        "d[(1, x)] = 6\n    "
        "return (d.get((1, y)), d[(1, x)], (1, y) in d, d.setdefault((1, y), 7))"
    ),
    "return {k: v for k, v in [(x, y), (1, 2)]}",
    "return {(x, 1): y for z in [1]}",
    "a, b, c = x.partition(y)\n    return (a, c)",
    'a, b, c = x.rpartition("a")\n    return (a, c)',
    'a, b = x.partition("a")\n    return (a, c)',
    'return [p for p in x.split("b")] + [q for p in [x, y] for q in p.split("a")]',
    "return (x + [y], [y] + x, x + [1])",
    "a, b = [x, y]\n    (c, d) = (x, y) if y else [1]\n    return (a, b, c, d)",
    'return (repr(x), repr([x, [y], (x,)]), repr({"a": x, "b": [y, [y]]}), str((x, y)))',
    'return (hasattr(x, "keys"), getattr(x, "keys", 1) == 1, getattr(x, y, None))',
    "return (list(x), tuple(x))",
    (
        "for f in [len]:\n    "
        "    for z in x:\n    "
        "        f(y)\n    "
        '        if type(x) == "list" and len(x) < 9:\n    '
        "            x.append(1)\n    "
        "return x"
    ),
    "return dict(x, a = y)",
    "return dict(x, a = y, b = len([y]))",
    "return dict(x, zz = dict(y, q = 1))",
    (
        "def p(v):\n    "
        '    if type(x) == "dict":\n    '
        '        x["new"] = v\n    '
        "    return v\n    "
        "return (dict(x, a = p(y)), x)"
    ),
    "return (list(x), tuple(y))",
    "return (list(x) + [y], tuple(x) + (y,))",
    'd = {"a": 1}\n    d["b"] = x\n    return (dict(d, a = y), d)',
    'return dict({"a": x}, b = y, a = 2)',
    "z = list(x)\n    z.append(y)\n    return (x, z)",
    "return dict(x, **y)",
    "return dict(x, a = 1, **y)",
    "return [dict(q, k = y) for q in [x]]",
    "return tuple([z for z in x]) + tuple(list(x))",
    "l = []\n    l.append(x)\n    m = list(l)\n    m.append(y)\n    return (l, m, tuple(l))",
)


@pytest.mark.once
@pytest.mark.parametrize("body", BODIES)
def test_quick_ways_do_what_the_long_ones_do(body: str) -> None:
    text = (
        f"def f(x, y):\n    {body}\n\n[print(attempt(lambda: f(x, y))) for x in {VALUES} for y in {OTHERS}]\n"
    )
    assert not difference({"main.star": text}, Dialect())
