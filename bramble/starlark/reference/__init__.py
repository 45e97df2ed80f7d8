"""The language's evaluation rules, as plainly as they can be written: an executable specification.

A tree-walking evaluator, made to be read beside chapter 14 and to be compared with the compiler on random
programs. It is slow, and nothing of Bramble runs on it.

    >>> from bramble.starlark.reference.evaluate import Thread, run
    >>> globals = run("x = [n * n for n in range(4) if n % 2]\\nprint(x)\\n", "a.star", Thread(print))
    [1, 9]

Where a rule is:

| rule | file |
|---|---|
| statements, expressions, order of evaluation, variables, closures, loops, files and `load` | `evaluate` |
| how arguments fill parameters | `calls` |
| operators, indexes, slices, `%` | `operators` |
| methods, attributes, `format` | `methods` |
| `len`, `sorted`, `zip` and the other functions that every program has | `universe` |
| types, truth, equality, order, keys, locks of iteration, freezing, texts of values | `values` |

It defines all of these itself, with separate value types, and shares with the compiler: the tree and the
meaning of names (`syntax`), errors and their places, the words for wrong arguments of built-ins and for
misspelt names, the functions of single numbers and strings (`int`, `float`, `chr`, `ord`, `hash`, `abs`,
`range`, the methods of strings but `join` and `format`), and the text of single ints, floats and strings. A
fault in these is a fault in both. It counts levels and items of comparisons and keys as the compiler does.
Other limits that protect the machine (memory, time, deep programs) are not its business: it follows programs
as deep as Python's own stack allows.
"""
