"""A directory on disk as an archive, and back: reading, hashing, the form of the store, unpacking."""
