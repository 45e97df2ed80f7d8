"""What random programs are made of: literals, and forms with holes, by the kind of value that they give.

A hole is `%` and the letter of a kind; `%%` is a percent sign. Two blanks stand between forms. The kinds are
those that the compiler draws conclusions from. Forms that often fail are in tables of their own, and are
seldom taken.
"""

from __future__ import annotations

import re


def split(text: str) -> tuple[str, ...]:
    """Return the forms of a table."""
    return tuple(re.split(r"\s{2,}|\n", text.strip()))


KINDS = {
    "i": "int",
    "s": "string",
    "b": "bool",
    "n": "list of ints",
    "u": "list of strings",
    "l": "list",
    "m": "dict from strings to ints",
    "d": "dict",
    "e": "set",
    "t": "tuple",
    "f": "float",
    "y": "bytes",
    "r": "struct",
    "a": "any",
}
# A value of these kinds will do where one of the first is wanted.
NARROWER = {"l": "nul", "d": "md"}

ATOMS = {
    "i": split(r"""
        0  1  2  3  -1  7  10  255  -3  1099511627776
    """),
    "s": split(r"""
        "a"  "ab"  ""  "k"  "a,b"  "x y z"  "1"  "%d"  "{}"  "é"  'q"'  "A-b"
    """),
    "b": split(r"""
        True  False
    """),
    "n": split(r"""
        []  [1, 2]  [3, 1, 2]  [0]  [5, 5, -1, 7]
    """),
    "u": split(r"""
        []  ["a", "b"]  ["b", "a", "ab"]  [""]
    """),
    "l": split(r"""
        []  [True, 0]  [[1], [2]]  [(1, 2), (3, 4)]  [None]  ["a", 1]  [{"k": 1}]
    """),
    "m": split(r"""
        {}  {"k": 1}  {"a": 1, "b": 2}
    """),
    "d": split(r"""
        {}  {1: 2, True: 3}  {"a": [1], "b": [2]}  {(1, True): 1, (1, 1): 2}  {1.0: 1, 2: 2}  {None: 0}
    """),
    "e": split(r"""
        set()  set([1, 2])  set(["a"])  set([True, 1])
    """),
    "t": split(r"""
        ()  (1, 2)  ("a", True)  (1,)  ((1, 2), 3)
    """),
    "f": split(r"""
        0.0  1.5  -0.0  float('nan')  1e10  -2.5  float('inf')
    """),
    "y": split(r"""
        b""  b"ab"  b"\xff"
    """),
    "r": split(r"""
        struct(a = 1)  struct(b = [1], a = "x")  struct()
    """),
    "a": split(r"""
        None  range(3)  len  range(4, 0, -1)  "ab".elems()  struct  "a".upper
    """),
}

