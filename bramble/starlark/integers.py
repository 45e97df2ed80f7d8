"""Ints as decimal text and back, of any length: newer Pythons refuse long ones."""

from __future__ import annotations

# From this many bits, or digits, on the work is cut into parts that every Python accepts.
_LONG_INT_BITS = 2000
_LONG_DIGITS = 600
_SMALL = 1 << 62


def int_text(value: int) -> str:
    """Return an int in decimal, of any size (newer Pythons refuse long ones in `str`)."""
    if -_SMALL < value < _SMALL or value.bit_length() < _LONG_INT_BITS:
        return str(value)
    sign = "-" if value < 0 else ""
    return sign + _digits(abs(value)).lstrip("0")


def _digits(value: int) -> str:
    bits = value.bit_length()
    if bits < _LONG_INT_BITS:
        return str(value)
    # Half of the decimal digits, so that both parts are about half as long.
    count = bits * 30103 // 200000
    high, low = divmod(value, 10**count)
    return _digits(high) + _digits(low).rjust(count, "0")


def int_from_digits(text: str, base: int) -> int:
    """Return the int that a string of digits of the base stands for, of any length."""
    if len(text) <= _LONG_DIGITS or base in (2, 4, 8, 16, 32):
        return int(text, base)
    half = len(text) // 2
    high, low = int_from_digits(text[:-half], base), int_from_digits(text[-half:], base)
    return high * base**half + low
