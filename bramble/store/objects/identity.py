"""Identity: the name that an object has because of its bytes, in any store.

An output is built under a temporary name, in a store whose path differs from
machine to machine, and may hold both. Its name is the digest of its archive
with those two taken out of it:

- this machine's store directory counts as the prefix of record;
- the object's own name counts as 32 NUL bytes, and so that two outputs which
  differ in just that do not share a name, the offset of each such place is
  appended to the stream (NixOS/nix#15837 is what happens otherwise);
- the directory of the build counts as the same path ending in 32 `x`, and is
  stored so, for it means nothing after the build;
- the temporary name of another output of the same derivation counts as that
  output's final name, and is stored so.

The stream is hashed as it is made. What must be changed in stored files is
reported as it is found, so that an output is read once and then patched in few places.
The answer never depends on how the stream is cut into blocks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Callable, Optional, Protocol, Union

from bramble.record import NamedTuple, dataclass, field
from bramble.store.digest import DIGEST_LENGTH, encode
from bramble.store.objects import archive
from bramble.store.objects.hidden import find_needle, is_packed, utf_16_needle
from bramble.store.objects.pieces import LARGEST_OTHER, Suspicion, is_machine_code
from bramble.store.objects.references import candidates, find_all, find_names
from bramble.store.path import STORE_DIR_LENGTH

BLOCK_SIZE = 1 << 20
NULS = bytes(DIGEST_LENGTH)
_ZEROS = bytes(archive.BLOCK)
ERASED = b"x" * DIGEST_LENGTH

_BUILD_PATH_LENGTH = STORE_DIR_LENGTH + 1 + DIGEST_LENGTH
# Nothing that is looked for is longer than the path of a build directory; so this much on both sides of a
# cut shows all that crosses it, and whether what is near it is part of a whole store directory.
_OVERLAP = 2 * STORE_DIR_LENGTH
_MANY = 1024  # places in a block that are looked at one by one
_UNSEEN, _SEEN, _CODE = 0, 1, 2  # whether the content is searched for cut store directories; machine code


@dataclass(frozen=True)
class Meaning:
    """What the names that may occur in an object mean when it is hashed and when it is stored.

    `directory` is this machine's store directory and `prefix` the one of
    record. `own` is the name under which the object was made (b"" if it never
    had one). `build_name` is the last part of the build directory's path.
    `finals` has the final names of other outputs by their temporary ones.
    `known` are names to be reported as references, `siblings` temporary names
    of outputs that have no final name yet. All names are digests as bytes.
    """

    directory: bytes
    prefix: bytes
    own: bytes = b""
    build_name: bytes = b""
    finals: Mapping[bytes, bytes] = field(default_factory=dict)
    known: frozenset[bytes] = frozenset()
    siblings: frozenset[bytes] = frozenset()

    @property
    def build_path(self) -> bytes:
        """The path of the build directory as the build saw it, or b""."""
        return self.directory + b"/" + self.build_name if self.build_name else b""


class Edit(NamedTuple):
    """A stretch of the stream that is hashed otherwise than it was read; `stored` if it is kept so too."""

    start: int
    end: int
    hashed: bytes
    stored: bool


class Hash(Protocol):
    """What is needed of a hash: hashlib's, or one that works in another thread."""

    def update(self, data: Union[bytes, bytearray]) -> None: ...

    def digest(self) -> bytes: ...


class Offsets(Protocol):
    """A long list of numbers, in memory or not."""

    def append(self, number: int) -> None: ...

    def __iter__(self) -> Iterator[int]: ...


