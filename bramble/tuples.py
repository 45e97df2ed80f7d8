"""`typing.NamedTuple` for the modules that are loaded before a program is run again: see there what it is.

To load `typing` takes about as long as to start Python, and types are nothing that a running program asks
for. What makes the tuple is `collections.namedtuple`, here as there.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:

    class _Maker(type):
        """Makes a named tuple of a class: its fields are the annotated names, with their defaults."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.pop("__annotations__")
            # Those with a default are the last ones, which the checker of types sees to.
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body.pop("__module__"))
            made.__annotations__ = fields
            for key, value in body.items():
                setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """What such a class names as its base."""
