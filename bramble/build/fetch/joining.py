"""Whether two answers are parts of the same bytes (RFC 9110, 8.8, 13.1.5, 14.4 and 15.3.7.3). Pure."""

from __future__ import annotations

import calendar
import re
from typing import Optional

from bramble.build.fetch.response import Head, number
from bramble.record import dataclass

_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_OLD_ENOUGH = 60  # seconds between the last change and the answer, so that no second change can hide


@dataclass(frozen=True)
class Received:
    """What is there of a file: how many bytes, from where, and what proves that the rest belongs to them."""

    size: int = 0
    url: str = ""  # that answered, after all redirects: another URL is another file
    validator: Optional[str] = None  # a strong one: None means that nothing can be added
    total: Optional[int] = None  # size of the whole, if it is known
    start: int = 0  # of what was asked for: what is before it is known
    checked: bool = False  # a digest of the whole is checked afterwards: nothing else has to prove anything

    def continues_at(self, url: str) -> bool:
        """Return whether `url` may be asked for the rest."""
        return bool(self.size and (self.checked or (self.validator and url == self.url)))


@dataclass(frozen=True)
class Part:
    """A part of a file: `start` up to `end`, out of `total` bytes."""

    start: int
    end: int
    total: int


def strong_validator(head: Head) -> Optional[str]:
    """Return the strong validator of a response, for If-Range; None if it has none.

    A date is one only without an entity tag, and if it is clearly older than the answer.
    """
    # spec: build.fetch.resume
    tags = head.all("etag")
    if tags:
        return tags[0] if len(tags) == 1 and _STRONG_TAG.fullmatch(tags[0]) else None
    modified, answered = head.all("last-modified"), head.all("date")
    if len(modified) != 1 or len(answered) != 1:
        return None
    changed, now = http_date(modified[0]), http_date(answered[0])
    if changed is None or now is None or now - changed < _OLD_ENOUGH:
        return None
    return modified[0]


def rest_of(head: Head, have: Received) -> Optional[Part]:
    """Return the part that a 206 gives if it goes on exactly where `have` ends, else None.

    Raises Malformed for numbers that cannot be.
    """
    # spec: build.fetch.resume
    if not have.checked and strong_validator_of_part(head) != have.validator:
        return None
    if any(value.lower().startswith("multipart/") for value in head.all("content-type")):
        return None
    place = head.one("content-range") or ""
    found = _CONTENT_RANGE.fullmatch(place)
    if found is None:
        return None
    start, end, total = (number(text, "its Content-Range") for text in found.groups())
    if start != have.size or not start <= end < total or have.total not in (None, total):
        return None
    return Part(start, end + 1, total)


def strong_validator_of_part(head: Head) -> Optional[str]:
    """Return the validator of a 206: its date is compared with an older one, so it need not be old itself."""
    tags = head.all("etag")
    if tags:
        return tags[0] if len(tags) == 1 and _STRONG_TAG.fullmatch(tags[0]) else None
    modified = head.all("last-modified")
    return modified[0] if len(modified) == 1 else None


def http_date(text: str) -> Optional[int]:
    """Return the seconds since 1970 of an IMF-fixdate (RFC 9110, 5.6.7); None for anything else."""
    found = _DATE.fullmatch(text)
    if found is None or found.group(2) not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found.group(at)) for at in (1, 3, 4, 5, 6))
    if not (1 <= day <= 31 and year >= 1970 and hour < 24 and minute < 60 and second <= 60):
        return None
    return calendar.timegm((year, _MONTHS.index(found.group(2)) + 1, day, hour, minute, second))


def pause_of(head: Head, now: float) -> float:
    """Return for how many seconds the server asks to be left alone (Retry-After); 0 if it does not say."""
    values = head.all("retry-after")
    if len(values) != 1:
        return 0.0
    if re.fullmatch("[0-9]{1,9}", values[0]):
        return float(values[0])
    until = http_date(values[0])
    return 0.0 if until is None else max(0.0, until - now)
