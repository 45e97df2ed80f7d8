"""What belongs together on a machine: one file a family says what to ask, what to copy, and how to try it."""
