"""Quantities as people type them: `2G`, `30d`, `1.5`."""

from __future__ import annotations

import argparse

_SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def count(text: str) -> int:
    """Return a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def seconds(text: str) -> float:
    """Return a length of time in seconds, more than none."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def byte_count(text: str) -> int:
    """Return a number of bytes: digits, and K, M, G or T for powers of 1024."""
    scale = _SIZES.get(text[-1:].upper(), 1)
    digits = text[:-1] if scale > 1 else text
    if not digits.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500M or 2G")
    return int(digits) * scale


def age(text: str) -> float:
    """Return an age in seconds: digits and s, m, h, d or w."""
    scale = _AGES.get(text[-1:])
    if scale is None or not text[:-1].isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not an age such as 30d or 12h")
    return float(int(text[:-1]) * scale)
