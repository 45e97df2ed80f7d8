"""How built-ins check their arguments, and the words of their complaints."""

from __future__ import annotations

from ..errors import EvalError
from ..spell import suggestion
from .integers import int_text
from .iteration import items_of, sized_of
from .values import LIST_CLASSES, fail_with, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import NoReturn, Optional, Union

    from .values import Value

# The largest int that an index or a count may be; beyond it Python's sequences raise OverflowError.
_MAX_INDEX = (1 << 62) - 1


def no_keywords(name: str, kwargs: Mapping[str, Value]) -> None:
    """Raise when a built-in that takes positional arguments only is given keywords."""
    # spec: starlark.text.builtin
    if kwargs:
        raise EvalError("eval.argument", f"{name}: unexpected keyword arguments")


def count_between(name: str, given: int, least: int, most: Optional[int]) -> None:
    """Raise when a built-in is given too few or too many positional arguments."""
    if given < least:
        want = f"want {least}" if least == most else f"want at least {least}"
    elif most is not None and given > most:
        want = f"want {most}" if least == most else f"want at most {most}"
    else:
        return
    raise EvalError("eval.argument", f"{name}: got {given} arguments, {want}")


def named_arguments(
    name: str,
    parameters: Sequence[str],
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    required: Collection[str] = (),
) -> dict[str, Value]:
    """Return the arguments of a built-in whose parameters may be given by name; missing ones are left out."""
    if len(args) > len(parameters):
        count_between(name, len(args), 0, len(parameters))
    bound = dict(zip(parameters, args))
    for word, value in kwargs.items():
        if word not in parameters:
            hint = suggestion(word, parameters)
            raise EvalError("eval.argument", f'{name}: unexpected keyword argument "{word}"{hint}')
        if word in bound:
            raise EvalError("eval.argument", f'{name}: got multiple values for keyword argument "{word}"')
        bound[word] = value
    for word in required:
        if word not in bound:
            raise EvalError("eval.argument", f"{name}: missing argument for {word}")
    return bound


def wrong_type(name: str, parameter: Union[int, str], value: Value, want: str) -> NoReturn:
    """Raise the error of an argument of a type that a built-in does not take."""
    raise EvalError(
        "eval.argument", f"{name}: for parameter {parameter}: got {type_name(value)}, want {want}"
    )


def want_string(name: str, parameter: Union[int, str], value: Value) -> str:
    """Return an argument that must be a string."""
    if value.__class__ is not str:
        wrong_type(name, parameter, value, "string")
    return value


def want_int(name: str, parameter: Union[int, str], value: Value) -> int:
    """Return an argument that must be an int; a bool is none."""
    if value.__class__ is not int:
        wrong_type(name, parameter, value, "int")
    return value


def want_bool(name: str, parameter: Union[int, str], value: Value) -> bool:
    """Return an argument that must be a bool; an int is none."""
    if value.__class__ is not bool:
        wrong_type(name, parameter, value, "bool")
    return value


def want_items(name: str, parameter: Union[int, str], value: Value) -> Value:
    """Return the items of an argument that must be iterable, as a Python list or tuple."""
    items = items_of(value)
    if items is None:
        wrong_type(name, parameter, value, "iterable")
    return items


def want_sized(name: str, parameter: Union[int, str], value: Value) -> Value:
    """Return the items of an argument that must be iterable, as a Python list, tuple or range."""
    items = sized_of(value)
    if items is None:
        wrong_type(name, parameter, value, "iterable")
    return items


def want_small_int(name: str, parameter: Union[int, str], value: Value) -> int:
    """Return an argument that must be an int of the signed 64-bit range."""
    number = want_int(name, parameter, value)
    if not -(1 << 63) <= number < 1 << 63:
        fail_with(
            "eval.argument",
            f"{name}: for parameter {parameter}: {int_text(number)} out of range "
            "(want value in signed 64-bit range)",
        )
    return number


def bounds(name: str, first: int, args: Sequence[Value], length: int) -> tuple[int, int]:
    """Return the part of a sequence that optional `start` and `end` arguments mean, as slices do.

    `first` is the number of the start's parameter. The start is at most the
    length, and the end is not before the start.
    """
    # spec: starlark.string.range
    start, end = 0, length
    if len(args) > 0 and args[0] is not None:
        start = _bound(want_int(name, first, args[0]), length)
    if len(args) > 1 and args[1] is not None:
        end = _bound(want_int(name, first + 1, args[1]), length)
    return start, max(start, end)


def _bound(value: int, length: int) -> int:
    if value < 0:
        value += length
    return min(max(value, 0), length)


def clamp(value: int) -> int:
    """Return an int that Python's sequences take as a count, and that means the same."""
    return min(max(value, -_MAX_INDEX), _MAX_INDEX)


def is_list(value: Value) -> bool:
    """Return whether a value is a list, frozen or not."""
    return value.__class__ in LIST_CLASSES
