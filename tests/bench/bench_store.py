"""How fast the store is, beside the bare work that cannot be avoided.

    python3 -m tests.bench.bench_store [--mib 1024] [--files 50000] [--objects 20000] [--verify-mib 1024]
                                       [--dir DIR] [--only NAME,…]

Every line is measured beside its reference in the same run, in processes of
its own; the best of three counts. `memory` is the peak of the process.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bramble.store.digest import digest
from bramble.store.disk import RawOutput, Realisation, Store
from bramble.store.files.spool import Spool
from bramble.store.gc.collect import collect
from bramble.store.objects.archive import FILE
from bramble.store.objects.identity import Meaning, Stream
from bramble.store.path import record_prefix
from bramble.store.questions.verify import verify
from bramble.store.tree.hashing import ParallelHash
from bramble.store.tree.reader import Reading, TreeReader

OWN, BUILD = digest(b"own"), digest(b"build")
BLOCK = 1 << 20
ROUNDS = 3


def in_child(work: Callable[[], object]) -> tuple[float, float, int]:
    """Do `work` in a process of its own; return seconds, those of processor time, and peak memory in MiB."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        begin = time.perf_counter()
        work()
        seconds = time.perf_counter() - begin
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu = sum(usage.ru_utime + usage.ru_stime for usage in used)
        os.write(writing, json.dumps([seconds, cpu, used[0].ru_maxrss // 1024]).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        seconds, cpu, memory = json.loads(file.read())
    os.waitpid(child, 0)
    return float(seconds), float(cpu), int(memory)


def best(work: Callable[[], object]) -> tuple[float, float, int]:
    """Return the quickest of some rounds."""
    return min(in_child(work) for _ in range(ROUNDS))


def beside(label: str, work: Callable[[], object], reference: Callable[[], object], goal: str) -> None:
    """Print how work compares to its reference."""
    plain, plain_cpu, _ = best(reference)
    ours, cpu, memory = best(work)
    print(
        f"{label:44} {ours:7.2f} s  bare {plain:7.2f} s  speed {plain / ours:5.0%}  "
        f"(cpu {cpu:.2f} s, bare {plain_cpu:.2f} s)  memory {memory} MiB  goal {goal}"
    )


def identity(store: Store, directory: str, closure: list[str]) -> Callable[[], object]:
    """Return what archives, scans, rewrites and hashes a directory."""

    def work() -> None:
        meaning = Meaning(
            os.fsencode(store.directory),
            record_prefix(),
            OWN.encode(),
            BUILD.encode(),
            known=frozenset(name.encode() for name in closure),
        )
        top = os.open(directory, os.O_RDONLY)
        with contextlib.closing(ParallelHash()) as sink, contextlib.closing(Spool(store.var)) as places:
            TreeReader(Stream(meaning, sink, places, lambda *_: None), Reading()).read(top)
        os.close(top)

    return work


def bare_hash(directory: str) -> Callable[[], object]:
    """Return what does nothing but hash the one file in a directory."""

    def work() -> None:
        sha256, block = hashlib.sha256(), bytearray(BLOCK)
        with open(f"{directory}/file", "rb", buffering=0) as file:
            while True:
                count = file.readinto(block)
                if not count:
                    return
                sha256.update(memoryview(block)[:count])

    return work


def tar_hash(directory: str) -> Callable[[], object]:
    """Return what packs and hashes a directory with the tools of the system."""
    command = ["sh", "-c", 'tar c -C "$1" . | sha256sum', "-", directory]
    return lambda: subprocess.run(command, stdout=subprocess.DEVNULL)


def one_file(directory: str, mib: int, store: Store, kind: str) -> None:
    """Fill a directory with one big file: noise, or the text of Python's library; some paths in it."""
    os.makedirs(directory)
    if kind == "noise":
        block = os.urandom(BLOCK)
    else:
        sources = sorted(Path(os.__file__).parent.glob("*.py"))
        block = b"".join(path.read_bytes() for path in sources)[:BLOCK]
    here = os.fsencode(store.directory) + b"/" + OWN.encode()
    with open(f"{directory}/file", "wb") as file:
        for number in range(mib):
            file.write(block if number % 64 else block[: -len(here)] + here)


def small_files(directory: str, count: int) -> None:
    """Fill a directory with files of 2 KiB."""
    seeded = random.Random(1)
    for number in range(count):
        if number % 1000 == 0:
            os.makedirs(f"{directory}/{number // 1000}")
        with open(f"{directory}/{number // 1000}/file-{number}", "wb") as file:
            file.write(seeded.randbytes(2048))


def many_references(directory: str, store: Store, closure: list[str]) -> None:
    """Fill a directory with files that hold all names of a closure, ten times each."""
    os.makedirs(directory)
    for number in range(0, len(closure), 100):
        lines = [f"{store.directory}/{name}/lib" for name in closure[number : number + 100]]
        Path(directory, str(number)).write_text("\n".join(lines * 10))


def pieces(store: Store, closure: list[str]) -> None:
    """Measure what the search for names in pieces adds to hashing and scanning, on one thread."""
    noise = random.Random(3)
    programs: list[bytes] = []
    for path in sorted(Path("/usr/bin").iterdir()):
        if path.is_file() and os.access(path, os.R_OK) and sum(map(len, programs)) < 64 << 20:
            data = path.read_bytes()
            programs += [data] if data.startswith(b"\x7fELF") else []
    byte_code = [path.read_bytes() for path in sorted(Path(os.__file__).parent.rglob("*.pyc"))[:1500]]
    small = [noise.randbytes(8192) for _ in range(2500)]
    known = frozenset(name.encode() for name in closure)
    directory = os.fsencode(store.directory)
    meaning = Meaning(directory, record_prefix(), OWN.encode(), BUILD.encode(), known=known)

    def work(files: list[bytes], search: bool) -> float:
        begin = time.process_time()
        stream = Stream(meaning, hashlib.sha256(), [], lambda *_: None, pieces=search)
        for number, data in enumerate(files):
            if len(data) <= 1 << 17:
                stream.small_file(b"", b"%d" % number, 0o644, data)
                continue
            stream.member(b"", b"%d" % number, FILE, 0o644, len(data))
            for at in range(0, len(data), BLOCK):
                stream.content(data[at : at + BLOCK])
            stream.end_of_content(len(data))
        stream.finish()
        return time.process_time() - begin

    for label, files in (("programs", programs), ("byte code", byte_code), ("8 KiB of noise", small)):
        plain, searched = float("inf"), float("inf")
        for _ in range(4 * ROUNDS):
            plain, searched = min(plain, work(files, False)), min(searched, work(files, True))
        label = f"names in pieces, {len(files)} files of {label}"
        print(f"{label:44} cpu {searched:.3f} s, else {plain:.3f} s: {searched / plain:.2f} times  goal 1.2")


def closures_and_gc(store: Store, count: int) -> None:
    """Measure questions about very many objects, whose records are made by hand."""
    names = [digest(b"%d" % number) for number in range(count)]
    seeded = random.Random(2)
    for number, name in enumerate(names):
        os.mkdir(store.object_path(name))
        references = sorted({names[seeded.randrange(number)] for _ in range(8)}) if number else []
        record = {"version": 1, "references": references, "size": 1}
        Path(store.var, "objects", name).write_text(json.dumps(record))
    store.record_roots("/", {"m:f": [names[-1]]})
    for label, work in (
        ("closure query", lambda: Store.open(store.root).closure([names[-1]])),
        ("gc mark (dry run)", lambda: collect(Store.open(store.root), dry_run=True)),
    ):
        seconds, _, memory = best(work)
        print(f"{label + f', {count} objects':44} {seconds:7.2f} s  memory {memory} MiB  goal 2 s")


def tiny_builds(store: Store, count: int) -> None:
    """Measure what the store adds to a tiny build, and to one that has nothing to do."""

    def publish() -> None:
        for number in range(count):
            resolved = digest(b"tiny%d" % number)
            with store.building(resolved), store.workspace() as work:
                os.mkdir(work.path + "/out")
                Path(work.path, "out/file").write_text(f"{number} {time.time_ns()}")
                raw = RawOutput("out", work.path + "/out", OWN)
                made = store.publish([raw], closure=(), build_name=BUILD)["out"]
                store.write_derivation(f"{resolved}-x.drv", b"{}")
                store.record_realisation(Realisation(resolved, f"{resolved}-x.drv", (("out", made.name),)))

    def nothing() -> None:
        mine = Store.open(store.root)
        for number in range(count):
            assert mine.realisation(digest(b"tiny%d" % number)) is not None

    for label, work in (("tiny build", publish), ("nothing to do", nothing)):
        seconds, cpu, memory = best(work)
        each, cpu_each = seconds / count * 1e3, cpu / count * 1e3
        label += f", each of {count}"
        print(f"{label:44} {each:7.3f} ms  (cpu {cpu_each:.3f} ms)  memory {memory} MiB")


@contextlib.contextmanager
def room(where: str) -> Iterator[str]:
    """Give a directory with a short path, and remove it."""
    directory = tempfile.mkdtemp(prefix="b", dir=where)
    try:
        yield directory
    finally:
        subprocess.run(["chmod", "-R", "u+w", directory], check=False)
        shutil.rmtree(directory, ignore_errors=True)


def big(store: Store, directory: str, mib: int, closure: list[str], kind: str) -> None:
    """Measure one big file, whose closure is usual."""
    one_file(f"{directory}/{kind}", mib, store, kind)
    path = f"{directory}/{kind}"
    for size in (3, 30):
        label = f"{mib} MiB of {kind}, closure of {size}"
        beside(label, identity(store, path, closure[:size]), bare_hash(path), "70%")
    shutil.rmtree(path)


def verify_all(store: Store, mib: int) -> None:
    """Measure verification beside one core that only hashes."""
    for number in range(8):
        with store.workspace() as work:
            one_file(f"{work.path}/out", mib // 8, store, "noise")
            Path(work.path, "out/number").write_text(str(number))
            store.publish([RawOutput("out", work.path + "/out", OWN)], closure=(), build_name=None)
    paths = [store.object_path(name) for name in store.names()]

    def bare() -> None:
        for path in paths:
            if os.path.exists(path + "/file"):
                bare_hash(path)()

    cores = len(os.sched_getaffinity(0))
    beside(f"verify of {mib} MiB on {cores} cores, bare on one", lambda: verify(store), bare, "all cores")


def main() -> int:
    """Run the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--files", type=int, default=50000)
    parser.add_argument("--references", type=int, default=10000)
    parser.add_argument("--objects", type=int, default=20000)
    parser.add_argument("--verify-mib", type=int, default=1024)
    parser.add_argument("--tiny", type=int, default=200)
    parser.add_argument("--dir", default="/tmp")
    parser.add_argument("--only", default="big,text,small,pieces,references,graph,tiny,verify")
    options = parser.parse_args()
    only = options.only.split(",")
    with room(options.dir) as place:
        store = Store.open(place + "/s")
        closure = [digest(b"closure %d" % number) for number in range(options.references)]
        if "big" in only:
            big(store, place, options.mib, closure, "noise")
        if "text" in only:
            big(store, place, options.mib, closure, "text")
        if "small" in only:
            small_files(f"{place}/small", options.files)
            work = identity(store, f"{place}/small", closure[:30])
            beside(f"{options.files} files of 2 KiB", work, tar_hash(f"{place}/small"), "50%")
            shutil.rmtree(f"{place}/small")
        if "pieces" in only:
            pieces(store, closure[:30])
        if "references" in only:
            many_references(f"{place}/references", store, closure)
            work = identity(store, f"{place}/references", closure)
            label = f"{len(closure)} references, 10 times each"
            beside(label, work, tar_hash(f"{place}/references"), "-")
        if "tiny" in only:
            tiny_builds(store, options.tiny)
        if "verify" in only:
            verify_all(store, options.verify_mib)
        if "graph" in only:
            closures_and_gc(Store.open(place + "/g"), options.objects)
    return 0


if __name__ == "__main__":
    sys.exit(main())
