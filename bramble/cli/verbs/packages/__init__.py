"""The commands about packages: `add`, `remove`, `update`, `deps`, `outdated`."""
