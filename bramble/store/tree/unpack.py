"""Taking an archive apart into a directory, when it may come from anybody.

Only the one archive that this tree can have is accepted: each header is made
again from what was read in it and must be the same, and members must
be in the order of the archive format. So nothing can be
named twice, nothing can be outside of a directory that this archive has
made, and nothing is ever reached through a link.
"""

from __future__ import annotations

import contextlib
import os
from typing import Callable, Optional

from bramble.errors import BrambleError
from bramble.store.files.walk import Descent, check_length
from bramble.store.objects import archive
from bramble.store.objects.identity import BLOCK_SIZE
from bramble.store.path import shown

# The records of a pax header are a path and a link target; neither has reason to be longer.
_LONGEST_RECORDS = 1 << 18
_RECORDS_IN_ORDER = (b"linkpath", b"path", b"size")


class Malformed(BrambleError):
    """A stream that is not what it should be, and from which nothing is taken."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "store.import-malformed",
            f"the stream to be imported is damaged: {what}",
            remedy="export it again, and make sure that nothing changes it in transit",
        )


class Source:
    """A stream of bytes that is read once, from a function like `file.read`."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._ahead = b""

    def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes. Raises Malformed if there are fewer."""
        parts, left = [self._ahead[:size]], size - len(self._ahead)
        self._ahead = self._ahead[size:]
        while left > 0:
            data = self._read(min(left, BLOCK_SIZE))
            if not data:
                raise Malformed("it ends too early")
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def line(self, longest: int) -> bytes:
        """Return the next line, without its end. Raises Malformed if it has more than `longest` bytes."""
        # Joined once, and each part searched once: what a line costs must not grow with its square.
        parts, size, data = [], 0, self._ahead
        while (end := data.find(b"\n")) < 0:
            parts.append(data)
            size += len(data)
            if size > longest:
                raise Malformed("a line is too long")
            data = self._read(4096)
            if not data:
                raise Malformed("it ends too early")
        if size + end > longest:
            raise Malformed("a line is too long")
        self._ahead = data[end + 1 :]
        return b"".join([*parts, data[:end]])

    def at_end(self) -> bool:
        """Return whether everything has been read."""
        if not self._ahead:
            self._ahead = self._read(1)
        return not self._ahead


class Rewriter:
    """Replaces one text by another of the same length in a stream, wherever that is cut."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self._old, self._new = old, new
        self._tail = b""

    def rewrite(self, data: bytes) -> bytes:
        """Return what is settled of the stream so far, in the new form."""
        block = self._tail + data
        end = block.rfind(self._old)
        settled = len(block) - len(self._old) + 1
        if end >= 0:
            # `replace` goes from left to right; what the last place covers is settled, too.
            parts = block.split(self._old)
            settled = max(settled, len(block) - len(parts[-1]))
        settled = max(settled, 0)
        self._tail = block[settled:]
        return block[:settled].replace(self._old, self._new)

    def rest(self) -> bytes:
        """Return what was held back, when the stream has ended."""
        tail, self._tail = self._tail, b""
        return tail


