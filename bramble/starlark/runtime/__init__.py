"""What exists while a program runs: values, what can be done with them, and what every program is given.

`values` says what the values are and when they are equal, `order` in which order they stand; `operators`,
`attributes` and `iteration` what programs do with them; `universe` which functions always exist; `text` and
`json` how values are written. `intrinsics` is the list of what compiled code calls.
Nothing here knows the tree of a program, or how it is compiled.
"""