class Text:
    """One meaning, applied to short texts: a name in a directory, or the target of a link.

    In a name only other names can stand; in a target, paths of the store too.
    """

    def __init__(self, meaning: Meaning, *, paths: bool) -> None:
        # spec: objects.identity, objects.identity.where
        hashed: dict[bytes, bytes] = {}
        stored: dict[bytes, bytes] = {}
        if paths and meaning.directory != meaning.prefix:
            hashed[meaning.directory] = meaning.prefix
        if paths and meaning.build_name:
            hashed[meaning.build_path] = meaning.prefix + b"/" + ERASED
            stored[meaning.build_path] = meaning.directory + b"/" + ERASED
        for old, new in meaning.finals.items():
            hashed[old] = stored[old] = new
        if meaning.own:
            hashed[meaning.own] = NULS
        self._own = meaning.own
        self._hashed, self._stored = hashed, stored
        self._compiled: Optional[re.Pattern[bytes]] = None

    @property
    def _pattern(self) -> re.Pattern[bytes]:
        """What finds all that has a meaning. Most trees have no text that is long enough to need it."""
        if self._compiled is None:
            # The path of the build directory begins with the store's: the longer one must be tried first.
            longest_first = sorted(self._hashed, key=len, reverse=True)
            self._compiled = re.compile(b"|".join(map(re.escape, longest_first)) or b"(?!)")
        return self._compiled

    def hashed(self, text: bytes) -> bytes:
        """Return `text` as it is hashed: of the same length."""
        if len(text) < DIGEST_LENGTH:
            return text
        return self._pattern.sub(lambda match: self._hashed[match[0]], text)

    def stored(self, text: bytes, name: bytes) -> bytes:
        """Return `text` as it is stored in an object that is called `name`."""
        if len(text) < DIGEST_LENGTH:
            return text
        new = {**self._stored, self._own: name}
        return self._pattern.sub(lambda match: new.get(match[0], match[0]), text)

    def own_places(self, text: bytes) -> list[int]:
        """Return the offsets in `text` that `hashed` fills with NULs."""
        if len(text) < DIGEST_LENGTH or not self._own:
            return []
        return [match.start() for match in self._pattern.finditer(text) if match[0] == self._own]


class Content(NamedTuple):
    """The range of the content of one file in the stream, and which file, by number and by name."""

    start: int
    end: int
    number: int
    directory: bytes
    base: bytes
    looked: int


class Identity(NamedTuple):
    """What came of hashing a tree.

    `references` are the known names that occur, without the own one; `siblings`
    the temporary names that occur, each with the member in which it was first
    seen. If there are any, `name` is not yet the object's name. `size` is the
    number of bytes in files.
    """

    name: str
    references: frozenset[bytes]
    siblings: Mapping[bytes, bytes]
    size: int


