"""Bramble's own source: packed, laid out, released, built by itself, removed. Chapters 12 and 12a."""
