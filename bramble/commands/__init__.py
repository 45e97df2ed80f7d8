"""One function a command: values in, values out, nothing printed.

Chapter: spec/09-command-line.md. May import every package except `cli`.
"""
