"""Quantities as people type them: `2G`, `30d`, `1.5`."""

from __future__ import annotations

import argparse

_SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_LARGEST = 1 << 60  # a size of a file has 63 bits in the kernel, and to some of them something is added
_DIGITS = 19  # more are converted in a time that grows with their square, or not at all
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def count(text: str) -> int:
    """Return an integer from 1 up; larger values than any machine can use are reduced to a maximum."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return number


def rounds(text: str) -> int:
    """Return how often something is built to be compared: from 2 up, and no more than a day can hold."""
    if not text.isdecimal() or not 2 <= _whole(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of builds from 2 to 10000")
    return _whole(text)


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
    """Return a number of bytes: digits, and K, M, G or T for powers of 1024. The most is an EiB."""
    scale = _SIZES.get(text[-1:].upper(), 1)
    digits = text[:-1] if scale > 1 else text
    if not digits.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500M or 2G")
    return min(_whole(digits) * scale, _LARGEST)


def target_name(text: str) -> str:
    """Return what is built for: any text that is not empty and has no control characters."""
    # spec: cli.target
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid target: write a word such as linux-arm64 or wasm"
        )
    return text


def log_bytes(text: str) -> int:
    """Return how much of a log may be kept: a number of bytes, 4K at least."""
    # spec: build.log.size
    return _from(4 << 10, "4K, the minimum for a log", text)


def memory_bytes(text: str) -> int:
    """Return how much memory a build or an evaluation may have: a number of bytes, 1M at least."""
    # spec: build.limits, cli.limits
    return _from(1 << 20, "1M, the minimum for a program", text)


def _from(least: int, why: str, text: str) -> int:
    number = byte_count(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is less than {why}")
    return number


def _whole(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return _LARGEST if len(digits) > _DIGITS else int(digits)


def age(text: str) -> float:
    """Return an age in seconds: digits and s, m, h, d or w."""
    scale = _AGES.get(text[-1:])
    if scale is None or not text[:-1].isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not an age such as 30d or 12h")
    return float(_whole(text[:-1]) * scale)