class Stream:
    """The archive of a tree, hashed while it is handed over member by member.

    `member` announces each member in the order of the archive; after a file's
    come its bytes, by `content`, in pieces of any size, and `end_of_content`.
    `on_edit(file, offset, stored)` is called, in order, for each place in a
    file that is stored otherwise than it was read: `file` counts the files
    from 0, and `stored` is None for the object's own name. With `pieces` the
    files that may hold names in pieces are in `suspects` at the end, and those that may
    hide names in another way in `hiding`.
    """

    def __init__(
        self,
        meaning: Meaning,
        sink: Hash,
        places: Offsets,
        on_edit: Optional[Callable[[int, int, Optional[bytes]], None]] = None,
        *,
        pieces: bool = False,
    ) -> None:
        self.names = Text(meaning, paths=False)
        self.targets = Text(meaning, paths=True)
        self._meaning = meaning
        self._sink = sink
        self._places = places
        self._on_edit = on_edit
        finals = meaning.finals
        names = meaning.known.union(meaning.siblings, finals, finals.values())
        self._names = names | {meaning.own} if meaning.own else names
        self._search_paths = meaning.directory != meaning.prefix or bool(meaning.build_name) or pieces
        self.suspects: dict[int, bytes] = {}
        """The files that may hold names in pieces: paths in the tree with a leading slash, by number."""
        self.hiding: dict[int, bytes] = {}
        """The files in which `bramble.store.objects.hidden` may find something, in the same form."""
        self._suspicion: Optional[Suspicion] = None
        self._needle = utf_16_needle(meaning.directory) if pieces else b""
        if pieces:
            self._suspicion = Suspicion(meaning.directory, self._names | {meaning.build_name})
        self._references: set[bytes] = set()
        self._siblings: dict[bytes, bytes] = {}
        self._size = 0
        # The directory whose members are being announced: as it is, as it is hashed, places of the own name.
        self._directory: tuple[bytes, bytes, list[int]] = (b"", b"", [])

        self._written = 0  # how much of the stream has been handed over
        self._parts: list[bytes] = []  # the end of it, not yet searched
        self._parts_size = 0
        self._searched = 0
        self._tail = b""  # the last bytes that were searched
        self._held: list[bytes] = []  # searched, but a match may still begin in them and end behind them
        self._hashed = 0  # where the held blocks begin
        self._found: list[Edit] = []  # of which one that begins earlier may still be found
        self._edits: list[Edit] = []  # accepted, in blocks that are held
        self._free = 0  # where the last accepted edit ends
        self._own_places: list[int] = []

        self._files = 0
        self._starts: list[int] = []  # of the contents of which something is held
        self._contents: list[tuple[int, int, int, bytes, bytes, int]] = []  # what `Content` has
        self._begun = True  # whether bytes of the last of them have been seen
        self._last: Optional[Content] = None  # in which something was found

    def member(
        self,
        directory: bytes,
        base: bytes,
        kind: bytes,
        mode: int,
        size: int = 0,
        target: bytes = b"",
    ) -> None:
        """Announce the member called `base` in `directory`: b"", or a path in the tree with a leading slash.

        `mode` is the permission bits, of a directory or a file; `size` is a file's, `target` a link's.
        """
        if directory != self._directory[0]:
            names = self.names
            self._directory = (directory, names.hashed(directory), names.own_places(directory))
        _, hashed, places = self._directory
        hashed_target = target
        if len(base) >= DIGEST_LENGTH:
            self._search_text(base, b"%s/%s" % (directory, base))
            hashed = b"%s/%s" % (hashed, self.names.hashed(base))
            places = places + [len(directory) + 1 + at for at in self.names.own_places(base)]
        else:
            hashed = b"%s/%s" % (hashed, base)
        if len(target) >= DIGEST_LENGTH:
            self._search_text(target, b"%s/%s" % (directory, base))
            hashed_target = self.targets.hashed(target)
        if kind is archive.DIRECTORY:
            header = archive.header(hashed + b"/", kind, mode)
        elif kind is archive.SYMLINK:
            header = archive.header(hashed, kind, archive.SYMLINK_MODE, 0, hashed_target)
            for at in self.targets.own_places(target):
                self._own_places.append(self._written + header.target_at + at)
        else:
            header = archive.header(hashed, kind, mode, size)
        for at in places:
            self._own_places.append(self._written + header.name_at(at))
        self._put(header.data)
        if kind is archive.FILE:
            if size:
                self._starts.append(self._written)
                start, looked = self._written, _SEEN if size <= LARGEST_OTHER else _UNSEEN
                self._contents.append((start, start + size, self._files, directory, base, looked))
                self._begun = False
            self._size += size
            self._files += 1

    def small_file(self, directory: bytes, base: bytes, mode: int, data: bytes) -> None:
        """Announce a file and hand over all that is in it."""
        size = len(data)
        self.member(directory, base, archive.FILE, mode, size)
        if size:
            self._begin(data)
            self._put(data + _ZEROS[: -size % archive.BLOCK])

    def content(self, data: bytes) -> None:
        """Hand over the next bytes of the file that was announced last."""
        if not self._begun:
            self._begin(data)
        self._put(data)

    def end_of_content(self, size: int) -> None:
        """Say that the file has been handed over, all `size` bytes of it."""
        self._put(bytes(archive.padding(size)))

    def finish(self) -> Identity:
        """End the stream and return its result."""
        # spec: objects.identity.name, objects.identity.positions
        self._put(archive.END)
        self._flush()
        self._settle(self._written)
        self._hash(self._written)
        batch: list[bytes] = []
        for place in self._places:
            batch.append(b"|%d" % place)
            if len(batch) == 4096:
                self._sink.update(b"".join(batch))
                batch.clear()
        self._sink.update(b"".join(batch))
        name = encode(self._sink.digest())
        return Identity(name, frozenset(self._references), dict(self._siblings), self._size)

    def _begin(self, data: bytes) -> None:
        """Look at the first bytes of a file."""
        self._begun = True
        if self._suspicion is None:
            return
        if is_machine_code(data[:8]):
            self._contents[-1] = (*self._contents[-1][:-1], _CODE)
        elif is_packed(data):
            _, _, number, directory, base, _ = self._contents[-1]
            self.hiding.setdefault(number, b"%s/%s" % (directory, base))

    def _put(self, data: bytes) -> None:
        self._written += len(data)
        if len(data) >= BLOCK_SIZE // 4:
            # A big block is searched and hashed as it is, without being copied.
            self._flush()
            self._search(data, not self._contents or self._contents[-1][-1] != _UNSEEN)
            return
        self._parts.append(data)
        self._parts_size += len(data)
        if self._parts_size >= BLOCK_SIZE:
            self._flush()

    def _flush(self) -> None:
        if self._parts:
            block = b"".join(self._parts)
            self._parts.clear()
            self._parts_size = 0
            self._search(block)

    def _search_text(self, text: bytes, member: bytes) -> None:
        for _, name in find_names(text, self._names):
            self._note(name, member)

    def _note(self, name: bytes, member: bytes) -> None:
        if name in self._meaning.finals:
            self._references.add(self._meaning.finals[name])
        elif name in self._meaning.siblings:
            self._siblings.setdefault(name, member)
        elif name != self._meaning.own:
            self._references.add(name)

    def _search(self, block: bytes, looked: bool = True) -> None:
        """Find what `block`, the next of the stream, and the seam before it hold; hash what is settled.

        If it is not `looked` at, no cut store directories are searched for in it.
        """
        base, cut = self._searched, len(self._tail)
        if cut:
            self._match(self._tail + block[:_OVERLAP], base - cut, cut, True)
        self._match(block, base, 0, looked)
        self._searched = base + len(block)
        self._tail = (self._tail + block)[-_OVERLAP:] if len(block) < _OVERLAP else block[-_OVERLAP:]
        self._held.append(block)
        # What is not yet found crosses the end, and begins less than the length of a needle before it.
        self._settle(self._searched - _OVERLAP)
        self._hash(self._searched - _OVERLAP)

    def _match(self, block: bytes, base: int, cut: int, looked: bool) -> None:
        """Collect the edits for what is in `block`; with a `cut`, only for what crosses it."""
        meaning, found = self._meaning, self._found
        regions = candidates(block) if not cut and len(self._names) > 1 else None
        if self._search_paths:
            build_path = meaning.build_path
            wholes = find_all(block, meaning.directory, regions)
            if self._suspicion is not None:
                self._suspect(self._suspicion, block, base, cut, wholes, looked)
            for at in wholes:
                if not cut or at < cut < at + STORE_DIR_LENGTH:
                    found.append(Edit(base + at, base + at + STORE_DIR_LENGTH, meaning.prefix, False))
                end = at + _BUILD_PATH_LENGTH
                across = not cut or at < cut < end
                if build_path and across and block[at:end] == build_path:
                    found.append(Edit(base + end - DIGEST_LENGTH, base + end, ERASED, True))
        for at, name in find_names(block, self._names, regions):
            end = at + DIGEST_LENGTH
            if cut and not at < cut < end:
                continue
            content = self._content(base + at, base + end)
            if content is None:
                continue
            if name not in self._references:
                self._note(name, b"%s/%s" % (content.directory, content.base))
            if name == meaning.own:
                found.append(Edit(base + at, base + end, NULS, True))
            elif name in meaning.finals:
                found.append(Edit(base + at, base + end, meaning.finals[name], True))

    def _suspect(
        self, suspicion: Suspicion, block: bytes, base: int, cut: int, wholes: list[int], looked: bool
    ) -> None:
        """Note the files in which something stands that may belong to a name in pieces, or in UTF-16."""
        aside = looked and not cut and suspicion.sees_wide
        wide: list[int] = []
        if not aside:
            self._find_hiding(block, base, 0, len(block))
        for at in wholes:
            content = self._content(base + at, base + at + 1)
            if content is not None and content.looked == _CODE:
                self._note_suspect(content)
        for at in suspicion.bare(block, wholes):
            content = self._content(base + at, base + at + 1)
            if content is not None:
                self._note_suspect(content)
        # Near its ends a block does not show whether something is part of a whole directory; the seam does.
        at_cut = suspicion.cut(block, wholes, 0 if cut else STORE_DIR_LENGTH, wide) if looked else None
        while at_cut is not None and (cut or at_cut < len(block) - STORE_DIR_LENGTH):
            content = self._content(base + at_cut, base + at_cut + 1)
            start = at_cut + 1
            if content is not None and content.looked != _UNSEEN:
                self._note_suspect(content)
                start = content.end - base
                if aside:
                    self._find_hiding(block, base, at_cut, start)
            at_cut = suspicion.cut(block, wholes, start, wide)
        if aside:
            self._find_wide(block, base, wide)

    def _find_wide(self, block: bytes, base: int, wide: list[int]) -> None:
        """Note the files that hide names in UTF-16, around the places `wide` and at the beginning."""
        size = len(block)
        if len(wide) > _MANY:
            self._find_hiding(block, base, 0, size)
            return
        self._find_hiding(block, base, 0, min(size, 2 * _OVERLAP))
        for at in wide:
            content = self._content(base + at, base + at + 1)
            if content is None or content.number not in self.hiding:
                self._find_hiding(block, base, max(0, at - _OVERLAP), min(size, at + _OVERLAP))

    def _find_hiding(self, block: bytes, base: int, start: int, end: int) -> None:
        """Note the files that hide names in UTF-16 in a part of the block."""
        place = find_needle(block, self._needle, start, end) if self._needle else -1
        while place >= 0:
            content = self._content(base + place, base + place + 1)
            if content is not None:
                self.hiding.setdefault(content.number, b"%s/%s" % (content.directory, content.base))
            start = place + 1 if content is None else max(place + 1, content.end - base)
            place = find_needle(block, self._needle, start, end) if start < end else -1

    def _note_suspect(self, content: Content) -> None:
        self.suspects.setdefault(content.number, b"%s/%s" % (content.directory, content.base))

    def _content(self, start: int, end: int) -> Optional[Content]:
        """Return the content that contains a range of the stream, or None if a header overlaps it."""
        last = self._last
        if last is None or not last.start <= start < last.end:
            index = bisect_right(self._starts, start) - 1
            if index < 0:
                return None
            self._last = last = Content(*self._contents[index])
        return last if end <= last.end else None

    def _settle(self, limit: int) -> None:
        """Accept the edits that begin before `limit`, from left to right, none that overlaps another."""
        # spec: objects.identity.order
        if not self._found:
            return
        self._found.sort(key=_start)
        done = 0
        for edit in self._found:
            if edit.start >= limit:
                break
            done += 1
            content = self._content(edit.start, edit.end)
            if edit.start < self._free or content is None:
                continue
            self._free = edit.end
            self._edits.append(edit)
            if edit.hashed is NULS:
                self._own_places.append(edit.start)
            if edit.stored and self._on_edit is not None:
                stored = None if edit.hashed is NULS else edit.hashed
                self._on_edit(content.number, edit.start - content.start, stored)
        del self._found[:done]

    def _hash(self, limit: int) -> None:
        """Hash the held blocks that end before `limit`, and forget what was needed for them."""
        while self._held and self._hashed + len(self._held[0]) <= limit:
            block = self._held.pop(0)
            self._sink.update(self._edited(block))
            self._hashed += len(block)
        if self._own_places:
            self._own_places.sort()
            count = bisect_right(self._own_places, self._hashed - 1)
            for place in self._own_places[:count]:
                self._places.append(place)
            del self._own_places[:count]
        gone = bisect_right(self._starts, self._hashed) - 1
        if gone > 0:
            # All but the content that contains the next held byte.
            del self._starts[:gone]
            del self._contents[:gone]

    def _edited(self, block: bytes) -> Union[bytes, bytearray]:
        """Return the first held block as it is hashed, and drop the edits that end in it."""
        if not self._edits:
            return block
        start, end = self._hashed, self._hashed + len(block)
        changed = bytearray(block)
        done = 0
        for edit in self._edits:
            if edit.start >= end:
                break
            done += edit.end <= end
            low, high = max(edit.start, start), min(edit.end, end)
            if low < high:
                changed[low - start : high - start] = edit.hashed[low - edit.start : high - edit.start]
        del self._edits[:done]
        return changed


def _start(edit: Edit) -> int:
    return edit.start
