"""Each construct of the language as a function of its node and the context, which gives Python's code.

`table` (in the package above) says which function emits which node. Every one of them begins with the simple
rule of the construct; what follows are the cases in which the code may be simpler than the rule.
`guards` explains when it may.
"""
