"""What the text of a program tells about its functions and variables, before any code is made.

`collect` reads what every function does. `kinds` says which types values can have, `sites` which containers
they can be and what these hold, and `kind_rules` both of an expression. `flow` follows values to where they
go, and `inference` does so for a whole file; `ownership` says who can change a container meanwhile.
All of it is on the safe side: what is not known counts as the worst.
"""
