"""Tests of the command line (chapter 9)."""
