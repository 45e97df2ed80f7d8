"""`bramble self …`: a small command line of its own. Begin with `command.py`."""
