"""Attributes: methods of built-in types, fields of structs and modules, what host values offer."""

from __future__ import annotations

from ..errors import EvalError
from ..spell import suggestion
from .arguments import count_between, no_keywords
from .collection_methods import (
    DICT_CHANGES,
    DICT_METHODS,
    DICT_PUTS,
    LIST_CHANGES,
    LIST_METHODS,
    SET_METHODS,
    setdefault,
    unless_iterated,
    update,
)
from .functions import Builtin, HostValue, Method, ModuleValue, Struct, apply
from .seldom import call_seldom
from .string_methods import BYTES_METHODS, STRING_METHODS
from .text import apply_format
from .values import DICT_CLASSES, LIST_CLASSES, SET_CLASSES, BusyDict, BusyList, Dict, fail_with, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn, Optional

    from ..thread import Thread
    from .values import Value

    MethodTable = Mapping[str, tuple[Callable[..., Value], int, int]]

_NONE: MethodTable = {}
# The dicts that may be changed.
_DICTS = frozenset({dict, Dict})

METHODS: dict[type, MethodTable] = {
    str: STRING_METHODS,
    bytes: BYTES_METHODS,
    **dict.fromkeys(LIST_CLASSES, LIST_METHODS),
    **dict.fromkeys(DICT_CLASSES, DICT_METHODS),
    **dict.fromkeys(SET_CLASSES, SET_METHODS),
}
# The names of built-in methods. A method with another one is a function of the program's or the host's.
SELDOM = frozenset({"format", "update"}).union(*METHODS.values())


# What methods may be run on: also what refuses to change.
_RECEIVERS = {**METHODS, BusyList: LIST_METHODS, BusyDict: DICT_METHODS}


class NoAttribute(EvalError):
    """`x.name` for a name that `x` lacks: reported at the dot, also when the attribute would be called."""


def _takes_keywords(x: Value, name: str) -> bool:
    return (name == "format" and x.__class__ is str) or (name == "update" and x.__class__ in DICT_CLASSES)


def run_method(
    x: Value,
    name: str,
    args: tuple[Value, ...],
    kwargs: Mapping[str, Value],
    thread: Optional[Thread] = None,
) -> Value:
    """Call a method of a built-in type that has it. Raises EvalError when the arguments do not fit."""
    if _takes_keywords(x, name):
        if name == "format":
            return apply_format(x, args, kwargs)
        count_between(name, len(args), 0, 1)
        return update(x, args, kwargs, thread)
    function, least, most = _RECEIVERS[x.__class__][name]
    if kwargs:
        no_keywords(name, kwargs)
    if not least <= len(args) <= most:
        count_between(name, len(args), least, most)
    if function is setdefault:
        return setdefault(x, *args, thread=thread)  # type: ignore[misc]
    return function(x, *args)


def call_method(thread: Thread, x: Value, name: str, /, *args: Value, **kwargs: Value) -> Value:
    """Return `x.name(*args, **kwargs)`."""
    kind = x.__class__
    method = METHODS.get(kind, _NONE).get(name)
    if kind in _DICTS and name in DICT_PUTS:
        return run_method(x, name, args, kwargs, thread)
    if thread.locked:
        x = unless_locked(thread, x, name)
    if method is not None and not kwargs:
        function, least, most = method
        if least <= len(args) <= most:
            return function(x, *args)
    if method is not None or _takes_keywords(x, name):
        return run_method(x, name, args, kwargs)
    found = attribute(x, name)
    return call_seldom(thread, found, args, kwargs) if name in SELDOM else apply(thread, found, args, kwargs)


def unless_locked(thread: Thread, x: Value, name: str) -> Value:
    """Return a value; for a method that changes a list or dict that is being iterated, what refuses to."""
    # spec: starlark.iteration.locked
    kind = x.__class__
    if kind is list and name in LIST_CHANGES and id(x) in thread.locked:
        return BusyList(x)
    return unless_iterated(thread, x) if kind in _DICTS and name in DICT_CHANGES else x


def run_bound(
    thread: Thread, x: Value, name: str, args: tuple[Value, ...], kwargs: Mapping[str, Value]
) -> Value:
    """Call a method of a built-in type that was bound to its receiver before."""
    return run_method(unless_locked(thread, x, name), name, args, kwargs, thread)


def bound_method(thread: Thread, x: Value, name: str) -> Callable[..., Value]:
    """Return what `x.name` calls, as a Python function without the thread."""
    found = attribute(x, name)
    return lambda *args, **kwargs: call_seldom(thread, found, args, kwargs)


def having(x: Value, name: str) -> Value:
    """Return `x` if it has the attribute. Raises EvalError otherwise, before any argument is evaluated."""
    if name not in METHODS.get(x.__class__, _NONE) and find_attribute(x, name) is NotImplemented:
        no_attribute(x, name)
    return x


def lacking(x: Value, name: str) -> bool:
    """Return False. Raises EvalError when `x` has no attribute of that name."""
    having(x, name)
    return False


def attribute(x: Value, name: str) -> Value:
    """Return `x.name`. Raises EvalError when there is no such attribute."""
    # spec: starlark.attribute
    # Those of host values are asked for by the thousand, as the outputs of derivations are.
    found = x.attr(name) if isinstance(x, HostValue) else find_attribute(x, name)
    if found is NotImplemented:
        no_attribute(x, name)
    return found


def find_attribute(x: Value, name: str) -> Value:
    """Return `x.name`, or NotImplemented when there is no such attribute."""
    kind = x.__class__
    if kind is Struct:
        return x.fields.get(name, NotImplemented)
    if kind is ModuleValue:
        return x.attributes.get(name, NotImplemented)
    if name in METHODS.get(kind, _NONE) or _takes_keywords(x, name):
        return Builtin(name, Method(run_bound, x, name), x)
    if isinstance(x, HostValue):
        return x.attr(name)
    return NotImplemented


def no_attribute(x: Value, name: str, prefix: str = "") -> NoReturn:
    """Raise the error of an attribute that `x` lacks."""
    noun = "attribute" if x.__class__ is Struct else "field or method"
    hint = suggestion(name, attribute_names(x), ".")
    message = f"{prefix}{type_name(x)} has no .{name} {noun}{hint}"
    raise EvalError("eval.attribute", message) if prefix else NoAttribute("eval.attribute", message)


def attribute_names(x: Value) -> list[str]:
    """Return the names of the attributes of a value, sorted."""
    kind = x.__class__
    if kind is Struct:
        return sorted(x.fields)
    if kind is ModuleValue:
        return sorted(name for name in x.attributes if name not in x.unlisted)
    if isinstance(x, HostValue):
        return sorted(x.attr_names())
    names = set(METHODS.get(kind, _NONE))
    if kind is str:
        names.add("format")
    elif kind in DICT_CLASSES:
        names.add("update")
    return sorted(names)


def set_attribute(x: Value, name: str, value: Value) -> None:
    """Execute `x.name = value`."""
    if not isinstance(x, HostValue) or not x.set_attr(name, value):
        fail_with("eval.attribute", f"can't assign to .{name} field of {type_name(x)}")
