"""Registries as files: written by their owners, asked by everybody else.

Chapter: spec/10a-registry.md. What the files say is the room `packages/registry`; here that meets disks,
keys and the network.
"""
