"""The text of a program and its tree: reading it, resolving its names, printing it. All pure.

`scan` makes tokens of a text (`starlark.source`) and `parse` a tree, whose nodes are in
`tree`; `resolve` says which variable every name means (`scopes`). The way back goes through
`printer` and `formatter`; `outline` is what a listing says of a file.
"""
