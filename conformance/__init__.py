"""The conformance suite: what any implementation of the specification must do, and a runner for it.

Chapter: spec/13-conformance.md. The suite speaks to an implementation by its
command line only; it imports the standard library and itself, never `bramble`.
"""

# Of the runner and its cases: it grows with every change of what a passing run means.
VERSION = "1.0.0"
