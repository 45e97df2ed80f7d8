"""Programs and libraries in ELF form: what they need, and how to make them find it elsewhere.

A dynamically linked program names its loader by an absolute path, and the
loader looks for libraries in directories of the machine. To run from the store
it has to name a loader and a directory there, and these names are longer than
the old ones, so they do not fit in their place.

`relink` therefore adds a block at the end of the file:

    …the file as it was…  | loader path | old string table, new strings |
                          ^ mapped by an additional program header

A program header for the block comes from one that can be missed: the notes, which
say who built the file, or, in a file without notes, the one that makes a table
read-only after start. The header of the interpreter then points into the block,
and so does the address of the string table, which gets space for the search
path as one more string. Everything else stays where it is: no address that the
program's code uses changes. This holds for programs at fixed and at free
addresses, for glibc and for musl, and for every 64-bit little-endian machine.

A file that has such a block already gets another one in its place. So a copy of a copy is no longer than
the copy, and with paths of the same length it is the same file but for these paths.

The search path is written as DT_RPATH and not as DT_RUNPATH, since only the
first also counts for the libraries of libraries, and comes before
LD_LIBRARY_PATH. For the same reason a DT_RUNPATH in a library has to go: the
loader ignores every DT_RPATH above it (ld.so(8)).

So that a program of any size costs no memory, the functions return *changes* of its copy.

Sources: System V ABI, chapters 4 and 5; elf(5); ld.so(8). Pure functions of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Optional, Protocol

from bramble.record import dataclass, replace

MAGIC = b"\x7fELF"

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_PT_GNU_RELRO, _PT_GNU_PROPERTY = 0x6474E552, 0x6474E553
# In this order: notes are for tools, the property for hardware that checks branches,
# the last for hardening only.
_EXPENDABLE_HEADERS = (_PT_NOTE, _PT_GNU_PROPERTY, _PT_GNU_RELRO)

_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME = 0, 1, 5, 10, 14
_DT_RPATH, _DT_DEBUG, _DT_RUNPATH = 15, 21, 29
# Counts and sums that only save the loader time, and at last the debugger's mark.
_EXPENDABLE_TAGS = (0x6FFFFDF5, 0x6FFFFDF8, 0x6FFFFFF9, 0x6FFFFFFA, _DT_DEBUG)

_HEADER = struct.Struct("<HHIQQQIHHHHHH")  # after the 16 bytes of identification
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_DYNAMIC = struct.Struct("<qQ")
_SHT_PROGBITS, _SHT_STRTAB = 1, 3
_READABLE = 4
_LARGEST_PAGE = 1 << 30
_LONGEST_PATHS = 1 << 14  # bytes
# (offset, new bytes); the first one of a relinked file makes it longer.
Change = tuple[int, bytes]
_AS_THEY_ARE: Mapping[str, str] = {}


class ElfError(Exception):
    """The file is broken, or of a kind that cannot be relinked; the message says which."""


# e_machine → the name of the processor as uname(2) says it.
PROCESSORS = {3: "i686", 22: "s390x", 62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64"}


@dataclass(frozen=True)
class Segment:
    """One program header (elf(5), Elf64_Phdr)."""

    type: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    memory_size: int
    alignment: int


@dataclass(frozen=True)
class Elf:
    """What a program or library needs at run time."""

    machine: int  # e_machine: 62 x86_64, 183 aarch64
    segments: tuple[Segment, ...]
    dynamic: tuple[tuple[int, int], ...]  # tags and values before the first DT_NULL
    interpreter: Optional[str]  # None in a static program and in a library
    needed: tuple[str, ...]
    soname: Optional[str]
    search: tuple[str, ...]  # DT_RPATH and DT_RUNPATH as written


class Bytes(Protocol):
    """What holds the bytes of a file: of a large one only those are read that are asked for."""

    def __len__(self) -> int:
        """Return the size of the file."""

    def __getitem__(self, where: slice) -> bytes:
        """Return a part of it."""


def read_elf(data: Bytes) -> Elf:
    """Return what `data`, a whole ELF file, needs. Raises ElfError."""
    segments = _segments(data)
    interpreter = None
    for segment in segments:
        if segment.type == _PT_INTERP:
            interpreter = _string(_slice(data, segment.offset, segment.file_size), 0)
    dynamic = _dynamic(data, segments)
    strings = _string_table(data, segments, dynamic)
    named = {tag: value for tag, value in dynamic}
    return Elf(
        machine=_header(data)[1],
        segments=segments,
        dynamic=dynamic,
        interpreter=interpreter,
        needed=tuple(_string(strings, value) for tag, value in dynamic if tag == _DT_NEEDED),
        soname=_string(strings, named[_DT_SONAME]) if _DT_SONAME in named else None,
        search=tuple(_string(strings, value) for tag, value in dynamic if tag in (_DT_RPATH, _DT_RUNPATH)),
    )


def inherited_search(elf: Elf) -> tuple[str, ...]:
    """Return the part of a program's search path that counts for all that it loads: DT_RPATH (ld.so(8))."""
    if has_runpath(elf):
        return ()
    return tuple(entry for path in elf.search for entry in path.split(":") if entry)


