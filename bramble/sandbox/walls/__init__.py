"""The filter of system calls and Landlock, as data for the kernel: pure. Imports nothing here."""