class Unpacker:
    """Takes one archive from `source` and makes its tree in the directory `top`, or nowhere if that is None.

    `old` is replaced by `new` in contents and link targets. `key` gives the
    bytes by which names are sorted. `room` is called before bytes are written,
    and may refuse (by raising).
    """

    def __init__(
        self,
        source: Source,
        top: Optional[int],
        *,
        old: bytes,
        new: bytes,
        key: Callable[[bytes], bytes],
        room: Callable[[int], None],
    ) -> None:
        self._source = source
        self._top = top
        self._old, self._new = old, new
        self._key = key
        self._room = room

    def unpack(self) -> None:
        """Take the archive apart. Raises BrambleError store.import-malformed and store.name-too-long."""
        # spec: objects.export.archive
        way = None if self._top is None else Descent(self._top)
        with contextlib.closing(way) if way is not None else contextlib.nullcontext():
            open_: list[bytes] = []
            last: list[Optional[bytes]] = [None]
            while True:
                member = self._header()
                if member is None:
                    return
                name, kind, mode, size, target = member
                *parents, base = name.strip(b"/").split(b"/")
                self._check_name(name, kind, [*parents, base])
                while len(open_) > len(parents) or open_ != parents[: len(open_)]:
                    open_.pop()
                    last.pop()
                    if way is not None:
                        way.leave()
                if open_ != parents:
                    raise Malformed(f'"{shown(name)}" has no directory before it')
                order = self._key(base)
                before = last[-1]
                if before is not None and order <= before:
                    raise Malformed(f'"{shown(name)}" is not in order')
                last[-1] = order
                self._make(way, base, kind, mode, size, target)
                if kind == archive.DIRECTORY:
                    open_.append(base)
                    last.append(None)
                    if way is not None:
                        way.enter(base)

    def _header(self) -> Optional[tuple[bytes, bytes, int, int, bytes]]:
        """Return name, kind, mode, size and target of the next member, or None at the end."""
        block = self._source.exactly(archive.BLOCK)
        if block == bytes(archive.BLOCK):
            if self._source.exactly(archive.BLOCK) != block:
                raise Malformed("an archive has no valid end")
            return None
        raw, records = block, {}
        if block[156:157] == archive.EXTENDED:
            size = _octal(block[124:136])
            if size > _LONGEST_RECORDS:
                raise Malformed("a name is too long")
            data = self._source.exactly(size + archive.padding(size))
            records = _records(data[:size])
            block = self._source.exactly(archive.BLOCK)
            raw += data + block
        kind, mode = block[156:157], _octal(block[100:108])
        prefix = block[345:500].rstrip(b"\0")
        name = records.get(b"path", (prefix + b"/" if prefix else b"") + block[:100].rstrip(b"\0"))
        target = records.get(b"linkpath", block[157:257].rstrip(b"\0"))
        size = _decimal(records[b"size"]) if b"size" in records else _octal(block[124:136])
        if (kind, mode) not in _FORMS:
            raise Malformed(f'"{shown(name)}" is of a kind that an object cannot contain')
        if kind != archive.FILE and size or archive.header(name, kind, mode, size, target).data != raw:
            raise Malformed(f'the header of "{shown(name)}" is wrong')
        return name, kind, mode, size, target

    def _check_name(self, name: bytes, kind: bytes, parts: list[bytes]) -> None:
        check_length(name)
        end = b"/" if kind == archive.DIRECTORY else b""
        if name != b"/" + b"/".join(parts) + end or any(map(_is_no_name, parts)):
            raise Malformed(f'"{shown(name)}" is not a valid name of a file')

    def _make(
        self, way: Optional[Descent], base: bytes, kind: bytes, mode: int, size: int, target: bytes
    ) -> None:
        if kind == archive.FILE:
            self._room(size)
            fd = -1
            if way is not None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
                fd = os.open(base, flags, mode, dir_fd=way.fd)
            try:
                self._content(fd, size)
                if fd >= 0:
                    os.fchmod(fd, mode)
            finally:
                if fd >= 0:
                    os.close(fd)
        elif way is not None and kind == archive.DIRECTORY:
            os.mkdir(base, 0o755, dir_fd=way.fd)
            # Whatever the umask: what follows goes into it.
            os.chmod(base, 0o755, dir_fd=way.fd)
        elif way is not None:
            if not target or b"\0" in target:
                raise Malformed(f'the link "{shown(base)}" has no target')
            os.symlink(target.replace(self._old, self._new), base, dir_fd=way.fd)

    def _content(self, fd: int, size: int) -> None:
        rewriter = Rewriter(self._old, self._new)
        left = size
        while left:
            data = self._source.exactly(min(left, BLOCK_SIZE))
            left -= len(data)
            if fd >= 0:
                _write(fd, rewriter.rewrite(data))
        if fd >= 0:
            _write(fd, rewriter.rest())
        if any(self._source.exactly(archive.padding(size))):
            raise Malformed("the padding after a file is not NUL bytes")


# Whatever is in an object is in canonical form.
_FORMS = frozenset(
    [
        (archive.FILE, 0o644),
        (archive.FILE, 0o755),
        (archive.DIRECTORY, 0o755),
        (archive.SYMLINK, archive.SYMLINK_MODE),
    ]
)


def _is_no_name(part: bytes) -> bool:
    return part in (b"", b".", b"..") or b"\0" in part or len(part) > 255


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _octal(field: bytes) -> int:
    try:
        return int(field.rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        raise Malformed("a header has no number where one is required") from None


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise Malformed("a header has no number where one is required")
    return int(text)


def _records(data: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header."""
    records: dict[bytes, bytes] = {}
    while data:
        digits, space, _ = data.partition(b" ")
        length = _decimal(digits) if space else 0
        record, data = data[:length], data[length:]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if length != len(record) or not equals or not value.endswith(b"\n") or key not in _RECORDS_IN_ORDER:
            raise Malformed("a header cannot be read")
        records[key] = value[:-1]
    return records
