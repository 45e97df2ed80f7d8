"""Unpack random archives with our readers and with other programs, and compare what comes out.

    python3 -m tests.stress.compare_archives [--count 2000] [--seed N] [--only NUMBER] [--keep DIR]

A third of the archives are made odd: cut, bits flipped, members that stand in each other's way, fields that
contradict each other. A finding is a sound archive that does not give its tree, and an odd one out of which
ours get another tree than every other program that takes it. What ours refuse and others take is counted by
error code and reason, what only ours take is listed: somebody has to look at it. The exit status is 1 when
there is a finding.

Some findings are ours to keep: a bit of a name that no checksum covers (others read the other copy of the
name), Unix modes of the host 19, which others do not read, and a global path of pax, which each program takes
otherwise and ours as POSIX says.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from typing import Optional

from bramble.build.fetch.archives.unpack import UnpackLimits, unpack
from bramble.errors import BrambleError
from tests.build.fetch.archives import END, body, header, long, octal, pax
from tests.stress.random_archives import Made, Node, Tree, make, surroundings, with_parents
from tests.stress.spoiling import clear, spoil_bytes

LIMITS = UnpackLimits(size=1 << 30, ratio=250, members=100_000)
# Of ours the owner's bits count; other programs keep what was written.
OTHERS = {
    "tar": (
        ("bsdtar", "bsdtar", "--no-same-owner", "--no-same-permissions", "-xf"),
        ("GNU tar", "tar", "--no-same-owner", "--no-same-permissions", "-xf"),
    ),
    "zip": (
        ("bsdtar", "bsdtar", "--no-same-owner", "--no-same-permissions", "-xf"),
        ("unzip", "unzip", "-q", "-o"),
    ),
}
ODD_TAR = {
    "a fifo": header(b"odd", b"6"),
    "a device": header(b"odd", b"3"),
    "an unknown type": header(b"odd", b"Z", size=octal(1)) + body(b"x"),
    "a volume name": header(b"odd", b"V", magic=b"ustar  \0"),
    "a sparse file": header(b"odd", b"S", magic=b"ustar  \0"),
    "a piece of a volume": header(b"odd", b"M", magic=b"ustar  \0"),
    "a list of names": header(b"odd", b"N", magic=b"ustar  \0", size=octal(1)) + body(b"x"),
    "an incremental directory": header(b"odd", b"D", magic=b"ustar  \0", size=octal(3)) + body(b"Ya\0"),
    "an unknown charset": pax((b"hdrcharset", b"KOI8-R"), (b"path", b"odd")) + header(),
    "a link with a content": header(b"odd", b"0", size=octal(1)) + body(b"x")
    + header(b"odd2", b"1", link=b"odd", size=octal(1)) + body(b"y"),
    "a link to nothing": header(b"odd", b"1", link=b"none"),
    "a link to itself": header(b"odd", b"1", link=b"odd"),
    "a link to a directory": header(b"odd/", b"5") + header(b"odd2", b"1", link=b"odd"),
    "a link forward": header(b"odd", b"1", link=b"odd2") + header(b"odd2"),
    "a symlink with a size": header(b"odd", b"2", link=b"to", size=octal(512)),
    "a directory with a size": header(b"odd/", b"5", size=octal(512)),
    "a symlink to nothing": header(b"odd", b"2"),
    "no name": header(b""),
    "dots": header(b"../odd"),
    "inner dots": header(b"odd/", b"5") + header(b"odd/../odd2"),
    "below a symlink": header(b"odd", b"2", link=b".") + header(b"odd/below"),
    "below a file": header(b"odd") + header(b"odd/below"),
    "a file over a directory": header(b"odd/", b"5") + header(b"odd"),
    "a file over a full directory": header(b"odd/below") + header(b"odd"),
    "a directory over a file": header(b"odd") + header(b"odd/", b"5"),
    "a directory over a link": header(b"odd", b"2", link=b".") + header(b"odd/", b"5"),
    "a file over a link": header(b"odd", b"2", link=b"odd2") + header(b"odd", size=octal(1)) + body(b"x"),
    "a file twice": header(b"odd", size=octal(1)) + body(b"x") + header(b"odd", size=octal(1)) + body(b"y"),
    "a file in place of a linked one": header(b"odd", size=octal(1)) + body(b"x")
    + header(b"odd2", b"1", link=b"odd") + header(b"odd", size=octal(1)) + body(b"y"),
    "a name with a NUL": pax((b"path", b"od\0d")) + header(),
    "an empty path": pax((b"path", b"")) + header(b"odd"),
    "an empty long name": long(b"\0") + header(b"odd"),
    "a long name without an end": long(b"odd") + header(),
    "two long names": long(b"odd1\0") + long(b"odd\0") + header(),
    "both long names": pax((b"path", b"odd")) + long(b"odd2\0") + header(),
    "a path twice": pax((b"path", b"odd1"), (b"path", b"odd")) + header(),
    "a global path": pax((b"path", b"odd"), kind=b"g") + header(),
    "a global path taken back": pax((b"path", b"odd1"), kind=b"g") + pax((b"path", b"")) + header(b"odd"),
    "a long size": pax((b"size", b"1")) + header(b"odd") + body(b"x"),
    "a negative size": header(b"odd", size=b"\xff" * 12),
    "a vast size": header(b"odd", size=b"\x80" + b"\xff" * 11),
    "a wrong checksum": header(b"odd", checksum=b"0000000\0"),
    "a lone zero block": bytes(512) + header(b"odd"),
    "an end in the middle": END + header(b"odd"),
    "an old header of Sun": header(b"h", b"X", size=octal(12)) + body(b"12 path=odd\n") + header(),
    "a slash at the end": header(b"odd/", b"0"),
    "slashes at the end": header(b"odd//", b"5"),
    "slashes in the middle": header(b"odd//x"),
    "a file of blanks": header(b"odd", mode=b"       \0", size=b"           \0"),
    "sparse by pax": pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                         (b"GNU.sparse.name", b"odd"), (b"GNU.sparse.realsize", b"3")) + header(b"x"),
}  # fmt: skip


def odd(made: Made, dice: random.Random) -> Made:
    """Return an archive with something wrong or rare in it."""
    way = dice.randrange(5)
    if way < 2 and made.kind == "tar":
        what = dice.choice(sorted(ODD_TAR))
        at = dice.choice((0, None))
        end = len(made.data.rstrip(b"\0")) // 512 * 512 + 512
        data = ODD_TAR[what] + made.data if at == 0 else made.data[:end] + ODD_TAR[what] + END
        return Made(f"{made.label} + {what}", "tar", data)
    if way < 2:
        return Made(f"{made.label} + a field", "zip", _wrong_field(made.data, dice))
    if way == 2:
        return Made(f"{made.label} cut", made.kind, made.data[: dice.randrange(len(made.data))])
    if way == 3:
        flipped = bytearray(made.data)
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
        return Made(f"{made.label} + a bit", made.kind, bytes(flipped))
    return Made(f"{made.label} spoiled", made.kind, spoil_bytes(made.data, dice))


def _wrong_field(data: bytes, dice: random.Random) -> bytes:
    """Return a zip archive in which one byte of a header is another."""
    marks = rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07|\x07\x08)"
    starts = [found.start() for found in re.finditer(marks, data)]
    at = dice.choice(starts) + dice.randrange(4, 46) if starts else 0
    at = min(at, len(data) - 1)
    value = dice.choice((0, 1, 8, 0xFF, data[at] ^ 1, data[at] + 1 & 0xFF))
    return data[:at] + bytes([value]) + data[at + 1 :]


def snapshot(top: str) -> Tree:
    """Return what stands below a directory."""
    found: Tree = {}
    base = os.fsencode(top)
    for directory, inner, names in os.walk(base):
        for name in inner + names:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            key = os.path.relpath(path, base)
            if stat.S_ISLNK(status.st_mode):
                found[key] = Node("symlink", os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                os.chmod(path, 0o700)
                found[key] = Node("directory")
            elif stat.S_ISREG(status.st_mode):
                os.chmod(path, status.st_mode | 0o400)
                with open(path, "rb") as file:
                    found[key] = Node("file", file.read(), bool(status.st_mode & 0o100))
            else:
                found[key] = Node("special")
    return found


def ours(archive: str, kind: str, target: str) -> tuple[Optional[Tree], str]:
    """Return our tree, or None and why there is none."""
    try:
        unpack(archive, kind, target, name="it", limits=LIMITS)
    except BrambleError as error:
        reason = re.sub(r'"(?s:.*)"|b\'.*?\'|[0-9]+', "…", error.message.partition(": ")[2])
        return None, f"{error.code[len('fetch.archive-') :]}: {reason or error.message}"
    return snapshot(target), ""


def theirs(command: tuple[str, ...], archive: str, target: str) -> Optional[Tree]:
    """Return the tree of another program; None if it complains."""
    try:
        done = subprocess.run(
            [*command, archive],
            cwd=target, env=surroundings(), stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    # unzip ends with 1 when it has only warned, for example of what stands before the archive.
    accepted = (0, 1) if command[0] == "unzip" else (0,)
    return snapshot(target) if done.returncode in accepted else None


def difference(one: Tree, other: Tree) -> str:
    """Return in what two trees differ, in one word; "" if in nothing."""
    if set(one) != set(other):
        return "names"
    for word in ("kind", "executable", "data"):
        for path, node in one.items():
            if getattr(node, word) != getattr(other[path], word):
                return word if word != "data" else "contents" if node.kind == "file" else "targets"
    return ""


class Comparison:
    """What has come out so far."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.makers: collections.Counter[str] = collections.Counter()
        self.seen: collections.Counter[str] = collections.Counter()
        self.refused: collections.Counter[str] = collections.Counter()
        self.alone: list[str] = []
        self.findings: list[str] = []

    def one(self, number: int, seed: int, keep: str = "") -> None:
        """Make, unpack and compare one archive."""
        dice = random.Random(f"{seed} {number}")
        place = os.path.join(self.top, "w")
        os.mkdir(place)
        try:
            is_odd = dice.random() < 0.35
            made = make(dice, place, plain=is_odd)
            if is_odd:
                made = odd(made, dice)
            self.makers[made.label.partition(" + ")[0]] += 1
            self._compare(f"{number} ({made.label})", made, place)
            if keep:
                shutil.copytree(place, keep, symlinks=True)
        finally:
            clear(place)

    def _compare(self, name: str, made: Made, place: str) -> None:
        archive = os.path.join(place, f"archive.{made.kind}")
        with open(archive, "wb") as file:
            file.write(made.data)
        os.mkdir(os.path.join(place, "ours"))
        tree, reason = ours(archive, made.kind, os.path.join(place, "ours"))
        if made.truth is not None and (tree is None or difference(tree, with_parents(made.truth))):
            what = reason or difference(tree or {}, with_parents(made.truth))
            self.findings.append(f"{name}: a sound archive: {what}")
        others = {}
        for other, *command in OTHERS[made.kind]:
            os.mkdir(os.path.join(place, other))
            others[other] = theirs(tuple(command), archive, os.path.join(place, other))
        self._count(name, made, tree, reason, others)

    def _count(
        self, name: str, made: Made, tree: Optional[Tree], reason: str, others: dict[str, Optional[Tree]]
    ) -> None:
        taken = {other: theirs for other, theirs in others.items() if theirs}
        if tree is None:
            self.seen["refused by ours, " + ("taken by others" if taken else "and by all")] += 1
            if taken:
                self.refused[f"{reason}  [{', '.join(sorted(taken))}]"] += 1
            return
        ways = {other: difference(tree, theirs) for other, theirs in taken.items()}
        for other in others:
            way = ways.get(other, "it refuses") or "same"
            self.seen[f"ours and {other}: {way}"] += 1
        if made.truth is None and not ways:
            self.alone.append(name)
        elif made.truth is None and all(ways.values()):
            what = ", ".join(f"{other}: {way}" for other, way in ways.items())
            self.findings.append(f"{name}: ours alone: {what}")


def main() -> int:
    """Run the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one archive")
    parser.add_argument("--keep", default="", help="a new directory for it and what came out of it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bc") as top:
        found = Comparison(top)
        for number in range(options.count) if options.only is None else (options.only,):
            found.one(number, options.seed, options.keep)
    for title, counted in (
        ("archives by maker", found.makers),
        ("results", found.seen),
        ("refused by ours and taken by others", found.refused),
    ):
        print(f"{title}:")
        for what, times in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])):
            print(f"  {times:6} {what}")
    print(f"taken by ours alone: {', '.join(found.alone) or 'none'}")
    for line in found.findings:
        print(line)
    print(f"{sum(found.makers.values())} archives, {len(found.findings)} findings")
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
