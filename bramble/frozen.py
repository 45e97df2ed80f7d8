"""Frozen values with named fields: `dataclasses`, made in a third of the time.

`dataclasses` writes six functions for each class, and compiles them; with seventy classes that
was half of all that a build with nothing to do takes. Here one is written, the constructor, and the
rest is shared. What such a class is to others is the same: `dataclasses.replace`, `fields` and
`asdict` take its values, and that module is loaded only when somebody asks.

Fields come from annotations, and `field` says more of one. There is no more of `dataclasses` than is used:
no ClassVar, no InitVar, no slots.
"""

from __future__ import annotations

import operator
from importlib import import_module
from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
else:
    _NOTHING = object()

    class _Field:
        """What `field` says of one field."""

        __slots__ = ("default", "default_factory", "init", "compare", "repr")

        def __init__(self, default=_NOTHING, default_factory=_NOTHING, init=True, compare=True, repr=True):
            self.default = default
            self.default_factory = default_factory
            self.init = init
            self.compare = compare
            self.repr = repr

    field = _Field

    def replace(value, **changes):
        """As `dataclasses.replace`."""
        fields = getattr(value, "__frozen_fields__", None)
        if fields is None:
            return import_module("dataclasses").replace(value, **changes)
        return value.__class__(**{**{name: getattr(value, name) for name in fields}, **changes})

    def dataclass(cls=None, *, frozen=False, order=False, eq=True):
        """As `dataclasses.dataclass`."""
        if cls is None:
            return lambda cls: _made(cls, frozen, order, eq)
        return _made(cls, frozen, order, eq)

    def _made(cls, frozen, order, eq):
        fields = dict(getattr(cls, "__frozen_fields__", {}))
        for name in _own_names(cls, tuple(fields)):
            given = cls.__dict__.get(name, _NOTHING)
            one = fields[name] = given if isinstance(given, _Field) else _Field(given)
            if one.default is not _NOTHING:
                setattr(cls, name, one.default)
            elif given is not _NOTHING:
                delattr(cls, name)
        cls.__frozen_fields__ = fields
        cls.__init__ = _constructor(cls, fields)
        methods = {"__repr__": _repr}
        if eq:
            values = _values(tuple(name for name, one in fields.items() if one.compare))
            methods.update(_comparisons(values, order))
            if cls.__dict__.get("__hash__") is None:
                cls.__hash__ = (lambda self: hash(values(self))) if frozen else None
        if frozen:
            methods.update(__setattr__=_refuse_to_set, __delattr__=_refuse_to_delete)
        for name, method in methods.items():
            if name not in cls.__dict__:
                setattr(cls, name, method)
        cls.__dataclass_fields__ = _Fields()
        return cls

    def _own_names(cls, inherited):
        own = cls.__dict__.get("__annotations__")
        if own is None:
            # Made when somebody asks, or, before Python 3.10, those of the base.
            own = [name for name in getattr(cls, "__annotations__", ()) if name not in inherited]
        return own

    def _constructor(cls, fields):
        names, parameters, lines = {"_0": _NOTHING}, ["self"], []
        for number, (name, one) in enumerate(fields.items(), 1):
            value, parameter = name, name
            if one.default_factory is not _NOTHING:
                names[f"_{number}"] = one.default_factory
                parameter = f"{name}=_0"
                value = f"_{number}() if {name} is _0 else {name}" if one.init else f"_{number}()"
            elif one.default is not _NOTHING:
                names[f"_{number}"] = one.default
                parameter = f"{name}=_{number}"
            if one.init:
                parameters.append(parameter)
            if one.init or one.default_factory is not _NOTHING:
                lines.append(f" _into[{name!r}] = {value}\n")
        if hasattr(cls, "__post_init__"):
            lines.append(" self.__post_init__()\n")
        exec(f"def __init__({', '.join(parameters)}):\n _into = self.__dict__\n{''.join(lines)}", names)
        made = names["__init__"]
        made.__qualname__ = f"{cls.__qualname__}.__init__"
        return made

    def _values(names):
        """Return the function that takes the fields `names` out of a value, as a tuple."""
        if len(names) > 1:
            return attrgetter(*names)
        return lambda self: tuple(getattr(self, name) for name in names)

    def _comparisons(values, order):
        def compared(compare):
            def method(self, other):
                if other.__class__ is self.__class__:
                    return compare(values(self), values(other))
                return NotImplemented

            return method

        signs = ("eq", "lt", "le", "gt", "ge") if order else ("eq",)
        return {f"__{sign}__": compared(getattr(operator, sign)) for sign in signs}

    def _repr(self):
        fields = self.__frozen_fields__.items()
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name, one in fields if one.repr)
        return f"{self.__class__.__qualname__}({shown})"

    def _refuse_to_set(self, name, _value):
        raise import_module("dataclasses").FrozenInstanceError(f"cannot assign to field {name!r}")

    def _refuse_to_delete(self, name):
        raise import_module("dataclasses").FrozenInstanceError(f"cannot delete field {name!r}")

    class _Fields:
        """What `dataclasses` knows such classes by: of a real one, which is made when somebody looks."""

        def __get__(self, _value, cls):
            real = import_module("dataclasses")
            made = []
            for name, one in cls.__frozen_fields__.items():
                options = {"init": one.init, "compare": one.compare, "repr": one.repr}
                for option in ("default", "default_factory"):
                    if getattr(one, option) is not _NOTHING:
                        options[option] = getattr(one, option)
                made.append((name, object, real.field(**options)))
            cls.__dataclass_fields__ = real.make_dataclass(cls.__name__, made).__dataclass_fields__
            return cls.__dataclass_fields__