def has_runpath(elf: Elf) -> bool:
    """Return whether a file has DT_RUNPATH: then no DT_RPATH counts for it, not even another's (ld.so(8))."""
    return any(tag == _DT_RUNPATH for tag, _ in elf.dynamic)


def without_search(data: Bytes) -> tuple[Change, ...]:
    """Return what takes DT_RPATH and DT_RUNPATH out of a library, so that its user's search path counts."""
    elf = read_elf(data)
    if not elf.search:
        return ()
    kept = [entry for entry in elf.dynamic if entry[0] not in (_DT_RPATH, _DT_RUNPATH)]
    return (_dynamic_change(elf.segments, kept),)


def relink(
    data: Bytes,
    *,
    interpreter: Optional[str] = None,
    search: Optional[str] = None,
    needed: Mapping[str, str] = _AS_THEY_ARE,
) -> tuple[Change, ...]:
    """Return what gives the file another loader, search path, or names of libraries.

    `interpreter` and `search` are absolute paths, None leaves the loader as it
    is and the file without a search path. `needed` gives new names for some of
    the libraries that the file names. Raises ElfError.
    """
    # spec: build.host-tools.relink
    elf = read_elf(data)
    if not elf.dynamic:
        raise ElfError("it is linked statically")
    if _DT_STRTAB not in dict(elf.dynamic):
        raise ElfError("it has no names in it")
    if interpreter is not None and elf.interpreter is None:
        raise ElfError("it names no loader")
    table = dict(elf.dynamic)
    strings = bytearray(_string_table(data, elf.segments, elf.dynamic))
    earlier = _earlier_block(data, elf)
    if earlier is not None:
        del strings[table[_DT_RPATH] :]

    def add(text: str) -> int:
        start = len(strings)
        strings.extend(_zero_terminated(text))
        return start

    entries: list[tuple[int, int]] = []
    names = iter(elf.needed)
    for tag, value in elf.dynamic:
        if tag == _DT_NEEDED:
            name = next(names)
            entries.append((tag, add(needed[name]) if name in needed else value))
        elif tag not in (_DT_RPATH, _DT_RUNPATH):
            entries.append((tag, value))
    if search is not None:
        entries.append((_DT_RPATH, add(search)))
    entries = _fit(entries, _capacity(elf.segments))

    block = bytearray()
    if interpreter is not None:
        block += _zero_terminated(interpreter)
        block += b"\0" * (-len(block) % 16)
    strings_at = len(block)
    block += strings

    padding = b""
    if earlier is not None and (interpreter is None) == (_interpreter_at(elf.segments) != earlier.offset):
        block += b"\0" * (earlier.file_size - len(block))
        extra = replace(earlier, file_size=len(block), memory_size=len(block))
        segments = [extra if segment == earlier else segment for segment in elf.segments]
    else:
        padding = b"\0" * (-len(data) % 16)
        extra = _extra_segment(elf.segments, offset=len(data) + len(padding), size=len(block))
        segments = [*_with_extra(elf.segments, extra)]
    moved = [
        (tag, extra.address + strings_at)
        if tag == _DT_STRTAB
        else (tag, len(strings))
        if tag == _DT_STRSZ
        else (tag, value)
        for tag, value in entries
    ]
    moves = {(_SHT_STRTAB, table[_DT_STRTAB]): (strings_at, len(strings))}
    for at, segment in enumerate(segments):
        if segment.type == _PT_INTERP and interpreter is not None:
            size = len(_zero_terminated(interpreter))
            moves[_SHT_PROGBITS, segment.address] = (0, size)
            segments[at] = replace(
                segment,
                offset=extra.offset,
                address=extra.address,
                physical=extra.address,
                file_size=size,
                memory_size=size,
            )
    return (
        (extra.offset - len(padding), padding + block),
        _dynamic_change(elf.segments, moved),
        (_header(data)[4], b"".join(_PROGRAM_HEADER.pack(*vars(segment).values()) for segment in segments)),
        *_moved_sections(data, extra, moves),
    )