EXPRESSIONS = {
    "i": split(r"""
        (%i + %i)  (%i - %i)  (%i * %i)  (%i // 3)  (%i %% 7)  len(%l)  len(%d)  len(%s)  %m.get(%s, %i)
        max(%i, %i)  min(%i, %i)  abs(%i)  %s.find(%s)  (%i & %i)  (%i | %i)  (%i ^ %i)
        (%i if %b else %i)  -%i  ~%i  (%i << (%i %% 5))  (%i >> (%i %% 5))  hash(%s)  %s.count(%s)
        ord(%s[0] if %s else %s)  +%i  max(%n + [%i])  min(%n + [0], key = lambda v: -v)  len(%e)  int(%b)
        (%i and %i)  (%i or %i)  len(range(%i))  len([x for x in %n if x > %i])  (%n[0] if %n else %i)
        %n[%i] if len(%n) > 9 else 1  [%i, %i, %i][%i %% 3]  (%i %% -4)  int(str(%i))  (%n or [1])[-1]
        (lambda v: v + 1)(%i)  [x + 1 for x in [%i]][0]  {"a": %i}["a"]  (%i, %i)[1]
    """),
    "s": split(r"""
        "%%s" %% (%a,)  "%%s %%s" %% (%s, %t)  "<%%s>" %% [%a]
        (%s + %s)  %s.upper()  %s.strip()  str(%i)  str(%a)  repr(%a)  "%%s-%%d" %% (%a, %i)
        "{}/{}".format(%a, %s)  %s[%i:]  %s[:%i]  %s[::-1]  %s.replace(%s, %s)  ",".join(%u)  type(%a)
        (%s * (%i %% 4))  "<%%s>" %% %s  "%%r|%%s" %% (%a, %a)  %s.title()  %s.lower()
        "{a}{}".format(%i, a = %s)  "{0}{1!r}{0}".format(%a, %a)  "%%(k)s" %% {"k": %a}  %s.lstrip(%s)
        %s.removeprefix(%s)  chr(97 + %i %% 9)  (%s if %b else %s)  (%s or %s)  max(%s, %s)  str(%n)
        "%%d%%%%" %% %i  "%%x" %% %i  "".join([%s for _ in range(%i %% 4)])  str(%y)  str(%f)  str(%d)
        ", ".join([str(x) for x in %l])  %s.join(["<%%s>" %% x for x in %u])  %s.replace(%s, %s, %i)
        %s.capitalize()  str(%l)  "%%s" %% %i  "%%d,%%s" %% (%i, %s)  "{}".format(%i)  "".join(%u + [%s])
        "a" + str(%i)  %s.replace("a", %s)  "%%s=%%s" %% (%s, %i)  %s.join([])  [%s, %s][%i %% 2]
    """),
    "b": split(r"""
        (%i < %i)  (%i == %i)  (%a == %a)  (%s in %m)  (%i in %n)  not %a  (%b and %b)  (%s < %s)
        (%s != %s)  %s.startswith(%s)  type(%a) == "int"  (%i in %d)  (%l == %l)  (%a not in %d)  bool(%a)
        %l != []  type(%a) == "list"  type(%a) == type([])  type(%a) == type(%a)  %d == {}  (%i >= %i)
        (%i <= %f)  (%s in %s)  (%e <= %e)  %e.issubset(%n)  any(%l)  all(%l)  (%n < %n)
        type(%a) in ("string", "int")  hasattr(%a, %s)  %s.endswith((%s, %s))  (%a in %l)  (%b or %b)
        all([x > %i for x in %n])  any([x == %a for x in %l])  (%i in range(%i))  (%a in %t)  (%s in %e)
        %a == None  %a != None  (%d == %d)  %s.isdigit()  (%f == %f)  not %b  %s in (%s, %s)  %i > 0
        type(%l) == 'list'  (%b == %i)  (%i == %b)  (%t == %t)  ((%i, %i) == (%b, %i))  ([%f] == [%i])
        (%f, %b) == (%f, %i)  %b in [%i, %i]  %f in (%f, %i)  (%n == [%b])  %f != %f  (%f < %i)  (%f >= %f)
        (%s == %a)  (%i == %a)  (%i != %a)  (%a in [%a, %a])  (%d == {%b: %i})
        type(%d) != "dict"  (%s in %u)  (%i == 0)  %i  %l  %s  %d  %i == %f  (%f in %d)  (%b in %d)
        (%b in %e)  (%f not in %e)  (%e == %e)  (%e < %e)  ((%f, %b) in %d)  {%f: %i} == {%i: %i}
    """),
    "n": split(r"""
        [%i, %i]  (%n + %n)  %n[%i:]  %n[:%i]  sorted(%n)  list(%n)  %m.values()  [x for x in %n]
        [x + 1 for x in range(%i %% 5)]  [x * 2 for x in %n if x]  ([%i] * (%i %% 4))  reversed(%n)
        list(range(%i %% 5))  sorted(%n, key = lambda v: -v)  [a + b for a, b in zip(%n, %n)]  [%i] + %n
        [y for x in range(%i %% 4) if x for y in range(x) if y != %i]  %n + [%i]  %n[::2]
        [g() for g in [lambda: x for x in %n]]  [len(x) for x in %u]  [(lambda y = x: y)() for x in %n]
        (%n if %b else %n)  (%n or [%i])  %n[::-1]  [x - y for x in %n for y in [%i] if x != y]
        [v for _, v in enumerate(%n)]  [j for j, _ in enumerate(%l)]  sorted(%n, reverse = %b)
        [%i for _ in range(%i %% 4)]  [x if x else %i for x in %n]  sorted([x %% 3 for x in %n])
    """),
    "u": split(r"""
        [%s, %s]  (%u + %u)  sorted(%u)  %m.keys()  %s.split(%s or %s or '-')  [x + %s for x in %u]
        [x.upper() for x in %u]  [str(x) for x in %l]  [type(x) for x in %l]  list(%s.elems())  sorted(%m)
        [k for k, v in %m.items()]  [k for k in %m]  %u[:%i]  [%s] * (%i %% 3)  %s.splitlines()
        %s.split(",")  ["%%s:%%d" %% (k, v) for k, v in %m.items()]  [x for x in %u if x not in %u]
        sorted(%u, key = len)  [x.replace(%s, %s) for x in %u]  dir(%a)  sorted([str(x) for x in %l])
        [x for x in %u if x.startswith(%s)]
    """),
    "l": split(r"""
        (%l + %l)  %l[%i:]  list(%l)  %d.keys()  %d.values()  [x for x in %l]  [k for k, v in %d.items()]
        [(j, v) for j, v in enumerate(%l)]  reversed(%l)  [%a, %a]  %d.items()  list(%e)  list(%t)
        [%l, %l]  [g(x) for g in [lambda q: q] for x in %l]  [%a for _ in range(%i %% 4)]
        [[x, y] for x in %l for y in %l][:5]  zip(%l, %l)  enumerate(%l, %i)  %l[%i:%i]
        [x[0] for x in %d.items()]  [None] * (%i %% 3)  [%d]
        sorted(%l, key = lambda v: (type(v), str(v)))  [x for x in %d]  %l + [%a]  [(x, %s) for x in %n]
        sorted(%m.items())  [{%s: x} for x in %l]  [lambda: x for x in %n]
        [x for xs in [%l, %l] for x in xs]  sorted(%u, key = lambda v: (len(v), v), reverse = %b)
        [[] for _ in range(%i %% 3)]  sorted(zip(%u, %n))
    """),
    "m": split(r"""
        {%s: %i}  dict(%m)  (%m | %m)  dict([(%s, %i)])  dict(a = %i, b = %i)  {k: %i for k in %u}
        {str(x): x for x in %n}  ({} if %b else %m)  {k: v for k, v in %m.items() if v}
        {k: v + 1 for k, v in %m.items()}  dict(%m, k = %i)  dict(**%m)  {%s: %i, %s + 'z': %i}
        dict(zip(%u, %n))  {k: len(k) for k in %u}
    """),
    "d": split(r"""
        {"k": %i, "m": %a}  dict(%d)  {x: x * %i for x in range(%i %% 5)}  {k: v for k, v in %d.items()}
        (%d | %d)  dict(%d, k = %a)  dict(a = %i, b = %a)  {v: k for k, v in %m.items()}
        dict(zip(%n, %l))  {str(x): [x] for x in %l}  ({} if %b else %d)  {%s: {%s: %l}}
        {k: v for k, v in %d.items() if v}  {"a": %l, "b": %l}  {x: y for x in %n for y in range(2)}
        (%d or %d)  {x: %l for x in %u}  {(%i, %b): %a}  {%b: %i}  {%f: %a}  dict([(%f, %a), (%b, %i)])
        {x: %a for x in [%i, %f, %b]}  {x: x for x in %e}  {(%f,): %a, %s: %i}
    """),
    "e": split(r"""
        set(%n)  (%e | %e)  (%e & %e)  (%e - %e)  (%e ^ %e)  %e.union(%u)  %e.difference(%n, %n)
        %e.intersection(%n)  %e.symmetric_difference(%e)  set([x for x in %u])  set(%d)  set([%b, %i, %s])
        set([%f, %b, %i])  set([(%i, %f), (%b,)])  set(%d.keys())
    """),
    "t": split(r"""
        (%i, %a)  tuple(%l)  (%a,)  %s.partition(%s or '-')  (%t + %t)  %t[1:]  (%t * 2)[:4]
        (%i, (%s, %i))  (%t if %b else %t)  tuple([x for x in %l])  (%s, %l)  (%i, %i)  (%s, %i)
    """),
    "f": split(r"""
        (%i / 4)  (%f + %i)  (%f * %f)  float(%i)  -%f  (%f // 2)  (%f %% 3)  (%i - %f)  max(%f, %i)
        abs(%f)  (%f / 2.0)  float(%b)  (%i * 0.5)  (%i // 2.0)
    """),
    "y": split(r"""
        (%y + %y)  bytes(%s)  %y[%i:]  (%y * (%i %% 3))  bytes([65, %i %% 200])
    """),
    "r": split(r"""
        struct(a = %a, b = %i)  (%r + %r)  struct(**%m)  struct(f = lambda v: v, l = %l)
        struct(a = %a, strip = lambda: %a, get = lambda *v: %a)  struct(get = lambda v: %l.append(v))
    """),
    "a": split(r"""
        %d.get(%s)  %d.setdefault(%s, %l)  (%a or %a)  %l.append(%i)  (%a if %b else %a)  %d.pop(%s, %a)
        (lambda v: %a)(%a)  (%a and %a)  %l.extend(%l[:2])  %d.update(%d)  getattr(%r, %s, %a)
        (%l, %d)[0]  (lambda *v, **w: (v, w))(%a, *%l, **%m)  (lambda v, k = %a: (v, k))(%a)
        (lambda a, *, k: k)(%i, k = %a)  (%l or [%a])[0]  [%l, %d]  range(%i %% 9)  range(%i)[1:%i]
        %m.get(%s, {})  (lambda v: v)  %i  %s  %d.get(%s, {}) == %d
        (lambda a, b = 2, *c, d, e = 5, **g: (a, b, c, d, e, g))(%a, d = %i, z = %a)  %u  %n
        {%i: %a}.get(%i)  {"a": %a}["a"]  [%a][0]  (%a, %a)[-1]  [x for x in [%a]][0]  %b  %m
        struct(strip = lambda: %a).strip()  struct(get = lambda v: %l.append(v)).get(%i)
        %d.get(%b)  %d.get(%f, %a)  %d.pop(%b, %a)  %d.setdefault(%f, %a)  %d.get((%i, %b))
        struct(items = lambda: [%a, %a]).items()  struct(index = lambda v: %d.update(k = v)).index(%a)
    """),
}

