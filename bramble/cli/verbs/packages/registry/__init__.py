"""`bramble registry …`: running a registry of packages."""