def _earlier_block(data: Bytes, elf: Elf) -> Optional[Segment]:
    """Return the block that `relink` has added, which ends with the search path; None in other files."""
    named = dict(elf.dynamic)
    last = max(elf.segments, key=lambda segment: segment.address if segment.type == _PT_LOAD else -1)
    if last.type != _PT_LOAD or last.flags != _READABLE or last.offset + last.file_size != len(data):
        return None
    strings = _string_table(data, elf.segments, elf.dynamic)
    block = strings
    if elf.interpreter is not None and _interpreter_at(elf.segments) == last.offset:
        named_first = _zero_terminated(elf.interpreter)
        block = named_first + b"\0" * (-len(named_first) % 16) + strings
    search = named.get(_DT_RPATH, len(strings))
    ends = search < len(strings) and strings.find(b"\0", search) == len(strings) - 1
    # It is longer where an earlier search path was.
    if not ends or not 0 <= last.file_size - len(block) <= _LONGEST_PATHS:
        return None
    whole = block.ljust(last.file_size, b"\0")
    return last if _slice(data, last.offset, last.file_size) == whole else None


def _interpreter_at(segments: tuple[Segment, ...]) -> Optional[int]:
    return next((segment.offset for segment in segments if segment.type == _PT_INTERP), None)


def _header(data: Bytes) -> tuple[int, ...]:
    return _HEADER.unpack(data[16:64])


def _segments(data: Bytes) -> tuple[Segment, ...]:
    if data[:4] != MAGIC:
        raise ElfError("it is not an ELF file")
    if data[4:6] != b"\x02\x01":
        raise ElfError("it is not a 64-bit little-endian program")
    if len(data) < 64:
        raise ElfError("it is cut short")
    header = _header(data)
    offset, size, count = header[4], header[8], header[9]
    if count and size != _PROGRAM_HEADER.size:
        raise ElfError("its program headers have an unknown size")
    table = _slice(data, offset, size * count)
    return tuple(Segment(*fields) for fields in _PROGRAM_HEADER.iter_unpack(table))


