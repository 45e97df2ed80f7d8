"""Packages of a project: found, fetched, chosen, kept in the lock, and changed in bramble.toml.

The package `bramble/packages` defines and selects them; here they are fetched, stored and locked.
"""
