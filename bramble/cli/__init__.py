"""The command line: the only package that reads the environment and prints.

Chapter: spec/09-command-line.md. May import `commands` and `errors`.
"""
