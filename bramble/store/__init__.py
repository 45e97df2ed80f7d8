"""The store: what an object is, what it is called, and where it lives.

Chapters: spec/05-store.md (location, padding, layout, locks, gc) and
spec/06-objects.md (archive, references, identity, export). This room imports
`bramble.errors` and nothing else of Bramble. Pure modules: `digest`, `path`,
`archive`, `references`, `identity`, `mark`, `model`. The way in is `disk.Store`.
"""
