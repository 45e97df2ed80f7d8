"""A second implementation of the specification: small, plain, and written from its text alone.

Read it in this order: `reader` and `resolver` (text to tree), `values`, `evaluator` and `library` (tree to
values), `toml`, `project`, `derivation` and `dialect` (a project to derivations), `store` (bytes to names),
`commands` (the command line). `claims`, `cases` and `left-out` say what it does.
"""
