"""Registries as files: written by their owners, asked by everybody else.

Chapter: spec/10a-registry.md. The format of the files is in `bramble/packages/registry`; here they meet
disks, keys and the network.
"""
