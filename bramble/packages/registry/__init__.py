"""The registry of packages as data: an index that only grows, its signed checkpoint, and where files are.

Chapter: spec/10a-registry.md. Everything here is pure: bytes become frozen values and these become bytes
again, for readers and writers of a registry. What somebody else wrote is refused with a
code unless it is exactly of the form.
"""
