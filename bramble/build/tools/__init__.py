"""Programs of this machine, made to run from the store: the built-in builder `host_tools`."""
