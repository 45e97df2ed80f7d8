"""How fast archives are unpacked, beside Python's own library.

    python3 -m tests.bench.bench_unpack [--mib 512] [--files 20000] [--dir DIR] [--only NAME,…]

Each line compares processor time with that of `tarfile` or `zipfile` doing the same in the same run, in
processes of their own; the best of three counts. The goal is at most 1.1. `reading` only reads what an
archive holds.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial

from bramble.build.fetch.archives.tar import TarStream
from bramble.build.fetch.archives.unpack import UnpackLimits, unpack
from tests.bench.bench_store import ROUNDS, in_child, room

LIMITS = UnpackLimits(size=64 << 30, ratio=250, members=5_000_000)
PIECE = 1 << 18
GOAL = 1.1


def make_tar(path: str, sizes: list[int]) -> None:
    """Write a tar archive, in the format that the library prefers, with files of noise."""
    noise = os.urandom(1 << 20)
    with tarfile.open(path, "w") as archive:
        for number, size in enumerate(sizes):
            info = tarfile.TarInfo(f"package-1.0/{number // 100}/file-{number}")
            info.size = size
            archive.addfile(info, _Repeated(noise, size))


def make_zip(path: str, sizes: list[int]) -> None:
    """Write the same as a zip archive, not packed."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, size in enumerate(sizes):
            archive.writestr(f"package-1.0/{number // 100}/file-{number}", os.urandom(size))


class _Repeated(io.RawIOBase):
    """So many bytes of noise, without holding them."""

    def __init__(self, noise: bytes, size: int) -> None:
        self._noise, self._left = noise, size

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        piece = self._noise[: min(self._left, size if size >= 0 else self._left)]
        self._left -= len(piece)
        return piece


def read_ours(path: str) -> None:
    """Read every byte with our reader."""
    with open(path, "rb", buffering=0) as file:
        stream = TarStream(file.read)
        for _ in stream.members():
            for _ in stream.blocks(PIECE):
                pass


def read_theirs(path: str) -> None:
    """Read every byte with the library's, as a stream."""
    with open(path, "rb", buffering=0) as file, tarfile.open(fileobj=file, mode="r|") as archive:
        for member in archive:
            held = archive.extractfile(member)
            while held is not None and held.read(PIECE):
                pass


def unpack_theirs(path: str, target: str) -> None:
    """Unpack with the library, which trusts the archive."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as zipped:
            zipped.extractall(target)
        return
    with tarfile.open(path) as archive:
        if hasattr(tarfile, "fully_trusted_filter"):
            archive.extraction_filter = tarfile.fully_trusted_filter
        archive.extractall(target)


def compare(
    label: str, ours: Callable[[], object], theirs: Callable[[], object], after: Callable[[], None]
) -> bool:
    """Print how ours compare; return whether that is within the goal. The two take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for work, found in zip((ours, theirs), times):
            found.append(in_child(work)[1])
            after()
    one, other = min(times[0]), min(times[1])
    print(
        f"{label:36} {one:6.2f} s  library {other:6.2f} s  ratio {one / other:.2f}  goal {GOAL}", flush=True
    )
    return one / other <= GOAL


def unpacking(place: str, label: str, path: str) -> bool:
    """Compare the unpacking of one archive."""
    target = f"{place}/target"
    kind = path.rpartition(".")[2]

    def after() -> None:
        shutil.rmtree(target)
        os.mkdir(target)

    os.mkdir(target)
    try:
        return compare(
            f"unpacking {kind}, {label}",
            lambda: unpack(path, kind, target, name="it", limits=LIMITS),
            lambda: unpack_theirs(path, target),
            after,
        )
    finally:
        shutil.rmtree(target)


def main() -> int:
    """Run the command line; 1 when a goal is missed."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--dir", default="/dev/shm")
    parser.add_argument("--only", default="big,small,zip")
    options = parser.parse_args()
    only = options.only.split(",")
    met = []
    shapes = {"big": [options.mib << 20], "small": [2048] * options.files}
    with room(options.dir) as place:
        for name, sizes in shapes.items():
            label = f"{len(sizes)} of {sizes[0] >> 10} KiB"
            if name in only:
                path = f"{place}/a.tar"
                make_tar(path, sizes)
                met.append(
                    compare(
                        f"reading tar, {label}",
                        partial(read_ours, path),
                        partial(read_theirs, path),
                        lambda: None,
                    )
                )
                met.append(unpacking(place, label, path))
                os.unlink(path)
            if name in only and "zip" in only:
                sizes = sizes if name == "small" else [sizes[0] // 4]
                make_zip(f"{place}/a.zip", sizes)
                met.append(unpacking(place, f"{len(sizes)} of {sizes[0] >> 10} KiB", f"{place}/a.zip"))
                os.unlink(f"{place}/a.zip")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
