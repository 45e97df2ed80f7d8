"""From the resolved tree of a program to Python's code.

`facts` reads what every function does with its variables; `ownership`, `kinds` and `inference` conclude
what the code need not check; the rest makes Python's tree of each construct. `translate` is the way in.
"""
