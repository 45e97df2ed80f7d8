"""What exists while a program runs: values, what can be done with them, and what every program is given.

`values` says what the values are, when they are equal and in which order they stand; `operators`,
`attributes` and `iteration` what programs do with them; `universe` the functions that always exist;
`text` and `json` their forms as text. `intrinsics` is the list of what compiled code calls.
Nothing here knows the tree of a program, or how it is compiled.
"""
