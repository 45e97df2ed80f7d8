"""`--check`: building again, under another store path, and saying what differs and why."""
