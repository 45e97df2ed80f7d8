"""`bramble self …`: a command with subcommands. Begin with `command.py`."""