# Forms that mostly fail, or often.
FAULTY = {
    "i": split(r"""
        %n[%i]  int(%s)  %n.pop()  %n.index(%i)  ord(%s)  max(%l)  %m[%s]  %t[0]  len(%a)  (%i // %i)
    """),
    "s": split(r"""
        %s[%i:%i:%i]  "%%s" %% %a  "%%s-%%s" %% %t  "<%%d>" %% %t  "%%s" %% %t
        %s[%i]  "%%(k)s" %% %d  %s.format(%a)  %s %% %a  %s %% %t  ",".join(%l)  %u[%i]  "%%d" %% %a
    """),
    "b": split(r"""
        (%a < %a)  (%t < %t)  (%a in %a)  (%a in %e)  (%l < %l)  %s < %i
    """),
    "n": split(r"""
        %n[%i:%i:%i]  %n[::0]
        sorted(%l)  sorted(%l, key = len)  [x + 1 for x in %l]  [-x for x in %l]  %n + %t  [x for x in %i]
    """),
    "u": split(r"""
        [x.upper() for x in %l]  %s.split(%s)  [%s %% x for x in %l]  [x + %s for x in %l]  list(%s)
    """),
    "l": split(r"""
        [x for xs in %l for x in xs]  %l + %n[0]  %a[1:]  [a for a, b in %l]  enumerate(%a)  zip(%l, %a)
    """),
    "m": split(r"""
        dict(%l)  {%s: 1, %s: 2}  dict(**%d)  {k: v for k, v in %l}  (%m | %a)
    """),
    "d": split(r"""
        {%a: 1}  dict([%l])  {x: 1 for x in %l}  {%l: 1}  (%d | %l)
    """),
    "e": split(r"""
        set(%l)  (%e | %l)  set(%a)  %e.union(%l, %a)
    """),
    "t": split(r"""
        %d.popitem()  %s.partition(%s)  (%t + %l)  tuple(%a)
    """),
    "f": split(r"""
        float(%s)  (%f / %f)  (%f %% %f)  (%i / %i)  %f + %s
    """),
    "y": split(r"""
        bytes(%l)  %y[%i]  bytes([%i])  %y + %s
    """),
    "r": split(r"""
        struct(**%d)  (%r + %a)  struct(%a)
    """),
    "a": split(r"""
        %l[%i]  %d[%s]  %d[%a]  %a[%i]  %d.get(%a)  %l.pop()  %d.pop(%s)  hash(%a)  %r.a  %r.f(%a)
        %l[%i][0]  (lambda v, w: v)(%a)  %a(%a)  %d[%s][0]  %a.x  (%a + %a)  (%a * %i)  -%a  fail(%s)
        %r.strip()  %r.get(%a)  %a.strip()  %a.get(%a)
        %l.copy()  %d.get(%s, {}).get(%s)  getattr(%a, %s)  (lambda **w: w)(**%d)  %a()
    """),
}

