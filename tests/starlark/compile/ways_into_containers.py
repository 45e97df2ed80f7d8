"""Programs in which something comes into a container on a way that is easily overlooked."""

from __future__ import annotations

# The ways by which something comes into a container that its maker has not put there.
WAYS = """
# another name
def f():
    x = []
    y = x
    y.append(1)
    return x[0]
f()

# a parameter
def g(p):
    p.append(1)
def f():
    x = []
    g(x)
    return x[0]
f()

# a parameter of a function as a value
def g(p):
    p.append(1)
def f():
    x = ['a']
    [g][0](x)
    return x[1]
f()

# rest
def g(*r):
    r[1].append(1)
def f():
    x = []
    g(2, x)
    return x[0]
f()

# words
def g(**k):
    k['a'].append(1)
    k['a'] = 2
    return k['a']
x = []
g(a = x)
y = x[0]

# stars
def g(a, b):
    b.append(1)
x = []
g(*[1, x])
y = x[0]

# two stars
def g(b):
    b.append(1)
x = []
g(**{'b': x})
y = x[0]

# another container
x = []
d = {'k': (1, [x])}
d['k'][1][0].append(1)
y = x[0]

# a pair
x = []
a, b = (1, x)
b.append(1)
y = x[0]

# a pair in a loop
x = []
[b.append(a) for a, b in [(1, x)]]
y = x[0]

# items
d = {'k': []}
[v.append(1) for k, v in d.items()]
y = d['k'][0]

# values
d = {'k': []}
[v.append(1) for v in d.values()]
y = d['k'][0]

# get
d = {'k': []}
d.get('k').append(1)
d.get('l', []).append(1)
y = d['k'][0]

# a default of get
x = []
{}.get('k', x).append(1)
y = x[0]

# setdefault
d = {}
d.setdefault('k', []).append(1)
d.setdefault(1)
y = (d['k'][0], d[1], list(d))

# update
d = {}
d.update({'k': 1})
d.update([(2, None)])
d.update(x = 'a')
y = (list(d), d.values())

# a set
s = set()
s.add(1)
s.update(['a'], [None])
y = list(s | set([True])) + list(s.union([()]))

# pop
x = [[]]
y = x[0]
x.pop().append(1)
z = y[0]

# sorted, reversed, list
x = []
sorted([x])[0].append(1)
y = x[0]
z = list(reversed([x]))[0][0]

# zip and enumerate
x = []
for_ = [q.append(i) for i, q in enumerate([x])]
y = [p for p in zip([1], x)]

# a slice
x = [[]]
x[:][0].append(1)
y = x[0][0]

# a sum
x = [[]]
(x + [])[0].append(1)
(x * 2)[1].append('a')
y = x[0][0], x[0][1]

# a sum of tuples
x = []
((x,) + (1,))[0].append(1)
y = x[0]
z = ((1,) + ('a',))[0]

# in place
def f():
    x = []
    y = x
    y += ['a']
    y += (1,)
    return x[0]
f()

# a dict in place
def f():
    x = {}
    y = x
    y |= {'a': 1}
    return (x['a'], list(x))
f()

# an element in place
def f():
    x = [[]]
    x[0] += [1]
    x[0] *= 2
    return x[0][0]
f()

# either
def f(c):
    x = []
    y = ['a']
    (x if c else y).append(1)
    return (x + y)[0]
f(1)
f(0)

# or
x = []
(None or x).append(1)
(x and x).append('a')
y = x[0], x[1]

# a variable that functions share
def f():
    x = []
    def g():
        x.append(1)
    g()
    return x[0]
f()

# a function that outlives its maker
def f():
    x = ['a']
    return x, lambda: x[-1]
x, last = f()
[x][0].append(1)
y = last()

# a method as a value
x = []
m = x.append
m(1)
y = x[0]

# a default
def f(x = []):
    x.append(1)
    return x[0]
f()
[f][0]()
f()

# a default of a function as a value
def f(p, x = []):
    x.append(p)
    return x[0]
[f][0](1)
y = f('a')

# a default of a function that one as a value calls
def g(p, x = []):
    x.append(p)
    return x[0]
def f(p):
    return g(p)
[f][0](1)
y = g('a')

# a default of a function in a function
def f():
    def g(p, x = []):
        x.append(p)
        return x[0]
    attempt(lambda: g(1))
    struct(g = g).g(1)
    return g('a')
f()

# a key function
x = [[], []]
sorted(x, key = lambda v: v.append(1) or 1)
y = x[0][0]

# max
x = [[], []]
max(x, key = lambda v: v.append(1) or 1)
y = x[0][0]

# a global of a function as a value
G = []
def note(v):
    G.append(v)
def key(v):
    note(v)
    return v
sorted([1, 2], key = key)
note('a')
y = [G[0], G[-1]]

# a global
G = []
def f(v):
    G.append(v)
f(1)
f('a')
y = G[0], G[1]

# a host
def f():
    x = []
    s = struct(x = x)
    s.x.append(1)
    return x[0]
f()

# a host that gives
s = struct(x = [1])
x = s.x
x[0] = 'a'
y = s.x[0]

# a method that is a function
def g(p):
    p.append(1)
x = []
struct(m = g).m(x)
y = x[0]

# a function in a variable
def f():
    g = lambda v: v
    h = g
    return g(1), h('a')
f()

# a function as an argument
def apply(f, v):
    return f(v)
def twice(v):
    return [v, v]
def f():
    return apply(lambda v: v + 1, 1), apply(lambda v: v.upper(), 'a'), apply(twice, 1.0)
f()

# a function in a container
def f():
    table = {'a': lambda v: v, 'b': lambda v, w = 'c': w}
    return [table[k](k) for k in table], table['b'](1, 2)
f()

# a function with parameters of all sorts
def f():
    def g(a, b = 1, *c, d = 'd', **e):
        return a, b, c, d, e
    return g(1), g(1.0, 2, 'c', d = None, e = True), g(*['a']), g(**{'a': []})
x = f()

# a function that a global has
f = lambda v: v
[f][0]('a')
attempt(lambda: f(1))
x = f(1)

# a function that is given away
def g(v = 1):
    return v
def f():
    h = lambda v = None: [v]
    attempt(h)
    return h('a'), struct(h = h).h(2)
f()

# a function that is returned
def make(n):
    def f(v):
        return [n, v]
    return f
x = make(1)('a')
y = make('b')(None)
z = [make][0](1.0)(True)

# a counter
def counter():
    state = [0]
    def add(n = 1):
        state[0] += n
        return state[0]
    return add, lambda: state[0]
add, read = counter()
add()
add(1.5)
x = read()

# a key function with a default
x = sorted([3, 1], key = lambda v, n = 'a': (n, v))
y = max([1, 2], key = lambda *v: v)
z = min(['a'], key = lambda v: v.upper())
u = sorted(['b', 'a'], lambda v: [v])

# a function that returns an argument
def f():
    g = lambda v: v
    x = []
    g(x).append(1)
    return x[0]
f()

# a key by its name
d = {'a': 1, 'b': 'x'}
def f(d, k):
    d['c'] = 1.0
    d.setdefault('d', None)
    d.update(e = True)
    d[k] = ()
    return d['a'], d['b'], d['c'], d.get('d'), d.pop('e'), d.get('f', 2)
x = f(d, 'a')
y = [v for v in d.values()], [k for k in d]

# a copy of a dict
def f(d):
    e = dict(d, b = 'x')
    d |= {'c': None}
    u = e | d
    u.update(d)
    return e['a'], e['b'], u['a'], u['c'], dict([('a', 1.0)])['a']
f({'a': 1})

# an element of a dict
d = {'a': 1, 'b': []}
d['a'] += 1.5
d['b'] += ['x']
x = d['a'], d['b'][0]

# what a function that is given away returns
def f():
    x = ['a']
    struct(g = lambda: x).g().append(1)
    return x[-1]
f()

# not None
def f(x, y = None):
    if x == None:
        return [y]
    z = [x, y]
    if y == None and x:
        z += [y, x]
    elif not y:
        z.append(y)
    else:
        z += [y]
    z.append(y != None and y)
    z += [v for v in z if v != None if v], [x if x else y], [y or x]
    for _ in [1, 2]:
        if y:
            z.append(y)
            y = None
            z.append(y)
        z.append(y)
    if y == None:
        y = []
    return z, y
x = f(1), f(None), f('a', 1), f(0, 'a'), f(1, 0)

# insert
x = []
x.insert(0, 'a')
y = x[0]

# a sum with what is not known
x = []
(struct(a = [1]).a + [x])[1].append(1)
y = x[0]

# a stranger in a loop
def g(p):
    p.append(1)
def f():
    x = []
    y = None
    for _ in [1, 2]:
        y = x[0] if x else None
        [g][0](x)
    return y
f()

# a result that is kept as well
G = []
def f():
    x = ['a']
    G.append(x)
    return x
[f][0]().append(1)
y = G[0][-1]

# a function of a host
x = []
def g():
    x.append(1)
attempt(g)
y = x[0]

# itself
x = []
x.append(x)
x[0].append(1)
y = x[0][0][1]

# comparing
def f(h):
    x = []
    return x == h, h == x, x in [h]
f([1])
f(1)

# two lengths
def f(c):
    x = (1,) if c else ('a', 2)
    return x[0], x[-1]
f(0)
f(1)

# the end
def f(c):
    if c:
        return 1
x = f(1)
y = f(0)

# an end in a loop
def f(x):
    for i in x:
        return 1
y = f([])
z = f([1])

# all ends
def f(x):
    if x:
        return 1
    elif x == 0:
        return 'a'
    else:
        fail()
y = f(0)
"""
PROGRAMS = dict(part.split("\n", 1) for part in WAYS.split("# ")[1:])
PROGRAMS["deep"] = f"x = []\n{'(' * 40}x{',)' * 40}{'[0]' * 40}[0:] + [1]\ny = x\n"
PROGRAMS["too deep"] = f"x = []\nd = {'[' * 40}x{']' * 40}\n[d][0]{'[0]' * 40}.append(1)\ny = x[0]\n"
PROGRAMS["many"] = "x = []\n" + "".join(f"[{n}, x][1].append({n})\n" for n in range(30)) + "y = x[0]\n"
