"""The recipe of a build as data: model, canonical bytes, templates, graph. Chapter 4 of the spec.

Everything here is pure. This package may import `bramble.errors` and the pure
modules of `bramble.store` (digest, path), and nothing else of Bramble.
"""
