"""Keys that Python takes for others come out of a dict as they went in, whichever way they go."""

from __future__ import annotations

import pytest

from bramble.starlark import Thread, call
from bramble.starlark.runtime.struct import STRUCT

from ..running import ran

INTO = {
    "display": "d = {k: 1}",
    "long display": "d = {k: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1}\n"
    "    [d.pop(n) for n in range(2, 10)]",
    "element": "d = {}\n    d[k] = 1",
    "element of something": "d = {'x': 0}\n    d[k] = 1\n    d.pop('x')",
    "augmented element": "d = {k: 0}\n    d[k] += 1",
    "setdefault": "d = {}\n    d.setdefault(k, 1)",
    "bound setdefault": "d = {}\n    f = d.setdefault\n    f(k, 1)",
    "update by pairs": "d = {}\n    d.update([(k, 1)])",
    "update by a dict": "d = {}\n    d.update({k: 1})",
    "bound update": "d = {}\n    f = d.update\n    f([(k, 1)])",
    "union": "d = {} | {k: 1}",
    "union in place": "d = {}\n    d |= {k: 1}",
    "comprehension": "d = {x: 1 for x in [k]}",
    "dict of pairs": "d = dict([(k, 1)])",
    "dict of a dict": "d = dict({k: 1})",
    "target of a loop": "d = {}\n    for d[k] in [1]:\n        pass",
    "target of a comprehension": "d = {}\n    [0 for d[k] in [1]]",
}
OUT_OF = {
    "loop": "    out = []\n    for x in d:\n        out.append(x)\n    return out",
    "locked loop": "    out = []\n    for x in d:\n        out.append(same(x))\n    return out",
    "loop over pairs": "    out = []\n    for x, _ in d.items():\n        out.append(x)\n    return out",
    "loop over keys": "    out = []\n    for x in d.keys():\n        out.append(same(x))\n    return out",
    "two loops": "    out = []\n    for x in d:\n        for y in d:\n            out.append(same(y))\n"
    "    return out",
    "unpacking": "    (x,) = d\n    return [x]",
    "popitem": "    return [dict(d).popitem()[0]]",
    **{
        name: f"    return {name}"
        for name in (
            "[x for x in d]",
            "[same(x) for x in d]",
            "[x for _ in [0] for x in d]",
            "[x for x in d.keys()]",
            "[x for x, _ in d.items()]",
            "[x[0] for x in d.items()]",
            "[x for _, x in enumerate(d)]",
            "[x for x, _ in zip(d, d)]",
            "[x for x in dict(d)]",
            "list(dict(d, a = 1))[:1]",
            "(d | {}).keys()",
            "({} | d).keys()",
            "list(d)",
            "list(tuple(d))",
            "list(set(d))",
            "sorted(d)",
            "sorted(d, key = lambda x: 1)",
            "reversed(d)",
            "[max(d)]",
            "d.keys()",
            "[x for x, _ in list(d.items())]",
            "(lambda x: [x])(*d)",
        )
    },
}
KEYS = ("True", "float('nan')", "(1, False)", "struct(a = True)", "'b'")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("way", INTO)
def test_what_goes_into_a_dict_comes_out_of_it(way: str, key: str) -> None:
    text = "def same(x):\n    return x\n"
    for number, rest in enumerate(OUT_OF.values()):
        text += f"def private_{number}(k):\n    {INTO[way]}\n{rest}\n"
        text += f"def read_{number}(d):\n{rest}\n"
        text += (
            f"def shared_{number}(k):\n    {INTO[way]}\n    return (read_{number}(d), read_{number}(d))[1]\n"
        )
    text += f"def made(k):\n    {INTO[way]}\n    return d\n"
    text += f"k = {key}\nkeep = made(k)\n"
    text += "sought = [keep.get(k), keep[k], k in keep, 1 in keep, len(keep), str(keep)]\n"
    text += "def every(kind, k):\n    return [str(f(k)) for f in kind]\n"
    for kind in ("private", "shared", "read"):
        text += f"{kind} = [{', '.join(f'{kind}_{number}' for number in range(len(OUT_OF)))}]\n"
    # Each in threads that know of no odd key so far.
    found = ran(text, struct=STRUCT).globals
    shown = ran(f"x = str([{key}])\n", struct=STRUCT).globals["x"]
    assert found["sought"] == [1, 1, True, False, 1, f"{{{shown[1:-1]}: 1}}"]
    for kind, given in (("private", found["k"]), ("shared", found["k"]), ("read", found["keep"])):
        for name, function in zip(OUT_OF, found[kind]):
            if key.startswith("struct") and ("sorted(d)" in name or "max" in name):
                continue
            assert call(Thread(), found["every"], [[function], given]) == [shown], (kind, name)
