"""Ints as decimal text and back, of any Python, and how large ints may be."""

from __future__ import annotations

from ..errors import EvalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# The most bits of an int. At this size a product, a quotient or a text takes about a second.
MAX_INT_BITS = 1 << 20
# The most decimal digits of such an int.
MAX_DIGITS = MAX_INT_BITS * 30103 // 100000 + 1

# From this many bits, or digits, on the work is cut into parts that every Python accepts.
_LONG_INT_BITS = 2000
_LONG_DIGITS = 600
_SMALL = 1 << 62


def too_large() -> NoReturn:
    """Raise the error of an int with too many bits."""
    # spec: starlark.limit.int
    raise EvalError("eval.limit", f"int is too large (more than {MAX_INT_BITS} bits)")


def checked(value: int) -> int:
    """Return an int that is not too large. Raises EvalError for others."""
    return value if value.bit_length() <= MAX_INT_BITS else too_large()


def int_text(value: int) -> str:
    """Return an int in decimal, also where `str` refuses long ones. Raises EvalError for too large ones."""
    if -_SMALL < value < _SMALL or value.bit_length() < _LONG_INT_BITS:
        return str(value)
    sign = "-" if value < 0 else ""
    return sign + _digits(abs(checked(value))).lstrip("0")


def _digits(value: int) -> str:
    bits = value.bit_length()
    if bits < _LONG_INT_BITS:
        return str(value)
    # Half of the decimal digits, so that both parts are about half as long.
    count = bits * 30103 // 200000
    high, low = divmod(value, 10**count)
    return _digits(high) + _digits(low).rjust(count, "0")


def int_from_digits(text: str, base: int) -> int:
    """Return the int that a string of digits of the base means. Raises EvalError when it is too large."""
    if len(text) <= _LONG_DIGITS:
        return int(text, base)
    text = text.lstrip("0")
    # Each digit adds at least so many bits.
    if len(text) * (base.bit_length() - 1) > MAX_INT_BITS:
        too_large()
    return checked(_of_digits(text, base))


def _of_digits(text: str, base: int) -> int:
    if len(text) <= _LONG_DIGITS or base in (2, 4, 8, 16, 32):
        return int(text or "0", base)
    half = len(text) // 2
    high, low = _of_digits(text[:-half], base), _of_digits(text[-half:], base)
    scale: int = base**half
    return high * scale + low
