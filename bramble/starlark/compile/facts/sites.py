"""Which containers a value can be, and what these hold: allocation sites.

The kinds of a variable say that it is a list. What that list contains is known only if it is known which
list it is, no matter which code filled it, or under which name.

**What is claimed.** A *site* is an expression that makes a container: a display, a comprehension, a slice, a
concatenation, a call such as `sorted(x)` or `d.items()`. It stands for all containers that it ever makes. A
*value* is an int: its lower bits are kinds (kinds.py), `UNKNOWN` says that it may be a container of a site
that is not known, and from `FIRST` on every bit is a site. So the union of two values is `|`. Each list,
dict, tuple or set that an expression can be is of one of the sites of its value, unless the value has
`UNKNOWN`. For each site there is what its containers hold: `held` for items (of a dict: the values), `keys`
for a dict's keys, `parts` for a tuple that always has the same few items, each by its position, `fields` for
what a dict has under keys that are written where it is put in; `anywhere` is what is put in under any other.

**How it is found.** Where a value goes is a step of a function (collect.py): to a variable, into a
container, to a parameter, to a result. Each is an inclusion, all values and contents begin with 0 and only
grow (inference.py), so what is found is the least claim that agrees with all steps, in whatever order they
run. Since there are only so many sites and bits that ends, however deep containers hold one another.

**Functions.** What a `lambda` makes, or a `def` inside a function, is of a site as well. Its parameters get
what calls of its value give them, and what `sorted` and its like give a key function; once it has escaped,
is in a global, or has been returned to somebody who is not known, they may get anything. A known function as
a value may be called by anybody (inference.py).

**Why it is safe.** What the text does with a container is a step, whatever names it goes by. A container
that anything gets which is not in the text has *escaped*: it may hold anything from the beginning on, and so
may all that is in it. Only a tuple keeps what it was made of. Who gets something is a host, a value of its
own, a function that is not known, a variable or container of which nothing is known anyway, and who calls a
function without being known (`RELEASED`): its result has been seen by nobody else, unless it is in a
variable that outlives the call. So of results only those escape that are in such a variable, too. If the
function cannot be called so before the file is done (`LATE`), globals are frozen by then, and only a
variable of an inner function counts (`CAPTURED`).

**What breaks it.** A way from value to value that is no step; a built-in that keeps or changes an argument
(collect.py lists those that do not); a new method that puts something into its receiver (kind_rules.py); a
host that changes what it was not given. `tests/starlark/compile/test_sites.py` tries the ways one by one,
and the random programs run with nothing known at all, to the same results.
"""

from __future__ import annotations

from .kinds import ANY, DICT, FUNCTION, LIST, SET, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Optional

# A value of a site that is not known. The bits below are kinds; the sites begin at bit `FIRST`.
UNKNOWN = 1 << 15
FIRST = 16
KINDS = UNKNOWN - 1
_LOW = (1 << FIRST) - 1
# Anything at all.
TOP = ANY | UNKNOWN
CONTAINERS = LIST | DICT | TUPLE | SET
# Of a file with more sites the rest is not known, of tuples with more items their positions, of dicts with
# more keys that the text names what is under the rest.
MOST_SITES = 4000
MOST_PARTS = 8
MOST_FIELDS = 32

# What is true of a site: a stranger may have got it from a call, at any time or after the file is done; it is
# in a global, or in a variable that functions share; it may hold anything.
RELEASED, LATE, GLOBAL, CAPTURED, ESCAPED = 1, 2, 4, 8, 16


