"""Ed25519 signatures, verified (RFC 8032, section 5.1). Pure.

Only verification is here, which handles nothing secret: so nothing has to take the same time for every
input, and whole numbers of Python will do.

A point of the curve -x² + y² = 1 + d·x²·y² over the field of 2²⁵⁵ - 19 elements is kept as four whole
numbers X, Y, Z, T with x = X/Z, y = Y/Z, x·y = T/Z (RFC 8032, 5.1.4), so that adding two takes no
division.
"""

from __future__ import annotations

import hashlib
from typing import Optional

from bramble.record import NamedTuple

KEY_SIZE, SIGNATURE_SIZE = 32, 64  # bytes

_P = 2**255 - 19  # elements of the field
_ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)


class _Point(NamedTuple):
    x: int
    y: int
    z: int
    t: int


_NEUTRAL = _Point(0, 1, 1, 0)


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (64 bytes) is that of the public key `key` (32 bytes) over `message`.

    Anything malformed is not a valid signature: wrong lengths, a number that is not below the order of the
    base point (so that nobody can derive a second signature from the first), an encoding that is not a point.
    """
    if len(key) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    public, commitment = _decoded(key), _decoded(signature[:32])
    number = int.from_bytes(signature[32:], "little")
    if public is None or commitment is None or number >= _ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _ORDER
    return _same(_times(number, _BASE), _sum(commitment, _times(challenge, public)))


def _decoded(data: bytes) -> Optional[_Point]:
    """Return the point that 32 bytes encode; None if they encode none (RFC 8032, 5.1.3)."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return _Point(x, y, 1, x * y % _P)


def _sum(p: _Point, q: _Point) -> _Point:
    a = (p.y - p.x) * (q.y - q.x) % _P
    b = (p.y + p.x) * (q.y + q.x) % _P
    c = 2 * p.t * q.t * _D % _P
    d = 2 * p.z * q.z % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return _Point(e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(number: int, point: _Point) -> _Point:
    """Return `point` added to itself, `number` times in all."""
    result = _NEUTRAL
    while number:
        if number & 1:
            result = _sum(result, point)
        point = _sum(point, point)
        number >>= 1
    return result


def _same(p: _Point, q: _Point) -> bool:
    return (p.x * q.z - q.x * p.z) % _P == 0 and (p.y * q.z - q.y * p.z) % _P == 0


def _base() -> _Point:
    point = _decoded((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    assert point is not None  # It is one by definition (RFC 8032, 5.1).
    return point


_BASE = _base()
