"""What may stand next on a command line, and the shells that ask.

Chapter: spec/09-command-line.md. Nothing of what a project says is evaluated, and no store is made.
"""
