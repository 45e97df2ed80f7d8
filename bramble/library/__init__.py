"""The library that comes with Bramble, in Starlark: `std`, `std/c` and so on (spec/02-project.md, 2.4).

`modules.py` finds its files; it imports nothing of Bramble.
"""
