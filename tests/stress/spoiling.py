"""Ways to spoil a file: its bytes, the values in its text, or what stands in its place, as the dice say."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import socket
import stat
from collections.abc import Iterator
from typing import Any, Union

# Texts for a value of JSON; the first ones are of another type than most, the later ones are hard to read.
JSON_VALUES = (
    "null", "true", "[]", "{}", '""', "0", "-1", "1.5", "9223372036854775808", "1" + "0" * 400, "1e999",
    "-Infinity", "NaN", '".."', '"../../x"', '"/etc/passwd"', '"/"', '"."', r'"a\u0000b"', r'"\ud800"',
    r'"\u001b[2J\n"', '"' + "x" * 5000 + '"', '{"x": 1}', "[[1, 2], 3]", "[" * 30000, '{"a":' * 3000,
    "1" * 6000, '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"', '{"": {"": ""}}', '["", ""]',
)  # fmt: skip
# Words for any text: numbers that cannot be, brackets that do not end, what a name must not hold.
WORDS: tuple[bytes, ...] = (
    b"-1", b"9" * 30, b"1e999", b"1" * 6000, b"0x", b"0o9", b"null", b"true", b"NaN", b"Infinity", b"{}",
    b"[]", b'""', b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"../", b"/", b"\r", b"\x1b[2J",
    b"[" * 3000, b"(" * 30000, b"{" * 3000, b"-" * 30000, b"not " * 9000, b"lambda: " * 3000, b"a." * 20000,
    b"a = " * 3000, b"x(" * 3000, b"'''", b'"""', b"'\\N{", b"\\U00110000", b"%(", b"{" , b"}", b"\t",
    b"1 << (1 << 40)", b'"x" * (1 << 50)', b"range(1 << 62)", b"[0] * (1 << 60)", b"*args, *kwargs",
    b"[package]\n", b"[[package]]\n", b"a.b.c = 1\n", b'"" = 1\n', b"1979-05-27T07:32:00Z", b"load(",
)  # fmt: skip
_TOKEN = re.compile(rb"[A-Za-z_][\w.-]*|[0-9]+|\"[^\"\n]*\"|\s+|.", re.DOTALL)

PLACES = (
    "directory", "full directory", "fifo", "socket", "link to itself", "link to nothing", "link to a device",
    "link out", "empty", "closed", "huge", "gone", "long line", "odd neighbours", "hard link",
)  # fmt: skip
_ODD_NAMES = (b"\xff\xfe", b"a\nb", b" ", b"...", b"-", b"x" * 255, b".new", b"\x1b[2J", "\u202e".encode())


def noise(dice: random.Random, size: int) -> bytes:
    """Return random bytes, the same for the same dice."""
    return dice.getrandbits(8 * size).to_bytes(size, "little") if size else b""


def spoil(data: bytes, dice: random.Random) -> bytes:
    """Return bytes with some mutations: in the values of JSON, in the words of a text, or anywhere."""
    way = dice.random()
    if way < 0.4:
        with contextlib.suppress(ValueError):
            document = json.loads(data)
            if isinstance(document, (dict, list)):
                return spoil_json(document, dice)
    if way < 0.6 and b"\0" not in data:
        return spoil_words(data, dice)
    return spoil_bytes(data, dice)


def spoil_json(document: Union[dict[str, Any], list[Any]], dice: random.Random) -> bytes:
    """Return the text of a document in which one or two values, keys or items are wrong."""
    raw: dict[str, str] = {}
    for _ in range(dice.choice((1, 1, 2))):
        holder, key = dice.choice(list(_slots(document)) or [(document, None)])
        mark = f"@raw{len(raw)}@"
        way = dice.randrange(6)
        if key is None:
            raw[mark] = dice.choice(JSON_VALUES)
            document = [mark]
        elif way < 3:
            holder[key] = mark
            raw[mark] = dice.choice(JSON_VALUES)
        elif way == 3:
            del holder[key]
        elif isinstance(holder, dict):
            # A key that nobody knows, with the old value; or the value of another key.
            if way == 4:
                holder[dice.choice(("", "..", "a/b", "\0", "x" * 300, "version"))] = holder.pop(key)
            else:
                holder[key] = dice.choice(list(holder.values()))
        else:
            holder.extend([holder[key]] * dice.choice((1, 2, 3000)))
    text = json.dumps(document)
    for mark, value in raw.items():
        text = text.replace(f'"{mark}"', value)
    return text.encode("utf-8", "surrogatepass")


def _slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a document that holds a value, as its holder and its key or number."""
    pairs = list(value.items()) if isinstance(value, dict) else []
    pairs += list(enumerate(value)) if isinstance(value, list) else []
    for key, inner in pairs:
        yield value, key
        yield from _slots(inner)


def spoil_words(data: bytes, dice: random.Random) -> bytes:
    """Return a text in which words are replaced, repeated, exchanged or left out."""
    words = _TOKEN.findall(data)
    for _ in range(dice.choice((1, 1, 2, 5))):
        if not words:
            break
        at, other = dice.randrange(len(words)), dice.randrange(len(words))
        way = dice.randrange(5)
        if way < 2:
            words[at] = dice.choice(WORDS)
        elif way == 2:
            words[at], words[other] = words[other], words[at]
        elif way == 3:
            words[at:at] = words[other : other + dice.choice((1, 3, 20))] * dice.choice((1, 2, 500))
        else:
            del words[at : at + dice.choice((1, 1, 5))]
    return b"".join(words)


def spoil_bytes(data: bytes, dice: random.Random) -> bytes:
    """Return bytes with one to four mutations."""
    made = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at, end = sorted(dice.randrange(len(made) + 1) for _ in range(2))
        end = min(end, at + dice.choice((1, 2, 8, 64, 100000)))
        way = dice.randrange(8)
        if way == 0:
            del made[at:end]
        elif way == 1:
            del made[at:]
        elif way == 2:
            made[at:at] = made[at:end] * dice.choice((1, 2, 50))
        elif way == 3:
            made[at:end] = noise(dice, end - at)
        elif way == 4 and made:
            made[min(at, len(made) - 1)] ^= 1 << dice.randrange(8)
        elif way == 5:
            made[at:end] = dice.choice(WORDS)
        elif way == 6:
            numbers = [n for n in range(len(made)) if 48 <= made[n] < 58]
            if numbers:
                made[dice.choice(numbers)] = 48 + dice.randrange(10)
        else:
            parts = bytes(made).split(b'"')
            if len(parts) > 3:
                one, other = dice.randrange(len(parts)), dice.randrange(len(parts))
                parts[one], parts[other] = parts[other], parts[one]
            made = bytearray(b'"'.join(parts))
    return bytes(made)


def clear(path: str) -> None:
    """Delete whatever stands at `path`."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.chmod(path, 0o700)
            for directory, inner, _ in os.walk(path):
                for name in inner:
                    # Before it is entered; a link is none of ours to change.
                    if not os.path.islink(os.path.join(directory, name)):
                        os.chmod(os.path.join(directory, name), 0o700)
            shutil.rmtree(path)
        else:
            os.unlink(path)


def put(place: str, path: str, outside: str) -> None:
    """Put one of PLACES where `path` is; `outside` is a directory that nobody minds to lose."""
    if place == "closed":
        os.chmod(path, 0)
        return
    if place == "odd neighbours":
        for name in _ODD_NAMES:
            with open(os.path.join(os.fsencode(os.path.dirname(path)), name), "wb"):
                pass
        return
    if place == "hard link":
        # For a directory there are none.
        if os.path.isfile(path):
            os.link(path, path + "2")
        return
    moved = os.path.join(outside, "moved")
    if place == "link out":
        if not os.path.islink(path):
            # A directory that is moved is written to, for its "..".
            os.chmod(path, 0o755)
        os.rename(path, moved)
    clear(path)
    if place.endswith("directory"):
        os.makedirs(os.path.join(path, "a/b") if place == "full directory" else path)
    elif place == "fifo":
        os.mkfifo(path)
    elif place == "socket":
        with socket.socket(socket.AF_UNIX) as made, _at(os.path.dirname(path)):
            made.bind(".socket")
            os.rename(".socket", path)
    elif place.startswith("link"):
        targets = {"link to itself": path, "link to nothing": outside + "/none", "link out": moved}
        os.symlink(targets.get(place, endless(outside)), path)
    elif place != "gone":
        with open(path, "wb") as file:
            if place == "huge":
                file.truncate(1 << 40)
            elif place == "long line":
                file.write(b"x" * (20 << 20))


@contextlib.contextmanager
def _at(directory: str) -> Iterator[None]:
    """Be in `directory` for a while: the name of a socket must be short."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(directory)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def endless(outside: str) -> str:
    """Return a device that can be read for ever: one of our own where that can be made."""
    path = os.path.join(outside, "zero")
    if os.geteuid():
        return "/dev/zero"
    if not os.path.lexists(path):
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    return path
