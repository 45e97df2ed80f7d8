"""The dialect: Starlark meets derivations. Chapter 3 of the spec.

This package may import `bramble.errors`, `bramble.starlark`, `bramble.derivation`
and `bramble.project`. It never touches the store or the network.
"""
