"""The program `greet`."""

import sys


def greeting(name):
    """Return a greeting for somebody."""
    return f"Hello, {name}!"


def main():
    """Greet whoever is named on the command line."""
    print(greeting(" and ".join(sys.argv[1:]) or "world"))
