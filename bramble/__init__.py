"""Bramble: a functional build system and package manager, in pure Python.

Builds are pure functions written in Starlark, run in a rootless sandbox and
kept in a content-addressed store that can be relocated. The chapters of
`spec/` and the packages below this one have the same names and say the same.
"""

from bramble.isolation import asked_for, only_the_library

__version__ = "0.1.0"

# The first thing that `python -m bramble…` runs of us: before a module of Python's is looked for.
if asked_for():
    only_the_library()
