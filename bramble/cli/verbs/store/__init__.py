"""`bramble store …`: a command with subcommands. Begin with `command.py`."""
