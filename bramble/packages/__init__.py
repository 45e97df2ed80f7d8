"""Packages: the other projects that a project loads from, which versions of them, and where these come from.

Chapter: spec/10-packages.md. A package is a project in a git repository: its name is its place, its
versions are tags. `names` says where a name leads, `select` which version of each package a project
gets.
"""
