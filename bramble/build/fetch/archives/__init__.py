"""Hostile archives: read as streams, written so that nothing leaves the directory. Begin with `unpack.py`."""
