"""From the resolved tree of a program to Python's code.

`translate` is the way in, `toplevel` makes the code of a file. Before any code is made, `facts` reads what
the functions do with their variables, and concludes what the code need not check. Then `table` says which
function of `constructs` emits which node; each takes the node and the `context` of the function that is
being made, and gives Python's tree (`python_tree`).
"""
