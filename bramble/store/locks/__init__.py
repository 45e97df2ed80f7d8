"""Locks that die with the process that holds them, and who holds one."""
