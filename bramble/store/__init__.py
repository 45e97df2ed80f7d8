"""The store: what an object is, what it is called, and where it lives.

Chapters: spec/05-store.md (location, padding, layout, locks, gc) and
spec/06-objects.md (archive, references, identity, export). This package imports
`bramble.errors` and nothing else of Bramble. The way in is `disk.Store`; what every floor
speaks of is here, too: `digest`, `path`, `model`. The floors, each of which imports only those above it:

    files      files and directories as the system has them; knows no store
    objects    archive, references, identity: what an object is, in bytes (6.2 to 6.5)
    tree       a directory on disk as an archive, and back (6.2, 6.3)
    trust      whose a store is; the form of its records (5.1a, 5.2)
    locks      locks that die with the process that holds them (5.4)
    layout     root, padding, directories, workspaces (5.1)
    records    objects, realisations, roots, stamps: what is known (5.2)
    history    what builds were like (5.2)
    gc         how objects leave: collection, leftovers, a whole store (5.5)
    publish    publication of objects (5.3)
    questions  names, reasons, differences, verification (5.6)
    transfer   export, import, relocation (6.6, 5.1)
"""
