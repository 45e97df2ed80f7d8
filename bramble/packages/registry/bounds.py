"""How much anybody may put into a registry. Sizes are in bytes. Pure."""

from __future__ import annotations

LARGEST_INDEX = 128 << 20
LARGEST_CHECKPOINT = 64 << 10
LARGEST_CONFIG = 1 << 20
LARGEST_DOCUMENT = 8 << 20  # the versions or the documentation of one package
LARGEST_LIST = 64 << 20  # of all packages
LARGEST_SOURCE = 1 << 30  # an archive, which is not compressed
LONGEST_RELEASE = 255  # characters of NAME@VERSION; its last part is the name of a file