class Sites:
    """The sites of a file, and what their containers hold."""

    def __init__(self) -> None:
        self.kinds: list[int] = []
        self.held: list[int] = []
        self.keys: list[int] = []
        self.parts: list[Optional[list[int]]] = []
        # What dicts have under a key that the text names, and what they may have under any.
        self.fields: list[dict[str, int]] = []
        self.anywhere: list[int] = []
        self.marks: list[int] = []
        self._numbers: dict[int, int] = {}
        self._values: dict[int, int] = {}
        # Where the functions of a site begin, and those that have escaped since somebody asked.
        self.functions: dict[int, int] = {}
        self.escaped: list[int] = []
        # The groups of steps that have read what a site holds, by their numbers.
        self._readers: list[set[int]] = []
        # The group that is being done, whether it is to be done again, and which others are.
        self.current = -1
        self.again = False
        self.stale: dict[int, None] = {}

    # -- who has to look again

    def notify(self, readers: set[int]) -> None:
        """Note that something has grown that these groups of steps have read."""
        for reader in readers:
            if reader == self.current:
                self.again = True
            else:
                self.stale[reader] = None

    # -- making

    def make(self, place: int, kind: int) -> int:
        """Return the value of new containers of a place: any number that belongs to it alone."""
        made = self._values.get(place)
        if made is None:
            number = len(self.kinds)
            if number >= MOST_SITES:
                return kind | UNKNOWN
            made = self._values[place] = kind | 1 << FIRST + number
            self._numbers[place] = number
            self.kinds.append(kind)
            self.held.append(0)
            self.keys.append(0)
            self.parts.append(None)
            self.fields.append({})
            self.anywhere.append(0)
            self.marks.append(0)
            self._readers.append(set())
        return made

    def make_function(self, place: int, start: int) -> int:
        """Return the value of new functions of a place, whose text begins at `start`."""
        made = self.make(place, FUNCTION)
        if not made & UNKNOWN:
            self.functions[self._numbers[place]] = start
        return made

    def starts(self, value: int) -> list[int]:
        """Return where the functions of a value begin."""
        return [self.functions[number] for number in numbers(value) if self.kinds[number] == FUNCTION]

    def has_escaped(self, place: int) -> bool:
        """Return whether strangers may call the functions of a place, and look again when that changes."""
        number = self._numbers.get(place)
        if number is None:
            return len(self.kinds) >= MOST_SITES
        self._readers[number].add(self.current)
        return bool(self.marks[number] & ESCAPED)

    def make_tuple(self, place: int, parts: Sequence[int]) -> int:
        """Return the value of tuples with these items, as far as is known so far."""
        made = self.make(place, TUPLE)
        if made & UNKNOWN or len(parts) > MOST_PARTS:
            for part in parts:
                self.hold(made, part, kinds=TUPLE)
            return made
        number = self._numbers[place]
        before = self.parts[number]
        if before is None and not self.held[number]:
            before = self.parts[number] = [0] * len(parts)
            self.notify(self._readers[number])
        if before is None or len(before) != len(parts):
            # Of several lengths: no positions.
            for part in parts:
                self.hold(made, part, kinds=TUPLE)
            return made
        for at, part in enumerate(parts):
            if part & ~before[at]:
                self._join(before, at, part, number)
        return made

    # -- putting in

    def hold(self, container: int, value: int, key: int = 0, kinds: int = LIST | DICT | SET) -> None:
        """Put a value into all containers of these kinds that a value can be, and, of dicts, a key."""
        if container & UNKNOWN:
            self.escape(value | key)
        for number in numbers(container):
            if not self.kinds[number] & kinds:
                continue
            parts = self.parts[number]
            if parts is not None:
                self.parts[number] = None
                for part in parts:
                    self._join(self.held, number, part, number)
                self.notify(self._readers[number])
            if value & ~self.held[number]:
                self._join(self.held, number, value, number)
            if value & ~self.anywhere[number]:
                self._join(self.anywhere, number, value, number)
            if key & ~self.keys[number]:
                self._join(self.keys, number, key, number)

    def hold_field(self, container: int, name: str, value: int) -> None:
        """Put a value into all dicts that a value can be, under a key."""
        if container & UNKNOWN:
            self.escape(value)
        for number in numbers(container):
            if self.kinds[number] != DICT:
                continue
            fields = self.fields[number]
            if name not in fields:
                if len(fields) >= MOST_FIELDS:
                    self.hold(1 << FIRST + number, value, STRING)
                    continue
                fields[name] = 0
            if value & ~fields[name]:
                self._join(fields, name, value, number)
            if value & ~self.held[number]:
                self._join(self.held, number, value, number)
            if STRING & ~self.keys[number]:
                self._join(self.keys, number, STRING, number)

    def copy(self, to: int, value: int) -> None:
        """Put into all dicts that a value can be what those of another have."""
        if value & UNKNOWN:
            self.hold(to, TOP, TOP, kinds=DICT)
        for number in numbers(value):
            if self.kinds[number] == DICT:
                self._readers[number].add(self.current)
                self.hold(to, self.anywhere[number], self.keys[number], kinds=DICT)
                for name, field in list(self.fields[number].items()):
                    self.hold_field(to, name, field)

    def _join(self, cells: Any, at: Any, value: int, number: int) -> None:
        """Add a value to what a site holds: sites, or UNKNOWN, but not both."""
        before = cells[at]
        after = before | value
        if after <= _LOW:
            cells[at] = after
        else:
            if after & UNKNOWN:
                self.escape(after)
                after &= _LOW
            cells[at] |= after
            cells[at] &= _LOW if after & UNKNOWN else -1
        if after != before and self._readers[number]:
            self.notify(self._readers[number])
        if value > _LOW and self.marks[number]:
            self.mark(value, self.marks[number])

    def union(self, before: int, value: int) -> int:
        """Return what a variable holds when a value is added: sites, or UNKNOWN, but not both."""
        after = before | value
        if after & UNKNOWN and after > _LOW:
            self.escape(after)
            after &= _LOW
        return after

    # -- reading

    def items(self, value: int, kinds: int = CONTAINERS) -> int:
        """Return what an iteration of containers of these kinds gives: their items, of dicts the keys."""
        return self._content(value, kinds, self.keys)

    def values(self, value: int, kinds: int = DICT) -> int:
        """Return what is found in containers of these kinds by an index or a key."""
        return self._content(value, kinds, self.held)

    def _content(self, value: int, kinds: int, of_dicts: list[int]) -> int:
        """Return what containers of these kinds hold; `of_dicts` says what it is for dicts, by site."""
        made = TOP if value & UNKNOWN else 0
        for number in numbers(value):
            kind = self.kinds[number]
            if kind & kinds:
                self._readers[number].add(self.current)
                parts = self.parts[number]
                if parts is not None:
                    for part in parts:
                        made |= part
                else:
                    made |= of_dicts[number] if kind == DICT else self.held[number]
        return made

    def field(self, value: int, name: str) -> int:
        """Return what dicts have under a key."""
        made = TOP if value & UNKNOWN else 0
        for number in numbers(value):
            if self.kinds[number] == DICT:
                self._readers[number].add(self.current)
                made |= self.anywhere[number] | self.fields[number].get(name, 0)
        return made

    def part(self, value: int, at: int, count: int) -> int:
        """Return what stands at a position of containers with so many items; 0 items: with any number."""
        made = TOP if value & UNKNOWN else 0
        for number in numbers(value):
            self._readers[number].add(self.current)
            parts = self.parts[number]
            if parts is None:
                by_key = count and self.kinds[number] == DICT
                made |= self.keys[number] if by_key else self.held[number]
            elif (len(parts) == count or not count) and -len(parts) <= at < len(parts):
                made |= parts[at]
        return made

    def length(self, value: int) -> int:
        """Return how many items a value surely has, which is a tuple; 0 when that is not known."""
        if value & KINDS != TUPLE or value & UNKNOWN:
            return 0
        found = -1
        for number in numbers(value):
            parts = self.parts[number]
            if parts is None or found not in (-1, len(parts)):
                return 0
            found = len(parts)
        return max(found, 0)

    def only(self, value: int, kinds: int) -> int:
        """Return the part of a value that is of these kinds."""
        made = value & (kinds | UNKNOWN)
        for number in numbers(value):
            if self.kinds[number] & kinds:
                made |= 1 << FIRST + number
        return made

    def within(self, value: int) -> int:
        """Return the kinds of a value and of all that is in it, and in that."""
        made, seen = value, 0
        while made & ~seen > _LOW:
            new = made & ~seen
            seen = made
            made |= self.items(new) | self.values(new)
        return made & KINDS

    def plain(self, value: int, scalars: int, depth: int = 3) -> int:
        """Return whether all that is in tuples and lists is of these kinds, or tuples of it.

        0: it may not be. 1: they may be of any length. 2: the text says how long they are.
        """
        if value & (UNKNOWN | KINDS & ~(scalars | TUPLE | LIST)):
            return 0
        found = 2
        for number in numbers(value):
            parts = self.parts[number]
            if parts is not None:
                if not depth or any(
                    part & LIST or (part & TUPLE and self.plain(part, scalars, depth - 1) < 2) or not part
                    for part in parts
                ):
                    return 0
                inside = [part & KINDS & ~TUPLE for part in parts]
            else:
                found = 1
                inside = [self.held[number]]
            if any(part & ~scalars for part in inside):
                return 0
        return found

    # -- letting go

    def escape(self, value: int) -> None:
        """Note that somebody who is not known has a value."""
        if value > _LOW:
            self.mark(value, ESCAPED)

    def give_items(self, value: int) -> None:
        """Note that somebody who is not known has all that containers hold."""
        self.escape(self.items(value) | self.values(value))

    def mark(self, value: int, marks: int) -> None:
        """Note what is true of the containers that a value can be, and so of all that is in them."""
        work = [(value, marks)]
        while work:
            value, marks = work.pop()
            for number in numbers(value):
                before = self.marks[number]
                after = before | marks
                if (after & RELEASED and after & (GLOBAL | CAPTURED)) or (after & LATE and after & CAPTURED):
                    after |= ESCAPED
                function = self.kinds[number] == FUNCTION
                if function and after & (RELEASED | LATE | GLOBAL):
                    after |= ESCAPED
                if after == before:
                    continue
                self.marks[number] = after
                inside = self.held[number] | self.keys[number]
                for part in self.parts[number] or ():
                    inside |= part
                if after & ~before & ESCAPED and function:
                    self.escaped.append(number)
                    self.notify(self._readers[number])
                elif after & ~before & ESCAPED and self.kinds[number] != TUPLE:
                    self.held[number] = self.anywhere[number] = TOP
                    if self.kinds[number] == DICT:
                        self.keys[number] = TOP
                    self.notify(self._readers[number])
                if inside > _LOW:
                    work.append((inside, after))


def numbers(value: int) -> Iterator[int]:
    """Yield the numbers of the sites of a value."""
    value >>= FIRST
    while value:
        lowest = value & -value
        yield lowest.bit_length() - 1
        value ^= lowest
