"""Making a graph of derivations true: plan, schedule, build, fetch, and say what happened.

Chapter: spec/07-build.md. May import `bramble.store`, `bramble.derivation`,
`bramble.sandbox` and `bramble.errors`; never the language, never a project.
The door is `bramble.build.engine.build`.
"""