# Expressions for what they do; the first hole is a variable.
EFFECTS = split(r"""
    %l.append(%a)  %n.append(%i)  %u.append(%s)  %n.extend(%n[:2])  %n.insert(%i, %i)  %l.extend(%l[:2])
    %l.clear()  %d.pop(%s, None)  %m.update(%m)  %d.setdefault(%s, %i)  %d.clear()  %u.extend(%m)
    %l.append(%l)  %d.update(k = %a)  %e.add(%s)  %e.discard(%i)  %e.update(%n)  %d.update(%m, z = 1)
    %l.append({%s: %a})  %l.extend(%t)  %m.update([(%s, %i)])  %l.append((%a, %i))  %m.setdefault(%s, %i)
    %n.append(%i)  %u.append(%s)  %l.append([])  %l.append(%l)  %d.setdefault(%b, %i)  %d.pop(%f, None)
    %e.add(%b)  %e.add(%f)  %e.discard(%f)  %d.update([(%f, %i), (%b, %a)])
""")
FAULTY_EFFECTS = split(r"""
    %n.pop()  %n.pop(0)  %l.remove(%i)  %d.setdefault(%a, %i)  %d.setdefault(%s, []).append(%a)
    %d.pop(%s)  %d.popitem()  %e.pop()  %e.add(%a)  %n.insert(%i, %a)  %e.remove(%i)  %d.update(%l)
    %l.extend(%a)
""")
# Statements that store; the first hole is a variable.
STORES = split(r"""
    %d[%s] = %a  %d[%i] = %i  %m[%s] = %i  %m[%s] = %m.get(%s, 0) + 1  %n += %n[:2]  %l += %t[:2]
    %d |= %d  %m |= %m  %d[%s] = %l  %e |= %e  %l += [%a]  %d[%s] = %d  %d[(%i, %b)] = %a  %n += [%i]
    %u += [%s]  %d[%s] = %n + [%i]  %n[:0] == []  %m[%s] = len(%l)  %u += %m  %l += range(%i %% 3)
    %d[%b] = %a  %d[%f] = %i  %d[%i] = %d.get(%i, 0)  %d[(%f, %i)] = %a  %e -= %e  %e &= %e  %e ^= %e
""")
FAULTY_STORES = split(r"""
    %l[%i] = %a  %d[%a] = %a  %n[%i] += %i  %m[%s] += %i  %n[0], %l[1] = %i, %i  %l[-1] = %l  %n[%i] = %i
    %d[%s] |= %d  %n[%i] %%= %i  %r.a = %i  %d[%s][%s] = %a  %l[%i][0] = %a  %t[0] = %a  %s[0] = %s
    %l += %s  %d[%s] += %n[:1]  %e -= %e  %n[%i] *= %i  %n[0] = %i  %n[-1] += 1  %r.a += 1  %d |= %l
""")
LOOPS = {
    "i": split(r"""
        range(%i %% 5)  range(len(%l))  [1, 2, 3]  %n  range(3)  range(2, 0, -1)  sorted(%n)
    """),
    "s": split(r"""
        ["a", "b"]  %m  sorted(%m)  %s.elems()  %s.split(",")  ("x", "y")  %m.keys()  %u  %u
    """),
    "a": split(r"""
        %l  %d  %e  %t  %d.values()  [%a, %a]  list(%l)  reversed(%l)  %l[:3]
    """),
    "l": split(r"""
        [%l, %l]  [[1], [2, 3]]  [%n]
    """),
}
PAIR_LOOPS = {
    "i": split(r"""
        enumerate(%l)  zip(%n, %l)  [(1, 2), (3, 4)]  [(%i, %a)]  enumerate(%l, 1)  enumerate(%s.elems())
    """),
    "s": split(r"""
        %m.items()  sorted(%m.items())  zip(%u, %l)  {"a": 1}.items()  %m.items()
    """),
}
# Statements that take a value apart, with the variables that they bind.
UNPACKINGS = (
    ("i0, i1 = %i, %i", ("i0", "i1")),
    ("(i0, [s0, i1]) = %i, [%s, %i]", ("i0", "s0", "i1")),
    ("[a0] = [%a]", ("a0",)),
    ("i0, a0 = (%i, %a)", ("i0", "a0")),
    ("s0, a0, s1 = %s.partition('a')", ("s0", "s1")),
    ("a0, l0 = %a, %l[:5]", ("a0", "l0")),
    ("n0, n1 = [%i], [%i, %i]", ("n0", "n1")),
    ("a0, a1 = %l", ("a0", "a1")),
    ("a0, a1 = %t", ("a0", "a1")),
    ("a0, a1 = %a", ("a0", "a1")),
)
# What changes a variable while something goes through it, by its kind. NAME is the variable.
MUTATIONS = {
    "l": split(r"""
        [NAME.append(x) for x in NAME]  sorted(NAME, key = lambda q: NAME.append(1) or 0)
        [y for x in NAME for y in [NAME.clear()]]  max(NAME, key = lambda q: NAME.append(q) or 0)
        NAME.extend(NAME)  NAME.extend([NAME.pop() for _ in NAME])  [x for x in NAME if NAME.append(x)]
        [NAME.insert(0, x) for x in NAME[:2]]  zip(NAME, [NAME.append(x) for x in NAME[:1]])
    """),
    "d": split(r"""
        [NAME.pop(k) for k in NAME]  {k: NAME.setdefault("zz", 1) for k in NAME}  NAME.update(NAME)
        [NAME.update(q = k) for k in NAME.keys()]  [NAME.clear() for k, v in NAME.items()]
        {NAME.setdefault(k, v): v for k, v in NAME.items()}  NAME.update([NAME.popitem()])
    """),
    "e": split(r"""
        [NAME.add(9) for x in NAME]  [NAME.discard(x) for x in NAME]  NAME.update(NAME)
        NAME.update([NAME.add(7) for x in NAME])  NAME.union([NAME.pop() for _ in [1]])
    """),
}