def _slice(data: Bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        raise ElfError("it is cut short")
    return data[offset : offset + size]


def _string(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset)
    if offset > len(strings) or end < 0:
        raise ElfError("a name in it has no end")
    return strings[offset:end].decode("utf-8", "surrogateescape")


def _zero_terminated(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"


def _offset_of(segments: tuple[Segment, ...], address: int) -> int:
    """Return where in the file the byte stands that is mapped at `address`."""
    for segment in segments:
        if segment.type == _PT_LOAD and 0 <= address - segment.address < segment.file_size:
            return address - segment.address + segment.offset
    raise ElfError("a table in it is outside of the mapped segments")


def _dynamic_segment(segments: tuple[Segment, ...]) -> Optional[Segment]:
    for segment in segments:
        if segment.type == _PT_DYNAMIC:
            return segment
    return None


def _dynamic(data: Bytes, segments: tuple[Segment, ...]) -> tuple[tuple[int, int], ...]:
    place = _dynamic_segment(segments)
    if place is None:
        return ()
    table = _slice(data, place.offset, place.file_size - place.file_size % _DYNAMIC.size)
    entries = []
    for tag, value in _DYNAMIC.iter_unpack(table):
        if tag == _DT_NULL:
            break
        entries.append((tag, value))
    return tuple(entries)


def _string_table(data: Bytes, segments: tuple[Segment, ...], dynamic: tuple[tuple[int, int], ...]) -> bytes:
    table = dict(dynamic)
    if _DT_STRTAB not in table:
        return b""
    return _slice(data, _offset_of(segments, table[_DT_STRTAB]), table.get(_DT_STRSZ, 0))


def _capacity(segments: tuple[Segment, ...]) -> int:
    place = _dynamic_segment(segments)
    return 0 if place is None else place.file_size // _DYNAMIC.size


def _fit(entries: list[tuple[int, int]], capacity: int) -> list[tuple[int, int]]:
    """Return `entries` without as many dispensable ones as a closing DT_NULL needs."""
    for expendable in _EXPENDABLE_TAGS:
        if len(entries) < capacity:
            break
        entries = [entry for entry in entries if entry[0] != expendable]
    if len(entries) >= capacity:
        raise ElfError("its dynamic section has no space for a search path")
    return entries


def _dynamic_change(segments: tuple[Segment, ...], entries: list[tuple[int, int]]) -> Change:
    place = _dynamic_segment(segments)
    assert place is not None
    table = b"".join(_DYNAMIC.pack(*entry) for entry in entries)
    return place.offset, table.ljust(_capacity(segments) * _DYNAMIC.size, b"\0")


def _extra_segment(segments: tuple[Segment, ...], *, offset: int, size: int) -> Segment:
    """Return the header that maps the block: above all others, in step with its place in the file."""
    loads = [segment for segment in segments if segment.type == _PT_LOAD]
    if not loads:
        raise ElfError("nothing in it is mapped")
    alignment = max(4096, *(segment.alignment for segment in loads))
    end = max(segment.address + segment.memory_size for segment in loads)
    address = end + -end % alignment + offset % alignment
    if alignment & (alignment - 1) or alignment > _LARGEST_PAGE or address >= 1 << 62:
        raise ElfError("its program headers make no sense")
    return Segment(_PT_LOAD, _READABLE, offset, address, address, size, size, alignment)


def _with_extra(segments: tuple[Segment, ...], extra: Segment) -> tuple[Segment, ...]:
    """Return as many headers as before, `extra` among them."""
    for expendable in _EXPENDABLE_HEADERS:
        places = [at for at, segment in enumerate(segments) if segment.type == expendable]
        if places:
            # Segments are listed by ascending addresses, and nothing is above the new one.
            return (*segments[: places[-1]], *segments[places[-1] + 1 :], extra)
    raise ElfError("it has no program header to spare")


def _moved_sections(
    data: Bytes, extra: Segment, moves: Mapping[tuple[int, int], tuple[int, int]]
) -> Iterator[Change]:
    """Yield how the section headers follow, for readers that go by them; a program runs without any.

    `moves` gives for (type, old address) the new (offset in the block, size).
    """
    header = _header(data)
    offset, size, count = header[5], header[10], header[11]
    if not offset or size != _SECTION_HEADER.size or offset + size * count > len(data):
        return
    for at in range(offset, offset + size * count, size):
        fields = list(_SECTION_HEADER.unpack(data[at : at + size]))
        move = moves.get((fields[1], fields[3]))
        if move is not None:
            fields[3:6] = [extra.address + move[0], extra.offset + move[0], move[1]]
            yield at, _SECTION_HEADER.pack(*fields)
