"""One module a command: `configure` adds its options, `execute` does it and returns the exit status."""
