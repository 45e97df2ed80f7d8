"""Files and names: bramble.toml, bramble.lock, modules, targets, files(), versions. Chapter 2 of the spec.

This package may import `bramble.errors` and `bramble.library`, and nothing else of Bramble.
"""
