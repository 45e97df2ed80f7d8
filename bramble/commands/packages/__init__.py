"""Packages of a project: found, fetched, chosen, kept in the lock, and changed in bramble.toml.

What they are and which are chosen is the room `packages`; here that meets the store, git and the lock.
"""
