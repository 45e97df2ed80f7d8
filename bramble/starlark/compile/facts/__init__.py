"""What the text of a program tells about its functions and variables, before any code is made.

`collect` reads what every function does. `kinds` and `kind_rules` say which types values can have,
`ownership` who can change a container, and `inference` solves both for a whole file.
All of it is on the safe side: what is not known counts as the worst.
"""
