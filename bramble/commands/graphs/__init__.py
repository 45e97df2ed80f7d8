"""Graphs as documents, and graphs that grow while they are built."""
