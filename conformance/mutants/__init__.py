"""Faults put into the reference implementation on purpose: how many of them the cases catch."""
