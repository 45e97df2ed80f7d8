"""The one file: what the source is, packing it, starting from it, opening it up. Chapter 12 of the spec.

Read `tree.py` (what belongs to the source), `payload.py` (the archive and its digest), `pack.py` (the file),
`preamble.sh` and `boot.py` (what runs first), `unpack.py` (the copy in the cache), `stages.py` and `project/`
(Bramble as a project, which it builds itself).
"""
