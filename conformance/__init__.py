"""The conformance suite: what any implementation of the specification must do, and a runner for it.

Chapter: spec/10-conformance.md. The suite speaks to an implementation by its
command line only; it imports the standard library and itself, never `bramble`.
"""
